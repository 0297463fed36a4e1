"""The change log of PostgreSQL under transactions that commit out of order."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from manystore.changes import START, Change
from manystore.stores.postgres import PostgresStore
from manystore.stores.store import Store
from manystore.testing.contract.terms import admit, newest, read_log
from manystore.testing.samples import LETTERS, PEOPLE, key_of, letter, person
from tests.contract.postgres_tables import MAPPINGS, clear


@pytest.fixture
async def store(sample_database: str, store_url: str) -> AsyncIterator[Store]:
    await clear(sample_database)
    store = PostgresStore(store_url, MAPPINGS)
    await store.open()
    await admit(store, PEOPLE, LETTERS)
    yield store
    await store.close()


@pytest.fixture
async def late(sample_database: str) -> AsyncIterator[Any]:
    """A writer that takes its time to commit."""
    connection = await asyncpg.connect(sample_database)
    yield connection
    await connection.close()


async def test_late_commit_is_not_missed(store: Store, late: Any) -> None:
    """A change numbered first and committed last is read, though a later number was committed before it."""
    transaction = late.transaction()
    await transaction.start()
    await late.execute("insert into people (id) values ($1)", key_of(1))
    await store.put(PEOPLE, key_of(2), person(2), expected=None, epoch=1)
    during = await store.changes(PEOPLE, START, 10)
    await transaction.commit()
    after, _ = await read_log(store, PEOPLE, during.position)
    assert during.changes == ()
    assert newest(after) == {key_of(1): 1, key_of(2): 1}


async def test_reader_by_number_would_miss_it(store: Store, late: Any, sample_database: str) -> None:
    """The same race read by number alone, from outside the late transaction, loses the late change."""
    transaction = late.transaction()
    await transaction.start()
    await late.execute("insert into people (id) values ($1)", key_of(1))
    await store.put(PEOPLE, key_of(2), person(2), expected=None, epoch=1)
    by_number = "select seq, key from manystore.change_log where kind = 'people' and seq > $1 order by seq"
    reader = await asyncpg.connect(sample_database)
    first = await reader.fetch(by_number, 0)
    await transaction.commit()
    second = await reader.fetch(by_number, first[-1]["seq"])
    await reader.close()
    assert [row["key"] for row in [*first, *second]] == [key_of(2)]


async def test_head_is_reached_when_older_transactions_end(store: Store, late: Any) -> None:
    """A reader reaches the head once those who were at work when it was written are done, and not before."""
    transaction = late.transaction()
    await transaction.start()
    await late.execute("insert into people (id) values ($1)", key_of(1))
    await store.put(PEOPLE, key_of(2), person(2), expected=None, epoch=1)
    head = await store.head(PEOPLE)
    assert (await store.changes(PEOPLE, START, 10)).position < head
    await transaction.rollback()
    batch = await store.changes(PEOPLE, START, 10)
    assert batch.position >= head
    assert batch.changes == (Change(key_of(2), 1),)


async def test_idle_log_brings_its_readers_up(store: Store) -> None:
    """Where another kind is written and this one is not, its position still moves on."""
    before = (await store.changes(LETTERS, START, 10)).position
    await store.put(PEOPLE, key_of(1), person(1), expected=None, epoch=1)
    batch = await store.changes(LETTERS, before, 10)
    assert batch.changes == ()
    assert batch.position > before
    assert await store.head(LETTERS) == START


async def test_full_batches_join_without_gap(store: Store) -> None:
    """Batches of any size read each change of many transactions once, in the order of the log."""
    for number in range(20):
        await store.put(PEOPLE, key_of(number), person(number), expected=None, epoch=1)
    for limit in (1, 3, 20, 50):
        changes, _ = await read_log(store, PEOPLE, limit=limit)
        assert changes == [Change(key_of(number), 1) for number in range(20)]


async def test_nothing_is_missed_among_many_writers(store: Store, sample_database: str) -> None:
    """A follower that reads while many write, some slowly and some in vain, has each accepted change."""
    accepted: dict[str, int] = {}

    async def write(number: int) -> None:
        for version in range(5):
            key = key_of(number)
            expected = version or None
            await store.put(PEOPLE, key, person(number, visits=version), expected=expected, epoch=1)
            accepted[key] = version + 1

    async def dawdle(number: int) -> None:
        connection = await asyncpg.connect(sample_database)
        for attempt in range(4):
            transaction = connection.transaction()
            await transaction.start()
            await connection.execute("insert into people (id) values ($1)", key_of(number + attempt))
            await asyncio.sleep(0.03)
            if attempt % 2:
                await transaction.rollback()
            else:
                await transaction.commit()
                accepted[key_of(number + attempt)] = 1
        await connection.close()

    writers = [*(write(number) for number in range(6)), *(dawdle(number) for number in (100, 200))]
    writing = asyncio.gather(*writers)
    changes: list[Change] = []
    position = START
    while not writing.done():
        batch = await store.changes(PEOPLE, position, 4)
        changes += batch.changes
        assert batch.position >= position
        position = batch.position
        await asyncio.sleep(0.002)
    await writing
    rest, _ = await read_log(store, PEOPLE, position)
    assert newest([*changes, *rest]) == accepted


async def test_child_kinds_have_logs_of_their_own(store: Store) -> None:
    """Each kind's log has its own changes only."""
    await store.put(PEOPLE, key_of(1), person(1), expected=None, epoch=1)
    await store.put(LETTERS, key_of(5), letter(5, 1), expected=None, epoch=1)
    assert (await read_log(store, PEOPLE))[0] == [Change(key_of(1), 1)]
    assert (await read_log(store, LETTERS))[0] == [Change(key_of(5), 1)]
