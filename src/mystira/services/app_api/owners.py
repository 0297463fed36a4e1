"""Whose a record is, for the operations whose path names one."""

from mystira.domain.errors import MissingParentError
from mystira.domain.profiles.model import UserProfile
from mystira.domain.profiles.use_cases import Profiles, read_profile
from mystira.http.callers import Owner


def profile_owner(profiles: Profiles) -> Owner:
    """The account of the profile that `profileId` names."""

    async def find(profile_id: str) -> str | None:
        return (await read_profile(profiles, profile_id)).value.account_id

    return Owner(kind=profiles.kind.name, parameter="profileId", find=find)


async def require_own_profile(profiles: Profiles, account_id: str, profile_id: str) -> UserProfile:
    """The account's profile of that id.

    Raises MissingParentError for somebody else's, as for one that is not there.
    """
    stored = await profiles.get(profile_id)
    # Old data may spell an id in capitals.
    if stored is None or (stored.value.account_id or "").lower() != account_id.lower():
        raise MissingParentError(
            kind="purchases", key="", field="profileId", parent_kind="user_profiles", parent_key=profile_id
        )
    return stored.value
