"""PostgreSQL keeps every promise of a store; what its columns cannot carry it refuses by name."""

from collections.abc import AsyncIterator
from typing import ClassVar

import pytest

from manystore.stores.postgres import PostgresStore
from manystore.stores.store import Store
from manystore.testing.contract import StoreContract
from tests.contract.postgres_tables import MAPPINGS, clear


class TestPostgres(StoreContract):
    checks_parents: ClassVar[bool] = True
    quarantines: ClassVar[frozenset[str]] = frozenset(
        {"no instant", "offset before the first year", "leap second", "other types", "mixed lists"}
    )

    @pytest.fixture
    async def store(self, sample_database: str) -> AsyncIterator[Store]:
        await clear(sample_database)
        store = PostgresStore(sample_database, MAPPINGS)
        await store.open()
        yield store
        await store.close()

    @pytest.fixture
    async def second(self, store: Store, sample_database: str) -> AsyncIterator[Store]:
        store = PostgresStore(sample_database, MAPPINGS)
        await store.open()
        yield store
        await store.close()
