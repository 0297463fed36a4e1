"""Carries records of any kind of Mystira from documents into the real tables and back.

Modules that try kinds so import `stores` and `carried_url` as fixtures.
"""

import contextlib
import itertools
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from random import Random
from typing import Any, Final

import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from manystore.errors import MissingParentError, NotRepresentableError, RefusedError, UniqueError
from manystore.records import Content, Kind, Record, canonical
from manystore.stores.postgres import PostgresStore
from manystore.stores.sqlite import SqliteStore
from manystore.stores.store import Applied, Ignored, Outcome, Refused, Store
from mystira.domain.accounts.kind import ACCOUNTS
from mystira.domain.sessions.kind import GAME_SESSIONS
from mystira.schema.mappings import MAPPINGS
from mystira.schema.tables import METADATA
from mystira.settings import Settings
from mystira.simulation.making import make_uuid
from mystira.simulation.people import make_account
from mystira.simulation.plays import make_session
from tests.acceptance.declared_values import changed, changes_of, is_speakable
from tests.acceptance.migrated import migrated
from tests.contract.postgres_tables import empty

Pair = tuple[Store, Store]
MakeSound = Callable[[Random, int], Content]
"""Makes a record that nothing is wrong with; the number is another one each time."""

PARENT: Final[Content] = make_account(Random("parent"), 0)
"""The account that other records point to."""
PLAYED: Final[Content] = make_session(Random("played"), PARENT["id"], make_uuid(Random("player")))
"""The session that scores point to."""

_numbers = itertools.count(1)
_GONE_AT: Final = 1_000_000


def sound(make: MakeSound) -> Content:
    """A record that nothing is wrong with, unlike every other."""
    number = next(_numbers)
    return make(Random(number), number)


@pytest_asyncio.fixture(scope="module")
async def carried_url(embedded: Settings) -> AsyncIterator[str]:
    """The tables that the tests of a module use one after the other."""
    async for url in migrated(embedded):
        yield url


@pytest_asyncio.fixture
async def stores(tmp_path: Path, carried_url: str) -> AsyncIterator[Pair]:
    """Documents and tables with what others point to, and nothing that another test left."""
    await empty(carried_url, [table.name for table in METADATA.sorted_tables])
    documents, tables = SqliteStore(tmp_path / "documents.sqlite"), PostgresStore(carried_url, MAPPINGS)
    async with contextlib.AsyncExitStack() as stack:
        for store in (documents, tables):
            stack.push_async_callback(store.close)
            await store.open()
            for kind, parent in ((ACCOUNTS, PARENT), (GAME_SESSIONS, PLAYED)):
                assert await store.apply(kind, [Record(parent["id"], 1, parent)]) == [Applied()]
        yield documents, tables


async def carry(stores: Pair, kind: Kind, records: list[Record]) -> list[Outcome]:
    """Document → rows → document: what is not refused comes back as it was, byte for byte.

    What is refused is refused by name, and leaves nothing behind.
    """
    documents, tables = stores
    keys = [record.key for record in records]
    first = await documents.apply(kind, records)
    assert all(isinstance(each, Applied) or names_a_field(kind, each) for each in first)
    held = await documents.get_many(kind, keys)
    for record in records:
        if record.key in held:
            assert canonical(held[record.key].content) == canonical(record.content)
    outcomes = await tables.apply(kind, records)
    rows = await tables.get_many(kind, keys)
    for record, outcome in zip(records, outcomes, strict=True):
        if isinstance(outcome, Applied):
            assert rows[record.key].version == record.version
            assert canonical(rows[record.key].content) == canonical(record.content)
        else:
            assert names_a_field(kind, outcome), outcome
            assert record.key not in rows
    # And back: the document store knows what it gets for what it has.
    back = [rows[key] for key in keys if key in rows and key in held]
    assert await documents.apply(kind, back) == [Ignored(record.version) for record in back]
    return outcomes


def names_a_field(kind: Kind, outcome: Outcome) -> bool:
    """Whether a refusal says which of the declared fields it is about."""
    if not isinstance(outcome, Refused):
        return False
    error: RefusedError = outcome.error
    assert isinstance(error, (NotRepresentableError, UniqueError, MissingParentError)), error
    return error.field.split(".")[0].split("[")[0] in {field.name for field in kind.fields}


def round_trip(kind: Kind, make: MakeSound, *, examples: int) -> Callable[..., Any]:
    """A test that carries records of the kind, each changed in a few places as far as JSON goes."""

    @given(changes=st.lists(changes_of(kind.fields), min_size=6, max_size=10))
    @settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )
    async def test(stores: Pair, changes: list[Any]) -> None:
        contents = [changed(sound(make), each) for each in changes]
        records = [Record(each["id"], 3, each) for each in contents if is_speakable(each)]
        await carry(stores, kind, records)
        # Whatever is unique of them is free again for the examples that come after.
        for store in stores:
            await store.apply(kind, [Record(record.key, _GONE_AT, None) for record in records])

    return test


def with_changes(content: Content, changes: dict[str, Any]) -> Content:
    """The content with the values at these paths, whose steps are parted by points."""
    return changed(content, [(tuple(path.split(".")), value) for path, value in changes.items()])


async def assert_refused(stores: Pair, kind: Kind, before: Content, after: Content, named: str) -> None:
    """What cannot be carried is refused by the field's name, as a new record and as the next version.

    Nothing is bent until it fits, and what was there before stays.
    """
    (refusal,) = await carry(stores, kind, [Record(before["id"], 1, after)])
    assert isinstance(refusal, Refused)
    assert isinstance(refusal.error, (NotRepresentableError, MissingParentError))
    assert refusal.error.field.startswith(named)
    tables = stores[1]
    assert await tables.apply(kind, [Record(before["id"], 1, before)]) == [Applied()]
    assert isinstance((await tables.apply(kind, [Record(before["id"], 2, after)]))[0], Refused)
    assert await tables.get(kind, before["id"]) == Record(before["id"], 1, before)
