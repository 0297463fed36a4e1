"""Accounts and profiles through the PostgreSQL store: exact, and refused as elsewhere."""

import functools
from collections.abc import AsyncIterator
from random import Random

import pytest
import pytest_asyncio

from manystore.errors import MissingParentError as ParentNotThereError
from manystore.errors import UniqueError
from manystore.placement import Leases, Phase, Placement
from manystore.records import Kind, Record, canonical
from manystore.repository import Repository
from manystore.stores.memory import MemoryStore
from manystore.stores.postgres import PostgresStore
from manystore.stores.store import Applied, Refused
from mystira.domain.accounts.kind import ACCOUNTS
from mystira.domain.accounts.model import Account, AccountChange, AccountSearch, NewAccount
from mystira.domain.accounts.use_cases import (
    Accounts,
    change_account,
    complete_scenario,
    create_account,
    delete_account,
    list_accounts,
    read_account,
)
from mystira.domain.errors import NotUniqueError
from mystira.domain.profiles.kind import USER_PROFILES
from mystira.domain.profiles.model import BadgeAward, NewProfile, ProfileSearch, UserProfile
from mystira.domain.profiles.use_cases import (
    Profiles,
    award_badge,
    create_profile,
    list_profiles,
    read_profile,
    release_profiles,
)
from mystira.schema.mappings import MAPPINGS
from mystira.simulation.people import make_former_accounts, make_profile
from tests.acceptance.migrated import migrated_url
from tests.unit.clocks import ManualClock

__all__ = ["migrated_url"]

CLOCK = ManualClock()


@pytest_asyncio.fixture
async def tables(migrated_url: str) -> AsyncIterator[PostgresStore]:
    """The store over the migrated tables."""
    store = PostgresStore(migrated_url, MAPPINGS)
    await store.open()
    yield store
    await store.close()


async def _misread(store: PostgresStore, kind: Kind, documents: list[dict[str, object]]) -> list[object]:
    keys = [str(document["id"]) for document in documents]
    held = await store.get_many(kind, keys)
    found = [held[key].content if key in held else None for key in keys]
    return [
        each
        for each, document in zip(found, documents, strict=True)
        if canonical(each) != canonical(document)
    ]


async def test_people_come_back_byte_for_byte(tables: PostgresStore) -> None:
    """However awkward, what goes into five tables comes out as the document that it was."""
    random = Random(31)
    accounts = list(make_former_accounts(random, 600))
    outcomes = await tables.apply(ACCOUNTS, [Record(each["id"], 0, each) for each in accounts])
    assert set(outcomes) == {Applied()}
    profiles = [make_profile(random, account["id"]) for account in accounts]
    outcomes = await tables.apply(USER_PROFILES, [Record(each["id"], 1, each) for each in profiles])
    assert set(outcomes) == {Applied()}
    assert await _misread(tables, ACCOUNTS, accounts) == []
    assert await _misread(tables, USER_PROFILES, profiles) == []


async def test_twins_are_refused_and_hold_nobody_up(tables: PostgresStore) -> None:
    """Of two accounts with one e-mail address one arrives; the refusal names the property."""
    accounts = list(make_former_accounts(Random(32), 300, twins=7))
    outcomes = await tables.apply(ACCOUNTS, [Record(each["id"], 0, each) for each in accounts])
    refused = [outcome.error for outcome in outcomes if isinstance(outcome, Refused)]
    assert len(refused) == 7
    assert all(isinstance(error, UniqueError) and error.field == "email" for error in refused)
    assert await tables.count(ACCOUNTS) == 293


async def test_a_profile_without_its_account_is_refused(tables: PostgresStore) -> None:
    """A child that arrives before its parent is told which one it misses, so that it can wait for it."""
    orphan = make_profile(Random(33), "00000000-0000-4000-8000-000000000000")
    (outcome,) = await tables.apply(USER_PROFILES, [Record(orphan["id"], 1, orphan)])
    assert isinstance(outcome, Refused)
    assert isinstance(outcome.error, ParentNotThereError)
    assert (outcome.error.field, outcome.error.parent_kind) == ("accountId", "accounts")


@pytest_asyncio.fixture
async def household(tables: PostgresStore) -> tuple[Accounts, Profiles]:
    """Both repositories with PostgreSQL as the truth."""
    documents = MemoryStore("documents")
    await documents.open()
    placements = [
        Placement(kind=ACCOUNTS, source=documents, target=tables, initial=Phase.TARGET_ONLY),
        Placement(
            kind=USER_PROFILES,
            source=documents,
            target=tables,
            initial=Phase.TARGET_ONLY,
            parents=(ACCOUNTS,),
        ),
    ]
    leases = Leases(placements, node="test", clock=CLOCK, lease=3600.0)
    accounts = Repository(Account, ACCOUNTS, leases, CLOCK)
    return accounts, Repository(UserProfile, USER_PROFILES, leases, CLOCK)


async def test_a_family_lives_in_tables(household: tuple[Accounts, Profiles]) -> None:
    """The use cases do in PostgreSQL what they do in documents, parts and searches included."""
    accounts, profiles = household
    new = NewAccount(email="Ada@Example.org", display_name="Ada")
    key = (await create_account(accounts, new, clock=CLOCK)).key
    await complete_scenario(accounts, key, "lantern", clock=CLOCK)
    changed = await change_account(accounts, key, AccountChange(display_name="A."), clock=CLOCK, expected=2)
    assert changed.version == 3
    (found,) = (await list_accounts(accounts, AccountSearch(email="ADA@example.ORG"))).items
    assert found.value == changed.value
    assert found.value.completed_scenario_ids == ["lantern"]

    child = (
        await create_profile(profiles, accounts, NewProfile(name="Mia", account_id=key), clock=CLOCK)
    ).key
    award = BadgeAward(badge_configuration_id="steady", badge_name="Steady", axis="Self-Regulation")
    await award_badge(profiles, child, award, clock=CLOCK)
    assert [each.key for each in (await list_profiles(profiles, ProfileSearch(account_id=key))).items] == [
        child
    ]

    release = functools.partial(release_profiles, profiles, clock=CLOCK)
    await delete_account(accounts, key, releases=[release], expected=3)
    left = (await read_profile(profiles, child)).value
    assert (left.account_id, len(left.earned_badges)) == (None, 1)


async def test_an_email_address_in_use_is_refused_by_the_table(household: tuple[Accounts, Profiles]) -> None:
    """The unique index speaks the domain's language, at sign-up and at a change."""
    accounts, _ = household
    await create_account(accounts, NewAccount(email="ada@example.org"), clock=CLOCK)
    other = await create_account(accounts, NewAccount(email="bob@example.org"), clock=CLOCK)
    with pytest.raises(NotUniqueError) as refused:
        await create_account(accounts, NewAccount(email="ADA@example.org"), clock=CLOCK)
    assert refused.value.field == "email"
    with pytest.raises(NotUniqueError):
        await change_account(accounts, other.key, AccountChange(email="Ada@example.org"), clock=CLOCK)
    assert (await read_account(accounts, other.key)).value.email == "bob@example.org"
