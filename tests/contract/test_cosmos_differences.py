"""What the cloud does otherwise than the server of the tests: nothing may rest on what is seen here."""

import pytest
from azure.cosmos.aio import ContainerProxy, CosmosClient
from azure.cosmos.exceptions import (
    CosmosHttpResponseError,
    CosmosResourceExistsError,
)

from tests.cosmos_server.fixtures import client, database, make, select, server, thing, things
from tests.cosmos_server.process import CosmosServer

__all__ = ["client", "database", "server", "things"]


async def test_signatures_are_not_checked(server: CosmosServer) -> None:
    """Any key is let in; the cloud answers 401 to a wrong one."""
    async with CosmosClient(server.url, "d3Jvbmc=", enable_endpoint_discovery=False) as client:
        assert isinstance([each async for each in client.list_databases()], list)


async def test_text_is_ordered_by_utf_16(things: ContainerProxy) -> None:
    """What lies beyond U+FFFF sorts before U+E000 to U+FFFF; the cloud does not say how it sorts them."""
    for number, text in enumerate(["\ufb00", "\U0001f600"]):
        await things.create_item(thing(number, text=text))
    found = await select(things, "SELECT VALUE c.id FROM c ORDER BY c.text", partition_key="a")
    assert found == ["t1", "t0"]


async def test_partition_keys_are_hashed_otherwise(
    client: CosmosClient, server: CosmosServer, database: str
) -> None:
    """The range that the SDK computes for a key (MurmurHash3) need not be where this server keeps it."""
    server.partition(4)
    things = await make(client, database)
    misses = 0
    for number in range(20):
        await things.create_item(thing(number, home=f"h{number}"))
        computed = await things.feed_range_from_partition_key(f"h{number}")
        misses += not await select(things, "SELECT * FROM c", feed_range=computed)
    assert misses > 0


async def test_no_plans_are_made_of_queries(
    client: CosmosClient, server: CosmosServer, database: str
) -> None:
    """Over several partitions the server orders and counts itself; the cloud leaves that to the SDK."""
    server.partition(2)
    things = await make(client, database)
    for number in range(9):
        await things.create_item(thing(number, home=f"h{number}"))
    assert await select(things, "SELECT VALUE COUNT(1) FROM c") == [9]
    ordered = await select(things, "SELECT VALUE c.id FROM c ORDER BY c.id")
    assert ordered == [f"t{number}" for number in range(9)]


async def test_some_functions_are_missing(things: ContainerProxy) -> None:
    """STRINGEQUALS, which the cloud has, is refused."""
    await things.create_item(thing(1))
    with pytest.raises(CosmosHttpResponseError):
        await select(things, "SELECT * FROM c WHERE STRINGEQUALS(c.id, 'T1', true)", partition_key="a")


async def test_null_and_own_id_are_one_place(things: ContainerProxy) -> None:
    """An item without partition key and one whose key is its id share a place; not so in the cloud."""
    await things.create_item({"id": "same", "home": None})
    with pytest.raises(CosmosResourceExistsError):
        await things.create_item({"id": "same", "home": "same"})


async def test_every_item_is_indexed(things: ContainerProxy) -> None:
    """Any query is answered from all items at any price; the cloud charges for what is not indexed."""
    await things.create_item(thing(1, deep={"er": [1]}))
    charges: list[float] = []
    await select(
        things,
        "SELECT * FROM c WHERE ARRAY_CONTAINS(c.deep.er, 1)",
        partition_key="a",
        response_hook=lambda headers, _: charges.append(float(headers["x-ms-request-charge"])),
    )
    assert charges == [2.75]


async def test_items_lack_attachments(things: ContainerProxy) -> None:
    """The cloud shows `_attachments` and puts its ETags in quotes."""
    item = await things.create_item(thing(1))
    assert "_attachments" not in item
    assert '"' not in item["_etag"]
