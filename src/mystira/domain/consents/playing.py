"""Whether somebody may play, and what becomes of their plays once a parent takes it back."""

from collections.abc import Awaitable, Callable

from manystore.clock import Clock
from mystira.domain.consents.model import ParentalConsent, Purpose
from mystira.domain.consents.rules import ConsentNeededError
from mystira.domain.consents.use_cases import Consents, require_consent
from mystira.domain.profiles.model import UserProfile
from mystira.domain.profiles.use_cases import Profiles

LayAside = Callable[[str, str], Awaitable[object]]
"""Pause what a profile plays in an account; told the account's id and the profile's."""


def playing_rule(consents: Consents, clock: Clock) -> Callable[[UserProfile], Awaitable[None]]:
    """Raises ConsentNeededError for a child's profile, unless a parent consented to its playing."""

    async def require(profile: UserProfile) -> None:
        today = clock.now().date()
        await require_consent(consents, profile, Purpose.PLAY, field="profileId", today=today)

    return require


async def stop_playing(
    consent: ParentalConsent, consents: Consents, profiles: Profiles, clock: Clock, lay_aside: LayAside
) -> None:
    """Lay aside what a child plays, where the consent that was taken back was the last that allowed it.

    Repeatable, as taking a consent back is: interrupted, doing it again brings it to its end.
    """
    if Purpose.PLAY.value not in consent.scope or consent.account_id is None:
        return
    stored = await profiles.get(consent.child_profile_id)
    if stored is None:
        return
    try:
        await playing_rule(consents, clock)(stored.value)
    except ConsentNeededError:
        await lay_aside(consent.account_id, stored.value.id)
