"""The store on Cosmos DB keeps every promise, over the wire, with another handle as another process has."""

from collections.abc import AsyncIterator, Sequence
from typing import ClassVar

import pytest
from azure.cosmos.aio import CosmosClient

from manystore.records import Content, Kind
from manystore.stores.cosmos import CosmosStore
from manystore.stores.store import Store
from manystore.testing.contract import (
    FindingContract,
    FormerContract,
    LogContract,
    ReadingContract,
    StoreContract,
    UniqueContract,
)
from manystore.testing.contract.terms import Terms
from tests.cosmos_server.fixtures import container, database, portal, server
from tests.cosmos_server.process import KEY, CosmosServer

__all__ = ["database", "portal", "server"]

# Of a note of one megabyte the SDK hands text to the HTTP client, which would rather be handed a stream.
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:Sending a large body:ResourceWarning"),
]


class _OnServer(Terms):
    partitions: ClassVar[int] = 1
    watches = False
    cuts_logs = False

    @pytest.fixture
    async def store(self, server: CosmosServer, database: str) -> AsyncIterator[Store]:
        server.partition(self.partitions)
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

    @pytest.fixture(autouse=True)
    def _remember(self, portal: CosmosClient, database: str) -> None:
        self._portal, self._database = portal, database

    async def behind(self, store: Store, kind: Kind, key: str, content: Content | None) -> None:
        items = await container(self._portal, self._database, kind)
        if content is None:
            await items.delete_item(key, key)
        else:
            await items.upsert_item(content)

    async def leave(self, store: Store, kind: Kind, contents: Sequence[Content]) -> None:
        items = await container(self._portal, self._database, kind)
        for content in contents:
            await items.create_item(content)


class TestCosmos(_OnServer, StoreContract, FormerContract):
    """In one physical partition, as a small container has."""


class TestCosmosInPartitions(
    _OnServer, ReadingContract, LogContract, FindingContract, UniqueContract, FormerContract
):
    """In three physical partitions: what is joined from several answers."""

    partitions = 3
