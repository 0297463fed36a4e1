"""The sync follower: brings the copy up to date with the truth, from the change log.

It reads the log after its position, fetches the records as they are now, applies them, queues what the copy
refuses, and only then moves the position: so a position never passes a change that is neither applied nor
in the queue. Each of these steps may be repeated after a crash, or done by two followers at once, without
harm, since the newest version wins. The position lives in the copy's store.
"""

import random
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from manystore.changes import START, ChangeBatch, Position
from manystore.clock import Clock
from manystore.followers.queue import Entry, SyncQueue
from manystore.placement import Placement, State
from manystore.records import Record
from manystore.stores.store import Diverged, Outcome, Refused

BATCH: Final = 500
"""Changes taken at a time: enough to be fast, few enough that one transaction of the copy stays short."""


def position_name(kind: str) -> str:
    """The note of the copy in which the follower of a kind keeps its position."""
    return f"sync/{kind}/position"


class Track:
    """One direction of one kind: from the truth of a state to its copy."""

    def __init__(
        self, placement: Placement, state: State, *, clock: Clock, randomness: random.Random
    ) -> None:
        self.placement, self.kind = placement, placement.kind
        self.truth: Final = placement.truth(state)
        self.copy: Final = placement.copy(state)
        self.queue: Final = SyncQueue(self.copy, self.kind, clock=clock, randomness=randomness)
        self._clock = clock

    async def position(self) -> Position:
        """How far the copy has followed."""
        note = await self.copy.note(position_name(self.kind.name))
        return msgspec.json.decode(note.value, type=Position) if note.revision else START

    async def begin_at_head(self) -> None:
        """Let a follower that never ran start here: what lies before is the business of a full copy."""
        head = await self.truth.head(self.kind)
        name = position_name(self.kind.name)
        await self.copy.write_note(name, msgspec.json.encode(head), expected=0)

    async def advance(self, limit: int = BATCH) -> ChangeBatch:
        """Carry one batch of changes over. Raises UnavailableError if either store cannot be asked."""
        note = await self.copy.note(position_name(self.kind.name))
        position = msgspec.json.decode(note.value, type=Position) if note.revision else START
        batch = await self.truth.changes(self.kind, position, limit)
        if batch.changes:
            await self.carry({change.key: change.version for change in batch.changes})
        if batch.position > position:
            # Losing this race means that another follower moved it; what was applied here stays applied.
            value = msgspec.json.encode(batch.position)
            await self.copy.write_note(note.name, value, expected=note.revision)
        return batch

    async def carry(self, newest: Mapping[str, int]) -> None:
        """Bring records (key → version known of) to the copy as they are now, queueing what it refuses."""
        queued = {entry.key for entry in await self.queue.entries()}
        wanted = [
            key
            for key, version in newest.items()
            # A record that left the queue between the two looks is nobody's but ours again.
            if key not in queued or not await self.queue.defer(key, version)
        ]
        found = await self.truth.get_many(self.kind, wanted)
        records = [found[key] for key in wanted if key in found]
        if records:
            await self.settle(records, await self.copy.apply(self.kind, records))

    async def settle(self, records: Sequence[Record], outcomes: Sequence[Outcome]) -> int:
        """Queue every record that the copy refused or contradicts; returns how many."""
        held = 0
        for record, outcome in zip(records, outcomes, strict=True):
            if isinstance(outcome, Refused):
                await self.queue.hold(record, outcome.error)
                held += 1
            elif isinstance(outcome, Diverged):
                await self.queue.hold(record, outcome)
                held += 1
        return held

    async def retry(self, *, whatever_is_due: bool = True) -> int:
        """Try queued changes again: those due, or all that are not dead; returns how many were taken off."""
        taken = 0
        for entry in await self.queue.entries():
            if await self._may_retry(entry, whatever_is_due):
                taken += await self._retry_one(entry)
        return taken

    async def _may_retry(self, entry: Entry, only_due: bool) -> bool:
        if entry.state == "dead" or (only_due and entry.next_at > self._clock.now()):
            return False
        if entry.state == "parked" and entry.waits_for is not None:
            # The child's copy and its parent's are the same store; ask it by key alone.
            return await self._is_there(*entry.waits_for)
        return True

    async def _is_there(self, kind_name: str, key: str) -> bool:
        parent = next((each for each in self.placement.parents if each.name == kind_name), None)
        if parent is None:
            return True
        record = await self.copy.get(parent, key)
        return record is not None and not record.is_deleted

    async def _retry_one(self, entry: Entry) -> int:
        found = await self.truth.get_many(self.kind, [entry.key])
        records = list(found.values())
        outcomes = await self.copy.apply(self.kind, records) if records else []
        if await self.settle(records, outcomes):
            return 0
        return int(await self.queue.release(entry))

    async def reach(self, head: Position) -> None:
        """Advance until every change up to `head` is applied or queued, then retry what is queued."""
        while await self.position() < head:
            batch = await self.advance()
            if not batch.changes:
                # Something accepted earlier is not complete yet (a transaction under way elsewhere).
                await self._clock.sleep(0.002)
        await self.retry(whatever_is_due=False)
