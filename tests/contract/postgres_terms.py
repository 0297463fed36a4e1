"""What test classes of PostgreSQL share: handles on the sample tables, what is refused, others with psql."""

from collections.abc import AsyncIterator
from typing import ClassVar

import asyncpg
import pytest

from manystore.records import Content, Kind
from manystore.stores.postgres import PostgresStore
from manystore.stores.store import Store
from manystore.testing.contract.terms import Terms
from manystore.testing.samples import WORDS
from tests.contract.postgres_tables import MAPPINGS, clear


class PostgresTerms(Terms):
    """The product as it is; what it is to keep is said by the contracts beside it."""

    checks_parents: ClassVar[bool] = True
    quarantines: ClassVar[frozenset[str]] = frozenset(
        {"no instant", "offset before the first year", "leap second", "other types", "mixed lists"}
    )

    @pytest.fixture
    async def store(self, sample_database: str, store_url: str) -> AsyncIterator[Store]:
        await clear(sample_database)
        self.url = sample_database
        store = PostgresStore(store_url, MAPPINGS, direct_url=sample_database)
        await store.open()
        yield store
        await store.close()

    @pytest.fixture
    async def second(self, store: Store, sample_database: str, store_url: str) -> AsyncIterator[Store]:
        store = PostgresStore(store_url, MAPPINGS, direct_url=sample_database)
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
