"""The store itself: the core decides, the rest store keeps what the core points to.

A write first puts the record's part on its sheet in the rest store, durably and with a claim; then comes the
core's compare-and-set, fenced, versioned and logged, which is the one point at which the write happens: one
version, all or nothing. Then the former part is taken off, at once where possible, else by a sweep.
Everything that a store offers beside the content (versions, log, fence, notes, ranges, counts) is the core's.
"""

import random
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Final

from manystore.changes import ChangeBatch, Position
from manystore.clock import Clock, SystemClock
from manystore.errors import DeclarationError, UnknownKindError
from manystore.records import Content, Kind, Record
from manystore.specifications import Page, Specification
from manystore.stores.split.declaration import Split
from manystore.stores.split.examining import examine
from manystore.stores.split.joining import Counters, Reading
from manystore.stores.split.shelf import Shelf
from manystore.stores.split.sweeping import SweepPlace, Swept, sweep_page
from manystore.stores.split.writing import Writing
from manystore.stores.store import (
    Examination,
    Fence,
    Fencing,
    KeyRange,
    KeyVersion,
    Note,
    Outcome,
    RogueWrite,
    Store,
)

GRACE: Final = 3600.0


class SplitStore:
    """Two stores as one: `core` and `rest`, by what `splits` say. Kinds that are not split lie in the core.

    `grace` in seconds is how long the parts of a new record are kept for a writer of whom nothing was heard;
    a writer gives up after half of it. Opening and closing this store opens and closes both. Raises
    DeclarationError where a kind is split twice.
    """

    def __init__(
        self,
        core: Store,
        rest: Store,
        splits: Iterable[Split],
        name: str = "split",
        *,
        clock: Clock | None = None,
        randomness: random.Random | None = None,
        grace: float = GRACE,
    ) -> None:
        self.name = name
        self.counters: Final = Counters()
        self._core, self._rest = core, rest
        clock, randomness = clock or SystemClock(), randomness or random.SystemRandom()
        self._rooms: dict[str, _Room] = {}
        for split in splits:
            if split.kind.name in self._rooms:
                raise DeclarationError(subject=f"split of {split.kind.name}", reason="it is split twice")
            shelf = Shelf(rest, split, clock, grace, randomness)
            writing = Writing(
                core,
                split,
                shelf,
                self.counters,
                name=name,
                clock=clock,
                randomness=randomness,
                grace=grace,
            )
            self._rooms[split.kind.name] = _Room(
                split, shelf, Reading(core, split, shelf, self.counters), writing
            )

    @property
    def fencing(self) -> Fencing:
        """The core's."""
        return self._core.fencing

    async def open(self) -> None:
        """See Store.open."""
        await self._core.open()
        await self._rest.open()

    async def close(self) -> None:
        """See Store.close."""
        try:
            await self._core.close()
        finally:
            await self._rest.close()

    def _core_kind(self, kind: Kind) -> Kind:
        room = self._rooms.get(kind.name)
        return kind if room is None else room.core_kind

    async def sweep(self, kind: Kind) -> Swept:
        """Take off what dead writers of a split kind left, and name the records whose parts are not sound.

        May run at any time, beside any writers. Raises UnknownKindError for a kind that is not split.
        """
        swept, place = Swept(), SweepPlace()
        while True:
            page, following = await self.sweep_page(kind, place)
            swept += page
            if following is None:
                return swept
            place = following

    async def sweep_page(self, kind: Kind, place: SweepPlace) -> tuple[Swept, SweepPlace | None]:
        """The same from page to page, beginning at `SweepPlace()`; the next place is None at the end."""
        room = self._rooms.get(kind.name)
        if room is None:
            raise UnknownKindError(kind=kind.name)
        return await sweep_page(self._core, room.split, self._rest, room.shelf, place)

    # -- reading -------------------------------------------------------------------------------------

    async def get(self, kind: Kind, key: str) -> Record | None:
        """See Store.get."""
        record = await self._core.get(self._core_kind(kind), key)
        return None if record is None else (await self._join(kind, [record]))[0]

    async def get_many(self, kind: Kind, keys: Sequence[str]) -> dict[str, Record]:
        """See Store.get_many."""
        found = await self._core.get_many(self._core_kind(kind), keys)
        return {record.key: record for record in await self._join(kind, list(found.values()))}

    async def scan(self, kind: Kind, key_range: KeyRange, limit: int) -> list[Record]:
        """See Store.scan."""
        return await self._join(kind, await self._core.scan(self._core_kind(kind), key_range, limit))

    async def _join(self, kind: Kind, cores: list[Record]) -> list[Record]:
        room = self._rooms.get(kind.name)
        return cores if room is None else await room.reading.join(cores)

    async def find(self, kind: Kind, specification: Specification) -> Page:
        """See Store.find."""
        room = self._rooms.get(kind.name)
        if room is None:
            return await self._core.find(kind, specification)
        return await room.reading.find(kind, specification)

    async def versions(self, kind: Kind, key_range: KeyRange, limit: int) -> list[KeyVersion]:
        """See Store.versions."""
        return await self._core.versions(self._core_kind(kind), key_range, limit)

    async def ranges(self, kind: Kind, count: int) -> list[KeyRange]:
        """See Store.ranges."""
        return await self._core.ranges(self._core_kind(kind), count)

    async def count(self, kind: Kind) -> int:
        """See Store.count."""
        return await self._core.count(self._core_kind(kind))

    # -- writing -------------------------------------------------------------------------------------

    async def put(
        self,
        kind: Kind,
        key: str,
        content: Content,
        *,
        expected: int | None,
        epoch: int,
        above: int = 0,
    ) -> Record:
        """See Store.put."""
        room = self._rooms.get(kind.name)
        if room is None:
            return await self._core.put(kind, key, content, expected=expected, epoch=epoch, above=above)
        return await room.writing.put(key, content, expected=expected, epoch=epoch, above=above)

    async def delete(self, kind: Kind, key: str, *, expected: int, epoch: int, above: int = 0) -> Record:
        """See Store.delete."""
        room = self._rooms.get(kind.name)
        if room is None:
            return await self._core.delete(kind, key, expected=expected, epoch=epoch, above=above)
        return await room.writing.delete(key, expected=expected, epoch=epoch, above=above)

    async def apply(
        self, kind: Kind, records: Sequence[Record], *, note: Note | None = None
    ) -> list[Outcome]:
        """See Store.apply."""
        room = self._rooms.get(kind.name)
        if room is None:
            return await self._core.apply(kind, records, note=note)
        return await room.writing.apply(records, note)

    async def apply_together(self, kind: Kind, records: Sequence[Record]) -> list[Outcome]:
        """See Store.apply_together. Parts hold no unique values, so the core's step decides."""
        room = self._rooms.get(kind.name)
        if room is None:
            return await self._core.apply_together(kind, records)
        return await room.writing.apply_together(records)

    async def examine(self, kind: Kind, batches: AsyncIterator[Sequence[Record]]) -> Examination:
        """See Store.examine. A record that both stores would refuse counts twice."""
        room = self._rooms.get(kind.name)
        if room is None:
            return await self._core.examine(kind, batches)
        return await examine(self._core, self._rest, room.split, batches, teller=self.name)

    # -- the change log ------------------------------------------------------------------------------

    async def changes(self, kind: Kind, after: Position, limit: int) -> ChangeBatch:
        """See Store.changes."""
        return await self._core.changes(self._core_kind(kind), after, limit)

    async def head(self, kind: Kind) -> Position:
        """See Store.head."""
        return await self._core.head(self._core_kind(kind))

    async def cut_log(self, kind: Kind, upto: Position, limit: int) -> int:
        """See Store.cut_log."""
        return await self._core.cut_log(self._core_kind(kind), upto, limit)

    async def rogue_writes(self, kind: Kind) -> list[RogueWrite]:
        """See Store.rogue_writes: the core's, and what others wrote to sheets, with the sheets' versions."""
        found = await self._core.rogue_writes(self._core_kind(kind))
        if room := self._rooms.get(kind.name):
            found = [*found, *await self._rest.rogue_writes(room.shelf.kind)]
        return sorted(found, key=lambda rogue: (rogue.key, rogue.version))

    async def forget_rogue_write(self, kind: Kind, rogue: RogueWrite) -> bool:
        """See Store.forget_rogue_write."""
        if await self._core.forget_rogue_write(self._core_kind(kind), rogue):
            return True
        room = self._rooms.get(kind.name)
        return room is not None and await self._rest.forget_rogue_write(room.shelf.kind, rogue)

    # -- fences and notes ----------------------------------------------------------------------------

    async def fence(self, kind: Kind) -> Fence | None:
        """See Store.fence."""
        return await self._core.fence(self._core_kind(kind))

    async def raise_fence(self, kind: Kind, fence: Fence, *, expected: int | None) -> bool:
        """See Store.raise_fence."""
        if room := self._rooms.get(kind.name):
            await room.shelf.guard()
        return await self._core.raise_fence(self._core_kind(kind), fence, expected=expected)

    async def note(self, name: str) -> Note:
        """See Store.note."""
        return await self._core.note(name)

    async def notes(self, prefix: str) -> list[Note]:
        """See Store.notes."""
        return await self._core.notes(prefix)

    async def write_note(self, name: str, value: bytes, *, expected: int) -> bool:
        """See Store.write_note."""
        return await self._core.write_note(name, value, expected=expected)

    async def drop_note(self, name: str, *, expected: int) -> bool:
        """See Store.drop_note."""
        return await self._core.drop_note(name, expected=expected)

    async def write_notes(self, notes: Sequence[Note]) -> list[bool]:
        """See Store.write_notes."""
        return await self._core.write_notes(notes)

    async def drop_notes(self, notes: Sequence[Note]) -> list[bool]:
        """See Store.drop_notes."""
        return await self._core.drop_notes(notes)


class _Room:
    """All that serves one split kind."""

    def __init__(self, split: Split, shelf: Shelf, reading: Reading, writing: Writing) -> None:
        self.split, self.shelf, self.reading, self.writing = split, shelf, reading, writing
        self.core_kind = split.core_kind
