"""The nodes of a kind, as they register with its truth, and what whoever drains it waits for.

It matters where a store cannot fence by itself: there a node may write until its lease runs out.
"""

from collections.abc import Callable
from typing import Final

import msgspec

from manystore.clock import Clock
from manystore.placement.phases import Placement, State

WATCH: Final = 0.01
"""Seconds between two looks while writes wait; this is part of the pause that users feel."""
_CLOCKS: Final = 1.1
"""A tenth more than a lease, for clocks that do not run alike."""


class Attendance(msgspec.Struct, frozen=True):
    """What a node last said: a counter that moves with every beat, and the epoch that it acknowledges."""

    beat: int
    acknowledged: int


def attendance_prefix(placement: Placement) -> str:
    """Under which notes of the truth the nodes of a kind register."""
    return f"nodes/{placement.kind.name}/"


class Roll:
    """Who is on the register, and since when each one's beat was not seen to move."""

    def __init__(self, placement: Placement, state: State, *, clock: Clock, lease: float) -> None:
        self._truth, self._prefix = placement.truth(state), attendance_prefix(placement)
        self._clock, self._lease = clock, lease
        self._still: dict[str, tuple[int, float]] = {}
        self._moved = set[str]()

    async def call(self) -> None:
        """Wait until every node on the register was seen to live, or is gone; writes go on meanwhile.

        So a node that died some time ago is waited for before writes are stopped, and not after.
        """
        while await self._waits(lambda name, said: name in self._moved):
            await self._clock.sleep(self._lease / 20)

    async def acknowledged(self, epoch: int) -> None:
        """Wait until no node can still write under an epoch before this one.

        Every registered node has either acknowledged it or let its lease run out, seen as a beat that does
        not move for longer than a lease. Nodes gone that way are taken off the register.
        """
        while await self._waits(lambda name, said: said.acknowledged >= epoch):
            await self._clock.sleep(WATCH)

    async def _waits(self, is_done: Callable[[str, Attendance], bool]) -> bool:
        waits = False
        for note in await self._truth.notes(self._prefix):
            said, now = msgspec.json.decode(note.value, type=Attendance), self._clock.monotonic()
            beat, since = self._still.setdefault(note.name, (said.beat, now))
            if beat != said.beat:
                self._still[note.name] = (said.beat, now)
                self._moved.add(note.name)
            if is_done(note.name, said):
                continue
            if beat == said.beat and now - since > self._lease * _CLOCKS:
                await self._truth.drop_note(note.name, expected=note.revision)
            else:
                waits = True
        return waits


async def await_acknowledgements(
    placement: Placement, draining: State, *, clock: Clock, lease: float
) -> None:
    """See Roll.acknowledged, for who has not looked before."""
    await Roll(placement, draining, clock=clock, lease=lease).acknowledged(draining.epoch)
