"""A store of two stores keeps every promise of a store, whatever products it is made of."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Final

import pytest

from manystore.records import Content, Kind, Record, canonical
from manystore.stores.cosmos import CosmosStore
from manystore.stores.memory import MemoryStore
from manystore.stores.postgres import PostgresStore
from manystore.stores.split import Split, SplitStore
from manystore.stores.sqlite import SqliteStore
from manystore.stores.store import Applied, Diverged, Store
from manystore.testing.contract import (
    CopyContract,
    ExaminingContract,
    ExchangeContract,
    OutsiderContract,
    ReadingContract,
    StoreContract,
    TruthContract,
    UniqueContract,
)
from manystore.testing.samples import PEOPLE, WORDS, awkward_people, key_of, word
from tests.contract.postgres_tables import MAPPINGS, clear
from tests.contract.postgres_terms import PostgresTerms
from tests.cosmos_server.fixtures import database, server
from tests.cosmos_server.process import KEY as COSMOS_KEY
from tests.cosmos_server.process import CosmosServer

__all__ = ["database", "server"]

# Of a note of one megabyte the SDK hands text to the HTTP client, which would rather be handed a stream.
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:Sending a large body:ResourceWarning"),
]

Rests = Callable[[], Store]
"""Makes handles on one rest store."""

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


class _CoreInPostgres(PostgresTerms):
    """The core in the sample tables; what documents take beside them, `rest_store` keeps.

    Others who write behind the engine's back are at the core's tables, which have a column for what the
    engine keeps in documents. What documents take is taken; "born", "active" and "weight" lie in columns.
    """

    @pytest.fixture
    async def store(self, sample_database: str, rests: Rests) -> AsyncIterator[Store]:
        await clear(sample_database)
        self.url = sample_database
        store = SplitStore(PostgresStore(sample_database, MAPPINGS), rests(), SPLITS)
        await store.open()
        yield store
        await store.close()

    @pytest.fixture
    async def second(self, store: Store, sample_database: str, rests: Rests) -> AsyncIterator[Store]:
        second = SplitStore(PostgresStore(sample_database, MAPPINGS), rests(), SPLITS)
        await second.open()
        yield second
        await second.close()


class TestSplitBetweenPostgresAndSqlite(_CoreInPostgres, StoreContract):
    @pytest.fixture
    def rests(self, tmp_path: Path) -> Rests:
        return lambda: SqliteStore(tmp_path / "rest.db")


class TestSplitBetweenPostgresAndCosmos(
    _CoreInPostgres,
    ReadingContract,
    TruthContract,
    UniqueContract,
    CopyContract,
    ExchangeContract,
    OutsiderContract,
    ExaminingContract,
):
    """Log, fences, notes and finding are the core's, whatever keeps the rest; values are tried at once."""

    @pytest.fixture
    def rests(self, server: CosmosServer, database: str) -> Rests:
        server.partition(2)
        return lambda: CosmosStore(server.url, COSMOS_KEY, database)

    async def test_all_values_come_back_exactly(self, store: Store, second: Store) -> None:
        """Of values at every edge, each is the same from both halves again, or was refused."""
        values = list(awkward_people().items())
        records = [
            Record(key_of(number), 3, {**content, "id": key_of(number)})
            for number, (_, content) in enumerate(values)
        ]
        outcomes = await store.apply(PEOPLE, records)
        refused = {trap for (trap, _), outcome in zip(values, outcomes, strict=True) if outcome != Applied()}
        assert refused == self.quarantines
        held = await second.get_many(PEOPLE, [record.key for record in records])
        for (trap, _), record in zip(values, records, strict=True):
            assert trap in refused or canonical(held[record.key].content) == canonical(record.content), trap


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
        server, database = request.getfixturevalue("server"), request.getfixturevalue("database")
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
