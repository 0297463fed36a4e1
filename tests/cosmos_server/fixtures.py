"""The server, an empty database, and who works with it, as fixtures; import them where they are used."""

import uuid
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from azure.cosmos import PartitionKey
from azure.cosmos.aio import ContainerProxy, CosmosClient

from manystore.records import Kind
from manystore.stores.cosmos import CosmosStore
from manystore.testing.contract.terms import admit
from manystore.testing.samples import LETTERS, PEOPLE, WORDS
from tests.cosmos_server.process import KEY, CosmosServer, cosmos_server

LOCAL: dict[str, Any] = {"enable_endpoint_discovery": False, "connection_verify": False}
"""What the SDK is told of a server that knows no regions and no certificates."""


@pytest.fixture(scope="module")
def server() -> Iterator[CosmosServer]:
    """A server of the module's own: its clock and its planted faults are nobody else's."""
    with cosmos_server() as running:
        yield running


@pytest.fixture
def database() -> str:
    """The name of a database that nobody has used."""
    return f"test-{uuid.uuid4().hex}"


@pytest.fixture
async def store(server: CosmosServer, database: str) -> AsyncIterator[CosmosStore]:
    """A store in two physical partitions, which takes writes under epoch 1."""
    server.partition(2)
    store = CosmosStore(server.url, KEY, database, waits=2)
    await store.open()
    await admit(store, PEOPLE, LETTERS, WORDS)
    yield store
    await store.close()


@pytest.fixture
async def portal(server: CosmosServer) -> AsyncIterator[CosmosClient]:
    """Somebody who does not know the engine."""
    async with CosmosClient(server.url, KEY, **LOCAL) as client:
        yield client


async def container(portal: CosmosClient, database: str, kind: Kind) -> ContainerProxy:
    """The container of a kind, made where it is not there yet."""
    made = await portal.create_database_if_not_exists(database)
    path = PartitionKey(f"/{kind.partition_key}")
    items: ContainerProxy = await made.create_container_if_not_exists(kind.container, path)
    return items


@pytest.fixture
async def client(server: CosmosServer) -> AsyncIterator[CosmosClient]:
    """The cloud's own SDK, which repeats a throttled request once."""
    async with CosmosClient(server.url, KEY, retry_throttle_total=1, **LOCAL) as client:
        yield client


async def make(client: CosmosClient, database: str, path: str = "/home", **more: Any) -> ContainerProxy:
    """A new container of things."""
    made = await client.create_database_if_not_exists(database)
    things: ContainerProxy = await made.create_container("things", PartitionKey(path), **more)
    return things


@pytest.fixture
async def things(client: CosmosClient, server: CosmosServer, database: str) -> ContainerProxy:
    """An empty container of one physical partition."""
    server.partition(1)
    return await make(client, database)


def thing(number: int, home: str = "a", **more: Any) -> dict[str, Any]:
    """An item of that container."""
    return {"id": f"t{number}", "home": home, **more}


async def select(things: ContainerProxy, query: str, **options: Any) -> list[Any]:
    """All that a query finds."""
    return [found async for found in things.query_items(query, **options)]
