"""Promises of a store that is a copy: the newest version stands, whatever order records arrive in."""

import itertools

import pytest

from manystore.errors import MissingParentError
from manystore.records import Record
from manystore.stores.store import Applied, Diverged, Ignored, Note, Refused, Store
from manystore.testing.contract.terms import Terms, admit, read_log, scan_all
from manystore.testing.samples import LETTERS, PEOPLE, WORDS, key_of, letter, person, word

KEY = key_of(1)


def at(version: int, name: str = "n") -> Record:
    """Person 1 at a version, with a content of that name."""
    return Record(KEY, version, person(1, name=name))


class CopyContract(Terms):
    """Applying is idempotent, ordered by version alone, and never goes back."""

    async def test_newer_wins_and_older_is_ignored(self, store: Store, second: Store) -> None:
        """A newer record replaces an older one; an older one arriving late changes nothing."""
        assert await store.apply(PEOPLE, [at(3, "three")]) == [Applied()]
        assert await second.apply(PEOPLE, [at(5, "five")]) == [Applied()]
        assert await store.apply(PEOPLE, [at(4, "four")]) == [Ignored(5)]
        assert await store.get(PEOPLE, KEY) == at(5, "five")

    async def test_applying_twice_is_the_same_as_once(self, store: Store) -> None:
        """The same record again, with the same content, is ignored, tombstones included."""
        for record in (at(2), Record(KEY, 3, None)):
            assert await store.apply(PEOPLE, [record]) == [Applied()]
            assert await store.apply(PEOPLE, [record]) == [Ignored(record.version)]
            assert await store.get(PEOPLE, KEY) == record

    @pytest.mark.parametrize("version", [0, 1, 7])
    async def test_equal_version_with_other_content_diverges(self, store: Store, version: int) -> None:
        """Two contents under one version are reported, and neither is touched."""
        await store.apply(PEOPLE, [at(version, "one")])
        assert await store.apply(PEOPLE, [at(version, "other")]) == [Diverged(version)]
        assert await store.apply(PEOPLE, [Record(KEY, version, None)]) == [Diverged(version)]
        assert await store.get(PEOPLE, KEY) == at(version, "one")

    async def test_small_differences_diverge_too(self, store: Store) -> None:
        """1 and 1.0, null and missing, 0.0 and -0.0 are different contents."""
        await store.apply(PEOPLE, [Record(KEY, 1, {"id": KEY, "weight": 1, "name": None, "extra": 0.0})])
        for other in (
            {"id": KEY, "weight": 1.0, "name": None, "extra": 0.0},
            {"id": KEY, "weight": 1, "extra": 0.0},
            {"id": KEY, "weight": 1, "name": None, "extra": -0.0},
        ):
            assert await store.apply(PEOPLE, [Record(KEY, 1, other)]) == [Diverged(1)]

    async def test_deleted_stays_deleted(self, store: Store) -> None:
        """A tombstone beats what is older, and an older record cannot come back over it."""
        await store.apply(PEOPLE, [at(2)])
        assert await store.apply(PEOPLE, [Record(KEY, 3, None)]) == [Applied()]
        assert await store.apply(PEOPLE, [at(2)]) == [Ignored(3)]
        assert await store.apply(PEOPLE, [at(3)]) == [Diverged(3)]
        assert await store.get(PEOPLE, KEY) == Record(KEY, 3, None)
        assert await store.apply(PEOPLE, [at(4)]) == [Applied()]

    async def test_tombstone_of_a_record_never_seen_is_kept(self, store: Store) -> None:
        """A delete that overtakes its record leaves its version behind, so the record stays away."""
        assert await store.apply(PEOPLE, [Record(KEY, 3, None)]) == [Applied()]
        assert await store.apply(PEOPLE, [at(2)]) == [Ignored(3)]
        assert await store.get(PEOPLE, KEY) == Record(KEY, 3, None)

    async def test_version_zero_fills_only_an_empty_place(self, store: Store) -> None:
        """Old data lands where nothing is, and gives way to anything that was written since."""
        assert await store.apply(PEOPLE, [at(0)]) == [Applied()]
        assert await store.apply(PEOPLE, [at(0)]) == [Ignored(0)]
        assert await store.get(PEOPLE, KEY) == at(0)
        assert await store.apply(PEOPLE, [at(1, "newer")]) == [Applied()]
        assert await store.apply(PEOPLE, [at(0)]) == [Ignored(1)]
        await store.apply(PEOPLE, [Record(KEY, 2, None)])
        assert await store.apply(PEOPLE, [at(0)]) == [Ignored(2)]

    async def test_every_order_of_arrival_ends_the_same(self, store: Store) -> None:
        """Whatever the order in which four versions of a record arrive, the newest stands."""
        for number, order in enumerate(itertools.permutations(range(4))):
            key = f"w{number}"
            for version in order:
                content = None if version == 2 else word(key, meaning=f"v{version}")
                await store.apply(WORDS, [Record(key, version, content)])
            assert await store.get(WORDS, key) == Record(key, 3, word(key, meaning="v3"))

    async def test_one_key_many_times_in_one_batch(self, store: Store) -> None:
        """Within a batch the newest wins as well; each record has its outcome, in order."""
        records = [at(1, "a"), at(3, "c"), at(2, "b"), Record(key_of(2), 1, person(2)), at(3, "c")]
        outcomes = await store.apply(PEOPLE, records)
        assert len(outcomes) == 5
        assert outcomes[1] == outcomes[3] == Applied()
        assert all(outcome in (Applied(), Ignored(3)) for outcome in (outcomes[0], outcomes[2], outcomes[4]))
        assert await store.get(PEOPLE, KEY) == at(3, "c")

    async def test_divergence_within_one_batch_is_seen(self, store: Store) -> None:
        """Two contents of one version in one batch: one of them is reported, not silently dropped."""
        outcomes = await store.apply(PEOPLE, [at(3, "one"), at(3, "other")])
        assert sorted(type(outcome).__name__ for outcome in outcomes) == ["Applied", "Diverged"]

    async def test_a_thousand_records_in_one_batch(self, store: Store, second: Store) -> None:
        """A large batch lands whole, and again is ignored whole."""
        records = [Record(key_of(number), number, person(number)) for number in range(1_000)]
        assert await store.apply(PEOPLE, records) == [Applied()] * 1_000
        assert await second.apply(PEOPLE, records) == [Ignored(record.version) for record in records]
        assert {record.key: record for record in await scan_all(second, PEOPLE)} == {
            record.key: record for record in records
        }

    async def test_empty_batch_is_allowed(self, store: Store) -> None:
        """No records have no outcomes; a note with them is still stored."""
        assert await store.apply(PEOPLE, []) == []
        assert await store.apply(PEOPLE, [], note=Note(name="n", value=b"v", revision=0)) == []
        assert (await store.note("n")).value == b"v"

    async def test_note_is_stored_with_the_records(self, store: Store, second: Store) -> None:
        """A checkpoint goes in with its rows whatever its revision was, and raises it by one."""
        await store.write_note("checkpoint", b"before", expected=0)
        await store.apply(PEOPLE, [at(1)], note=Note(name="checkpoint", value=b"\x00after", revision=0))
        assert await second.note("checkpoint") == Note(name="checkpoint", value=b"\x00after", revision=2)
        await store.apply(PEOPLE, [at(2)], note=Note(name="another", value=b"x", revision=77))
        assert await store.note("another") == Note(name="another", value=b"x", revision=1)

    async def test_what_is_applied_does_not_enter_the_log(self, store: Store) -> None:
        """A copy's log stays as it is: what was written elsewhere is not to be carried back."""
        await admit(store, PEOPLE)
        await store.put(PEOPLE, key_of(2), person(2), expected=None, epoch=1)
        await store.apply(PEOPLE, [at(1), at(2, "b"), Record(key_of(3), 4, None)])
        changes, _ = await read_log(store, PEOPLE)
        assert {change.key for change in changes} == {key_of(2)}

    async def test_applying_needs_no_epoch(self, store: Store) -> None:
        """A copy takes records without any fence, and a later put goes on from their versions."""
        await store.apply(PEOPLE, [at(41)])
        await admit(store, PEOPLE)
        assert (await store.put(PEOPLE, KEY, person(1), expected=41, epoch=1)).version == 42

    async def test_orphans_are_refused_where_parents_are_checked(self, store: Store) -> None:
        """A child whose parent is not there yet is refused alone, and lands once the parent has."""
        await store.apply(PEOPLE, [at(1)])
        records = [Record(key_of(n), 1, letter(n, n % 2)) for n in (10, 11, 13)]
        outcomes = await store.apply(LETTERS, records)
        if self.checks_parents:
            assert [type(outcome) for outcome in outcomes] == [Refused, Applied, Applied]
            assert isinstance(outcomes[0], Refused)
            assert isinstance(outcomes[0].error, MissingParentError)
            assert outcomes[0].error.key == key_of(10)
            assert outcomes[0].error.parent_key == key_of(0)
            await store.apply(PEOPLE, [Record(key_of(0), 1, person(0))])
            assert await store.apply(LETTERS, records) == [Applied(), Ignored(1), Ignored(1)]
        else:
            assert outcomes == [Applied()] * 3
        assert await store.get(LETTERS, key_of(10)) == records[0]
