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
