"""What can be done with accounts, and what is refused."""

import functools

import msgspec
import pytest

from manystore.records import Kind
from manystore.specifications import Specification
from mystira.domain.accounts.kind import ACCOUNTS
from mystira.domain.accounts.model import (
    AccountChange,
    NewAccount,
    Role,
    SettingsChange,
    SubscriptionChange,
    SubscriptionType,
)
from mystira.domain.accounts.use_cases import (
    change_account,
    change_subscription,
    complete_scenario,
    create_account,
    delete_account,
    read_account,
    set_role,
)
from mystira.domain.errors import (
    AlreadyExistsError,
    ContendedError,
    InvalidValueError,
    NotFoundError,
    NotUniqueError,
    VersionMismatchError,
)
from mystira.domain.profiles.model import NewProfile, ProfileSearch
from mystira.domain.profiles.use_cases import create_profile, list_profiles, read_profile, release_profiles
from mystira.domain.records import ATTEMPTS
from tests.unit.household import ABSENT, Household, open_household


async def _sign_up(home: Household, email: str = "ada@example.org", **more: str) -> str:
    new = msgspec.convert({"email": email, **more}, NewAccount)
    stored = await create_account(home.accounts, new, clock=home.clock, maker=home.maker)
    return stored.key


async def test_signing_up_makes_a_guest_on_a_free_subscription() -> None:
    """Role and subscription are given, not chosen; times are the clock's and the id is the maker's."""
    home = await open_household()
    new = NewAccount(email="ada@example.org", display_name="Ada", settings=SettingsChange(theme="dark"))
    stored = await create_account(home.accounts, new, clock=home.clock, maker=home.maker)
    account = stored.value
    assert stored.version == 1
    assert account.id == "00000000-0000-7000-8000-000000000001"
    assert (account.role, account.subscription.type) == (Role.GUEST, SubscriptionType.FREE)
    assert (account.settings.theme, account.settings.preferred_language) == ("dark", "en")
    assert {account.created_at, account.updated_at, account.last_login_at} == {home.now}


async def test_a_document_is_camel_case() -> None:
    """What lies in the store is spelled as the documents' readers expect, enumerations by their values."""
    home = await open_household()
    key = await _sign_up(home, displayName="Ada")
    document = await home.document(ACCOUNTS, key)
    assert document["displayName"] == "Ada"
    assert document["role"] == "Guest"
    assert document["createdAt"] == "2026-01-01T00:16:40Z"
    assert document["settings"]["requireAuthOnStartup"] is False


async def test_an_id_made_here_is_a_uuid_of_version_7() -> None:
    """Where nobody passes a maker, ids sort by the time of their making."""
    home = await open_household()
    new = [NewAccount(email=f"a{n}@example.org") for n in range(3)]
    keys = [(await create_account(home.accounts, each, clock=home.clock)).key for each in new]
    assert {key[14] for key in keys} == {"7"}
    assert keys == sorted(keys)


async def test_an_email_address_is_unique_whatever_its_case() -> None:
    """The second account is refused with the field's name, and nothing of it is written."""
    home = await open_household()
    await _sign_up(home, "ada@example.org")
    with pytest.raises(NotUniqueError) as refused:
        await _sign_up(home, "ADA@Example.ORG")
    assert (refused.value.code, refused.value.field) == ("not_unique", "email")
    assert await home.store.count(ACCOUNTS) == 1


async def test_an_external_identity_opens_one_account() -> None:
    """Two accounts cannot share an identity at the sign-in provider."""
    home = await open_household()
    await _sign_up(home, "a@example.org", externalUserId="idp|1")
    with pytest.raises(NotUniqueError, match="externalUserId"):
        await _sign_up(home, "b@example.org", externalUserId="idp|1")


async def test_an_id_is_taken_once() -> None:
    """Creating under an id that exists is refused as such and not as a version conflict."""
    home = await open_household()
    key = await _sign_up(home)
    with pytest.raises(AlreadyExistsError) as refused:
        await create_account(
            home.accounts, NewAccount(email="b@example.org"), clock=home.clock, account_id=key
        )
    assert refused.value.code == "already_exists"


@pytest.mark.parametrize("key", [ABSENT, "not-a-uuid", "", "00000000-0000-7000-8000-00000000DEAD"])
async def test_an_unknown_account_is_not_found(key: str) -> None:
    """A key that no record can have is as unknown as one that none has, for every use case."""
    home = await open_household()
    with pytest.raises(NotFoundError):
        await read_account(home.accounts, key)
    with pytest.raises(NotFoundError):
        await change_account(home.accounts, key, AccountChange(display_name="x"), clock=home.clock)
    with pytest.raises(NotFoundError):
        await delete_account(home.accounts, key)
    with pytest.raises(NotFoundError):
        await complete_scenario(home.accounts, key, "lantern", clock=home.clock)


async def test_a_change_touches_what_it_names() -> None:
    """A merge patch reaches into settings, leaves the rest, and says when."""
    home = await open_household()
    key = await _sign_up(home, displayName="Ada")
    home.clock.advance(60)
    patch = b'{"settings": {"notificationsEnabled": false}, "email": "Ada@example.org"}'
    change = msgspec.json.decode(patch, type=AccountChange)
    stored = await change_account(home.accounts, key, change, clock=home.clock, expected=1)
    account = stored.value
    assert stored.version == 2
    assert (account.email, account.display_name) == ("Ada@example.org", "Ada")
    assert account.settings.notifications_enabled is False
    assert account.settings.cache_credentials is True
    assert account.updated_at == home.now
    assert account.created_at < home.now


async def test_a_change_that_changes_nothing_is_not_written() -> None:
    """Repeating a change leaves the version, so a client's ETag stays good."""
    home = await open_household()
    key = await _sign_up(home, displayName="Ada")
    home.clock.advance(60)
    stored = await change_account(home.accounts, key, AccountChange(display_name="Ada"), clock=home.clock)
    assert stored.version == 1
    assert stored.value.updated_at == stored.value.created_at


async def test_a_change_to_an_old_version_is_refused() -> None:
    """With an expected version, a lost update cannot happen."""
    home = await open_household()
    key = await _sign_up(home)
    await change_account(home.accounts, key, AccountChange(display_name="A"), clock=home.clock, expected=1)
    with pytest.raises(VersionMismatchError) as refused:
        await change_account(
            home.accounts, key, AccountChange(display_name="B"), clock=home.clock, expected=1
        )
    assert (refused.value.expected, refused.value.actual) == (1, 2)
    assert (await read_account(home.accounts, key)).value.display_name == "A"


async def test_a_change_keeps_what_the_model_does_not_know() -> None:
    """Unknown fields, nulls, gaps and seven-digit times of an old document outlive a change."""
    home = await open_household()
    old = {
        "id": ABSENT,
        "email": "Old@example.org",
        "createdAt": "2024-02-29T23:59:59.9999999Z",
        "lastLoginAt": "2024-03-01T00:00:00+02:00",
        "externalUserId": None,
        "settings": {"fontScale": 1.0},
        "subscription": {"type": "Annual", "storeCountry": "ZA"},
        "loyalty": {"points": 9007199254740993},
    }
    await home.write_document(ACCOUNTS, old)
    await change_account(home.accounts, ABSENT, AccountChange(display_name="Old"), clock=home.clock)
    document = await home.document(ACCOUNTS, ABSENT)
    assert {name: document[name] for name in old} == old
    assert set(document) - set(old) == {"displayName", "updatedAt"}


async def _rename(home: Household, name: str) -> None:
    (found,) = (await home.accounts.find(Specification())).items
    await home.accounts.change(found, msgspec.structs.replace(found.value, display_name=name))


async def test_a_lost_race_is_run_again() -> None:
    """Without an expected version, a change that somebody else overtook is made to what they wrote."""
    home = await open_household()
    key = await _sign_up(home)

    async def rival(_: Kind) -> None:
        await _rename(home, "rival")

    home.store.interruptions = [rival]
    stored = await complete_scenario(home.accounts, key, "lantern", clock=home.clock)
    assert stored.version == 3
    assert (stored.value.display_name, stored.value.completed_scenario_ids) == ("rival", ["lantern"])


async def test_a_race_lost_again_and_again_is_given_up() -> None:
    """Retries are bounded; the caller learns that nothing was written."""
    home = await open_household()
    key = await _sign_up(home)
    names = [f"rival {n}" for n in range(2 * ATTEMPTS)]

    async def rival(_: Kind) -> None:
        # The rival's own write must not be interrupted by the next rival.
        waiting, home.store.interruptions = home.store.interruptions, []
        await _rename(home, names.pop(0))
        home.store.interruptions = waiting

    home.store.interruptions = [rival] * len(names)
    with pytest.raises(ContendedError) as refused:
        await complete_scenario(home.accounts, key, "lantern", clock=home.clock)
    assert (refused.value.code, refused.value.attempts) == ("contended", ATTEMPTS)
    assert len(names) == ATTEMPTS
    assert (await read_account(home.accounts, key)).value.completed_scenario_ids == []


async def test_a_lost_race_with_an_expected_version_is_a_mismatch() -> None:
    """Somebody who expects a version is told of the new one, even where the race was lost at the write."""
    home = await open_household()
    key = await _sign_up(home)

    async def rival(_: Kind) -> None:
        await _rename(home, "rival")

    home.store.interruptions = [rival]
    with pytest.raises(VersionMismatchError) as refused:
        await set_role(home.accounts, key, Role.ADMIN, clock=home.clock, expected=1)
    assert refused.value.actual == 2
    assert (await read_account(home.accounts, key)).value.role is Role.GUEST


async def test_a_scenario_is_completed_once() -> None:
    """Saying it again writes nothing; another one is put behind it."""
    home = await open_household()
    key = await _sign_up(home)
    for scenario in ("lantern", "lantern", "moss", "lantern"):
        stored = await complete_scenario(home.accounts, key, scenario, clock=home.clock)
    assert stored.value.completed_scenario_ids == ["lantern", "moss"]
    assert stored.version == 3


async def test_a_role_is_set_and_not_changed_by_its_owner() -> None:
    """There is no way to name a role in what an owner may send; set_role does it."""
    home = await open_household()
    key = await _sign_up(home)
    for model in (NewAccount, AccountChange):
        with pytest.raises(msgspec.ValidationError, match="role"):
            msgspec.convert({"email": "a@example.org", "role": "Admin"}, model)
    stored = await set_role(home.accounts, key, Role.ADMIN, clock=home.clock)
    assert stored.value.role is Role.ADMIN


async def test_a_subscription_changes_in_parts_and_in_utc() -> None:
    """Properties left out stay, null takes away, and a time with an offset is kept in UTC."""
    home = await open_household()
    key = await _sign_up(home)
    body = b'{"type":"Annual","productId":"family","validUntil":"2027-01-01T01:00:00+02:00"}'
    change = msgspec.json.decode(body, type=SubscriptionChange)
    await change_subscription(home.accounts, key, change, clock=home.clock)
    document = await home.document(ACCOUNTS, key)
    assert document["subscription"]["validUntil"] == "2026-12-31T23:00:00Z"
    change = msgspec.json.decode(b'{"productId":null}', type=SubscriptionChange)
    stored = await change_subscription(home.accounts, key, change, clock=home.clock)
    assert stored.value.subscription.type is SubscriptionType.ANNUAL
    assert stored.value.subscription.product_id is None


async def test_a_time_that_utc_cannot_say_is_refused() -> None:
    """Late on the last day of the calendar, west of Greenwich, is no year of four digits in UTC."""
    home = await open_household()
    key = await _sign_up(home)
    body = b'{"endDate":"9999-12-31T23:00:00-05:00"}'
    change = msgspec.json.decode(body, type=SubscriptionChange)
    with pytest.raises(InvalidValueError) as refused:
        await change_subscription(home.accounts, key, change, clock=home.clock)
    assert (refused.value.code, refused.value.field) == ("invalid_value", "endDate")


async def test_deleting_an_account_sets_its_profiles_free() -> None:
    """As the tables' foreign key would: the profile stays, without an account."""
    home = await open_household()
    key = await _sign_up(home)
    profile = await create_profile(
        home.profiles, home.accounts, NewProfile(name="Mia", account_id=key), clock=home.clock
    )
    release = functools.partial(release_profiles, home.profiles, clock=home.clock)
    await delete_account(home.accounts, key, releases=[release], expected=1)
    assert (await read_profile(home.profiles, profile.key)).value.account_id is None
    with pytest.raises(NotFoundError):
        await read_account(home.accounts, key)


async def test_a_stale_deletion_touches_nothing() -> None:
    """The profiles are let go only once it is certain that the account goes."""
    home = await open_household()
    key = await _sign_up(home)
    await create_profile(
        home.profiles, home.accounts, NewProfile(name="Mia", account_id=key), clock=home.clock
    )

    async def rival(_: Kind) -> None:
        await _rename(home, "rival")

    home.store.interruptions = [rival]
    release = functools.partial(release_profiles, home.profiles, clock=home.clock)
    with pytest.raises(VersionMismatchError):
        await delete_account(home.accounts, key, releases=[release], expected=1)
    assert len((await list_profiles(home.profiles, ProfileSearch(account_id=key))).items) == 1


async def test_a_profile_that_arrives_during_the_deletion_is_let_go_too() -> None:
    """Between the first release and the deletion somebody adds a profile: the second release finds it."""
    home = await open_household()
    key = await _sign_up(home)
    late: list[str] = []

    async def add_late(account_id: str) -> None:
        if not late:
            new = NewProfile(name="Late", account_id=account_id)
            late.append((await create_profile(home.profiles, home.accounts, new, clock=home.clock)).key)

    release = functools.partial(release_profiles, home.profiles, clock=home.clock)
    await delete_account(home.accounts, key, releases=[release, add_late])
    assert (await read_profile(home.profiles, late[0])).value.account_id is None


async def test_a_deletion_of_no_stated_version_outlasts_a_rival() -> None:
    """Without an expected version the account goes, whatever was written to it meanwhile."""
    home = await open_household()
    key = await _sign_up(home)

    async def rival(_: Kind) -> None:
        await _rename(home, "rival")

    home.store.interruptions = [rival]
    await delete_account(home.accounts, key)
    assert await home.accounts.get(key) is None
