"""The store on Azure Cosmos DB: every promise of `Store`, in terms of the rooms beside this file."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Final

from manystore.changes import ChangeBatch, Position
from manystore.errors import UnavailableError
from manystore.records import Content, Kind, Record
from manystore.specifications import Page, Specification
from manystore.stores.cosmos import finding
from manystore.stores.cosmos.account import Account
from manystore.stores.cosmos.examining import examine
from manystore.stores.cosmos.notes import Notes
from manystore.stores.cosmos.places import Places
from manystore.stores.cosmos.writes import Writes
from manystore.stores.store import (
    Examination,
    Fence,
    Fencing,
    KeyRange,
    KeyVersion,
    Note,
    Outcome,
    RogueWrite,
)

DEFAULT_WAITS: Final = 5
DEFAULT_LONGEST_WAIT: Final = 10.0


class CosmosStore:
    """Records as items of Azure Cosmos DB, readable by systems that know nothing of the engine.

    `url` and `key` are the account's; containers are made where they are not there yet. Throttled requests
    are repeated after the wait that the service asks for, at most `waits` times and `longest_wait` seconds
    together, before ThrottledError is raised. With `tombstone_ttl` (seconds), the service removes tombstones
    that long after the delete; containers then need time to live switched on, which is done where the
    store makes them. Every follower must have passed by then, and an older copy of the record can come back.

    A key whose partition key property changes stays in its logical partition; see `items`.
    """

    fencing: Fencing = "lease"

    def __init__(
        self,
        url: str,
        key: str,
        database: str,
        *,
        name: str = "documents",
        waits: int = DEFAULT_WAITS,
        longest_wait: float = DEFAULT_LONGEST_WAIT,
        tombstone_ttl: int | None = None,
    ) -> None:
        self.name = name
        self._account = Account(url, key, database, name=name, waits=waits, longest_wait=longest_wait)
        self._notes = Notes(self._account)
        self._tombstone_ttl = tombstone_ttl
        self._rooms: dict[str, Places] = {}
        self._opening = asyncio.Lock()

    @property
    def request_units(self) -> Mapping[str, Mapping[str, float]]:
        """Request units charged to this handle so far, by kind and operation."""
        return {kind: dict(spent) for kind, spent in self._account.spent.items()}

    async def open(self) -> None:
        """See Store.open."""
        async with self._opening:
            await self._account.open()
            await self._notes.container.ranges()

    async def close(self) -> None:
        """See Store.close."""
        await self._account.close()

    def _places(self, kind: Kind) -> Places:
        if not self._account.is_open:
            raise UnavailableError(subject=self.name, reason="it is closed")
        if kind.name not in self._rooms:
            self._rooms[kind.name] = Places(self._account, kind, self._notes, self._tombstone_ttl)
        return self._rooms[kind.name]

    def _writes(self, kind: Kind) -> Writes:
        return Writes(self.name, self._places(kind), self._notes)

    # -- reading -------------------------------------------------------------------------------------

    async def get(self, kind: Kind, key: str) -> Record | None:
        """See Store.get."""
        held = await self._places(kind).held(key)
        return None if held is None else held.record

    async def get_many(self, kind: Kind, keys: Sequence[str]) -> dict[str, Record]:
        """See Store.get_many."""
        helds = await self._places(kind).held_many(keys)
        return {key: record for key, held in helds.items() if (record := held.record) is not None}

    async def find(self, kind: Kind, specification: Specification) -> Page:
        """See Store.find."""
        return await finding.find(self._places(kind), specification)

    async def scan(self, kind: Kind, key_range: KeyRange, limit: int) -> list[Record]:
        """See Store.scan."""
        return await finding.scan(self._places(kind), key_range, limit)

    async def versions(self, kind: Kind, key_range: KeyRange, limit: int) -> list[KeyVersion]:
        """See Store.versions."""
        return await finding.versions(self._places(kind), key_range, limit)

    async def ranges(self, kind: Kind, count: int) -> list[KeyRange]:
        """See Store.ranges."""
        return await finding.cut_ranges(self._places(kind), count)

    async def count(self, kind: Kind) -> int:
        """See Store.count."""
        return await finding.count(self._places(kind))

    # -- writing, as the truth -----------------------------------------------------------------------

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
        kind.check(key, content)
        writes = self._writes(kind)
        return await writes.accept(key, content, expected=expected, epoch=epoch, above=above)

    async def delete(self, kind: Kind, key: str, *, expected: int, epoch: int, above: int = 0) -> Record:
        """See Store.delete."""
        kind.check_key(key)
        return await self._writes(kind).accept(key, None, expected=expected, epoch=epoch, above=above)

    # -- writing, as a copy --------------------------------------------------------------------------

    async def apply(
        self, kind: Kind, records: Sequence[Record], *, note: Note | None = None
    ) -> list[Outcome]:
        """See Store.apply.

        Nothing spans logical partitions here, so the note is stored once all records are in: after a crash
        between the two they are applied again, which changes nothing.
        """
        for record in records:
            if record.content is None:
                kind.check_key(record.key)
            else:
                kind.check(record.key, record.content)
        outcomes = await self._writes(kind).apply(records)
        if note is not None:
            await self._notes.keep_note(note.name, note.value)
        return outcomes

    async def apply_together(self, kind: Kind, records: Sequence[Record]) -> list[Outcome]:
        """See Store.apply_together.

        Nothing spans logical partitions here. All is checked before anything is written, and then records are
        written one after the other: for that long, two of them hold the same value. After a crash in between
        the same call, or `apply` of what was not written, completes it.
        """
        for record in records:
            if record.content is None:
                kind.check_key(record.key)
            else:
                kind.check(record.key, record.content)
        return await self._writes(kind).apply_together(records)

    async def examine(self, kind: Kind, batches: AsyncIterator[Sequence[Record]]) -> Examination:
        """See Store.examine."""
        return await examine(self.name, kind, batches)

    # -- the change log ------------------------------------------------------------------------------

    async def changes(self, kind: Kind, after: Position, limit: int) -> ChangeBatch:
        """See Store.changes."""
        return await self._places(kind).feed.changes(after, limit)

    async def head(self, kind: Kind) -> Position:
        """See Store.head."""
        return await self._places(kind).feed.head()

    async def cut_log(self, kind: Kind, upto: Position, limit: int) -> int:
        """See Store.cut_log. The feed is the records themselves, and its book has a bounded length."""
        return 0

    async def rogue_writes(self, kind: Kind) -> list[RogueWrite]:
        """See Store.rogue_writes. `watch` says what of others' writes can be known here."""
        places = self._places(kind)
        await places.patrol.look()
        return await places.watch.rogue_writes()

    async def forget_rogue_write(self, kind: Kind, rogue: RogueWrite) -> bool:
        """See Store.forget_rogue_write."""
        return await self._places(kind).watch.forget(rogue)

    # -- fences and notes ----------------------------------------------------------------------------

    async def fence(self, kind: Kind) -> Fence | None:
        """See Store.fence."""
        return await self._notes.fence(kind)

    async def raise_fence(self, kind: Kind, fence: Fence, *, expected: int | None) -> bool:
        """See Store.raise_fence."""
        if fence.admits:
            return await self._notes.raise_fence(kind, fence, expected=expected)
        return await self._places(kind).patrol.close_fence(fence, expected=expected)

    async def note(self, name: str) -> Note:
        """See Store.note."""
        return await self._notes.note(name)

    async def notes(self, prefix: str) -> list[Note]:
        """See Store.notes."""
        return await self._notes.notes(prefix)

    async def write_note(self, name: str, value: bytes, *, expected: int) -> bool:
        """See Store.write_note."""
        return await self._notes.write_note(name, value, expected=expected)

    async def drop_note(self, name: str, *, expected: int) -> bool:
        """See Store.drop_note."""
        return await self._notes.drop_note(name, expected=expected)

    async def write_notes(self, notes: Sequence[Note]) -> list[bool]:
        """See Store.write_notes. Several requests at a time."""
        return await self._notes.write_notes(notes)

    async def drop_notes(self, notes: Sequence[Note]) -> list[bool]:
        """See Store.drop_notes. Several requests at a time."""
        return await self._notes.drop_notes(notes)
