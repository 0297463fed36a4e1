"""What can be done with profiles, and what is refused."""

import msgspec
import pytest

from manystore.records import Kind
from mystira.domain.accounts.model import NewAccount
from mystira.domain.accounts.use_cases import create_account, delete_account
from mystira.domain.errors import MissingParentError, NotFoundError, VersionMismatchError
from mystira.domain.profiles.kind import USER_PROFILES
from mystira.domain.profiles.model import BadgeAward, NewProfile, ProfileChange, ProfileSearch
from mystira.domain.profiles.use_cases import (
    award_badge,
    change_profile,
    create_profile,
    delete_profile,
    list_profiles,
    read_profile,
    release_profiles,
)
from tests.unit.household import ABSENT, Household, open_household

STEADY = BadgeAward(
    badge_configuration_id="steady-breath",
    badge_name="Steady Breath",
    axis="Self-Regulation",
    trigger_value=3.5,
    threshold=3.0,
)


async def _sign_up(home: Household, email: str = "ada@example.org") -> str:
    return (await create_account(home.accounts, NewAccount(email=email), clock=home.clock)).key


async def _make(home: Household, **asked: object) -> str:
    new = msgspec.convert({"name": "Mia", **asked}, NewProfile)
    stored = await create_profile(home.profiles, home.accounts, new, clock=home.clock, maker=home.maker)
    return stored.key


async def test_a_profile_of_a_guest_needs_no_account() -> None:
    """Defaults are the youngest readers' age group and no badges; times are the clock's."""
    home = await open_household()
    key = await _make(home, isGuest=True, dateOfBirth="2018-05-06")
    profile = (await read_profile(home.profiles, key)).value
    assert (profile.account_id, profile.age_group, profile.earned_badges) == (None, "6-9", [])
    assert profile.created_at == profile.updated_at == home.now
    assert (await home.document(USER_PROFILES, key))["dateOfBirth"] == "2018-05-06"


async def test_a_profile_points_to_an_account_that_exists() -> None:
    """An unknown account is refused with field and parent named, and no profile is written."""
    home = await open_household()
    with pytest.raises(MissingParentError) as refused:
        await _make(home, accountId=ABSENT)
    assert (refused.value.code, refused.value.field) == ("missing_parent", "accountId")
    assert (refused.value.parent_kind, refused.value.parent_key) == ("accounts", ABSENT)
    assert await home.store.count(USER_PROFILES) == 0
    account = await _sign_up(home)
    key = await _make(home, accountId=account)
    assert (await read_profile(home.profiles, key)).value.account_id == account


async def test_an_account_deleted_between_look_and_write_leaves_no_pointer() -> None:
    """The account goes after it was seen and before the profile is written: the profile is let go."""
    home = await open_household()
    account = await _sign_up(home)

    async def delete(_: Kind) -> None:
        await delete_account(home.accounts, account)

    home.store.interruptions = [delete]
    key = await _make(home, accountId=account)
    assert (await read_profile(home.profiles, key)).value.account_id is None


async def test_a_change_can_give_and_take_an_account() -> None:
    """Null takes the account away; an unknown one is refused and changes nothing."""
    home = await open_household()
    account = await _sign_up(home)
    key = await _make(home)

    async def change(body: bytes) -> str | None:
        patch = msgspec.json.decode(body, type=ProfileChange)
        stored = await change_profile(home.profiles, home.accounts, key, patch, clock=home.clock)
        return stored.value.account_id

    assert await change(b'{"accountId":"%s"}' % account.encode()) == account
    with pytest.raises(MissingParentError):
        await change(b'{"accountId":"%s"}' % ABSENT.encode())
    assert await change(b'{"name":"Mia II"}') == account
    assert await change(b'{"accountId":null}') is None


async def test_a_change_takes_values_away_by_null() -> None:
    """What may be absent can be removed; what may not is refused as input."""
    home = await open_household()
    key = await _make(home, pronouns="she/her", preferredThemes=["space"])
    patch = msgspec.json.decode(b'{"pronouns":null,"preferredThemes":["sea","sky"]}', type=ProfileChange)
    stored = await change_profile(home.profiles, home.accounts, key, patch, clock=home.clock, expected=1)
    assert (stored.value.pronouns, stored.value.preferred_themes) == (None, ["sea", "sky"])
    with pytest.raises(msgspec.ValidationError, match=r"\$\.name"):
        msgspec.json.decode(b'{"name":null}', type=ProfileChange)
    with pytest.raises(VersionMismatchError):
        await change_profile(
            home.profiles, home.accounts, key, ProfileChange(bio="x"), clock=home.clock, expected=1
        )


async def test_a_badge_is_awarded_once_per_configuration() -> None:
    """Awarded again, the first badge stands with its id and time, and nothing is written."""
    home = await open_household()
    key = await _make(home)
    first = await award_badge(home.profiles, key, STEADY, clock=home.clock, maker=home.maker)
    home.clock.advance(60)
    again = await award_badge(home.profiles, key, STEADY, clock=home.clock, maker=home.maker)
    assert (again.version, again.value) == (first.version, first.value)
    other = msgspec.structs.replace(STEADY, badge_configuration_id="open-door")
    third = await award_badge(home.profiles, key, other, clock=home.clock, maker=home.maker)
    earned = [badge.badge_configuration_id for badge in third.value.earned_badges]
    assert earned == ["steady-breath", "open-door"]
    assert third.value.earned_badges[1].earned_at == home.now


async def test_two_who_award_the_same_badge_at_once_award_one() -> None:
    """The slower of two finds the badge there when it looks again."""
    home = await open_household()
    key = await _make(home)

    async def rival(_: Kind) -> None:
        await award_badge(home.profiles, key, STEADY, clock=home.clock, maker=home.maker)

    home.store.interruptions = [rival]
    stored = await award_badge(home.profiles, key, STEADY, clock=home.clock, maker=home.maker)
    assert len(stored.value.earned_badges) == 1
    assert stored.version == 2


async def test_a_badge_keeps_what_the_model_does_not_know() -> None:
    """A property of a badge that an older program wrote outlives the next award."""
    home = await open_household()
    badge = {
        "id": ABSENT,
        "badgeConfigurationId": "open-door",
        "badgeName": "Open Door",
        "axis": "Courage",
        "earnedAt": "2024-01-01T00:00:00.1234567Z",
        "triggerValue": 3,
        "shownOnShelf": True,
    }
    document = {"id": ABSENT, "createdAt": "2024-01-01T00:00:00Z", "earnedBadges": [badge]}
    await home.write_document(USER_PROFILES, document)
    await award_badge(home.profiles, ABSENT, STEADY, clock=home.clock, maker=home.maker)
    kept, _ = (await home.document(USER_PROFILES, ABSENT))["earnedBadges"]
    assert kept == badge


async def test_a_deleted_profile_is_gone_with_its_badges() -> None:
    """Deleting is refused at an old version, works at the present one, and only once."""
    home = await open_household()
    key = await _make(home)
    await award_badge(home.profiles, key, STEADY, clock=home.clock)
    with pytest.raises(VersionMismatchError):
        await delete_profile(home.profiles, key, expected=1)
    await delete_profile(home.profiles, key, expected=2)
    for attempt in (read_profile(home.profiles, key), delete_profile(home.profiles, key)):
        with pytest.raises(NotFoundError):
            await attempt


async def test_profiles_are_found_by_account_age_group_and_guest() -> None:
    """Every condition that is given holds of what is listed."""
    home = await open_household()
    account = await _sign_up(home)
    await _make(home, name="a", accountId=account)
    await _make(home, name="b", accountId=account, ageGroup="10-12")
    await _make(home, name="c", isGuest=True)

    async def names(search: ProfileSearch) -> list[str]:
        return [each.value.name for each in (await list_profiles(home.profiles, search)).items]

    assert await names(ProfileSearch(order="-name")) == ["c", "b", "a"]
    assert await names(ProfileSearch(account_id=account, order="name")) == ["a", "b"]
    assert await names(ProfileSearch(age_group="10-12")) == ["b"]
    assert await names(ProfileSearch(is_guest=True)) == ["c"]
    assert await names(ProfileSearch(is_guest=False, age_group="6-9")) == ["a"]


async def test_all_profiles_of_an_account_are_released() -> None:
    """More than one batch of them, and one whose pointer is spelled in capitals; others keep theirs."""
    home = await open_household()
    account, other = await _sign_up(home), await _sign_up(home, "b@example.org")
    for _ in range(120):
        await _make(home, accountId=account)
    kept = await _make(home, accountId=other)
    capitals = {"id": ABSENT, "createdAt": "2024-01-01T00:00:00Z", "accountId": account.upper()}
    await home.write_document(USER_PROFILES, capitals)
    await release_profiles(home.profiles, account, clock=home.clock)
    found = await list_profiles(home.profiles, ProfileSearch(account_id=account))
    assert found.items == ()
    assert (await read_profile(home.profiles, kept)).value.account_id == other


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({}, "name"),
        ({"name": ""}, r"\$\.name"),
        ({"name": "Mia", "ageGroup": "6 to 9"}, r"\$\.ageGroup"),
        ({"name": "Mia", "ageGroup": "6-9\n"}, r"\$\.ageGroup"),
        ({"name": "Mia", "accountId": "me"}, r"\$\.accountId"),
        ({"name": "Mia", "dateOfBirth": "2018-02-30"}, r"\$\.dateOfBirth"),
        ({"name": "Mia", "bio": "x" * 4001}, r"\$\.bio"),
        ({"name": "Mia", "preferredThemes": ["space", ""]}, r"\$\.preferredThemes\[1\]"),
        ({"name": "Mia", "preferredThemes": ["x"] * 51}, r"\$\.preferredThemes"),
        ({"name": "Mia", "avatarMediaId": "../etc"}, r"\$\.avatarMediaId"),
        ({"name": "Mia", "earnedBadges": []}, "earnedBadges"),
    ],
)
def test_bad_input_is_refused_with_its_path(body: dict[str, object], path: str) -> None:
    """What people send is held to its bounds, and the refusal names the property."""
    with pytest.raises(msgspec.ValidationError, match=path):
        msgspec.convert(body, NewProfile)
