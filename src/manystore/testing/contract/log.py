"""Promises about the change log: every accepted write is in it, and no reader misses one."""

import asyncio

import pytest

from manystore.changes import START, Change, Position
from manystore.errors import LogCutError
from manystore.records import Record
from manystore.stores.store import Store
from manystore.testing.contract.terms import Terms, admit, newest, read_log
from manystore.testing.samples import PEOPLE, WORDS, key_of, person, word


class LogContract(Terms):
    """Captured with the write, in order, read from any position, complete up to where a reader stands."""

    async def test_every_accepted_write_appears(self, store: Store, second: Store) -> None:
        """Puts and deletes are in the log with their key; what is newest of a key has its version."""
        await admit(store, WORDS)
        for key in "abc":
            await store.put(WORDS, key, word(key), expected=None, epoch=1)
        await second.put(WORDS, "b", word("b", meaning="other"), expected=1, epoch=1)
        await store.delete(WORDS, "c", expected=1, epoch=1)
        changes, _ = await read_log(second, WORDS)
        assert newest(changes) == {"a": 1, "b": 2, "c": 2}

    async def test_versions_of_a_key_come_in_order(self, store: Store) -> None:
        """A reader never sees a key go back to an older version."""
        await admit(store, WORDS)
        await store.put(WORDS, "a", word("a"), expected=None, epoch=1)
        await store.put(WORDS, "b", word("b"), expected=None, epoch=1)
        for version in range(1, 9):
            await store.put(WORDS, "a", word("a"), expected=version, epoch=1)
        changes, _ = await read_log(store, WORDS, limit=3)
        versions = [change.version for change in changes if change.key == "a"]
        assert versions == sorted(set(versions))
        assert versions[-1] == 9

    async def test_pages_join_without_gap(self, store: Store) -> None:
        """Reading on from each position, with any limit, shows every write."""
        await admit(store, WORDS)
        for number in range(20):
            await store.put(WORDS, f"w{number}", word(f"w{number}"), expected=None, epoch=1)
        whole, end = await read_log(store, WORDS, limit=1_000)
        assert newest(whole) == {f"w{number}": 1 for number in range(20)}
        for limit in (1, 3, 20):
            assert newest((await read_log(store, WORDS, limit=limit))[0]) == newest(whole)
        assert (await store.changes(WORDS, end, 10)).changes == ()

    async def test_reader_goes_on_from_its_position(self, store: Store, second: Store) -> None:
        """After a position come exactly the later writes, through any handle."""
        await admit(store, WORDS)
        await store.put(WORDS, "a", word("a"), expected=None, epoch=1)
        _, position = await read_log(store, WORDS)
        await store.put(WORDS, "b", word("b"), expected=None, epoch=1)
        await store.put(WORDS, "a", word("a"), expected=1, epoch=1)
        changes, _ = await read_log(second, WORDS, position)
        assert newest(changes) == {"b": 1, "a": 2}

    async def test_idle_log_brings_its_reader_to_the_head(self, store: Store) -> None:
        """Without writes of its kind, a reader still reaches the head, also of an empty log."""
        await admit(store, WORDS, PEOPLE)
        _, position = await read_log(store, PEOPLE)
        assert position >= START
        for number in range(5):
            await store.put(WORDS, f"w{number}", word(f"w{number}"), expected=None, epoch=1)
        changes, position = await read_log(store, PEOPLE)
        assert changes == []
        assert position >= await store.head(PEOPLE)

    async def test_head_covers_what_was_accepted(self, store: Store, second: Store) -> None:
        """A head read after a write lies at or above it; heads do not go back."""
        await admit(store, WORDS)
        heads = [await store.head(WORDS)]
        for number in range(4):
            await store.put(WORDS, f"w{number}", word(f"w{number}"), expected=None, epoch=1)
            heads.append(await second.head(WORDS))
            assert heads[-1] > heads[0]
        assert heads == sorted(heads)
        changes, reached = await read_log(store, WORDS)
        assert newest(changes) == {f"w{number}": 1 for number in range(4)}
        assert await store.head(WORDS) >= heads[-1]
        assert reached >= heads[-1]

    async def test_refused_writes_do_not_appear(self, store: Store) -> None:
        """The log holds what was accepted, and nothing else."""
        await admit(store, PEOPLE)
        await store.put(PEOPLE, key_of(1), person(1), expected=None, epoch=1)
        await asyncio.gather(
            store.put(PEOPLE, key_of(1), person(1), expected=None, epoch=1),
            store.put(PEOPLE, key_of(2), person(2, email=person(1)["email"]), expected=None, epoch=1),
            store.put(PEOPLE, key_of(3), person(3), expected=None, epoch=9),
            store.delete(PEOPLE, key_of(4), expected=1, epoch=1),
            return_exceptions=True,
        )
        assert newest((await read_log(store, PEOPLE))[0]) == {key_of(1): 1}

    async def test_kinds_have_logs_of_their_own(self, store: Store) -> None:
        """A reader of one kind sees no change of another, though the keys are the same."""
        await admit(store, PEOPLE, WORDS)
        await store.put(PEOPLE, key_of(1), person(1), expected=None, epoch=1)
        await store.put(WORDS, key_of(1), word(key_of(1)), expected=None, epoch=1)
        await store.put(WORDS, key_of(1), word(key_of(1)), expected=1, epoch=1)
        assert newest((await read_log(store, PEOPLE))[0]) == {key_of(1): 1}
        assert newest((await read_log(store, WORDS))[0]) == {key_of(1): 2}

    async def test_reader_beside_writers_misses_nothing(self, store: Store, second: Store) -> None:
        """While four tasks write over two handles, a reader that never looks back sees every write."""
        await admit(store, WORDS)
        writing = 4

        async def write(handle: Store, writer: int) -> None:
            nonlocal writing
            for number in range(50):
                key = f"w{writer}-{number}"
                await handle.put(WORDS, key, word(key), expected=None, epoch=1)
                if number % 10 == 0:
                    await handle.delete(WORDS, key, expected=1, epoch=1)
                if number % 7 == 0:
                    await asyncio.sleep(0)
            writing -= 1

        async def read() -> dict[str, int]:
            position, seen = START, dict[str, int]()
            while writing:
                batch = await second.changes(WORDS, position, 9)
                seen |= newest(batch.changes)
                position = batch.position
                await asyncio.sleep(0)
            rest, _ = await read_log(second, WORDS, position)
            return seen | newest(rest)

        writers = [write(handle, writer) for writer, handle in enumerate([store, second, store, second])]
        seen, *_ = await asyncio.gather(read(), *writers)
        expected = {f"w{writer}-{n}": 2 if n % 10 == 0 else 1 for writer in range(4) for n in range(50)}
        assert seen == expected

    async def test_log_tells_of_records_that_can_be_fetched(self, store: Store) -> None:
        """A record fetched for a change is at least as new as the change."""
        await admit(store, WORDS)

        async def write() -> None:
            for version in range(30):
                await store.put(WORDS, "a", word("a"), expected=version or None, epoch=1)

        async def fetch() -> int:
            position, seen = START, 0
            while seen < 30:
                batch = await store.changes(WORDS, position, 5)
                for change in batch.changes:
                    now = await store.get(WORDS, change.key)
                    assert isinstance(now, Record)
                    assert now.version >= change.version
                    seen = change.version
                position = batch.position
                await asyncio.sleep(0)
            return seen

        async with asyncio.timeout(30):
            _, seen = await asyncio.gather(write(), fetch())
        assert seen == 30

    async def test_a_log_that_is_cut_tells_who_has_not_read_it(self, store: Store, second: Store) -> None:
        """The oldest entries go, as many as asked for; a reader of before is refused, others are not."""
        await admit(store, WORDS, PEOPLE)
        await store.put(PEOPLE, key_of(1), person(1), expected=None, epoch=1)
        _, beginning = await read_log(store, WORDS)
        early, positions = list[Change](), list[Position]()
        for number in range(6):
            await store.put(WORDS, f"w{number}", word(f"w{number}"), expected=None, epoch=1)
            changes, position = await read_log(store, WORDS, positions[-1] if positions else beginning)
            early += changes
            positions.append(position)
        removed = await store.cut_log(WORDS, positions[3], 3)
        if not self.cuts_logs:
            assert removed == 0
            return
        assert removed == 3
        assert await second.cut_log(WORDS, positions[3], 100) == 1
        assert await store.cut_log(WORDS, positions[3], 100) == 0
        for position in (beginning, *positions[:3]):
            if position != START:
                with pytest.raises(LogCutError, match="words"):
                    await second.changes(WORDS, position, 10)
        assert [change.key for change in (await read_log(second, WORDS, positions[3]))[0]] == ["w4", "w5"]
        assert [change.key for change in (await read_log(second, WORDS))[0]] == ["w4", "w5"]
        assert len((await read_log(store, PEOPLE))[0]) == 1

    async def test_a_log_cut_to_its_end_keeps_its_head(self, store: Store) -> None:
        """The newest entry stays, so who has read everything stands where he stood, and reads on."""
        if not self.cuts_logs:
            pytest.skip("there is nothing to be cut")
        await admit(store, WORDS)
        for number in range(5):
            await store.put(WORDS, f"w{number}", word(f"w{number}"), expected=None, epoch=1)
        head = await store.head(WORDS)
        _, position = await read_log(store, WORDS)
        assert await store.cut_log(WORDS, position, 100) == 4
        assert await store.cut_log(WORDS, START, 100) == 0
        assert await store.head(WORDS) == head
        await store.put(WORDS, "more", word("more"), expected=None, epoch=1)
        assert [change.key for change in (await read_log(store, WORDS, position))[0]] == ["more"]
        assert await store.head(WORDS) > head
