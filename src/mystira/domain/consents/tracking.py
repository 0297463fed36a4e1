"""Whether what somebody chose in stories may be counted."""

from collections.abc import Awaitable, Callable

from manystore.clock import Clock
from mystira.domain.consents.model import Purpose
from mystira.domain.consents.use_cases import Consents, may
from mystira.domain.profiles.use_cases import Profiles


def tracking_rule(consents: Consents, profiles: Profiles, clock: Clock) -> Callable[[str], Awaitable[bool]]:
    """Whether the choices of the profile of an id may be counted: no child's, unless a parent consented.

    Those of a profile that has gone may not: nobody can be asked any more.
    """

    async def may_track(profile_id: str) -> bool:
        stored = await profiles.get(profile_id)
        if stored is None:
            return False
        return await may(consents, stored.value, Purpose.ANALYTICS, today=clock.now().date())

    return may_track
