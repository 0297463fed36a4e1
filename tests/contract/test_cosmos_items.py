"""What the Cosmos store does beyond the common promises: items others read, claims, positions, limits."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from azure.cosmos import PartitionKey
from azure.cosmos.aio import ContainerProxy, CosmosClient
from hypothesis import given, settings
from hypothesis import strategies as st

from manystore.changes import START
from manystore.errors import (
    DeclarationError,
    NotRepresentableError,
    ThrottledError,
    UnavailableError,
    UniqueError,
    VersionConflictError,
)
from manystore.records import Field, FieldType, Kind, Label, Record
from manystore.specifications import Specification, field
from manystore.stores.cosmos import CosmosStore
from manystore.stores.cosmos.claims import Owner
from manystore.stores.cosmos.ids import id_of, key_of
from manystore.stores.store import Applied, Diverged, Ignored, KeyRange, Refused
from manystore.testing import samples
from manystore.testing.contract.terms import admit, newest, read_log
from manystore.testing.samples import LETTERS, PEOPLE, WORDS, letter, person, word
from tests.cosmos_server.fixtures import database, server
from tests.cosmos_server.process import KEY, CosmosServer

__all__ = ["database", "server"]

ADA, BEN = samples.key_of(1), samples.key_of(2)
LOCAL: dict[str, Any] = {"enable_endpoint_discovery": False, "connection_verify": False}

pytestmark = pytest.mark.filterwarnings("ignore:Sending a large body:ResourceWarning")


@pytest.fixture
async def store(server: CosmosServer, database: str) -> AsyncIterator[CosmosStore]:
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
    made = await portal.create_database_if_not_exists(database)
    path = PartitionKey(f"/{kind.partition_key}")
    items: ContainerProxy = await made.create_container_if_not_exists(kind.container, path)
    return items


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

    async def test_overwritten_item_is_old_data_again(
        self, store: CosmosStore, portal: CosmosClient, database: str
    ) -> None:
        """A former system that replaces the whole item leaves its own content, as version 0, and a change."""
        await store.apply(PEOPLE, [Record(ADA, 7, person(1))])
        _, position = await read_log(store, PEOPLE)
        await (await container(portal, database, PEOPLE)).upsert_item(person(1, name="Rogue"))
        assert await store.get(PEOPLE, ADA) == Record(ADA, 0, person(1, name="Rogue"))
        assert newest((await read_log(store, PEOPLE, position))[0]) == {ADA: 0}

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
        assert (edited.version, edited.content) == (7, person(1, name="Rogue", weight=weight))
        assert newest((await read_log(store, PEOPLE, position))[0]) == {ADA: 7}
        assert await store.apply(PEOPLE, [Record(ADA, 7, person(1, weight=weight))]) == [Diverged(7)]

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


class TestClaims:
    """A value is one record's own, whoever crashes or is slow."""

    async def test_claim_of_a_crashed_writer_is_taken_over(self, store: CosmosStore) -> None:
        """A claim whose owner never wrote gives way to the next claimant."""
        await _claim_and_stop(store, ADA, "one@b.org")
        await store.put(PEOPLE, BEN, person(2, email="One@b.org"), expected=None, epoch=1)
        assert await store.get(PEOPLE, ADA) is None
        assert await store.scan(PEOPLE, KeyRange(), 9) == [Record(BEN, 1, person(2, email="One@b.org"))]
        assert (await store.put(PEOPLE, ADA, person(1), expected=None, epoch=1)).version == 1

    @pytest.mark.parametrize("is_there", [False, True])
    async def test_slow_writer_cannot_write_once_it_lost_its_claim(
        self, store: CosmosStore, is_there: bool
    ) -> None:
        """A writer that was only slow fails at its write, so the value is never held twice."""
        if is_there:
            await store.put(PEOPLE, ADA, person(1), expected=None, epoch=1)
        places = store._places(PEOPLE)
        read = await places.held(ADA)
        await _claim_and_stop(store, ADA, "one@b.org")
        await store.put(PEOPLE, BEN, person(2, email="one@b.org"), expected=None, epoch=1)
        item = {"id": ADA, "email": "one@b.org"}
        if read is None:
            assert await places.container.create(item) is None
        else:
            assert await places.container.replace(item, read.etag) is None
        expected = 1 if is_there else None
        with pytest.raises(UniqueError):
            await store.put(PEOPLE, ADA, person(1, email="one@b.org"), expected=expected, epoch=1)

    async def test_giving_up_does_not_take_what_was_claimed_anew(self, store: CosmosStore) -> None:
        """A late release of a former claim leaves the present one alone."""
        places = store._places(PEOPLE)
        await store.put(PEOPLE, ADA, person(1, email="a@b.org"), expected=None, epoch=1)
        former = await places.held(ADA)
        await store.put(PEOPLE, ADA, person(1, email="c@b.org"), expected=1, epoch=1)
        await store.put(PEOPLE, ADA, person(1, email="a@b.org"), expected=2, epoch=1)
        await places.claims.give_up(former, [])
        with pytest.raises(UniqueError):
            await store.put(PEOPLE, BEN, person(2, email="a@b.org"), expected=None, epoch=1)

    async def test_old_items_hold_their_values_unclaimed(
        self, store: CosmosStore, portal: CosmosClient, database: str
    ) -> None:
        """A value of a record that was never written through the engine is not given to another."""
        items = await container(portal, database, PEOPLE)
        await items.create_item(person(1, email="Old@b.org"))
        with pytest.raises(UniqueError):
            await store.put(PEOPLE, BEN, person(2, email="oLD@b.org"), expected=None, epoch=1)
        await store.put(PEOPLE, ADA, person(1, email="new@b.org"), expected=0, epoch=1)
        await store.put(PEOPLE, BEN, person(2, email="oLD@b.org"), expected=None, epoch=1)


async def _claim_and_stop(store: CosmosStore, key: str, email: str) -> None:
    """What is left by a writer that claimed a value and then crashed, or waits."""
    places = store._places(PEOPLE)
    content = {"id": key, "email": email}
    await places.claims.reserve(await places.held(key), Owner(key, id_of(key)), content)


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
