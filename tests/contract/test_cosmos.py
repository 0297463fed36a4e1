"""The store on Cosmos DB keeps every promise, over the wire, with another handle as another process has."""

import uuid
from collections.abc import AsyncIterator, Iterator

import pytest

from manystore.stores.cosmos import CosmosStore
from manystore.stores.store import Store
from manystore.testing.contract import StoreContract
from tests.cosmos_server.process import KEY, CosmosServer, cosmos_server


@pytest.fixture(scope="module")
def server() -> Iterator[CosmosServer]:
    with cosmos_server() as running:
        yield running


@pytest.fixture
def database() -> str:
    return f"test-{uuid.uuid4().hex}"


class TestCosmos(StoreContract):
    @pytest.fixture
    async def store(self, server: CosmosServer, database: str) -> AsyncIterator[Store]:
        store = CosmosStore(server.url, KEY, database)
        await store.open()
        yield store
        await store.close()

    @pytest.fixture
    async def second(self, store: Store, server: CosmosServer, database: str) -> AsyncIterator[Store]:
        second = CosmosStore(server.url, KEY, database, name="second")
        await second.open()
        yield second
        await second.close()
