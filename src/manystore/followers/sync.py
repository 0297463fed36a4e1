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

from manystore.changes import START, ChangeBatch, Position, cut_name
from manystore.clock import Clock
from manystore.errors import LogCutError, UniqueError
from manystore.followers.exchanging import exchange
from manystore.followers.queue import Entry, Problem, SyncQueue
from manystore.placement import Placement, State
from manystore.records import Kind, Record
from manystore.stores.store import Diverged, Note, Outcome, Refused

BATCH: Final = 500
"""Changes taken at a time: enough to be fast, few enough that one transaction of the copy stays short."""

NOTE_IDLE: Final = 1.0
"""Seconds after which the place in a log without changes is noted.

Not at each look: while PostgreSQL is the truth, the place moves on with every transaction of the server, and
to note it is a commit of the copy, for each kind in which nothing happens, 25 times a second.
"""

ORPHANS: Final = 1.0
"""Seconds after which those whose parent is still missing are looked at again; a drain does so at once."""


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
        self._clock, self._noted_at, self._orphans_at = clock, float("-inf"), float("-inf")
        self._note: Note | None = None

    async def position(self) -> Position:
        """How far the copy has followed."""
        note = await self.copy.note(position_name(self.kind.name))
        return msgspec.json.decode(note.value, type=Position) if note.revision else START

    async def begin_at_head(self, *, anew: bool = False) -> None:
        """Let a follower that never ran start here: what lies before is the business of a full copy.

        With `anew`, also one that ran, and has lost its place (see `is_cut_off`).
        """
        name, head = position_name(self.kind.name), await self.truth.head(self.kind)
        while not await self.copy.write_note(
            name, msgspec.json.encode(head), expected=(await self.copy.note(name)).revision if anew else 0
        ):
            if not anew:
                return

    async def is_cut_off(self) -> bool:
        """Whether the truth's log has been cut beyond what the copy has seen of it."""
        position = await self.position()
        if position == START:
            return (await self.truth.note(cut_name(self.kind.name))).revision > 0
        try:
            await self.truth.changes(self.kind, position, 1)
        except LogCutError:
            return True
        return False

    async def advance(self, limit: int = BATCH) -> ChangeBatch:
        """Carry one batch of changes over. Raises UnavailableError if either store cannot be asked."""
        # As it was left last time: what others did with it since shows when it is to be written again.
        note = self._note or await self.copy.note(position_name(self.kind.name))
        self._note = None
        position = msgspec.json.decode(note.value, type=Position) if note.revision else START
        batch = await self.truth.changes(self.kind, position, limit)
        if batch.changes:
            await self.carry({change.key: change.version for change in batch.changes})
        if batch.position > position and self._is_worth_noting(batch):
            # Losing this race means that another follower moved it; what was applied here stays applied.
            value = msgspec.json.encode(batch.position)
            if await self.copy.write_note(note.name, value, expected=note.revision):
                self._note = Note(name=note.name, value=value, revision=note.revision + 1)
        else:
            self._note = note
        return batch

    def _is_worth_noting(self, batch: ChangeBatch) -> bool:
        now = self._clock.monotonic()
        if not batch.changes and now - self._noted_at < NOTE_IDLE:
            return False
        self._noted_at = now
        return True

    async def carry(self, newest: Mapping[str, int]) -> None:
        """Bring records (key → version known of) to the copy as they are now, queueing what it refuses."""
        # A record that left the queue between the two looks is nobody's but ours again.
        deferred = await self.queue.defer_all(newest, {each.key: each for each in await self.queue.entries()})
        wanted = [key for key in newest if key not in deferred]
        found = await self.truth.get_many(self.kind, wanted)
        records = [found[key] for key in wanted if key in found]
        if records:
            await self.settle(records, await self.copy.apply(self.kind, records))

    async def settle(
        self,
        records: Sequence[Record],
        outcomes: Sequence[Outcome],
        known: Mapping[str, Entry] | None = None,
    ) -> set[str]:
        """Queue every record that the copy refused or contradicts; returns their keys.

        Those that only had to exchange values are none of them. `known` are queue entries as just read.
        """
        refused = list[tuple[Record, Problem]]()
        for record, outcome in zip(records, outcomes, strict=True):
            if isinstance(outcome, Refused):
                refused.append((record, outcome.error))
            elif isinstance(outcome, Diverged):
                refused.append((record, outcome))
        exchanged = await self._exchange([each for each, why in refused if isinstance(why, UniqueError)])
        refused = [(record, why) for record, why in refused if record.key not in exchanged]
        await self.queue.hold_all(refused, known)
        return {record.key for record, _ in refused}

    async def _exchange(self, refused: Sequence[Record]) -> set[str]:
        """Bring over what can be by an exchange of values; the keys of all that took part in it."""
        if not refused:
            return set()
        done = await exchange(self.truth, self.copy, self.kind, refused)
        if others := done.keys() - {record.key for record in refused}:
            # They may have been queued, dead even, for want of just this. (Those refused are the caller's.)
            await self.queue.release_all(
                [
                    entry
                    for entry in await self.queue.entries()
                    if entry.key in others and entry.version <= done[entry.key].version
                ]
            )
        return set(done)

    async def retry(self, *, whatever_is_due: bool = True) -> int:
        """Try queued changes again: those due, or all that are not dead; returns how many were taken off.

        Each is tried at most once, those whose parents are there before those that may wait for them.
        """
        now, taken = self._clock.now(), 0
        waiting = [
            entry
            for entry in await self.queue.entries()
            if entry.state != "dead" and (not whatever_is_due or entry.is_due(now))
        ]
        while waiting:
            ready = await self._ready(waiting)
            if not ready:
                break
            for start in range(0, len(ready), BATCH):
                taken += await self._retry_batch(ready[start : start + BATCH])
            tried = {entry.key for entry in ready}
            waiting = [entry for entry in waiting if entry.key not in tried]
        if waiting and (not whatever_is_due or self._clock.monotonic() - self._orphans_at >= ORPHANS):
            self._orphans_at = self._clock.monotonic()
            taken += await self._retry_changed(waiting)
        return taken

    async def _retry_changed(self, orphans: Sequence[Entry]) -> int:
        """Try those again whose parent is not there, but whose record has changed since.

        Who copies a stretch may queue what it read there when the follower has just brought a newer version
        over, one that points elsewhere or is deleted: no change, and no parent, will come to say so.
        """
        taken = 0
        for start in range(0, len(orphans), BATCH):
            batch = orphans[start : start + BATCH]
            found = await self.truth.get_many(self.kind, [entry.key for entry in batch])
            changed = [
                entry for entry in batch if entry.key in found and found[entry.key].version > entry.version
            ]
            if changed:
                taken += await self._retry_batch(changed)
        return taken

    async def _ready(self, entries: Sequence[Entry]) -> list[Entry]:
        """Those that wait for nothing, or for what is in the copy by now."""
        parents = {parent.name: parent for parent in self.placement.parents}
        wanted: dict[str, set[str]] = {name: set() for name in parents}
        for entry in entries:
            if (parent := _awaited(entry)) is not None and parent[0] in parents:
                wanted[parent[0]].add(parent[1])
        absent = set[tuple[str, str]]()
        for name, keys in wanted.items():
            # The child's copy and its parent's are the same store; ask it by key alone.
            there = await self._living(parents[name], sorted(keys))
            absent |= {(name, key) for key in keys - there}
        return [entry for entry in entries if _awaited(entry) not in absent]

    async def _living(self, kind: Kind, keys: Sequence[str]) -> set[str]:
        living = set[str]()
        for start in range(0, len(keys), BATCH):
            found = await self.copy.get_many(kind, keys[start : start + BATCH])
            living |= {key for key, record in found.items() if not record.is_deleted}
        return living

    async def _retry_batch(self, entries: Sequence[Entry]) -> int:
        keys = [entry.key for entry in entries]
        found = await self.truth.get_many(self.kind, keys)
        records = [found[key] for key in keys if key in found]
        outcomes = await self.copy.apply(self.kind, records) if records else []
        held = await self.settle(records, outcomes, {entry.key: entry for entry in entries})
        return await self.queue.release_all([entry for entry in entries if entry.key not in held])

    async def reach(self, head: Position) -> None:
        """Advance until every change up to `head` is applied or queued, then retry what is queued."""
        position = await self.position()
        while position < head:
            batch = await self.advance()
            # It may be further than what is noted of it.
            position = batch.position
            if position < head and not batch.changes:
                # Something accepted earlier is not complete yet (a transaction under way elsewhere).
                await self._clock.sleep(0.002)
        await self.retry(whatever_is_due=False)


def _awaited(entry: Entry) -> tuple[str, str] | None:
    """The kind and the key of the parent that an entry is parked for."""
    return entry.waits_for if entry.state == "parked" else None
