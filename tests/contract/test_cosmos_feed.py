"""Positions in the change feed of Cosmos DB, in several physical partitions and through their splits."""

import pytest

from manystore.changes import START
from manystore.records import Record
from manystore.specifications import Specification
from manystore.stores.cosmos import CosmosStore
from manystore.stores.store import KeyRange
from manystore.testing import samples
from manystore.testing.contract.terms import newest, read_log
from manystore.testing.samples import WORDS, word
from tests.cosmos_server.fixtures import database, server, store
from tests.cosmos_server.process import CosmosServer

__all__ = ["database", "server", "store"]

ADA, BEN = samples.key_of(1), samples.key_of(2)

pytestmark = pytest.mark.filterwarnings("ignore:Sending a large body:ResourceWarning")


class TestFeed:
    """Positions mean the same in several physical partitions, also when these are split."""

    async def test_reader_ahead_in_one_partition_is_not_at_the_head(self, store: CosmosStore) -> None:
        """A position that lacks something in any partition is below the head, however far it is elsewhere."""
        for number in range(20):
            await store.put(WORDS, f"w{number}", word(f"w{number}"), expected=None, epoch=1)
        head = await store.head(WORDS)
        _, reached = await read_log(store, WORDS, START)
        mark, layout, first, second = reached
        assert reached >= head
        for numbers in ((first + 9, second - 3), (first - 3, second + 9)):
            assert (0, layout, *numbers) < head
            batch = await store.changes(WORDS, (0, layout, *numbers), 1)
            assert len(batch.changes) == 1
            assert batch.position < head
        assert (await store.changes(WORDS, (0, layout, first + 9, second + 9), 9)).position >= head
        assert mark == head[0]

    async def test_idle_heads_are_the_same(self, store: CosmosStore) -> None:
        """Asking for the head again and again writes nothing and answers the same."""
        await store.put(WORDS, "a", word("a"), expected=None, epoch=1)
        head = await store.head(WORDS)
        spent = store.request_units["manystore-state"].get("replace", 0)
        assert [await store.head(WORDS) for _ in range(3)] == [head] * 3
        assert store.request_units["manystore-state"].get("replace", 0) == spent

    async def test_reading_starts_at_a_head(self, store: CosmosStore) -> None:
        """A head is a position: reading on from it shows what came later."""
        await store.put(WORDS, "a", word("a"), expected=None, epoch=1)
        head = await store.head(WORDS)
        for number in range(9):
            await store.put(WORDS, f"w{number}", word(f"w{number}"), expected=None, epoch=1)
        assert newest((await read_log(store, WORDS, head))[0]) == {f"w{number}": 1 for number in range(9)}

    async def test_more_marks_than_are_kept(self, store: CosmosStore) -> None:
        """A reader that is behind more heads than are kept reaches them all the same."""
        _, position = await read_log(store, WORDS)
        heads = []
        for number in range(40):
            await store.put(WORDS, f"w{number}", word(f"w{number}"), expected=None, epoch=1)
            heads.append(await store.head(WORDS))
        assert heads == sorted(set(heads))
        changes, reached = await read_log(store, WORDS, position)
        assert len(newest(changes)) == 40
        assert reached >= heads[-1]

    async def test_reader_goes_on_through_a_split(
        self, store: CosmosStore, server: CosmosServer, database: str
    ) -> None:
        """When partitions split between reads, nothing is missed, sent back or out of order."""
        position, seen = START, dict[str, int]()
        heads = [await store.head(WORDS)]
        for round_, partition in enumerate([None, "0", "1", None]):
            if partition is not None:
                server.split(database, WORDS.container, partition)
            for number in range(10):
                key = f"w{round_}-{number}"
                await store.put(WORDS, key, word(key), expected=None, epoch=1)
            batch = await store.changes(WORDS, position, 4)
            assert batch.position >= position
            position, seen = batch.position, seen | newest(batch.changes)
            heads.append(await store.head(WORDS))
        rest, reached = await read_log(store, WORDS, position)
        assert len(seen | newest(rest)) == 40
        assert heads == sorted(heads)
        assert reached >= heads[-1]
        assert len(await store.scan(WORDS, KeyRange(), 99)) == await store.count(WORDS) == 40
        keys = [record.key for record in (await store.find(WORDS, Specification(limit=50))).records]
        assert keys == sorted(seen | newest(rest))

    async def test_split_shows_nothing_twice(
        self, store: CosmosStore, server: CosmosServer, database: str
    ) -> None:
        """A reader at the head before a split sees only what was written after it."""
        for number in range(10):
            await store.put(WORDS, f"w{number}", word(f"w{number}"), expected=None, epoch=1)
        _, position = await read_log(store, WORDS)
        server.split(database, WORDS.container, "0")
        await store.put(WORDS, "new", word("new"), expected=None, epoch=1)
        changes, _ = await read_log(store, WORDS, position)
        assert [(change.key, change.version) for change in changes] == [("new", 1)]

    async def test_copies_are_passed_over_in_long_stretches(self, store: CosmosStore) -> None:
        """A write behind hundreds of copied records is reached, and they are not in the log."""
        await store.apply(WORDS, [Record(f"c{number}", 1, word(f"c{number}")) for number in range(300)])
        await store.put(WORDS, "w", word("w"), expected=None, epoch=1)
        changes, _ = await read_log(store, WORDS, limit=9)
        assert newest(changes) == {"w": 1}
