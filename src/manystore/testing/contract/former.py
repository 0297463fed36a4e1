"""Promises about what a former system left: read and found as declared, and not touched by being read."""

from collections.abc import AsyncIterator, Sequence

import pytest
from hypothesis import HealthCheck, given, settings
from msgspec import structs

from manystore.errors import UniqueError
from manystore.records import Content, Field, Kind, Record
from manystore.specifications import Predicate, Specification, field
from manystore.stores.store import Applied, Diverged, Ignored, KeyRange, Store
from manystore.testing.contract.finding import (
    PREDICATES,
    Case,
    Order,
    assert_agrees,
    assert_all_agree,
    orders,
    population,
    predicates,
)
from manystore.testing.contract.terms import Terms, admit, fill, scan_all
from manystore.testing.samples import MEMBERS, POSTCARDS, former, key_of, letter, person


def as_stored(kind: Kind) -> Kind:
    """The kind to which nothing was ever spelled otherwise, so that records are read as they lie there."""

    def plain(fields: tuple[Field, ...]) -> tuple[Field, ...]:
        return tuple(
            structs.replace(each, aliases=(), joined_by=None, fields=plain(each.fields)) for each in fields
        )

    return structs.replace(kind, fields=plain(kind.fields))


async def held(store: Store, kind: Kind, key: str) -> Record:
    """The record that must be there."""
    record = await store.get(kind, key)
    assert record is not None
    return record


class FormerContract(Terms):
    """For stores of documents: what was there before the engine came is adopted without a rewrite."""

    async def leave(self, store: Store, kind: Kind, contents: Sequence[Content]) -> None:
        """Put documents there as a former system left them, without versions."""
        outcomes = await store.apply(kind, [Record(str(each["id"]), 0, each) for each in contents])
        assert outcomes == [Applied()] * len(contents)

    async def test_former_records_are_read_as_declared(self, store: Store, second: Store) -> None:
        """Whichever way a record is read, names and lists are those of the declaration, at version 0."""
        people = [person(number, favourite="green") for number in range(4)]
        await self.leave(store, MEMBERS, [former(each) for each in people])
        expected = sorted((Record(each["id"], 0, each) for each in people), key=lambda each: each.key)
        keys = [record.key for record in expected]
        assert [await store.get(MEMBERS, key) for key in keys] == expected
        assert await second.get_many(MEMBERS, keys) == {record.key: record for record in expected}
        assert await store.scan(MEMBERS, KeyRange(), 10) == expected
        assert list((await second.find(MEMBERS, Specification())).records) == expected
        assert await store.count(MEMBERS) == 4

    async def test_reading_leaves_documents_as_they_are(self, store: Store, second: Store) -> None:
        """What lies in the store is untouched until the record is written, and declared from then on."""
        await admit(store, MEMBERS)
        await self.leave(store, MEMBERS, [former(person(1)), former(person(2))])
        await store.find(MEMBERS, Specification(where=field("name") == "Person 1"))
        await store.scan(MEMBERS, KeyRange(), 10)
        plain = as_stored(MEMBERS)
        assert await held(second, plain, key_of(1)) == Record(key_of(1), 0, former(person(1)))
        await store.put(MEMBERS, key_of(1), person(1, name="New"), expected=0, epoch=1)
        assert await held(second, plain, key_of(1)) == Record(key_of(1), 1, person(1, name="New"))
        assert await held(second, plain, key_of(2)) == Record(key_of(2), 0, former(person(2)))

    async def test_declared_name_wins_and_the_other_stays(self, store: Store) -> None:
        """Where both are there, the alias is a property that nobody declared, also after a change."""
        await admit(store, MEMBERS)
        both = person(1, Name="Other", tags=None, Tags="a,b")
        await self.leave(store, MEMBERS, [both])
        assert (await held(store, MEMBERS, key_of(1))).content == both
        assert await self._keys(store, field("name") == "Other") == []
        changed = both | {"visits": 99}
        await store.put(MEMBERS, key_of(1), changed, expected=0, epoch=1)
        assert await store.get(MEMBERS, key_of(1)) == Record(key_of(1), 1, changed)

    async def test_text_that_cannot_be_cut_stays_text(self, store: Store) -> None:
        """A joined list is read where that is sure; else the text stands, of another type than declared."""
        await self.leave(store, MEMBERS, [{"id": key_of(1), "Tags": "a,b,", "Nicknames": ""}])
        assert (await held(store, MEMBERS, key_of(1))).content == {
            "id": key_of(1),
            "tags": "a,b,",
            "nicknames": [],
        }
        assert await self._keys(store, field("tags").is_missing()) == [key_of(1)]
        assert await self._keys(store, field("tags").contains("a")) == []
        assert await self._keys(store, ~field("nicknames").is_missing()) == [key_of(1)]

    async def test_nothing_is_interpreted_from_the_first_version_on(self, store: Store) -> None:
        """What is written through the engine means what it says, whatever its properties are called."""
        await admit(store, MEMBERS)
        odd = {"id": key_of(1), "Name": "Ada", "Tags": "a,b", "tags": "a,b"}
        await store.put(MEMBERS, key_of(1), odd, expected=None, epoch=1)
        await fill(store, MEMBERS, [odd | {"id": key_of(2)}], version=5)
        for key, version in ((key_of(1), 1), (key_of(2), 5)):
            assert await store.get(MEMBERS, key) == Record(key, version, odd | {"id": key})
        assert await self._keys(store, field("name") == "Ada") == []
        assert await self._keys(store, field("tags").contains("a")) == []

    # -- finding -------------------------------------------------------------------------------------

    async def _keys(self, store: Store, where: Predicate) -> list[str]:
        page = await store.find(MEMBERS, Specification(where=where))
        return [record.key for record in page.records]

    async def _populate(self, store: Store) -> list[Record]:
        """Two in three of the population as the former system left them, the others by the engine."""
        people = population(has_other_types=True)
        old = [
            structs.replace(record, version=0)
            for number, record in enumerate(people)
            if number % 3 and record.content is not None
        ]
        kept = {record.key for record in old}
        new = [record for record in people if record.key not in kept]
        if not await store.count(MEMBERS):
            await self.leave(store, MEMBERS, [former(record.content or {}) for record in old])
            assert await store.apply(MEMBERS, new) == [Applied()] * len(new)
        return old + new

    async def test_former_records_are_found_as_declared(self, store: Store) -> None:
        """Each predicate finds, among old records and new ones, what its evaluation in memory finds."""
        cases: list[Case] = [(where, (), 1_000) for where in PREDICATES]
        await assert_all_agree(store, await self._populate(store), cases, MEMBERS)

    @given(where=predicates(), order=orders())
    @settings(
        max_examples=25,
        deadline=None,
        derandomize=True,
        database=None,
        # As for `FindingContract`.
        suppress_health_check=[
            HealthCheck.function_scoped_fixture,
            HealthCheck.differing_executors,
            HealthCheck.too_slow,
        ],
    )
    async def test_former_records_are_sorted_as_declared(
        self, store: Store, where: Predicate, order: tuple[Order, ...]
    ) -> None:
        """Any predicate and order mean of old records what they mean in memory, on every page."""
        await assert_agrees(store, await self._populate(store), where, order, limit=17, kind=MEMBERS)

    # -- values that are one record's own --------------------------------------------------------------

    async def test_value_of_a_former_record_is_taken(self, store: Store, second: Store) -> None:
        """Under whatever name it stands, nobody else can have it, until its record gives it up."""
        await admit(store, MEMBERS)
        await self.leave(store, MEMBERS, [former(person(1, email="Ada@b.org")), former(person(2))])
        for key, expected in ((key_of(3), None), (key_of(2), 0)):
            taken = person(2, email="aDA@b.org") | {"id": key}
            with pytest.raises(UniqueError) as refusal:
                await second.put(MEMBERS, key, taken, expected=expected, epoch=1)
            assert refusal.value.field == "email"
        await store.put(MEMBERS, key_of(1), person(1, email="ada@B.org", visits=3), expected=0, epoch=1)
        await store.put(MEMBERS, key_of(1), person(1, email="new@b.org"), expected=1, epoch=1)
        await second.put(MEMBERS, key_of(3), person(3, email="ada@b.org"), expected=None, epoch=1)
        await store.delete(MEMBERS, key_of(2), expected=0, epoch=1)
        await store.put(MEMBERS, key_of(4), person(4, email="person2@example.org"), expected=None, epoch=1)

    async def test_shared_values_are_found_under_every_name(self, store: Store) -> None:
        """An examination of what was read compares values, not spellings of their property."""
        contents = [former(person(1, email="A@b.org")), person(2, email="a@B.org"), former(person(3))]
        await self.leave(store, MEMBERS, contents[:1])
        await fill(store, MEMBERS, contents[2:], version=0)
        records = [*await scan_all(store, MEMBERS), Record(key_of(2), 1, contents[1])]

        async def batches() -> AsyncIterator[Sequence[Record]]:
            yield records

        found = await store.examine(MEMBERS, batches())
        assert (found.examined, found.twins_count) == (3, 1)
        assert set(found.twins[0].keys) == {key_of(1), key_of(2)}

    # -- followed by others ----------------------------------------------------------------------------

    async def test_former_record_that_comes_back_is_known(self, store: Store, second: Store) -> None:
        """The declared form of what lies here is the same record; another content of version 0 is not."""
        await self.leave(store, MEMBERS, [former(person(1))])
        declared = Record(key_of(1), 0, person(1))
        assert await store.apply(MEMBERS, [declared]) == [Ignored(0)]
        assert await store.apply(MEMBERS, [Record(key_of(1), 0, person(1, visits=7))]) == [Diverged(0)]
        assert await held(second, as_stored(MEMBERS), key_of(1)) == Record(key_of(1), 0, former(person(1)))
        newer = Record(key_of(1), 3, person(1, visits=8))
        assert await store.apply(MEMBERS, [newer]) == [Applied()]
        assert await store.get(MEMBERS, key_of(1)) == newer

    async def test_former_record_spread_by_another_property(self, store: Store, second: Store) -> None:
        """A record whose partition key stands under its former name is read, found, written and deleted."""
        await admit(store, POSTCARDS)
        await self.leave(store, POSTCARDS, [former(letter(1, 5)), former(letter(2, 6)), letter(3, 5)])
        assert await second.get(POSTCARDS, key_of(1)) == Record(key_of(1), 0, letter(1, 5))
        of_five = Specification(where=field("personId") == key_of(5))
        page = await store.find(POSTCARDS, of_five)
        assert {record.key for record in page.records} == {key_of(1), key_of(3)}
        written = await second.put(POSTCARDS, key_of(1), letter(1, 5, text="New"), expected=0, epoch=1)
        assert (
            await store.get(POSTCARDS, key_of(1)) == written == Record(key_of(1), 1, letter(1, 5, text="New"))
        )
        await store.delete(POSTCARDS, key_of(2), expected=0, epoch=1)
        assert (await store.find(POSTCARDS, of_five)).records[0].key in {key_of(1), key_of(3)}
        assert await store.count(POSTCARDS) == 2
