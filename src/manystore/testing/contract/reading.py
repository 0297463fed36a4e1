"""Promises about reading: by key, in order, by range, and counting."""

import itertools

import pytest

from manystore.errors import UnavailableError
from manystore.records import Record
from manystore.stores.store import KeyRange, KeyVersion, Store
from manystore.testing.contract.terms import Terms, admit, fill, scan_all
from manystore.testing.samples import LETTERS, PEOPLE, WORDS, key_of, person, word

ORDERED_WORDS = [
    "!",
    "10",
    "9",
    "Zebra",
    "a b",
    "a%",
    "a_",
    "ab",
    "apple",
    "e\u0301clair",
    "zebra",
    "\u00c9clair",
    "\u00e9clair",
    "\u4e16",
    "\ufb00",
    "\U0001f600",
]
"""In code-point order: not in any language's, and not in that of UTF-16, which puts the last before its
neighbour."""


class ReadingContract(Terms):
    """What is read is what was written, each record once, in code-point order of keys."""

    async def test_unknown_record_reads_as_none(self, store: Store) -> None:
        """A key that the store never saw is None, and absent from get_many."""
        assert await store.get(PEOPLE, key_of(1)) is None
        assert await store.get_many(PEOPLE, [key_of(1), key_of(2)]) == {}
        assert await store.get_many(PEOPLE, []) == {}

    async def test_get_many_finds_what_there_is(self, store: Store, second: Store) -> None:
        """get_many returns records and tombstones under the keys that exist, also through another handle."""
        one, two, three = await fill(store, PEOPLE, map(person, (1, 2, 3)))
        await store.apply(PEOPLE, [Record(two.key, 2, None)])
        found = await second.get_many(PEOPLE, [three.key, two.key, one.key, one.key, key_of(4)])
        assert found == {one.key: one, two.key: Record(two.key, 2, None), three.key: three}

    async def test_get_many_takes_a_thousand_keys(self, store: Store) -> None:
        """get_many is not bound by a product's limit of parameters in one statement."""
        records = await fill(store, WORDS, (word(f"w{number}") for number in range(1_000)))
        found = await store.get_many(WORDS, [record.key for record in records] + ["absent"])
        assert found == {record.key: record for record in records}

    async def test_callers_share_nothing_with_the_store(self, store: Store) -> None:
        """Changing what was put, or what was read, changes nothing that is stored."""
        await admit(store, PEOPLE)
        content = person(1)
        await store.put(PEOPLE, key_of(1), content, expected=None, epoch=1)
        content["tags"].append("slipped in")
        read = await store.get(PEOPLE, key_of(1))
        assert read is not None
        assert read.content == person(1)
        read.content["tags"].append("slipped in")
        assert await store.get(PEOPLE, key_of(1)) == Record(key_of(1), 1, person(1))

    async def test_kinds_keep_apart(self, store: Store) -> None:
        """A record of one kind is not seen under another, though the keys are the same."""
        await fill(store, PEOPLE, [person(1)])
        assert await store.get(LETTERS, key_of(1)) is None
        assert await store.scan(LETTERS, KeyRange(), 10) == []
        assert await store.count(LETTERS) == 0

    async def test_scan_is_in_code_point_order(self, store: Store) -> None:
        """Free-text keys are scanned by code point, whatever the language of the database."""
        await fill(store, WORDS, map(word, reversed(ORDERED_WORDS)))
        assert [each.key for each in await store.scan(WORDS, KeyRange(), 100)] == ORDERED_WORDS
        assert sorted(ORDERED_WORDS) == ORDERED_WORDS

    async def test_scan_shows_tombstones(self, store: Store) -> None:
        """A scan returns the deleted along with the living, each with its version."""
        await fill(store, WORDS, map(word, "abc"))
        await store.apply(WORDS, [Record("b", 7, None)])
        scanned = await store.scan(WORDS, KeyRange(), 10)
        assert scanned == [Record("a", 1, word("a")), Record("b", 7, None), Record("c", 1, word("c"))]

    @pytest.mark.parametrize(
        ("key_range", "limit", "expected"),
        [
            (KeyRange(), 3, "abc"),
            (KeyRange("b"), 10, "cdef"),
            (KeyRange(None, "d"), 10, "abcd"),
            (KeyRange("b", "d"), 10, "cd"),
            (KeyRange("b", "e"), 2, "cd"),
            (KeyRange("bb", "dd"), 10, "cd"),
            (KeyRange("d", "d"), 10, ""),
            (KeyRange("f"), 10, ""),
            (KeyRange(None, "A"), 10, ""),
        ],
    )
    async def test_scan_keeps_to_its_range(
        self, store: Store, key_range: KeyRange, limit: int, expected: str
    ) -> None:
        """`after` is exclusive, `upto` inclusive, and no more than `limit` records come."""
        await fill(store, WORDS, map(word, "abcdef"))
        assert [each.key for each in await store.scan(WORDS, key_range, limit)] == list(expected)

    @pytest.mark.parametrize("population", [0, 1, 2, 150])
    async def test_ranges_cover_every_key_once(self, store: Store, population: int) -> None:
        """Ranges join without a gap from open end to open end, so each key lies in exactly one."""
        people = await fill(store, PEOPLE, map(person, range(population)))
        words = await fill(store, WORDS, (word(f"ш{number}") for number in range(population)))
        for (kind, records), count in itertools.product(((PEOPLE, people), (WORDS, words)), (1, 2, 7)):
            ranges = await store.ranges(kind, count)
            assert 1 <= len(ranges) <= 2 * count
            assert (ranges[0].after, ranges[-1].upto) == (None, None)
            assert all(left.upto == right.after for left, right in itertools.pairwise(ranges))
            scanned = [record for each in ranges for record in await scan_all(store, kind, each, page=20)]
            assert sorted(scanned, key=lambda record: record.key) == sorted(records, key=lambda r: r.key)
            assert len({record.key for record in scanned}) == population

    async def test_versions_are_a_scan_without_content(self, store: Store, second: Store) -> None:
        """Keys, versions and what is deleted, tombstones included: the same, in the same order, as a scan."""
        await fill(store, WORDS, map(word, ORDERED_WORDS), version=3)
        await store.apply(WORDS, [Record(key, 7, None) for key in (*ORDERED_WORDS[::3], "never seen")])
        await fill(store, WORDS, [word("old")], version=0)
        bounds = [None, "a", ORDERED_WORDS[7], "never seen", ORDERED_WORDS[-1]]
        for after, upto in itertools.product(bounds, bounds):
            key_range = KeyRange(after, upto)
            for limit in (1, 5, 100):
                scanned = await store.scan(WORDS, key_range, limit)
                expected = [KeyVersion(each.key, each.version, each.is_deleted) for each in scanned]
                assert await second.versions(WORDS, key_range, limit) == expected
        assert await store.versions(PEOPLE, KeyRange(), 100) == []

    async def test_ranges_are_of_like_size(self, store: Store) -> None:
        """Four ranges of 400 keys hold a fair share each: none has more than half."""
        await fill(store, PEOPLE, map(person, range(400)))
        ranges = await store.ranges(PEOPLE, 4)
        sizes = [len(await scan_all(store, PEOPLE, each)) for each in ranges]
        assert sum(sizes) == 400
        assert max(sizes) <= 200, sizes

    async def test_count_is_of_the_living(self, store: Store) -> None:
        """Tombstones are not counted."""
        assert await store.count(PEOPLE) == 0
        await fill(store, PEOPLE, map(person, range(5)))
        await store.apply(PEOPLE, [Record(key_of(1), 2, None), Record(key_of(9), 1, None)])
        assert await store.count(PEOPLE) == 4

    async def test_opening_and_closing_twice_is_the_same_as_once(self, store: Store) -> None:
        """Both open and close are idempotent, and a store can be opened again where it was closed."""
        await fill(store, PEOPLE, [person(1)])
        await store.open()
        assert await store.get(PEOPLE, key_of(1)) is not None
        await store.close()
        await store.close()
        await store.open()
        assert await store.get(PEOPLE, key_of(1)) == Record(key_of(1), 1, person(1))

    async def test_closed_store_is_unavailable(self, store: Store) -> None:
        """A closed store says so, on every road, with the type that callers retry on."""
        await store.close()
        with pytest.raises(UnavailableError):
            await store.get(PEOPLE, key_of(1))
        with pytest.raises(UnavailableError):
            await store.put(PEOPLE, key_of(1), person(1), expected=None, epoch=1)
        with pytest.raises(UnavailableError):
            await store.apply(PEOPLE, [Record(key_of(1), 1, person(1))])
        with pytest.raises(UnavailableError):
            await store.note("a note")
