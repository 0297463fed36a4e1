"""Promises about writes behind the engine's back: captured where writes are taken, else kept as rogue."""

import datetime as dt
import json

import pytest

from manystore.errors import VersionConflictError
from manystore.records import Record
from manystore.stores.store import Applied, Diverged, Fence, Ignored, Store
from manystore.testing.contract.terms import Terms, admit, fill, newest, read_log
from manystore.testing.samples import PEOPLE, WORDS, key_of, person, word


async def refuse(store: Store) -> None:
    """Let the store take no writes of words, as a copy does, or a truth that is being drained."""
    before = await store.fence(WORDS)
    epoch = 0 if before is None else before.epoch
    fence = Fence(epoch=epoch + 1, admits=False)
    assert await store.raise_fence(WORDS, fence, expected=epoch or None)


async def held(store: Store, key: str) -> Record:
    """The record that must be there."""
    record = await store.get(WORDS, key)
    assert record is not None
    return record


class OutsiderContract(Terms):
    """Others write with the product's own tools; nothing of it is lost, and nothing goes unnoticed."""

    # -- where writes are taken ----------------------------------------------------------------------

    @pytest.mark.parametrize("is_fenced", [True, False])
    async def test_change_by_others_is_a_change(self, store: Store, second: Store, is_fenced: bool) -> None:
        """It has a version above the record's last, is in the log, and is no rogue write."""
        await fill(store, WORDS, [word("a"), word("b")], version=4)
        if is_fenced:
            await admit(store, WORDS)
        await self.behind(store, WORDS, "a", word("a", meaning="theirs"))
        record = await held(second, "a")
        assert record.content == word("a", meaning="theirs")
        assert record.version > 4
        assert newest((await read_log(store, WORDS))[0]) == {"a": record.version}
        assert await store.rogue_writes(WORDS) == []

    async def test_record_made_by_others_is_a_change(self, store: Store) -> None:
        """A record that nobody had is read as it was written, and is in the log with its version."""
        await admit(store, WORDS)
        await self.behind(store, WORDS, "new", word("new"))
        record = await held(store, "new")
        assert record.content == word("new")
        assert newest((await read_log(store, WORDS))[0]) == {"new": record.version}
        assert await store.rogue_writes(WORDS) == []

    async def test_removal_by_others_leaves_a_tombstone(self, store: Store) -> None:
        """What others delete is gone with a version of its own, which the log has; it can be made again."""
        if not self.watches:
            pytest.skip("removals by others leave no trace in this product")
        await admit(store, WORDS)
        await store.put(WORDS, "a", word("a"), expected=None, epoch=1)
        await self.behind(store, WORDS, "a", None)
        tombstone = await held(store, "a")
        assert (tombstone.version, tombstone.content) == (2, None)
        assert newest((await read_log(store, WORDS))[0]) == {"a": 2}
        await self.behind(store, WORDS, "a", word("a", meaning="again"))
        assert await store.get(WORDS, "a") == Record("a", 3, word("a", meaning="again"))
        assert newest((await read_log(store, WORDS))[0]) == {"a": 3}
        assert await store.rogue_writes(WORDS) == []

    async def test_versions_go_on_from_what_others_wrote(self, store: Store) -> None:
        """Who read the record before is told of a conflict; who read it since goes on from there."""
        await admit(store, WORDS)
        await store.put(WORDS, "a", word("a"), expected=None, epoch=1)
        await self.behind(store, WORDS, "a", word("a", meaning="theirs"))
        theirs = (await held(store, "a")).version
        with pytest.raises(VersionConflictError):
            await store.put(WORDS, "a", word("a", meaning="mine"), expected=1, epoch=1)
        mine = word("a", meaning="mine, after theirs")
        written = await store.put(WORDS, "a", mine, expected=theirs, epoch=1)
        assert written == await store.get(WORDS, "a") == Record("a", theirs + 1, mine)
        assert newest((await read_log(store, WORDS))[0]) == {"a": theirs + 1}

    async def test_change_from_before_the_fence_is_no_rogue_write(self, store: Store) -> None:
        """What others wrote while writes were taken, and the log told, stays a change once they are not."""
        await admit(store, WORDS)
        await store.put(WORDS, "a", word("a"), expected=None, epoch=1)
        await self.behind(store, WORDS, "a", word("a", meaning="theirs"))
        await self.behind(store, WORDS, "b", word("b", meaning="theirs too"))
        before, _ = await read_log(store, WORDS)
        await refuse(store)
        assert await store.rogue_writes(WORDS) == []
        assert newest(before) == {key: (await held(store, key)).version for key in "ab"}

    # -- where they are not --------------------------------------------------------------------------

    async def test_change_of_a_copy_is_kept_as_a_rogue_write(self, store: Store, second: Store) -> None:
        """It is told with its key, its version, which is above the copy's, its time, and what it wrote."""
        await fill(store, WORDS, [word("a"), word("b")], version=4)
        await refuse(store)
        await self.behind(store, WORDS, "a", word("a", meaning="by a stranger"))
        (rogue,) = await store.rogue_writes(WORDS)
        record = await held(store, "a")
        assert record.content == word("a", meaning="by a stranger")
        assert (rogue.key, rogue.version) == ("a", record.version)
        assert rogue.version > 4
        assert "by a stranger" in rogue.evidence
        assert json.loads(rogue.evidence)
        assert rogue.found_at.utcoffset() == dt.timedelta()
        assert await second.rogue_writes(WORDS) == [rogue]

    async def test_record_made_in_a_copy_is_kept_as_a_rogue_write(self, store: Store) -> None:
        """So is a record that the truth never had."""
        await refuse(store)
        await self.behind(store, WORDS, "a", word("a", meaning="from nowhere"))
        (rogue,) = await store.rogue_writes(WORDS)
        assert (rogue.key, rogue.version) == ("a", (await held(store, "a")).version)
        assert "from nowhere" in rogue.evidence

    async def test_removal_from_a_copy_is_kept_as_a_rogue_write(self, store: Store) -> None:
        """What others delete from a copy leaves a tombstone that is ahead of the truth."""
        if not self.watches:
            pytest.skip("removals by others leave no trace in this product")
        await fill(store, WORDS, [word("a")], version=4)
        await refuse(store)
        await self.behind(store, WORDS, "a", None)
        (rogue,) = await store.rogue_writes(WORDS)
        assert (rogue.key, rogue.version) == ("a", 5)
        assert await store.get(WORDS, "a") == Record("a", 5, None)

    async def test_each_of_several_rogue_writes_is_kept(self, store: Store) -> None:
        """Writes to one key follow each other with rising versions, and none takes another's place."""
        await fill(store, WORDS, [word("a"), word("b")], version=2)
        await refuse(store)
        for number, key in enumerate("abaa"):
            await self.behind(store, WORDS, key, word(key, meaning=f"stranger {number}"))
            if not self.watches:
                assert len(await store.rogue_writes(WORDS)) == number + 1
        rogues = await store.rogue_writes(WORDS)
        assert [rogue.key for rogue in rogues] == ["a", "a", "a", "b"]
        for rogue, number in zip(rogues, (0, 2, 3, 1), strict=True):
            assert f"stranger {number}" in rogue.evidence
        versions = [rogue.version for rogue in rogues[:3]]
        assert versions == sorted(set(versions))
        assert (await held(store, "a")).version == versions[-1]

    async def test_rogue_writes_while_a_truth_is_drained(self, store: Store) -> None:
        """A store that was truth and takes no more writes keeps them as well."""
        await admit(store, WORDS)
        await store.put(WORDS, "a", word("a"), expected=None, epoch=1)
        await store.put(WORDS, "b", word("b"), expected=None, epoch=1)
        await refuse(store)
        await self.behind(store, WORDS, "a", word("a", meaning="too late"))
        (rogue,) = await store.rogue_writes(WORDS)
        assert (rogue.key, rogue.version) == ("a", (await held(store, "a")).version)
        assert rogue.version > 1
        assert "too late" in rogue.evidence

    async def test_what_is_applied_over_a_rogue_write_does_not_hide_it(self, store: Store) -> None:
        """The truth's next version takes its place at once, and what was written is still told."""
        await fill(store, WORDS, [word("a"), word("b")], version=2)
        await refuse(store)
        await self.behind(store, WORDS, "a", word("a", meaning="stranger a"))
        await self.behind(store, WORDS, "b", word("b", meaning="stranger b"))
        newer = [Record("a", 9, word("a", meaning="truth")), Record("b", 9, None)]
        assert await store.apply(WORDS, newer) == [Applied(), Applied()]
        assert await store.get_many(WORDS, ["a", "b"]) == {record.key: record for record in newer}
        rogues = await store.rogue_writes(WORDS)
        assert [rogue.key for rogue in rogues] == ["a", "b"]
        for rogue in rogues:
            assert f"stranger {rogue.key}" in rogue.evidence
            assert 2 < rogue.version < 9

    async def test_rogue_write_is_ahead_of_what_it_replaced(self, store: Store) -> None:
        """The version that it replaced is older, its own with another content diverges, the next applies."""
        await fill(store, WORDS, [word("a")], version=2)
        await refuse(store)
        await self.behind(store, WORDS, "a", word("a", meaning="stranger"))
        version = (await held(store, "a")).version
        assert await store.apply(WORDS, [Record("a", 2, word("a"))]) == [Ignored(version)]
        other = word("a", meaning="truth")
        assert await store.apply(WORDS, [Record("a", version, other)]) == [Diverged(version)]
        assert (await held(store, "a")).content == word("a", meaning="stranger")
        assert await store.apply(WORDS, [Record("a", version + 1, other)]) == [Applied()]
        assert len(await store.rogue_writes(WORDS)) == 1

    async def test_writes_of_the_engine_are_never_rogue(self, store: Store, second: Store) -> None:
        """Neither what was put while writes were taken, nor what is applied, whatever it replaces."""
        await admit(store, WORDS)
        for number in range(4):
            await store.put(WORDS, f"w{number}", word(f"w{number}"), expected=None, epoch=1)
        await second.put(WORDS, "w1", word("w1", meaning="other"), expected=1, epoch=1)
        await store.delete(WORDS, "w2", expected=1, epoch=1)
        await refuse(store)
        await store.apply(WORDS, [Record(f"w{n}", 5, word(f"w{n}", meaning="applied")) for n in range(1, 6)])
        await second.apply(WORDS, [Record("w1", 6, None), Record("w4", 4, word("w4")), Record("w7", 0, None)])
        assert await store.rogue_writes(WORDS) == []

    # -- what becomes of them ------------------------------------------------------------------------

    async def test_forgetting_takes_that_one_away(self, store: Store, second: Store) -> None:
        """One that was decided about is gone for everybody, once; the others stay."""
        await fill(store, WORDS, [word("a"), word("b")], version=2)
        await refuse(store)
        for number, key in enumerate("aba"):
            await self.behind(store, WORDS, key, word(key, meaning=f"stranger {number}"))
            await store.rogue_writes(WORDS)
        first, last, other = await store.rogue_writes(WORDS)
        assert await second.forget_rogue_write(WORDS, first)
        assert await store.rogue_writes(WORDS) == [last, other]
        assert not await store.forget_rogue_write(WORDS, first)
        assert not await store.forget_rogue_write(PEOPLE, last)
        assert await store.forget_rogue_write(WORDS, last)
        assert await second.rogue_writes(WORDS) == [other]
        await store.apply(WORDS, [Record("a", 9, word("a"))])
        assert await second.rogue_writes(WORDS) == [other]

    async def test_rogue_writes_of_kinds_are_apart(self, store: Store) -> None:
        """Those of one kind do not show among another's, nor does another's fence make them."""
        await fill(store, PEOPLE, [person(1)])
        await fill(store, WORDS, [word("a")])
        fence = Fence(epoch=1, admits=False)
        assert await store.raise_fence(PEOPLE, fence, expected=None)
        await admit(store, WORDS)
        await self.behind(store, WORDS, "a", word("a", meaning="taken"))
        changes, _ = await read_log(store, WORDS)
        assert newest(changes) == {"a": (await held(store, "a")).version}
        assert await store.rogue_writes(WORDS) == await store.rogue_writes(PEOPLE) == []
        await refuse(store)
        await self.behind(store, WORDS, "a", word("a", meaning="stranger"))
        assert [rogue.key for rogue in await store.rogue_writes(WORDS)] == ["a"]
        assert await store.rogue_writes(PEOPLE) == []
        assert await store.get(PEOPLE, key_of(1)) == Record(key_of(1), 1, person(1))
