"""The server of the Cosmos tests answers as the cloud does; what still differs is in test_cosmos_differences.

Each test names a correction of the package that the server wraps; take the correction away
and it fails. Asked through the cloud's own SDK.
"""

import subprocess
import sys
import urllib.request
from typing import Any

import aiohttp
import pytest
from azure.core import MatchConditions
from azure.cosmos.aio import ContainerProxy, CosmosClient
from azure.cosmos.exceptions import (
    CosmosAccessConditionFailedError,
    CosmosBatchOperationError,
    CosmosHttpResponseError,
    CosmosResourceExistsError,
    CosmosResourceNotFoundError,
)
from azure.cosmos.partition_key import NullPartitionKeyValue

from tests.cosmos_server.fixtures import client, database, make, select, server, thing, things
from tests.cosmos_server.process import CosmosServer

__all__ = ["client", "database", "server", "things"]


async def read_feed(things: ContainerProxy, **options: Any) -> tuple[list[dict[str, Any]], str]:
    """The first page of the change feed, and the continuation after it."""
    last: list[Any] = []
    options.setdefault("start_time", "Beginning")
    pages = things.query_items_change_feed(response_hook=lambda headers, _: last.append(headers), **options)
    page = await anext(pages.by_page(), None)
    items = [] if page is None else [item async for item in page]
    return items, str(last[-1]["etag"])


async def test_feed_goes_on_after_a_checkpoint(things: ContainerProxy) -> None:
    """After a continuation come exactly the later writes; where there are none, nothing."""
    await things.create_item(thing(1))
    first, checkpoint = await read_feed(things)
    assert [item["id"] for item in first] == ["t1"]
    assert (await read_feed(things, continuation=checkpoint))[0] == []
    await things.create_item(thing(2))
    await things.upsert_item(thing(1, changed=True))
    later, _ = await read_feed(things, continuation=checkpoint)
    assert [item["id"] for item in later] == ["t2", "t1"]


async def test_feed_shows_the_last_state_in_order_of_writes(things: ContainerProxy) -> None:
    """Several writes of an item are one entry at the place of the last, numbered by `_lsn`, in pages."""
    for number in (1, 2, 3):
        await things.create_item(thing(number))
    await things.upsert_item(thing(1, again=True))
    await things.patch_item("t2", "a", [{"op": "add", "path": "/patched", "value": 1}])
    first, checkpoint = await read_feed(things, max_item_count=2)
    rest, _ = await read_feed(things, continuation=checkpoint)
    assert [item["id"] for item in first + rest] == ["t3", "t1", "t2"]
    assert first[-1]["again"] is True
    assert rest[-1]["patched"] == 1
    numbers = [item["_lsn"] for item in first + rest]
    assert numbers == sorted(set(numbers))


async def test_feed_omits_deletes(things: ContainerProxy) -> None:
    """A deleted item is gone from the feed, and leaves no entry."""
    await things.create_item(thing(1))
    _, checkpoint = await read_feed(things)
    await things.delete_item("t1", "a")
    assert (await read_feed(things, continuation=checkpoint))[0] == []
    assert (await read_feed(things))[0] == []


async def test_feed_from_now_shows_only_what_comes(things: ContainerProxy) -> None:
    """Reading from now on skips what is there and keeps what is written next."""
    await things.create_item(thing(1))
    nothing, checkpoint = await read_feed(things, start_time="Now")
    await things.create_item(thing(2))
    assert nothing == []
    assert [item["id"] for item in (await read_feed(things, continuation=checkpoint))[0]] == ["t2"]


async def test_transaction_is_never_cut_in_the_feed(things: ContainerProxy) -> None:
    """The items of one batch have one number and come on one page, though it asked for fewer."""
    batch = [("create", (thing(number),)) for number in range(3)]
    await things.execute_item_batch(batch, partition_key="a")
    page, _ = await read_feed(things, max_item_count=1)
    assert [item["id"] for item in page] == ["t0", "t1", "t2"]
    assert len({item["_lsn"] for item in page}) == 1


async def test_partition_key_bounds_a_query(things: ContainerProxy) -> None:
    """Under a partition key, a query sees that logical partition alone, null included."""
    homes: list[Any] = ["a", "b", 1, True, None]
    for number, home in enumerate(homes):
        await things.create_item({"id": f"t{number}", "home": home})
    for number, home in enumerate(homes):
        named = NullPartitionKeyValue if home is None else home
        found = await select(things, "SELECT VALUE c.id FROM c", partition_key=named)
        assert found == [f"t{number}"], home
    everything = await select(things, "SELECT VALUE c.id FROM c")
    assert len(everything) == len(homes)


async def test_partition_key_bounds_the_feed(
    things: ContainerProxy, server: CosmosServer, database: str
) -> None:
    """A feed that is asked for under a partition key shows that logical partition alone."""
    for number, home in enumerate("aba"):
        await things.create_item(thing(number, home))
    url = f"{server.url}/dbs/{database}/colls/things/docs"
    headers = {"x-ms-documentdb-partitionkey": '["a"]', "a-im": "Incremental feed"}
    async with aiohttp.ClientSession(headers=headers) as session:
        async with session.get(url) as answer:
            found = await answer.json()
        assert [item["id"] for item in found["Documents"]] == ["t0", "t2"]
        async with session.get(url, headers={"if-none-match": answer.headers["etag"]}) as answer:
            assert answer.status == 304


async def test_items_of_one_id_live_in_each_logical_partition(things: ContainerProxy) -> None:
    """An id is alone in its logical partition only, and is read by both."""
    await things.create_item(thing(1, "a", side="left"))
    await things.create_item(thing(1, "b", side="right"))
    assert (await things.read_item("t1", "b"))["side"] == "right"
    await things.delete_item("t1", "b")
    assert (await things.read_item("t1", "a"))["side"] == "left"
    with pytest.raises(CosmosResourceNotFoundError):
        await things.read_item("t1", "b")


async def test_missing_item_is_404(things: ContainerProxy) -> None:
    """Reading, replacing and deleting what is not there is Not Found, each."""
    with pytest.raises(CosmosResourceNotFoundError):
        await things.read_item("t1", "a")
    with pytest.raises(CosmosResourceNotFoundError):
        await things.replace_item("t1", thing(1))
    with pytest.raises(CosmosResourceNotFoundError):
        await things.delete_item("t1", "a")


async def test_created_twice_is_409_and_stale_etag_412(things: ContainerProxy) -> None:
    """A second create conflicts; under a former ETag neither replace, upsert nor delete goes through."""
    created = await things.create_item(thing(1))
    with pytest.raises(CosmosResourceExistsError):
        await things.create_item(thing(1))
    stale: dict[str, Any] = {"etag": created["_etag"], "match_condition": MatchConditions.IfNotModified}
    replaced = await things.replace_item("t1", thing(1, now=2), **stale)
    assert replaced["_etag"] != created["_etag"]
    for attempt in (
        things.replace_item("t1", thing(1, now=3), **stale),
        things.delete_item("t1", "a", **stale),
    ):
        with pytest.raises(CosmosAccessConditionFailedError):
            await attempt
    with pytest.raises(CosmosAccessConditionFailedError):
        await things.upsert_item(thing(1, now=3), **stale)
    assert (await things.read_item("t1", "a"))["now"] == 2


async def test_batch_is_all_or_nothing(things: ContainerProxy) -> None:
    """Where one operation fails nothing of the batch stays; that one has its status, the others 424."""
    held = await things.create_item(thing(1))
    batch: list[Any] = [
        ("create", (thing(2),)),
        ("delete", ("t1",)),
        ("create", (thing(2),)),
        ("create", (thing(3),)),
    ]
    with pytest.raises(CosmosBatchOperationError) as refusal:
        await things.execute_item_batch(batch, partition_key="a")
    assert [each["statusCode"] for each in refusal.value.operation_responses] == [424, 424, 409, 424]
    assert await select(things, "SELECT VALUE c.id FROM c", partition_key="a") == ["t1"]
    assert len((await read_feed(things))[0]) == 1
    batch = [("replace", ("t1", thing(1, now=2)), {"if_match_etag": "other"}), ("create", (thing(2),))]
    with pytest.raises(CosmosBatchOperationError) as refusal:
        await things.execute_item_batch(batch, partition_key="a")
    assert refusal.value.status_code == 412
    batch[0][2]["if_match_etag"] = held["_etag"]
    await things.execute_item_batch(batch, partition_key="a")
    assert (await things.read_item("t1", "a"))["now"] == 2


async def test_batch_keeps_to_one_logical_partition(things: ContainerProxy) -> None:
    """An item of another partition key, or a hundred and first operation, refuses the whole batch."""
    with pytest.raises(CosmosBatchOperationError) as refusal:
        await things.execute_item_batch([("create", (thing(1, "b"),))], partition_key="a")
    assert refusal.value.status_code == 400
    many = [("create", (thing(number),)) for number in range(101)]
    with pytest.raises(CosmosHttpResponseError):
        await things.execute_item_batch(many, partition_key="a")
    assert (await read_feed(things))[0] == []


async def test_time_to_live(client: CosmosClient, server: CosmosServer, database: str) -> None:
    """Items expire after their own or the container's seconds since the last write; −1 is never."""
    things = await make(client, database, default_ttl=100)
    await things.create_item(thing(1))
    await things.create_item(thing(2, ttl=10))
    await things.create_item(thing(3, ttl=-1))
    server.advance(11)
    ids = "SELECT VALUE c.id FROM c"
    assert await select(things, ids, partition_key="a") == ["t1", "t3"]
    await things.upsert_item(thing(1, again=True))
    server.advance(95)
    assert await select(things, ids, partition_key="a") == ["t1", "t3"]
    server.advance(6)
    assert [item["id"] for item in (await read_feed(things))[0]] == ["t3"]
    with pytest.raises(CosmosResourceNotFoundError):
        await things.read_item("t1", "a")


async def test_without_default_nothing_expires(things: ContainerProxy, server: CosmosServer) -> None:
    """A container with no default leaves an item's own time to live alone."""
    await things.create_item(thing(1, ttl=1))
    server.advance(100)
    assert (await things.read_item("t1", "a"))["ttl"] == 1


async def test_throttling_is_429_with_its_wait(things: ContainerProxy, server: CosmosServer) -> None:
    """A throttled request is told how long to wait, each time it asks, and did nothing."""
    server.plant("throttle", 2, afterMs=21)
    with pytest.raises(CosmosHttpResponseError) as refusal:
        await things.create_item(thing(1))
    assert refusal.value.status_code == 429
    assert refusal.value.headers["x-ms-retry-after-ms"] == "21"
    await things.create_item(thing(1))


async def test_charge_grows_with_the_work(things: ContainerProxy) -> None:
    """Each answer tells its request units: more for a write than a read, for large than small."""
    charges: list[float] = []

    def note(headers: Any, _: Any) -> None:
        charges.append(float(headers["x-ms-request-charge"]))

    for item in (thing(1), thing(2, text="x" * 10_000)):
        await things.create_item(item, response_hook=note)
        await things.read_item(item["id"], "a", response_hook=note)
    small_write, small_read, large_write, large_read = charges
    assert small_read == 1
    assert small_write > small_read
    assert large_write > small_write
    assert large_read > small_read


@pytest.mark.parametrize("item_id", ["a/b", "a\\b", "a?b", "a#b", "x" * 1_024])
async def test_illegal_ids_are_400(things: ContainerProxy, item_id: str) -> None:
    """An id with a forbidden character, or of more than 1,023 bytes, is refused."""
    with pytest.raises((CosmosHttpResponseError, ValueError)):
        await things.create_item({"id": item_id, "home": "a"})
    assert (await read_feed(things))[0] == []


@pytest.mark.filterwarnings("ignore:Sending a large body:ResourceWarning")
async def test_items_are_at_most_two_megabytes(things: ContainerProxy) -> None:
    """A larger item is refused with 413."""
    with pytest.raises(CosmosHttpResponseError) as refusal:
        await things.create_item(thing(1, text="x" * (2 * 1024 * 1024)))
    assert refusal.value.status_code == 413


@pytest.mark.usefixtures("things")
async def test_malformed_json_is_400(server: CosmosServer, database: str) -> None:
    """A body that is no JSON is the caller's mistake, not the server's."""
    url = f"{server.url}/dbs/{database}/colls/things/docs"
    headers = {"x-ms-documentdb-partitionkey": '["a"]'}
    async with (
        aiohttp.ClientSession(headers=headers) as session,
        session.post(url, data=b'{"id": ') as answer,
    ):
        assert answer.status == 400
        assert (await answer.json())["code"] == "BadRequest"


async def test_deeply_nested_query_is_answered(things: ContainerProxy) -> None:
    """Parentheses within parentheses are read in a time that ends."""
    condition = "c.id = 't1'"
    for number in range(20):
        condition = f"({condition} OR c.n = {number})"
    await things.create_item(thing(1))
    assert await select(things, f"SELECT VALUE c.id FROM c WHERE {condition}", partition_key="a") == ["t1"]


async def test_physical_partitions_share_the_items(
    client: CosmosClient, server: CosmosServer, database: str
) -> None:
    """Each item lies in one physical partition, by its partition key; together they hold all."""
    server.partition(3)
    things = await make(client, database)
    for number in range(30):
        await things.create_item(thing(number, home=f"h{number % 10}"))
    ranges = [each async for each in things.read_feed_ranges()]
    found = [await select(things, "SELECT * FROM c", feed_range=each) for each in ranges]
    assert len(found) == 3
    assert all(found)
    homes = [{item["home"] for item in items} for items in found]
    assert sum(map(len, homes)) == len(set().union(*homes)) == 10
    fed = [(await read_feed(things, feed_range=each))[0] for each in ranges]
    assert [{item["id"] for item in items} for items in fed] == [
        {item["id"] for item in items} for items in found
    ]


async def test_split_partition_goes_on_from_its_number(
    client: CosmosClient, server: CosmosServer, database: str
) -> None:
    """After a split, the old continuation leads to what both children were given since, and only that."""
    server.partition(1)
    things = await make(client, database)
    for number in range(20):
        await things.create_item(thing(number, home=f"h{number}"))
    _, checkpoint = await read_feed(things)
    server.split(database, "things", "0")
    for number in range(20, 30):
        await things.create_item(thing(number, home=f"h{number}"))
    later = things.query_items_change_feed(continuation=checkpoint)
    assert {item["id"] async for item in later} == {f"t{number}" for number in range(20, 30)}
    assert len([each async for each in things.read_feed_ranges(force_refresh=True)]) == 2


def test_server_ends_with_who_started_it() -> None:
    """When the process that started the server is killed, the server ends as well."""
    program = """
import sys, time
from tests.cosmos_server.process import cosmos_server
with cosmos_server() as server:
    print(server.url, flush=True)
    time.sleep(60)
"""
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as starter:
        assert starter.stdout is not None
        url = starter.stdout.readline().strip()
        with urllib.request.urlopen(url, timeout=120) as answer:
            assert answer.status == 200
        starter.kill()
        starter.wait(10)
    for _ in range(1_000):
        try:
            urllib.request.urlopen(url, timeout=120).close()
        except OSError:
            return
    raise AssertionError("the server outlived its starter")
