"""A session that a pooler lends is nobody's own: what is left in it meets others."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from manystore.errors import DeclarationError
from manystore.records import Record
from manystore.stores.postgres import PostgresStore
from manystore.stores.postgres.sessions import is_pooled
from manystore.stores.store import Store
from manystore.testing.contract.examining import in_batches
from manystore.testing.contract.terms import admit, newest, read_log
from manystore.testing.samples import PEOPLE, key_of, person
from tests.contract.postgres_tables import MAPPINGS, clear


@pytest.fixture
async def handles(sample_database: str, store_url: str) -> AsyncIterator[list[Store]]:
    """Four processes' worth of connections, for three sessions."""
    await clear(sample_database)
    stores = [PostgresStore(store_url, MAPPINGS, direct_url=sample_database) for _ in range(4)]
    for store in stores:
        await store.open()
    await admit(stores[0], PEOPLE)
    yield list(stores)
    for store in stores:
        await store.close()


async def test_a_pooler_is_told_from_the_server(sample_database: str, store_url: str) -> None:
    """The one greets with a number of its own, the other with that of the process behind it."""
    for url, expected in ((sample_database, False), (store_url, True)):
        connection = await asyncpg.connect(url, statement_cache_size=0)
        assert await is_pooled(connection) is expected
        await connection.close()


async def test_no_statement_stays_prepared_in_a_lent_session(
    sample_database: str, handles: list[Store]
) -> None:
    """Whatever is asked, nothing is left that the next one's statement of the same name would clash with."""
    writes = [
        handle.put(PEOPLE, key_of(number), person(number), expected=None, epoch=1)
        for number, handle in enumerate(handles * 5)
    ]
    await asyncio.gather(*writes)
    await handles[0].apply(PEOPLE, [Record(key_of(number), 7, person(number)) for number in range(50, 90)])
    for _ in range(6):
        await asyncio.gather(*(handle.get(PEOPLE, key_of(1)) for handle in handles))
    counts = [await _prepared(handle) for handle in handles]
    assert counts == [0, 0, 0, 0]


async def _prepared(store: Store) -> int:
    assert isinstance(store, PostgresStore)
    return int(await store._connections.value("select count(*) from pg_prepared_statements where name <> ''"))


async def test_statements_that_stay_prepared_are_met_by_others(store_url: str) -> None:
    """Why none may stay: a session that clients are lent in turn takes each name once."""
    clients = [await asyncpg.connect(store_url) for _ in range(4)]
    try:
        with pytest.raises((asyncpg.DuplicatePreparedStatementError, asyncpg.InvalidSQLStatementNameError)):
            await _ask_in_turns(clients)
    finally:
        for client in clients:
            client.terminate()


async def _ask_in_turns(clients: list[Any]) -> None:
    for _ in range(8):
        await asyncio.gather(*(client.fetchval("select pg_sleep(0.01)") for client in clients))


async def test_examination_without_a_session_of_its_own_is_refused(
    sample_database: str, store_url: str
) -> None:
    """Its temporary tables would stay in a lent session and swallow what others write to the real ones."""
    await clear(sample_database)
    store = PostgresStore(store_url, MAPPINGS)
    await store.open()
    with pytest.raises(DeclarationError, match="direct_url"):
        await store.examine(PEOPLE, in_batches([Record(key_of(1), 1, person(1))]))
    await admit(store, PEOPLE)
    for number in range(12):
        await store.put(PEOPLE, key_of(number), person(number), expected=None, epoch=1)
    await store.close()
    direct = PostgresStore(sample_database, MAPPINGS)
    await direct.open()
    assert await direct.count(PEOPLE) == 12
    await direct.close()


async def test_writers_of_more_connections_than_sessions_all_come_through(handles: list[Store]) -> None:
    """Many writers, copies and readers of one log share three sessions, and each change is there once."""

    async def write(handle: Store, number: int) -> None:
        for version in range(5):
            await handle.put(
                PEOPLE, key_of(number), person(number, visits=version), expected=version or None, epoch=1
            )

    async def copy(handle: Store, number: int) -> None:
        records = [Record(key_of(number + each), 1, person(number + each)) for each in range(60)]
        await handle.apply(PEOPLE, records)

    writers = [write(handle, number) for number, handle in enumerate(handles * 6)]
    copiers = [copy(handle, 1000 * number) for number, handle in enumerate(handles, 1)]
    await asyncio.gather(*writers, *copiers)
    changes, _ = await read_log(handles[1], PEOPLE)
    assert newest(changes) == {key_of(number): 5 for number in range(24)}
    assert len(changes) == 24 * 5
    assert await handles[2].count(PEOPLE) == 24 + 4 * 60
