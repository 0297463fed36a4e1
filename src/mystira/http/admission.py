"""How often codes may be asked for and tried, people's own and parents': counted as one, whichever door
somebody comes by.
"""

from typing import Final

from mystira.domain.signing_in.codes import keyed_hash
from mystira.gateways.limits import Limit
from mystira.gateways.outside import Outside
from mystira.settings import Settings

_PURPOSE: Final = "mystira:limit"


class Admission:
    """Counts by e-mail address and by network address, neither of which is kept as it is."""

    def __init__(self, outside: Outside, settings: Settings, key: str) -> None:
        self._outside, self._key = outside, key
        self._per_email = Limit(name="codes-per-email", count=settings.codes_per_email)
        self._per_address = Limit(name="codes-per-address", count=settings.codes_per_address)
        self._tries = Limit(name="confirmations-per-address", count=settings.confirmations_per_address)
        self._per_profile = Limit(name="consents-per-profile", count=settings.codes_per_email)
        self._answers = Limit(name="consent-codes-per-address", count=settings.confirmations_per_address)

    async def to_ask(self, address: str | None, email: str) -> None:
        """Count a request for a code; without a network address where that does not count.

        Raises UnavailableError and TooOftenError, whether or not there will be a letter.
        """
        self._outside.outgoing.require_room()
        await self._take(self._per_address, address)
        await self._take(self._per_email, email.lower())

    async def to_confirm(self, address: str | None) -> None:
        """Count an attempt at a code. Raises UnavailableError and TooOftenError."""
        await self._take(self._tries, address)

    async def to_ask_a_parent(self, profile_id: str | None) -> None:
        """Count a request for a parent's consent; None where that does not count.

        Raises UnavailableError, also where no letter can be taken, and TooOftenError.
        """
        self._outside.outgoing.require_room()
        await self._take(self._per_profile, profile_id)

    async def to_consent(self, address: str | None) -> None:
        """Count an attempt at a parent's code. Raises UnavailableError and TooOftenError."""
        await self._take(self._answers, address)

    async def _take(self, limit: Limit, value: str | None) -> None:
        if value is not None:
            await self._outside.limits.take(limit, keyed_hash(self._key, _PURPOSE, value))
