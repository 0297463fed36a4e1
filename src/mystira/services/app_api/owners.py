"""Whose a record is, for the operations whose path names one."""

from mystira.domain.profiles.use_cases import Profiles, read_profile
from mystira.http.callers import Owner


def profile_owner(profiles: Profiles) -> Owner:
    """The account of the profile that `profileId` names."""

    async def find(profile_id: str) -> str | None:
        return (await read_profile(profiles, profile_id)).value.account_id

    return Owner(kind=profiles.kind.name, parameter="profileId", find=find)
