"""What lies in Cosmos DB: items that a former system reads and writes as well, and their ids."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from azure.cosmos.aio import CosmosClient
from hypothesis import given, settings
from hypothesis import strategies as st

from manystore.errors import (
    DeclarationError,
    NotRepresentableError,
    VersionConflictError,
)
from manystore.records import Field, FieldType, Kind, Label, Record
from manystore.specifications import Specification, field
from manystore.stores.cosmos import CosmosStore
from manystore.stores.cosmos.ids import id_of, key_of
from manystore.stores.store import Diverged, KeyRange, Refused
from manystore.testing import samples
from manystore.testing.contract.terms import newest, read_log
from manystore.testing.samples import LETTERS, PEOPLE, WORDS, letter, person, word
from tests.cosmos_server.fixtures import container, database, portal, server, store

__all__ = ["database", "portal", "server", "store"]

ADA, BEN = samples.key_of(1), samples.key_of(2)

pytestmark = pytest.mark.filterwarnings("ignore:Sending a large body:ResourceWarning")


class TestItems:
    """A former system reads and writes the same items."""

    async def test_content_lies_at_the_top_level(
        self, store: CosmosStore, portal: CosmosClient, database: str
    ) -> None:
        """An item is the content as it is, and one property of the engine's."""
        await store.put(PEOPLE, ADA, person(1), expected=None, epoch=1)
        item = dict(await (await container(portal, database, PEOPLE)).read_item(ADA, ADA))
        state = item.pop("_manystore")
        assert {name: value for name, value in item.items() if not name.startswith("_")} == person(1)
        assert (state["v"], state["o"], "b" in state) == (1, "truth", False)

    async def test_old_items_are_adopted(
        self, store: CosmosStore, portal: CosmosClient, database: str
    ) -> None:
        """Items without a version are version 0: read, found, scanned, in the log, and written from there."""
        items = await container(portal, database, PEOPLE)
        for number in (1, 2):
            await items.create_item(person(number))
        assert await store.get(PEOPLE, ADA) == Record(ADA, 0, person(1))
        assert len(await store.scan(PEOPLE, KeyRange(), 9)) == await store.count(PEOPLE) == 2
        page = await store.find(PEOPLE, Specification(where=field("visits") == 2))
        assert page.records == (Record(BEN, 0, person(2)),)
        assert newest((await read_log(store, PEOPLE))[0]) == {ADA: 0, BEN: 0}
        written = await store.put(PEOPLE, ADA, person(1, name="New"), expected=0, epoch=1)
        assert written.version == 1
        assert await store.get(PEOPLE, ADA) == written

    async def test_overwritten_item_has_the_next_version(
        self, store: CosmosStore, portal: CosmosClient, database: str
    ) -> None:
        """A former system that replaces the whole item leaves its content and a change above the last."""
        await store.apply(PEOPLE, [Record(ADA, 7, person(1))])
        _, position = await read_log(store, PEOPLE)
        await (await container(portal, database, PEOPLE)).upsert_item(person(1, name="Rogue"))
        assert await store.get(PEOPLE, ADA) == Record(ADA, 8, person(1, name="Rogue"))
        assert newest((await read_log(store, PEOPLE, position))[0]) == {ADA: 8}

    @pytest.mark.parametrize("weight", [60.5, 60.0])
    async def test_edited_item_shows_its_edit(
        self, store: CosmosStore, portal: CosmosClient, database: str, weight: float
    ) -> None:
        """An edit that leaves the engine's state alone shows in content and log, a copy's too.

        60.0 is a value whose exact text is kept beside the item; the edit counts, not that text.
        """
        await store.apply(PEOPLE, [Record(ADA, 7, person(1, weight=weight))])
        _, position = await read_log(store, PEOPLE)
        items = await container(portal, database, PEOPLE)
        await items.patch_item(ADA, ADA, [{"op": "set", "path": "/name", "value": "Rogue"}])
        edited = await store.get(PEOPLE, ADA)
        assert edited is not None
        assert (edited.version, edited.content) == (8, person(1, name="Rogue", weight=weight))
        assert newest((await read_log(store, PEOPLE, position))[0]) == {ADA: 8}
        assert await store.apply(PEOPLE, [Record(ADA, 8, person(1, weight=weight))]) == [Diverged(8)]

    async def test_names_of_the_service_are_carried(self, store: CosmosStore) -> None:
        """Content may have properties that the service or the engine uses itself."""
        taken = {
            "_ts": 1,
            "_etag": "x",
            "_rid": None,
            "_manystore": {"v": 9},
            "ttl": 1,
            "_lsn": 2,
            "_self": "s",
        }
        content = person(1) | taken
        await store.put(PEOPLE, ADA, content, expected=None, epoch=1)
        assert await store.get(PEOPLE, ADA) == Record(ADA, 1, content)
        assert newest((await read_log(store, PEOPLE))[0]) == {ADA: 1}

    async def test_item_keeps_its_place_when_its_partition_key_changes(self, store: CosmosStore) -> None:
        """A letter that goes to another person is the same item, and is found under the new one alone."""
        key = samples.key_of(9)
        places: list[Any] = [ADA, BEN, None, 7, {"no": "key"}, "x" * 3_000]
        expected = None
        for version, place in enumerate(places, start=1):
            content = letter(9, 1, personId=place)
            await store.put(LETTERS, key, content, expected=expected, epoch=1)
            assert await store.get(LETTERS, key) == Record(key, version, content)
            expected = version
        await store.put(LETTERS, key, letter(9, 2), expected=expected, epoch=1)
        for person_key, found in ((ADA, ()), (BEN, (Record(key, len(places) + 1, letter(9, 2)),))):
            page = await store.find(LETTERS, Specification(where=field("personId") == person_key))
            assert page.records == found
        assert await store.count(LETTERS) == 1

    @pytest.mark.parametrize("place", [None, 7, True, {"no": "key"}, "x" * 3_000, "absent"])
    async def test_any_partition_key_can_be_created(self, store: CosmosStore, place: Any) -> None:
        """A record is held whatever its partition key property is: null, no text, too long, or missing."""
        key = samples.key_of(9)
        content = letter(9, 1, personId=place)
        if place == "absent":
            del content["personId"]
        await store.put(LETTERS, key, content, expected=None, epoch=1)
        await store.put(LETTERS, key, content, expected=1, epoch=1)
        await store.delete(LETTERS, key, expected=2, epoch=1)
        assert await store.get(LETTERS, key) == Record(key, 3, None)
        assert (await store.put(LETTERS, key, content, expected=None, epoch=1)).version == 4
        assert await store.get(LETTERS, key) == Record(key, 4, content)

    async def test_key_is_alone_in_all_logical_partitions(self, store: CosmosStore) -> None:
        """Of many that create one key under different partition keys, one is accepted."""
        key = samples.key_of(9)
        tries = [store.put(LETTERS, key, letter(9, number), expected=None, epoch=1) for number in range(6)]
        results = await asyncio.gather(*tries, return_exceptions=True)
        (winner,) = (result for result in results if isinstance(result, Record))
        refusals = [result for result in results if not isinstance(result, Record)]
        assert all(isinstance(refusal, VersionConflictError) for refusal in refusals), refusals
        assert await store.scan(LETTERS, KeyRange(), 9) == [winner]

    async def test_too_large_a_record_is_refused(self, store: CosmosStore) -> None:
        """What has more than two megabytes as an item is refused by name, as write, copy and in examining."""
        content = person(1, name="x" * (2 * 1024 * 1024))
        with pytest.raises(NotRepresentableError):
            await store.put(PEOPLE, ADA, content, expected=None, epoch=1)
        (outcome,) = await store.apply(PEOPLE, [Record(ADA, 1, content)])
        assert isinstance(outcome, Refused)
        assert isinstance(outcome.error, NotRepresentableError)

        async def batches() -> AsyncIterator[list[Record]]:
            yield [Record(ADA, 1, content), Record(BEN, 1, person(2))]

        found = await store.examine(PEOPLE, batches())
        assert (found.examined, [each.key for each in found.unfit]) == (2, [ADA])
        # Its e-mail was not kept from anybody else.
        await store.put(PEOPLE, BEN, person(2, email=person(1)["email"]), expected=None, epoch=1)

    async def test_container_of_another_partition_key_is_a_wrong_declaration(
        self, store: CosmosStore, portal: CosmosClient, database: str
    ) -> None:
        """A partition key cannot be changed later, so a container that has another is refused at once."""
        await container(portal, database, PEOPLE)
        other = Kind(
            name="people",
            container=PEOPLE.container,
            fields=(
                Field(name="id", type=FieldType.UUID, label=Label.INTERNAL),
                Field(name="email", type=FieldType.STRING, label=Label.INTERNAL),
            ),
            partition_key="email",
        )
        with pytest.raises(DeclarationError):
            await store.get(other, ADA)


class TestIds:
    """Keys as ids: any key, reversible, in the same order."""

    @given(st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1)))
    @settings(max_examples=300, deadline=None, derandomize=True, database=None)
    def test_spelling_is_reversible_and_keeps_the_order(self, keys: list[str]) -> None:
        """Ids read back as their keys, sort like them by UTF-16 too, and have nothing forbidden."""
        odd = [".", "..", "./", ".-", "-", "/", ".0", "😀", "\ufb00", "\ue000", "\ue001", "\ue003"]
        odd += [" ", "\x1f", "a ", "a\n", "a\t", "a\x08", "a\x08 ", "a\x0b", "a\t\n", "\n\t ", "a\r"]
        keys = sorted({*keys, *odd, *(key + " " for key in keys)})
        ids = [id_of(key) for key in keys]
        assert [key_of(each) for each in ids] == keys
        assert sorted(ids) == sorted(ids, key=lambda each: each.encode("utf-16-be")) == ids
        assert not any(set(each) & set("/\\?#\t\r\n") for each in ids)

    @given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1))
    @settings(max_examples=300, deadline=None, derandomize=True, database=None)
    def test_longest_keys_fit(self, key: str) -> None:
        """A key of 255 bytes is an id of at most 1,023."""
        longest = (key * 255).encode()[:255].decode(errors="ignore")
        assert len(id_of(longest).encode()) <= 1_023

    async def test_every_key_goes_over_the_wire(self, store: CosmosStore) -> None:
        """Keys that URLs and ids cannot hold are written, read, replaced and deleted like others."""
        keys = ["a/b", "\\", "?", "#x", ".", "..", "%2F", "a%b", "a b", " ", "a ", "a\n", "\n ", "a\x1f"]
        keys += ["+&=;:@'\"", "\t", "a\tb", "é", "😀", "\ue000", "/ ", "...", "a\x7f", "\x08"]
        for key in keys:
            await store.put(WORDS, key, word(key), expected=None, epoch=1)
            await store.put(WORDS, key, word(key, meaning="new"), expected=1, epoch=1)
        assert [record.key for record in await store.scan(WORDS, KeyRange(), 99)] == sorted(keys)
        assert set(await store.get_many(WORDS, keys)) == set(keys)
        for key in keys:
            assert await store.get(WORDS, key) == Record(key, 2, word(key, meaning="new"))
            await store.delete(WORDS, key, expected=2, epoch=1)
        assert newest((await read_log(store, WORDS))[0]) == dict.fromkeys(keys, 3)

    async def test_ids_of_a_former_system_stay(
        self, store: CosmosStore, portal: CosmosClient, database: str
    ) -> None:
        """An old item whose id would be spelled otherwise now is read and written under the id it has."""
        items = await container(portal, database, WORDS)
        await items.create_item(word("😀"))
        assert await store.get(WORDS, "😀") == Record("😀", 0, word("😀"))
        await store.put(WORDS, "😀", word("😀", meaning="new"), expected=0, epoch=1)
        assert await store.get(WORDS, "😀") == Record("😀", 1, word("😀", meaning="new"))
        assert await store.count(WORDS) == 1
        page = await store.find(WORDS, Specification(where=field("id") == "😀"))
        assert [record.version for record in page.records] == [1]
