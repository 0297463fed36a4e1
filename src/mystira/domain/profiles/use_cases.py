"""What can be done with a profile. A profile may point to an account, which must then be there."""

from collections.abc import Sequence
from typing import Final

import msgspec
from msgspec import UNSET

from manystore.clock import Clock
from manystore.repository import Found, Repository, Stored
from manystore.specifications import EVERYTHING, Predicate, Specification, field
from mystira.domain.accounts.use_cases import Accounts
from mystira.domain.errors import MissingParentError, NotFoundError
from mystira.domain.ids import MakeId, make_id
from mystira.domain.profiles.model import (
    BadgeAward,
    NewProfile,
    ProfileChange,
    ProfileSearch,
    UserBadge,
    UserProfile,
)
from mystira.domain.records import (
    change_record,
    create_record,
    delete_record,
    merge_patch,
    order_by,
    read_record,
)

Profiles = Repository[UserProfile]

_RELEASE_BATCH: Final = 100
_AWARDED: Final = BadgeAward.__struct_fields__


async def create_profile(
    profiles: Profiles,
    accounts: Accounts,
    new: NewProfile,
    *,
    clock: Clock,
    profile_id: str | None = None,
    maker: MakeId = make_id,
) -> Stored[UserProfile]:
    """Make a profile under the id given, or one from `maker`.

    Raises MissingParentError (an account that is not there) and AlreadyExistsError.
    """
    key, now = maker() if profile_id is None else profile_id, clock.now()
    await _require_account(accounts, key, new.account_id)
    asked = {name: getattr(new, name) for name in NewProfile.__struct_fields__}
    profile = UserProfile(id=key, created_at=now, updated_at=now, **asked)
    return await _settle(profiles, accounts, await create_record(profiles, profile), clock)


async def read_profile(profiles: Profiles, profile_id: str) -> Stored[UserProfile]:
    """The profile with its badges. Raises NotFoundError."""
    return await read_record(profiles, profile_id)


async def change_profile(
    profiles: Profiles,
    accounts: Accounts,
    profile_id: str,
    change: ProfileChange,
    *,
    clock: Clock,
    expected: int | None = None,
) -> Stored[UserProfile]:
    """Change a profile, at the `expected` version where one is given.

    Raises NotFoundError, MissingParentError, VersionMismatchError, ContendedError.
    """

    def alter(profile: UserProfile) -> UserProfile:
        return merge_patch(profile, change)

    account_id = None if change.account_id is UNSET else change.account_id
    await _require_account(accounts, profile_id, account_id)
    stored = await change_record(profiles, profile_id, alter, now=clock.now(), expected=expected)
    return stored if account_id is None else await _settle(profiles, accounts, stored, clock)


async def delete_profile(profiles: Profiles, profile_id: str, *, expected: int | None = None) -> None:
    """Delete a profile with its badges. Raises NotFoundError, VersionMismatchError, ContendedError."""
    await delete_record(profiles, profile_id, expected=expected)


async def award_badge(
    profiles: Profiles,
    profile_id: str,
    award: BadgeAward,
    *,
    clock: Clock,
    maker: MakeId = make_id,
) -> Stored[UserProfile]:
    """Give a badge, once per badge configuration: given again, the first one stands as it is.

    Raises NotFoundError, ContendedError.
    """
    return await award_badges(profiles, profile_id, [award], clock=clock, maker=maker)


async def award_badges(
    profiles: Profiles,
    profile_id: str,
    awards: Sequence[BadgeAward],
    *,
    clock: Clock,
    maker: MakeId = make_id,
) -> Stored[UserProfile]:
    """Give several badges in one write, each once per badge configuration, in their order.

    Raises NotFoundError, ContendedError.
    """
    now = clock.now()
    badges = [
        UserBadge(id=maker(), earned_at=now, **{name: getattr(award, name) for name in _AWARDED})
        for award in awards
    ]

    def alter(profile: UserProfile) -> UserProfile:
        earned = list(profile.earned_badges)
        for badge in badges:
            if all(badge.badge_configuration_id != each.badge_configuration_id for each in earned):
                earned.append(badge)
        return msgspec.structs.replace(profile, earned_badges=earned)

    return await change_record(profiles, profile_id, alter, now=now)


async def release_profiles(profiles: Profiles, account_id: str, *, clock: Clock) -> int:
    """Take the account off every profile that points to it; the profiles stay. Returns how many did.

    Raises ContendedError where others keep changing a profile.
    """
    released = 0
    pointing = Specification(where=field("accountId") == account_id, limit=_RELEASE_BATCH)
    while items := (await profiles.find(pointing)).items:
        for stored in items:
            released += await _release(profiles, stored.key, account_id, clock)
    return released


async def list_profiles(profiles: Profiles, search: ProfileSearch) -> Found[UserProfile]:
    """One page of the profiles that satisfy the search.

    Raises InvalidSpecificationError (manystore.errors) for a continuation of another search.
    """
    where: Predicate = EVERYTHING
    if search.account_id is not None:
        where &= field("accountId") == search.account_id
    if search.age_group is not None:
        where &= field("ageGroup") == search.age_group
    if search.is_guest is not None:
        where &= field("isGuest") == search.is_guest
    return await profiles.find(
        Specification(
            where=where,
            order=(order_by(search.order),),
            limit=search.limit,
            continuation=search.continuation,
        )
    )


async def _require_account(accounts: Accounts, profile_id: str, account_id: str | None) -> None:
    if account_id is None:
        return
    try:
        await read_record(accounts, account_id)
    except NotFoundError as error:
        raise MissingParentError(
            kind="user_profiles",
            key=profile_id,
            field="accountId",
            parent_kind="accounts",
            parent_key=account_id,
        ) from error


async def _settle(
    profiles: Profiles, accounts: Accounts, stored: Stored[UserProfile], clock: Clock
) -> Stored[UserProfile]:
    """Look again at the account, which may have been deleted between our look and our write.

    Then either its deletion sees this profile or this look sees the deletion, whichever came first.
    """
    account_id = stored.value.account_id
    if account_id is None or await accounts.get(account_id) is not None:
        return stored
    await _release(profiles, stored.key, account_id, clock)
    return await read_record(profiles, stored.key)


async def _release(profiles: Profiles, profile_id: str, account_id: str, clock: Clock) -> bool:
    """Whether the profile pointed to the account and no longer does; one that has gone did not."""

    def alter(profile: UserProfile) -> UserProfile:
        # Old data may spell an id in capitals, which the search for it does not mind.
        if (profile.account_id or "").lower() != account_id.lower():
            return profile
        return msgspec.structs.replace(profile, account_id=None)

    try:
        await change_record(profiles, profile_id, alter, now=clock.now())
    except NotFoundError:
        return False
    return True
