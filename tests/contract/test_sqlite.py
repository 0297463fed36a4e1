"""The embedded document store keeps every promise, with another handle on the file as another process has."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from manystore.stores.sqlite import SqliteStore
from manystore.stores.store import Store
from manystore.testing.contract import StoreContract


class TestSqlite(StoreContract):
    @pytest.fixture
    async def store(self, tmp_path: Path) -> AsyncIterator[Store]:
        store = SqliteStore(tmp_path / "documents.db")
        await store.open()
        yield store
        await store.close()

    @pytest.fixture
    async def second(self, store: Store, tmp_path: Path) -> AsyncIterator[Store]:
        second = SqliteStore(tmp_path / "documents.db", name="second")
        await second.open()
        yield second
        await second.close()
