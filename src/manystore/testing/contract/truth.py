"""Promises of a store that is truth: compare-and-set, versions without gaps, tombstones."""

import asyncio

import pytest

from manystore.errors import InvalidRecordError, MissingParentError, VersionConflictError
from manystore.records import Kind, Record
from manystore.stores.store import KeyRange, Store
from manystore.testing.contract.terms import Terms, admit, newest, read_log
from manystore.testing.samples import LETTERS, PEOPLE, WORDS, key_of, letter, person, word

KEY = key_of(1)


class TruthContract(Terms):
    """A write is accepted exactly where its expected version is the present one, and raises it by one."""

    async def test_first_put_makes_version_one(self, store: Store, second: Store) -> None:
        """A new record has version 1, and is seen at once through another handle."""
        await admit(store, PEOPLE)
        written = await store.put(PEOPLE, KEY, person(1), expected=None, epoch=1)
        assert written == Record(KEY, 1, person(1))
        assert await store.get(PEOPLE, KEY) == written
        assert await second.get(PEOPLE, KEY) == written

    async def test_put_raises_the_version_by_one(self, store: Store) -> None:
        """Each accepted write is one version, also when the content stays the same."""
        await admit(store, PEOPLE)
        await store.put(PEOPLE, KEY, person(1), expected=None, epoch=1)
        await store.put(PEOPLE, KEY, person(1, name="B"), expected=1, epoch=1)
        same = await store.put(PEOPLE, KEY, person(1, name="B"), expected=2, epoch=1)
        assert same == Record(KEY, 3, person(1, name="B"))
        assert await store.get(PEOPLE, KEY) == same

    async def test_put_over_a_living_record_as_if_new_is_refused(self, store: Store) -> None:
        """expected=None means that there is none; where there is, its version is told."""
        await admit(store, PEOPLE)
        await store.put(PEOPLE, KEY, person(1), expected=None, epoch=1)
        with pytest.raises(VersionConflictError) as refusal:
            await store.put(PEOPLE, KEY, person(1, name="B"), expected=None, epoch=1)
        assert (refusal.value.kind, refusal.value.key) == ("people", KEY)
        assert (refusal.value.expected, refusal.value.actual) == (None, 1)

    @pytest.mark.parametrize("expected", [0, 1, 3, 2**40])
    async def test_conflict_writes_nothing(self, store: Store, expected: int) -> None:
        """A put that expects another version leaves record and log as they were."""
        await admit(store, PEOPLE)
        await store.put(PEOPLE, KEY, person(1), expected=None, epoch=1)
        await store.put(PEOPLE, KEY, person(1, name="B"), expected=1, epoch=1)
        with pytest.raises(VersionConflictError) as refusal:
            await store.put(PEOPLE, KEY, person(1, name="C"), expected=expected, epoch=1)
        assert refusal.value.actual == 2
        with pytest.raises(VersionConflictError):
            await store.delete(PEOPLE, KEY, expected=expected, epoch=1)
        assert await store.get(PEOPLE, KEY) == Record(KEY, 2, person(1, name="B"))
        assert newest((await read_log(store, PEOPLE))[0]) == {KEY: 2}

    async def test_put_of_an_absent_record_as_if_there_is_refused(self, store: Store) -> None:
        """Expecting a version of a record that never was is a conflict with nothing."""
        await admit(store, PEOPLE)
        for expected in (0, 1):
            with pytest.raises(VersionConflictError) as refusal:
                await store.put(PEOPLE, KEY, person(1), expected=expected, epoch=1)
            assert refusal.value.actual is None
        assert await store.get(PEOPLE, KEY) is None

    async def test_delete_leaves_a_tombstone(self, store: Store, second: Store) -> None:
        """A deleted record reads as a tombstone one version above its last content."""
        await admit(store, PEOPLE)
        await store.put(PEOPLE, KEY, person(1), expected=None, epoch=1)
        tombstone = await store.delete(PEOPLE, KEY, expected=1, epoch=1)
        assert tombstone == Record(KEY, 2, None)
        assert await second.get(PEOPLE, KEY) == tombstone
        assert await store.count(PEOPLE) == 0

    async def test_deleting_what_is_gone_is_refused(self, store: Store) -> None:
        """Neither an absent nor a deleted record can be deleted, under any version."""
        await admit(store, PEOPLE)
        with pytest.raises(VersionConflictError):
            await store.delete(PEOPLE, KEY, expected=0, epoch=1)
        await store.put(PEOPLE, KEY, person(1), expected=None, epoch=1)
        await store.delete(PEOPLE, KEY, expected=1, epoch=1)
        for expected in (1, 2):
            with pytest.raises(VersionConflictError) as refusal:
                await store.delete(PEOPLE, KEY, expected=expected, epoch=1)
            assert refusal.value.actual is None
        assert await store.get(PEOPLE, KEY) == Record(KEY, 2, None)

    async def test_versions_go_on_after_a_tombstone(self, store: Store) -> None:
        """A key that comes back continues its versions, so copies can tell old from new."""
        await admit(store, PEOPLE)
        await store.put(PEOPLE, KEY, person(1), expected=None, epoch=1)
        await store.delete(PEOPLE, KEY, expected=1, epoch=1)
        with pytest.raises(VersionConflictError):
            await store.put(PEOPLE, KEY, person(1), expected=2, epoch=1)
        assert (await store.put(PEOPLE, KEY, person(1), expected=None, epoch=1)).version == 3
        assert await store.get(PEOPLE, KEY) == Record(KEY, 3, person(1))

    async def test_versions_go_on_above_a_given_one(self, store: Store) -> None:
        """`above` lifts the version of a put and of a delete; below the record's own it changes nothing."""
        await admit(store, PEOPLE)
        written = await store.put(PEOPLE, KEY, person(1), expected=None, epoch=1, above=6)
        assert written == await store.get(PEOPLE, KEY) == Record(KEY, 7, person(1))
        assert (await store.put(PEOPLE, KEY, person(1), expected=7, epoch=1, above=3)).version == 8
        assert (await store.put(PEOPLE, KEY, person(1), expected=8, epoch=1, above=8)).version == 9
        assert await store.delete(PEOPLE, KEY, expected=9, epoch=1, above=20) == Record(KEY, 21, None)
        assert (await store.put(PEOPLE, KEY, person(1), expected=None, epoch=1, above=5)).version == 22
        assert await store.delete(PEOPLE, KEY, expected=22, epoch=1, above=1) == Record(KEY, 23, None)
        assert (await store.put(PEOPLE, KEY, person(1), expected=None, epoch=1, above=40)).version == 41
        assert newest((await read_log(store, PEOPLE))[0]) == {KEY: 41}

    async def test_version_above_another_excuses_no_conflict(self, store: Store) -> None:
        """`above` says where versions go on, not what is expected: a stale writer is refused all the same."""
        await admit(store, PEOPLE)
        await store.put(PEOPLE, KEY, person(1), expected=None, epoch=1, above=6)
        for expected in (None, 1, 6):
            with pytest.raises(VersionConflictError):
                await store.put(PEOPLE, KEY, person(1), expected=expected, epoch=1, above=9)
        with pytest.raises(VersionConflictError):
            await store.delete(PEOPLE, KEY, expected=6, epoch=1, above=9)
        assert await store.get(PEOPLE, KEY) == Record(KEY, 7, person(1))

    async def test_old_data_is_version_zero_until_written(self, store: Store) -> None:
        """A record adopted as version 0 is written with expected=0, and then is version 1."""
        await admit(store, PEOPLE)
        await store.apply(PEOPLE, [Record(KEY, 0, person(1))])
        with pytest.raises(VersionConflictError) as refusal:
            await store.put(PEOPLE, KEY, person(1), expected=None, epoch=1)
        assert refusal.value.actual == 0
        assert (await store.put(PEOPLE, KEY, person(1, name="B"), expected=0, epoch=1)).version == 1

    @pytest.mark.parametrize(
        ("kind", "key", "content", "path"),
        [
            (PEOPLE, KEY, person(2), "id"),
            (PEOPLE, KEY, {"name": "no id"}, "id"),
            (PEOPLE, KEY.upper(), person(1, id=KEY.upper()), "id"),
            (PEOPLE, "7", person(1, id="7"), "id"),
            (WORDS, "", word(""), "id"),
            (WORDS, "a\x00", word("a\x00"), "id"),
            (WORDS, "a\ud800", word("a\ud800"), "id"),
            (WORDS, "é" * 128, word("é" * 128), "id"),
            (PEOPLE, KEY, person(1, weight=float("nan")), "weight"),
            (PEOPLE, KEY, person(1, extra={"a": [1, float("inf")]}), "extra.a[1]"),
            (PEOPLE, KEY, person(1, pets=[{"id": KEY, "age": {1: 2}}]), "pets[0].age"),
            (PEOPLE, KEY, person(1, extra={"a": object()}), "extra.a"),
        ],
        ids=lambda value: value.name if isinstance(value, Kind) else None,
    )
    async def test_what_can_be_no_record_is_refused(
        self, store: Store, kind: Kind, key: str, content: dict[str, object], path: str
    ) -> None:
        """A wrong key or a value that JSON has no words for is refused with its path, as write and copy."""
        await admit(store, kind)
        with pytest.raises(InvalidRecordError) as refusal:
            await store.put(kind, key, content, expected=None, epoch=1)
        assert refusal.value.path == path
        with pytest.raises(InvalidRecordError):
            await store.apply(kind, [Record(key, 1, content)])
        assert await store.scan(kind, KeyRange(), 10) == []

    async def test_longest_key_is_taken(self, store: Store) -> None:
        """A key of 255 bytes is within the limit."""
        await admit(store, WORDS)
        key = "é" * 127 + "e"
        await store.put(WORDS, key, word(key), expected=None, epoch=1)
        assert await store.get(WORDS, key) == Record(key, 1, word(key))

    async def test_parent_must_be_there_where_parents_are_checked(self, store: Store) -> None:
        """A store that checks parents refuses the orphan and takes it later; others take it at once."""
        await admit(store, PEOPLE, LETTERS)
        if self.checks_parents:
            with pytest.raises(MissingParentError) as refusal:
                await store.put(LETTERS, key_of(5), letter(5, 1), expected=None, epoch=1)
            assert (refusal.value.field, refusal.value.parent_kind) == ("personId", "people")
            assert refusal.value.parent_key == KEY
            assert await store.get(LETTERS, key_of(5)) is None
            await store.put(PEOPLE, KEY, person(1), expected=None, epoch=1)
        written = await store.put(LETTERS, key_of(5), letter(5, 1), expected=None, epoch=1)
        assert await store.get(LETTERS, key_of(5)) == written

    async def test_one_writer_wins_each_version(self, store: Store, second: Store) -> None:
        """Of many tasks on two handles that write one key, exactly one is accepted for each version."""
        await admit(store, PEOPLE)
        await store.put(PEOPLE, KEY, person(1, visits=0), expected=None, epoch=1)

        async def increment(handle: Store, times: int) -> list[int]:
            won: list[int] = []
            while len(won) < times:
                now = await handle.get(PEOPLE, KEY)
                assert now is not None
                assert now.content is not None
                raised = now.content | {"visits": now.content["visits"] + 1}
                try:
                    written = await handle.put(PEOPLE, KEY, raised, expected=now.version, epoch=1)
                except VersionConflictError:
                    continue
                won.append(written.version)
            return won

        wins = await asyncio.gather(*(increment(handle, 5) for handle in (store, second) for _ in range(4)))
        versions = sorted(version for each in wins for version in each)
        assert versions == list(range(2, 42))
        assert await second.get(PEOPLE, KEY) == Record(KEY, 41, person(1, visits=40))
        assert newest((await read_log(store, PEOPLE))[0]) == {KEY: 41}

    async def test_one_of_many_creators_wins(self, store: Store, second: Store) -> None:
        """Of many tasks that create one key at once, one succeeds and the others are told of its version."""
        await admit(store, PEOPLE)
        tries = [
            handle.put(PEOPLE, KEY, person(1, visits=number), expected=None, epoch=1)
            for number, handle in enumerate([store, second] * 6)
        ]
        results = await asyncio.gather(*tries, return_exceptions=True)
        (winner,) = (result for result in results if isinstance(result, Record))
        refusals = [result for result in results if not isinstance(result, Record)]
        assert all(isinstance(refusal, VersionConflictError) for refusal in refusals), refusals
        assert await store.get(PEOPLE, KEY) == winner
