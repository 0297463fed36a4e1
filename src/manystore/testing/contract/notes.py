"""Promises about notes: small named values, each changed by compare-and-set."""

import asyncio

from manystore.stores.store import Note, Store
from manystore.testing.contract.terms import Terms


class NoteContract(Terms):
    """A note is replaced only by who knows its revision."""

    async def test_absent_note_is_revision_zero(self, store: Store) -> None:
        """A note that was never written is empty, with revision 0."""
        assert await store.note("lease/a") == Note(name="lease/a", value=b"", revision=0)
        assert await store.notes("") == []

    async def test_revision_is_raised_at_each_change(self, store: Store, second: Store) -> None:
        """Each accepted change raises the revision by one and is seen through every handle."""
        assert await store.write_note("n", b"\x00\xff", expected=0)
        assert await second.note("n") == Note(name="n", value=b"\x00\xff", revision=1)
        assert await second.write_note("n", b"", expected=1)
        assert await store.note("n") == Note(name="n", value=b"", revision=2)

    async def test_other_revision_changes_nothing(self, store: Store) -> None:
        """Writing or dropping with any other revision says False and leaves the note."""
        assert not await store.write_note("n", b"x", expected=1)
        assert await store.write_note("n", b"a", expected=0)
        assert not await store.write_note("n", b"x", expected=0)
        assert not await store.write_note("n", b"x", expected=2)
        assert not await store.drop_note("n", expected=2)
        assert await store.note("n") == Note(name="n", value=b"a", revision=1)

    async def test_dropped_note_is_absent(self, store: Store) -> None:
        """A dropped note is as if it had never been, and can be written anew."""
        await store.write_note("n", b"a", expected=0)
        assert await store.drop_note("n", expected=1)
        assert await store.note("n") == Note(name="n", value=b"", revision=0)
        assert await store.notes("n") == []
        assert not await store.drop_note("n", expected=1)
        assert await store.write_note("n", b"b", expected=0)

    async def test_many_are_written_each_by_itself(self, store: Store, second: Store) -> None:
        """Of many notes, those of the expected revision are written or dropped, and the others are left."""
        names = [f"queue/{number:03}" for number in range(300)]
        new = [Note(name=name, value=name.encode(), revision=0) for name in names]
        assert await store.write_notes(new) == [True] * 300
        assert await second.write_notes(new[:2]) == [False, False]
        assert await second.write_note(names[1], b"newer", expected=1)
        changed = [Note(name=name, value=b"changed", revision=1) for name in names[:3]]
        absent = Note(name="queue/absent", value=b"", revision=4)
        assert await store.write_notes([*changed, absent]) == [True, False, True, False]
        assert [note.value for note in await second.notes("queue/00")][:4] == [
            *(b"changed", b"newer", b"changed"),
            names[3].encode(),
        ]
        last = [Note(name=name, value=b"", revision=1) for name in names[1:]]
        assert await store.drop_notes([*last, absent]) == [False, False, *[True] * 297, False]
        assert [(note.name, note.revision) for note in await second.notes("queue/")] == [
            (name, 2) for name in names[:3]
        ]
        assert await store.write_notes([]) == await store.drop_notes([]) == []

    async def test_one_of_many_who_write_the_same_notes_wins_each(self, store: Store, second: Store) -> None:
        """Several who write the same notes at once, in any order: each revision is one writer's."""
        names = [f"n{number}" for number in range(40)]
        for revision in range(2):
            tries = [
                handle.write_notes(
                    [Note(name=name, value=value, revision=revision) for name in names[::direction]]
                )
                for handle, value, direction in (
                    *((store, b"a", 1), (second, b"b", -1)),
                    *((store, b"c", -1), (second, b"d", 1)),
                )
            ]
            results = await asyncio.gather(*tries)
            won = [results[0], results[1][::-1], results[2][::-1], results[3]]
            written = {note.name: note for note in await store.notes("n")}
            for name, wins in zip(names, zip(*won, strict=True), strict=True):
                assert sorted(wins) == [False, False, False, True]
                value = b"abcd"[wins.index(True) :][:1]
                assert written[name] == Note(name=name, value=value, revision=revision + 1)

    async def test_notes_are_listed_by_prefix(self, store: Store) -> None:
        """A prefix is taken literally, whatever it means in a pattern; the list is by name."""
        names = ["a%", "a%b", "a_", "a_b", "aXb", "ab", "b", "A%", "a/\u00e9", "a/\U0001f600", "a\\"]
        for name in names:
            assert await store.write_note(name, name.encode(), expected=0)
        for prefix in ("", "a", "a%", "a_", "A", "a/", "a\\", "b", "zzz", "a/\U0001f600"):
            found = await store.notes(prefix)
            expected = sorted(name for name in names if name.startswith(prefix))
            assert [note.name for note in found] == expected, prefix
            assert all(note == Note(name=note.name, value=note.name.encode(), revision=1) for note in found)

    async def test_large_value_is_kept(self, store: Store) -> None:
        """A note holds a megabyte as it holds a word."""
        value = bytes(range(256)) * 4_096
        await store.write_note("large", value, expected=0)
        assert (await store.note("large")).value == value

    async def test_one_of_many_writes_a_revision(self, store: Store, second: Store) -> None:
        """Of many that write one revision at once, exactly one succeeds, and its value stands."""
        for revision in range(3):
            values = [f"{revision}-{number}".encode() for number in range(8)]
            tries = (
                handle.write_note("n", value, expected=revision)
                for handle, value in zip([store, second] * 4, values, strict=True)
            )
            results = await asyncio.gather(*tries)
            assert sorted(results) == [False] * 7 + [True]
            assert (await store.note("n")).value == values[results.index(True)]
