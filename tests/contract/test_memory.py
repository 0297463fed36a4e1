"""The store in dictionaries keeps every promise; the others are compared with it."""

from collections.abc import AsyncIterator

import pytest

from manystore.records import Content, Kind
from manystore.stores.memory import MemoryStore
from manystore.stores.store import Store
from manystore.testing.contract import FormerContract, StoreContract


class TestMemory(StoreContract, FormerContract):
    @pytest.fixture
    async def store(self) -> AsyncIterator[Store]:
        store = MemoryStore()
        await store.open()
        yield store
        await store.close()

    @pytest.fixture
    def second(self, store: Store) -> Store:
        # A dictionary has no other process; two handles on it are one.
        return store

    async def behind(self, store: Store, kind: Kind, key: str, content: Content | None) -> None:
        assert isinstance(store, MemoryStore)
        store.write_behind(kind, key, content)
