"""What the Cosmos store makes of throttling, charges, outages, lost answers and expiry."""

import asyncio

import pytest

from manystore.errors import (
    ThrottledError,
    UnavailableError,
)
from manystore.records import Record
from manystore.specifications import Specification
from manystore.stores.cosmos import CosmosStore
from manystore.stores.store import Applied, Ignored
from manystore.testing import samples
from manystore.testing.contract.terms import admit, newest, read_log
from manystore.testing.samples import WORDS, word
from tests.cosmos_server.fixtures import database, server, store
from tests.cosmos_server.process import KEY, CosmosServer

__all__ = ["database", "server", "store"]

ADA, BEN = samples.key_of(1), samples.key_of(2)

pytestmark = pytest.mark.filterwarnings("ignore:Sending a large body:ResourceWarning")


class TestService:
    """Throttling, charges, outages and expiry."""

    async def test_throttled_requests_wait_and_go_on(self, store: CosmosStore, server: CosmosServer) -> None:
        """The waits that the service asks for are honoured, up to the bound, without the caller's notice."""
        server.plant("throttle", 2, afterMs=1, method="POST")
        await store.put(WORDS, "a", word("a"), expected=None, epoch=1)
        assert await store.get(WORDS, "a") == Record("a", 1, word("a"))

    async def test_throttling_beyond_the_bound_is_told(
        self, store: CosmosStore, server: CosmosServer
    ) -> None:
        """After the bounded waits, the caller is told for how long the service asked to be left alone."""
        await store.count(WORDS)
        server.plant("throttle", 3, afterMs=70)
        with pytest.raises(ThrottledError) as refusal:
            await store.get(WORDS, "a")
        assert refusal.value.retry_after == pytest.approx(0.07)
        assert await store.get(WORDS, "a") is None

    async def test_request_units_are_reported(self, store: CosmosStore) -> None:
        """Every charge is counted under its kind and operation."""
        await store.put(WORDS, "a", word("a"), expected=None, epoch=1)
        before = store.request_units["words"]
        await store.get(WORDS, "a")
        await store.find(WORDS, Specification())
        after = store.request_units["words"]
        assert before["create"] >= 5
        assert after["read"] == before["read"] + 1
        assert after["query"] > before.get("query", 0)
        assert after["create"] == before["create"]

    async def test_fence_costs_a_point_read(self, store: CosmosStore) -> None:
        """A write of a record reads the fence beside it, for one request unit, and nothing else."""
        await store.put(WORDS, "a", word("a"), expected=None, epoch=1)
        before = store.request_units
        await store.put(WORDS, "a", word("a"), expected=1, epoch=1)
        after = store.request_units
        assert after["manystore-state"]["read"] - before["manystore-state"]["read"] == 1
        assert after["words"]["read"] - before["words"]["read"] == 1
        assert after["words"]["replace"] - before["words"].get("replace", 0) == 5

    async def test_outage_is_unavailable(self, store: CosmosStore, server: CosmosServer) -> None:
        """A service that answers 503 is unavailable, on reads and on writes, and comes back."""
        await store.put(WORDS, "a", word("a"), expected=None, epoch=1)
        server.plant("unavailable", 9)
        with pytest.raises(UnavailableError):
            await store.get(WORDS, "a")
        server.plant("unavailable", 99, method="PUT")
        with pytest.raises(UnavailableError):
            await store.put(WORDS, "a", word("a"), expected=1, epoch=1)
        server.plant("unavailable", 0)
        assert await store.get(WORDS, "a") == Record("a", 1, word("a"))

    async def test_replica_behind_the_session_is_not_absence(
        self, store: CosmosStore, server: CosmosServer
    ) -> None:
        """A replica that has not seen the latest write yet is unavailable; it does not say "not there"."""
        await store.put(WORDS, "a", word("a"), expected=None, epoch=1)
        server.plant("behindSession", 99, method="GET")
        with pytest.raises(UnavailableError):
            await store.get(WORDS, "a")
        server.plant("behindSession", 0)
        assert await store.get(WORDS, "a") == Record("a", 1, word("a"))

    async def test_lost_answers_are_no_conflicts(self, store: CosmosStore, server: CosmosServer) -> None:
        """A write whose answer is lost is repeated below the store, known again there, and done once."""
        await store.count(WORDS)
        server.plant("lostAcknowledgement", 1, method="POST")
        created = await store.put(WORDS, "a", word("a"), expected=None, epoch=1)
        assert created == await store.get(WORDS, "a") == Record("a", 1, word("a"))
        server.plant("lostAcknowledgement", 1, method="PUT")
        written = await store.put(WORDS, "a", word("a", meaning="new"), expected=1, epoch=1)
        assert written == await store.get(WORDS, "a") == Record("a", 2, word("a", meaning="new"))
        await store.write_note("n", b"1", expected=0)
        server.plant("lostAcknowledgement", 1, method="PUT")
        assert await store.write_note("n", b"2", expected=1)
        assert (await store.note("n")).revision == 2

    async def test_nobody_there_is_unavailable(self) -> None:
        """A service that cannot be reached is unavailable from the start."""
        store = CosmosStore("http://127.0.0.1:9", KEY, "nowhere")
        with pytest.raises(UnavailableError):
            await store.open()
        await store.close()

    async def test_malformed_key_is_unavailable(self, server: CosmosServer) -> None:
        """A key that signs nothing is told as such, not as an error of the SDK."""
        store = CosmosStore(server.url, "abc", "nowhere")
        with pytest.raises(UnavailableError):
            await store.open()
        await store.close()

    async def test_many_open_at_once(self, server: CosmosServer, database: str) -> None:
        """Processes that start together make the same database and containers, and all go on."""
        stores = [CosmosStore(server.url, KEY, database) for _ in range(6)]
        await asyncio.gather(*(store.open() for store in stores))
        outcomes = await asyncio.gather(
            *(store.apply(WORDS, [Record("a", number, word("a"))]) for number, store in enumerate(stores))
        )
        assert all(outcome in (Applied(), Ignored(5), *map(Ignored, range(6))) for (outcome,) in outcomes)
        assert await stores[0].get(WORDS, "a") == Record("a", 5, word("a"))
        await asyncio.gather(*(store.close() for store in stores))

    async def test_tombstones_expire_where_asked_for(self, server: CosmosServer, database: str) -> None:
        """With a time to live, the service removes tombstones, and only them, whatever contents say."""
        store = CosmosStore(server.url, KEY, database, tombstone_ttl=100)
        await store.open()
        await admit(store, WORDS)
        await store.put(WORDS, "a", word("a", ttl=5), expected=None, epoch=1)
        await store.put(WORDS, "b", word("b"), expected=None, epoch=1)
        await store.delete(WORDS, "b", expected=1, epoch=1)
        server.advance(99)
        assert await store.get(WORDS, "b") == Record("b", 2, None)
        server.advance(2)
        assert await store.get(WORDS, "b") is None
        assert await store.get(WORDS, "a") == Record("a", 1, word("a", ttl=5))
        changes, position = await read_log(store, WORDS)
        assert newest(changes) == {"a": 1}
        assert position >= await store.head(WORDS)
        await store.close()
