"""PostgreSQL keeps every promise of a store; what its columns cannot carry it refuses by name."""

from collections.abc import AsyncIterator
from typing import ClassVar

import pytest
import pytest_asyncio

from manystore.stores.postgres import PostgresStore
from manystore.stores.store import Store
from manystore.testing.contract import StoreContract
from tests.contract.postgres_tables import MAPPINGS, clear, prepare


@pytest_asyncio.fixture(scope="module")
async def database(postgres_database: str) -> str:
    """A database with the tables of the sample kinds."""
    await prepare(postgres_database)
    return postgres_database


class TestPostgres(StoreContract):
    checks_parents: ClassVar[bool] = True
    quarantines: ClassVar[frozenset[str]] = frozenset(
        {"no instant", "offset before the first year", "leap second", "other types", "mixed lists"}
    )

    @pytest.fixture
    async def store(self, database: str) -> AsyncIterator[Store]:
        await clear(database)
        store = PostgresStore(database, MAPPINGS)
        await store.open()
        yield store
        await store.close()

    @pytest.fixture
    async def second(self, store: Store, database: str) -> AsyncIterator[Store]:
        store = PostgresStore(database, MAPPINGS)
        await store.open()
        yield store
        await store.close()
