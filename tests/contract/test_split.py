"""A store of two stores keeps every promise of a store, whatever products it is made of."""

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import ClassVar, Final

import asyncpg
import pytest

from manystore.records import Content, Kind, Record
from manystore.stores.cosmos import CosmosStore
from manystore.stores.memory import MemoryStore
from manystore.stores.postgres import PostgresStore
from manystore.stores.split import Split, SplitStore
from manystore.stores.sqlite import SqliteStore
from manystore.stores.store import Applied, Diverged, Store
from manystore.testing.contract import StoreContract
from manystore.testing.samples import PEOPLE, WORDS, word
from tests.contract.postgres_tables import MAPPINGS, clear
from tests.cosmos_server.fixtures import server
from tests.cosmos_server.process import KEY as COSMOS_KEY

__all__ = ["server"]

PEOPLE_SPLIT: Final = Split(
    kind=PEOPLE, rest=("name", "tags", "extra", "address", "visits", "joined", "pets")
)
WORDS_SPLIT: Final = Split(kind=WORDS, rest=("meaning",))
SPLITS: Final = (PEOPLE_SPLIT, WORDS_SPLIT)


class TestSplitInMemory(StoreContract):
    @pytest.fixture
    async def store(self) -> AsyncIterator[Store]:
        self.core = MemoryStore("core")
        store = SplitStore(self.core, MemoryStore("rest"), SPLITS)
        await store.open()
        yield store
        await store.close()

    @pytest.fixture
    def second(self, store: Store) -> Store:
        return store

    async def behind(self, store: Store, kind: Kind, key: str, content: Content | None) -> None:
        assert isinstance(store, SplitStore)
        self.core.write_behind(WORDS_SPLIT.core_kind, key, content)


class TestSplitBetweenPostgresAndSqlite(StoreContract):
    checks_parents: ClassVar[bool] = True
    # What documents take, they take here; "born", "active" and "weight" lie in columns.
    quarantines: ClassVar[frozenset[str]] = frozenset(
        {"no instant", "offset before the first year", "leap second", "other types", "mixed lists"}
    )

    @pytest.fixture
    async def store(self, sample_database: str, tmp_path: Path) -> AsyncIterator[Store]:
        await clear(sample_database)
        self.url = sample_database
        store = _between(sample_database, tmp_path)
        await store.open()
        yield store
        await store.close()

    @pytest.fixture
    async def second(self, store: Store, sample_database: str, tmp_path: Path) -> AsyncIterator[Store]:
        second = _between(sample_database, tmp_path)
        await second.open()
        yield second
        await second.close()

    async def behind(self, store: Store, kind: Kind, key: str, content: Content | None) -> None:
        # Somebody at the core's tables, which have a column for what the engine keeps in documents.
        assert kind is WORDS
        connection = await asyncpg.connect(self.url)
        try:
            if content is None:
                await connection.execute("delete from words where id = $1", key)
            else:
                await connection.execute(
                    "insert into words (id, meaning) values ($1, $2) "
                    "on conflict (id) do update set meaning = excluded.meaning",
                    key,
                    content.get("meaning"),
                )
        finally:
            await connection.close()


@pytest.fixture(params=["memory", "sqlite", "postgres", "cosmos"])
async def handles(
    request: pytest.FixtureRequest, sample_database: str, tmp_path: Path
) -> AsyncIterator[list[Store]]:
    """Two handles on one product that can be a rest store."""
    stores: list[Store] = [MemoryStore()] * 2
    if request.param == "sqlite":
        stores = [SqliteStore(tmp_path / "rest.db") for _ in range(2)]
    elif request.param == "postgres":
        await clear(sample_database)
        stores = [PostgresStore(sample_database, MAPPINGS) for _ in range(2)]
    elif request.param == "cosmos":
        server, database = request.getfixturevalue("server"), f"test-{uuid.uuid4().hex}"
        stores = [CosmosStore(server.url, COSMOS_KEY, database) for _ in range(2)]
    async with contextlib.AsyncExitStack() as stack:
        for store in stores:
            stack.push_async_callback(store.close)
            await store.open()
        yield stores


async def test_one_of_many_replaces_a_version(handles: list[Store]) -> None:
    """Of many that bring in the same next version at once, one is told so; thus sheets are replaced."""
    for version in range(1, 6):
        records = [Record("a", version, word("a", meaning=f"{version} of {n}")) for n in range(8)]
        tries = (handle.apply(WORDS, [record]) for handle, record in zip(handles * 4, records, strict=True))
        outcomes = [outcome for (outcome,) in await asyncio.gather(*tries)]
        (winner,) = (n for n, outcome in enumerate(outcomes) if outcome == Applied())
        assert outcomes.count(Diverged(version)) == 7
        assert await handles[1].get(WORDS, "a") == records[winner]


def _between(database: str, folder: Path) -> SplitStore:
    return SplitStore(PostgresStore(database, MAPPINGS), SqliteStore(folder / "rest.db"), SPLITS)
