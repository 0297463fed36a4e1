"""What others do to items of Cosmos DB: what is seen of it, when, and what cannot be."""

import asyncio
import itertools
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from azure.cosmos.aio import ContainerProxy, CosmosClient

from manystore.errors import UniqueError
from manystore.records import Record
from manystore.specifications import Specification, field
from manystore.stores.cosmos import CosmosStore
from manystore.stores.cosmos.claims import Owner
from manystore.stores.store import Applied, Fence, Ignored, KeyRange, KeyVersion
from manystore.testing.contract.outsiders import refuse
from manystore.testing.contract.terms import newest, read_log
from manystore.testing.samples import LETTERS, PEOPLE, WORDS, key_of, letter, person, word
from tests.cosmos_server.fixtures import container, database, portal, server, store
from tests.cosmos_server.process import KEY, CosmosServer

__all__ = ["database", "portal", "server", "store"]

ADA, BEN = key_of(1), key_of(2)

pytestmark = pytest.mark.filterwarnings("ignore:Sending a large body:ResourceWarning")


@pytest.fixture
async def words(store: CosmosStore, portal: CosmosClient, database: str) -> ContainerProxy:
    """The words as others reach them."""
    return await container(portal, database, WORDS)


@pytest.fixture
async def second(store: CosmosStore, server: CosmosServer, database: str) -> AsyncIterator[CosmosStore]:
    second = CosmosStore(server.url, KEY, database)
    await second.open()
    yield second
    await second.close()


async def edit(items: ContainerProxy, key: str, **changed: Any) -> None:
    """Change properties as a portal does, which sends back all that it read."""
    item = dict(await items.read_item(key, key))
    await items.replace_item(key, item | changed)


class TestLimits:
    """What the service does not tell, nobody can know; a verification finds the difference."""

    async def test_removal_leaves_no_trace(self, store: CosmosStore, words: ContainerProxy) -> None:
        """An item deleted for good is not in the feed, not rogue, and its key begins anew."""
        await store.put(WORDS, "a", word("a"), expected=None, epoch=1)
        await store.put(WORDS, "a", word("a"), expected=1, epoch=1)
        _, position = await read_log(store, WORDS)
        await words.delete_item("a", "a")
        assert await store.get(WORDS, "a") is None
        assert (await read_log(store, WORDS, position))[0] == []
        assert (await store.put(WORDS, "a", word("a"), expected=None, epoch=1)).version == 1
        await refuse(store)
        await words.delete_item("a", "a")
        assert await store.rogue_writes(WORDS) == []
        # A follower that still holds version 2 says so by what it ignores, and a verification names the key.
        assert await store.scan(WORDS, KeyRange(), 9) == []

    async def test_item_put_back_whole_passes_for_the_engine(
        self, store: CosmosStore, words: ContainerProxy
    ) -> None:
        """Who writes exactly what was read long ago, the engine's state included, takes the record back."""
        await store.apply(WORDS, [Record("a", 3, word("a"))])
        before = dict(await words.read_item("a", "a"))
        await store.apply(WORDS, [Record("a", 5, word("a", meaning="newer"))])
        await words.upsert_item(before)
        assert await store.get(WORDS, "a") == Record("a", 3, word("a"))

    async def test_writes_between_two_looks_are_one(self, store: CosmosStore, words: ContainerProxy) -> None:
        """Of several writes to one item that nobody met between, the last is kept."""
        await store.apply(WORDS, [Record("a", 3, word("a"))])
        await refuse(store)
        for number in range(3):
            await edit(words, "a", meaning=f"stranger {number}")
        (rogue,) = await store.rogue_writes(WORDS)
        assert json.loads(rogue.evidence) == word("a", meaning="stranger 2")


class TestVersions:
    """Each write of others lies above all that the record had, whatever they did to the item."""

    async def test_edit_of_what_was_read_long_ago(self, store: CosmosStore, words: ContainerProxy) -> None:
        """An old state of the engine that comes back with another content does not take the record back."""
        await store.apply(WORDS, [Record("a", 3, word("a"))])
        before = dict(await words.read_item("a", "a"))
        await store.apply(WORDS, [Record("a", 50, word("a", meaning="newer"))])
        await words.upsert_item(before | {"meaning": "theirs"})
        held = await store.get(WORDS, "a")
        assert held is not None
        assert held.version > 50
        assert held.content == word("a", meaning="theirs")

    async def test_every_way_of_reading_agrees(
        self, store: CosmosStore, second: CosmosStore, words: ContainerProxy
    ) -> None:
        """Handles that meet the same writes at the same time give each one version."""
        await store.apply(WORDS, [Record(f"w{n}", 5, word(f"w{n}")) for n in range(12)])
        await refuse(store)
        for number in range(0, 12, 2):
            await edit(words, f"w{number}", meaning="edited")
            await words.upsert_item(word(f"w{number + 1}", meaning="replaced"))
        keys = [f"w{number}" for number in range(12)]
        await asyncio.gather(
            store.get_many(WORDS, keys),
            second.scan(WORDS, KeyRange(), 99),
            second.find(WORDS, Specification()),
            store.rogue_writes(WORDS),
            second.rogue_writes(WORDS),
            read_log(store, WORDS),
            *(handle.get(WORDS, key) for handle in (store, second) for key in keys),
        )
        held = await store.get_many(WORDS, keys)
        assert all(5 < record.version < 100 for record in held.values())
        assert await second.versions(WORDS, KeyRange(), 99) == sorted(
            (KeyVersion(key, record.version, False) for key, record in held.items()),
            key=lambda each: each.key,
        )
        rogues = await store.rogue_writes(WORDS)
        assert [rogue.key for rogue in rogues] == sorted(keys)
        assert {rogue.key: rogue.version for rogue in rogues} == {
            key: record.version for key, record in held.items()
        }
        assert await second.rogue_writes(WORDS) == rogues

    async def test_versions_show_edits_where_writes_are_not_taken(
        self, store: CosmosStore, words: ContainerProxy
    ) -> None:
        """Though no content is read, an edit that leaves the engine's state alone is seen."""
        await store.apply(WORDS, [Record("a", 3, word("a")), Record("b", 3, None)])
        await refuse(store)
        await edit(words, "a", meaning="edited")
        await words.upsert_item(word("c"))
        a, b, c = await store.versions(WORDS, KeyRange(), 9)
        assert (a.key, b.key, c.key, b.version) == ("a", "b", "c", 3)
        assert min(a.version, c.version) > 3

    async def test_tombstone_that_others_fill_is_a_record(
        self, store: CosmosStore, words: ContainerProxy
    ) -> None:
        """Content put over a tombstone, with the engine's state or without, is alive again, and above it."""
        await store.apply(WORDS, [Record(key, 4, None) for key in "ab"])
        await words.upsert_item(word("a"))
        await edit(words, "b", meaning="edited")
        held = await store.get_many(WORDS, ["a", "b"])
        assert held["a"].content == word("a")
        assert held["b"].content == {"id": "b", "meaning": "edited"}
        assert min(record.version for record in held.values()) > 4
        assert newest((await read_log(store, WORDS))[0]) == {key: held[key].version for key in "ab"}


class TestOldData:
    """What was there before the engine wrote its first version is old data, and is left as it is."""

    async def test_old_items_stay_untouched_beside_new_ones(
        self, store: CosmosStore, server: CosmosServer, words: ContainerProxy
    ) -> None:
        """Once the engine has written, items made by others have versions; those from before have none."""
        await words.create_item(word("old"))
        await store.apply(WORDS, [Record("a", 3, word("a"))])
        server.advance(5)
        await words.create_item(word("new"))
        scanned = {record.key: record.version for record in await store.scan(WORDS, KeyRange(), 9)}
        assert scanned["old"] == 0
        assert min(scanned["new"], scanned["a"]) >= 3
        assert newest((await read_log(store, WORDS))[0]) == {"old": 0, "new": scanned["new"]}
        assert "_manystore" not in await words.read_item("old", "old")
        assert (await store.put(WORDS, "old", word("old"), expected=0, epoch=1)).version == 1

    async def test_old_items_are_no_rogue_writes(self, store: CosmosStore, words: ContainerProxy) -> None:
        """Where writes stop being taken, what lay there before is not suspected; what is made since is."""
        await words.create_item(word("old"))
        await refuse(store)
        await words.create_item(word("new"))
        assert [rogue.key for rogue in await store.rogue_writes(WORDS)] == ["new"]
        assert await store.get(WORDS, "old") == Record("old", 0, word("old"))

    async def test_item_made_in_an_empty_copy_is_kept_before_it_is_replaced(
        self, store: CosmosStore, words: ContainerProxy
    ) -> None:
        """The first batch of a copy finds what others made there, though it looks like old data."""
        await refuse(store)
        await words.create_item(word("a", meaning="stranger"))
        assert await store.apply(WORDS, [Record("a", 7, word("a"))]) == [Applied()]
        (rogue,) = await store.rogue_writes(WORDS)
        assert json.loads(rogue.evidence) == word("a", meaning="stranger")

    async def test_fence_whose_raiser_crashed_is_watched(
        self, store: CosmosStore, words: ContainerProxy
    ) -> None:
        """Without the note of where the feed stood, all of it is looked at, and old data not suspected."""
        await words.create_item(word("old"))
        await store.apply(WORDS, [Record("a", 3, word("a")), Record("b", 3, word("b"))])
        assert await store._notes.raise_fence(WORDS, Fence(epoch=2, admits=False), expected=1)
        await edit(words, "a", meaning="stranger")
        assert [rogue.key for rogue in await store.rogue_writes(WORDS)] == ["a"]

    async def test_old_item_that_was_written_anew_for_a_claim_is_old_still(
        self, store: CosmosStore, server: CosmosServer, portal: CosmosClient, database: str
    ) -> None:
        """Taking over a claim touches its owner's item, and does not make it a write by others."""
        items = await container(portal, database, PEOPLE)
        await items.create_item(person(1))
        places = store._places(PEOPLE)
        owner = Owner(ADA, ADA)
        await places.claims.reserve(await places.held(ADA), owner, {"id": ADA, "email": "one@b.org"})
        server.advance(5)
        await store.put(PEOPLE, BEN, person(2, email="one@b.org"), expected=None, epoch=1)
        assert await store.get(PEOPLE, ADA) == Record(ADA, 0, person(1))
        taken = person(3, email=person(1)["email"])
        with pytest.raises(UniqueError):
            await store.put(PEOPLE, key_of(3), taken, expected=None, epoch=1)
        await edit(items, ADA, name="Edited")
        edited = await store.get(PEOPLE, ADA)
        assert edited is not None
        assert edited.version > 0


class TestJudgement:
    """Whether a write was rogue depends on when it was made, as near as the service tells."""

    async def test_write_before_the_fence_is_a_change(
        self, store: CosmosStore, server: CosmosServer, words: ContainerProxy
    ) -> None:
        """Though nobody met it until writes were no longer taken, it is in the log, and not rogue."""
        await store.put(WORDS, "a", word("a"), expected=None, epoch=1)
        await edit(words, "a", meaning="in time")
        server.advance(5)
        await refuse(store)
        assert await store.rogue_writes(WORDS) == []
        changes, _ = await read_log(store, WORDS)
        held = await store.get(WORDS, "a")
        assert held is not None
        assert newest(changes) == {"a": held.version}
        assert held.version > 1

    async def test_rogue_write_is_found_once_writes_are_taken_again(
        self, store: CosmosStore, server: CosmosServer, words: ContainerProxy
    ) -> None:
        """What was written in between is told, what is written since is a change."""
        await store.apply(WORDS, [Record(key, 3, word(key)) for key in "ab"])
        await refuse(store)
        await edit(words, "a", meaning="too early")
        server.advance(5)
        assert await store.raise_fence(WORDS, Fence(epoch=3, admits=True), expected=2)
        await edit(words, "b", meaning="in time")
        assert [rogue.key for rogue in await store.rogue_writes(WORDS)] == ["a"]
        changes, _ = await read_log(store, WORDS)
        assert set(newest(changes)) == {"b"}

    async def test_rogue_write_does_not_flow(self, store: CosmosStore, words: ContainerProxy) -> None:
        """A follower of a truth that is being drained is not told of it."""
        await store.put(WORDS, "a", word("a"), expected=None, epoch=1)
        _, position = await read_log(store, WORDS)
        await refuse(store)
        await edit(words, "a", meaning="too late")
        assert (await read_log(store, WORDS, position))[0] == []
        assert [rogue.key for rogue in await store.rogue_writes(WORDS)] == ["a"]

    async def test_looks_go_on_where_the_last_one_ended(
        self, store: CosmosStore, words: ContainerProxy
    ) -> None:
        """What was looked through once is not read again."""
        await refuse(store)
        await store.apply(WORDS, [Record(f"w{n}", 1, word(f"w{n}")) for n in range(300)])
        spent = [store.request_units["words"].get("feed", 0.0)]
        for _ in range(3):
            await store.rogue_writes(WORDS)
            spent.append(store.request_units["words"]["feed"])
        first, *later = (after - before for before, after in itertools.pairwise(spent))
        assert max(later) * 2 < first


class TestContent:
    """What others wrote is carried, found, and held against others like anything else."""

    async def test_large_evidence_is_kept(
        self, store: CosmosStore, portal: CosmosClient, database: str, words: ContainerProxy
    ) -> None:
        """A rogue write of more than a megabyte is kept whole."""
        large = word("a", meaning="Großes\n" * 150_000)
        await store.apply(WORDS, [Record("a", 3, word("a"))])
        await refuse(store)
        await words.upsert_item(large)
        (rogue,) = await store.rogue_writes(WORDS)
        assert json.loads(rogue.evidence) == large
        assert await store.forget_rogue_write(WORDS, rogue)
        assert await store.rogue_writes(WORDS) == []

    async def test_values_that_others_took_are_taken(
        self, store: CosmosStore, second: CosmosStore, portal: CosmosClient, database: str
    ) -> None:
        """A value in an item that others changed is found, and refused to everybody else."""
        await store.put(PEOPLE, ADA, person(1, email="former@b.org"), expected=None, epoch=1)
        items = await container(portal, database, PEOPLE)
        await edit(items, ADA, email="present@b.org")
        page = await store.find(PEOPLE, Specification(where=field("email") == "present@b.org"))
        (found,) = page.records
        assert found.version > 1
        taken = person(2, email="Present@b.org")
        for handle in (store, second):
            with pytest.raises(UniqueError):
                await handle.put(PEOPLE, BEN, taken, expected=None, epoch=1)
        await second.put(PEOPLE, BEN, person(2, email="former@b.org"), expected=None, epoch=1)
        kept = person(1, email="present@b.org", name="New")
        await store.put(PEOPLE, ADA, kept, expected=found.version, epoch=1)
        with pytest.raises(UniqueError):
            await second.put(PEOPLE, BEN, person(2, email="present@b.org"), expected=1, epoch=1)

    async def test_items_of_other_partitions_are_settled_where_they_lie(
        self, store: CosmosStore, portal: CosmosClient, database: str
    ) -> None:
        """A letter that was replaced stays in its logical partition, with a version above its last."""
        key = key_of(9)
        await store.put(LETTERS, key, letter(9, 1), expected=None, epoch=1)
        items = await container(portal, database, LETTERS)
        await items.upsert_item(letter(9, 1, text="theirs"))
        held = await store.get(LETTERS, key)
        assert held is not None
        assert held.version > 1
        assert held.content == letter(9, 1, text="theirs")
        assert await store.apply(LETTERS, [Record(key, 1, letter(9, 1))]) == [Ignored(held.version)]
        assert await store.count(LETTERS) == 1
