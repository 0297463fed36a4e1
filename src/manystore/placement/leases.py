"""A node's right to write: what it knows of each kind's state, and for how long that knowledge holds.

A node (one process) registers itself with the truth (a *beat*), then reads the state; what it read is good
for one lease from *before it asked*, on its own monotonic clock, and never longer than a lease after its
last beat. So a node that is frozen, cut off or slow stops writing by itself, and whoever changes the state
knows when: a node that acknowledged the new epoch has no older write under way, and a node whose beat has
not moved for a lease has no right left. Stores that fence writes in their own transaction need none of
that waiting; for those that cannot (Cosmos DB), it is the fence.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Coroutine, Sequence
from typing import Final

import msgspec

from manystore.clock import Clock
from manystore.errors import DrainingError, UnavailableError, UnknownKindError
from manystore.placement.drains import DrainWatch
from manystore.placement.phases import Placement, Side, State
from manystore.placement.registers import WATCH, Attendance, attendance_prefix
from manystore.placement.transitions import read_state, undo
from manystore.stores.store import Store

_BEATS_PER_LEASE: Final = 4


class _Holding:
    """What one node holds of one kind."""

    def __init__(self, placement: Placement, drain: DrainWatch) -> None:
        self.placement, self.drain = placement, drain
        self.state: State | None = None
        self.good_until = float("-inf")
        self.lapses = 0
        """How often there was a moment without a lease before it was renewed."""
        self.beat_at = float("-inf")
        self.beats = 0
        self.acknowledged = 0
        self.writing: dict[int, int] = {}
        self.refreshing: asyncio.Task[State] | None = None
        self.refreshing_next: asyncio.Task[State] | None = None

    def acknowledgeable(self) -> int:
        """The newest epoch under which, and above no older one, this node has writes under way."""
        state_epoch = 0 if self.state is None else self.state.epoch
        return min([state_epoch, *(epoch for epoch, writes in self.writing.items() if writes)])


class Leases:
    """All that one node knows of the states of its kinds.

    `lease` is in seconds. A cut-over whose coordinator shows no life for most of a lease is undone, and so is
    one that is not decided after `drain_limit` seconds (see `drains`).
    """

    def __init__(
        self,
        placements: Sequence[Placement],
        *,
        node: str,
        clock: Clock,
        lease: float = 2.0,
        poll: float = 0.1,
        drain_limit: float = 10.0,
    ) -> None:
        self._holdings = {
            each.kind.name: _Holding(each, DrainWatch(each, clock, lease=lease, limit=drain_limit))
            for each in placements
        }
        self._node, self._clock, self._lease = node, clock, lease
        self._poll = min(poll, lease / _BEATS_PER_LEASE)

    async def state(self, kind: str) -> State:
        """The state as last read, however old; asks only if it was never read. Enough for reading."""
        holding = self._holding(kind)
        return holding.state if holding.state is not None else await self.refresh(kind)

    def placement(self, kind: str) -> Placement:
        """The placement of a kind. Raises UnknownKindError."""
        return self._holding(kind).placement

    @contextlib.asynccontextmanager
    async def writing(self, kind: str) -> AsyncIterator[State]:
        """Hold the right to write a kind under the state given, for the length of the block.

        Raises DrainingError while a cut-over is under way and UnavailableError without a live lease; in the
        end as well, where the lease ran out meanwhile and nobody knows what became of the write.
        """
        holding = self._holding(kind)
        if self._clock.monotonic() >= holding.good_until:
            await self.refresh(kind)
        state = holding.state
        if state is None or self._clock.monotonic() >= holding.good_until:
            reason = "this node could not renew its lease"
            raise UnavailableError(subject=kind, reason=reason, retry_after=self._lease)
        if not state.takes_writes:
            raise DrainingError(subject=kind, reason="its truth is moving", retry_after=WATCH)
        # From here to the increment there is no await: the lease and the mark are one step.
        lapses = holding.lapses
        holding.writing[state.epoch] = holding.writing.get(state.epoch, 0) + 1
        try:
            yield state
        finally:
            holding.writing[state.epoch] -= 1
            if not holding.writing[state.epoch]:
                del holding.writing[state.epoch]
        is_unbroken = holding.lapses == lapses and self._clock.monotonic() < holding.good_until
        if holding.placement.truth(state).fencing == "lease" and not is_unbroken:
            await self._look_whether_it_counts(kind, state)

    async def _look_whether_it_counts(self, kind: str, state: State) -> None:
        """Raise UnavailableError for a write that outlasted its lease, unless its epoch stands.

        Where leases are the only fence, a process that froze with a write under way is not waited for. What
        it wrote may have landed when no write was admitted; then nobody may be told that it succeeded.
        """
        if (await self.refresh(kind)).epoch != state.epoch:
            reason = "its truth moved while a write was under way for longer than the lease"
            raise UnavailableError(subject=kind, reason=reason, retry_after=self._lease)

    async def refresh(self, kind: str) -> State:
        """Read the state anew, renewing the lease; undoes an announced cut-over that nobody decides."""
        return await asyncio.shield(self._reading(self._holding(kind), kind))

    def _reading(self, holding: _Holding, kind: str) -> asyncio.Task[State]:
        """The first reading that begins from now on; all who ask until then share it.

        One after the other, many who wait for a lease would outlast it; and one by one through a lock they
        would as well, where the loop is so busy that each turn takes a while.
        """
        if holding.refreshing_next is not None:
            return holding.refreshing_next
        if holding.refreshing is not None:
            holding.refreshing_next = self._begin(self._refresh_after(holding, holding.refreshing), kind)
            return holding.refreshing_next
        holding.refreshing = self._begin(self._refresh_now(holding), kind)
        return holding.refreshing

    def _begin(self, reading: Coroutine[None, None, State], kind: str) -> asyncio.Task[State]:
        task = asyncio.create_task(reading, name=f"lease of {kind}")
        # Whoever asked may have been cancelled; then nobody is left to hear of a failure.
        task.add_done_callback(lambda done: done.cancelled() or done.exception())
        return task

    async def _refresh_now(self, holding: _Holding) -> State:
        try:
            return await self._refresh(holding)
        finally:
            if holding.refreshing is asyncio.current_task():
                holding.refreshing = None

    async def _refresh_after(self, holding: _Holding, before: asyncio.Task[State]) -> State:
        await asyncio.wait({before})
        holding.refreshing, holding.refreshing_next = holding.refreshing_next, None
        return await self._refresh_now(holding)

    async def _refresh(self, holding: _Holding) -> State:
        placement = holding.placement
        if placement.is_settled:
            # Nobody can ever change it, so nothing needs watching, and nobody needs to know who writes.
            holding.state, holding.good_until = await read_state(placement), float("inf")
            return holding.state
        if holding.state is None:
            holding.state = await read_state(placement)
        heard_by: int | None = holding.state.epoch if holding.beats else None
        while True:
            before, asked = holding.state, self._clock.monotonic()
            # A truth that has just taken over must know of this node before the lease counts; and the same
            # beat tells the coordinator of a cut-over that this node has heard.
            if heard_by != before.epoch or self._owes_a_beat(holding, asked):
                await self._beat(holding, placement.truth(before))
                holding.beat_at = asked
            heard_by = before.epoch
            state = await read_state(placement, expected=before.truth)
            if state.truth is not before.truth:
                # What is left of the lease was the former truth's. This one does not know of this node yet,
                # and could be drained without waiting for it.
                holding.good_until = float("-inf")
            holding.state = state
            if state.epoch == before.epoch:
                break
        if self._clock.monotonic() >= holding.good_until:
            holding.lapses += 1
        holding.good_until = min(asked, holding.beat_at) + self._lease
        return await self._mind_the_drain(holding, state)

    async def _mind_the_drain(self, holding: _Holding, state: State) -> State:
        if not await holding.drain.is_abandoned(state):
            return state
        await undo(holding.placement, state)
        holding.state = await read_state(holding.placement, expected=state.truth)
        return holding.state

    def _owes_a_beat(self, holding: _Holding, now: float) -> bool:
        if now - holding.beat_at >= self._lease / _BEATS_PER_LEASE:
            return True
        return holding.acknowledgeable() > holding.acknowledged

    async def _beat(self, holding: _Holding, truth: Store) -> None:
        holding.beats += 1
        acknowledged = holding.acknowledgeable()
        said = msgspec.json.encode(Attendance(holding.beats, acknowledged))
        name = attendance_prefix(holding.placement) + self._node
        while True:
            note = await truth.note(name)
            if await truth.write_note(name, said, expected=note.revision):
                holding.acknowledged = acknowledged
                return

    async def await_steady(self, kind: str, patience: float) -> State:
        """Wait until writes are admitted again, at most `patience` seconds; DrainingError after that."""
        deadline = self._clock.monotonic() + patience
        while not (state := await self.refresh(kind)).takes_writes:
            if self._clock.monotonic() >= deadline:
                raise DrainingError(subject=kind, reason="its truth is moving", retry_after=1.0)
            await self._clock.sleep(WATCH)
        return state

    async def keep(self) -> None:
        """Renew the leases of all kinds that this node has used, until cancelled."""
        while True:
            await asyncio.gather(*map(self._renew, self._watched()))
            await self._clock.sleep(self._poll)

    def _watched(self) -> list[str]:
        """The kinds that this node has used and whose state may change."""
        named = self._holdings.items()
        return [name for name, each in named if each.state is not None and not each.placement.is_settled]

    async def _renew(self, kind: str) -> None:
        # A store that cannot be asked lets the lease run out, which is the point of leases.
        with contextlib.suppress(UnavailableError):
            await self.refresh(kind)

    async def leave(self) -> None:
        """Take this node's name off the registers, so that nobody waits for it."""
        for holding in self._holdings.values():
            # A beat that is under way would put the name back.
            if readings := {each for each in (holding.refreshing, holding.refreshing_next) if each}:
                for reading in readings:
                    reading.cancel()
                await asyncio.wait(readings)
            if holding.state is None or holding.placement.is_settled:
                continue
            name = attendance_prefix(holding.placement) + self._node
            with contextlib.suppress(UnavailableError):
                for side in Side:
                    store = holding.placement.store(side)
                    note = await store.note(name)
                    await store.drop_note(name, expected=note.revision)

    def _holding(self, kind: str) -> _Holding:
        try:
            return self._holdings[kind]
        except KeyError:
            raise UnknownKindError(kind=kind) from None
