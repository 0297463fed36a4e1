"""PostgreSQL keeps every promise of a store; what its columns cannot carry it refuses by name."""

from collections.abc import AsyncIterator
from typing import ClassVar

import asyncpg
import pytest

from manystore.records import Content, Kind
from manystore.stores.postgres import PostgresStore
from manystore.stores.store import Store
from manystore.testing.contract import StoreContract
from manystore.testing.samples import WORDS
from tests.contract.postgres_tables import MAPPINGS, clear


class TestPostgres(StoreContract):
    checks_parents: ClassVar[bool] = True
    quarantines: ClassVar[frozenset[str]] = frozenset(
        {"no instant", "offset before the first year", "leap second", "other types", "mixed lists"}
    )

    @pytest.fixture
    async def store(self, sample_database: str) -> AsyncIterator[Store]:
        await clear(sample_database)
        self.url = sample_database
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

    async def behind(self, store: Store, kind: Kind, key: str, content: Content | None) -> None:
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
