"""How long writes wait for somebody who died while he stopped them.

Whoever drains a kind shows that he is at it: he raises a counter in a note of the truth, a *beat*, for as
long as writes wait. A node that waits looks at it, and undoes a drain whose beat was not seen to move for
`patience`. So any node puts the old truth in force again, not only one that could finish what was begun; and
whoever was only frozen finds the drain undone when he wants to decide it (see `transitions`).

No clock is compared with another process's, and nothing exclusive rests on this: to undo and to decide are
compare-and-sets on one fence. Who undoes too early has cost a cut-over, which says so and is asked for again.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Final

import msgspec

from manystore.clock import Clock
from manystore.errors import UnavailableError
from manystore.placement.phases import Placement, State

_SHARE: Final = 0.6
"""Of a lease: what is left of it is for a node to notice that writes wait, and to undo."""
_LEAST: Final = 0.5
"""Seconds for which a busy process may be held up without being taken for dead."""
_BEATS: Final = 6
"""In the time after which a drain counts as abandoned."""


def patience(lease: float) -> float:
    """Seconds without a beat after which a drain is abandoned: less than a lease, where that is a second."""
    return max(lease * _SHARE, _LEAST)


def beat_name(kind: str) -> str:
    """The note of the truth by whose revision the beats of a kind's drain are counted."""
    return f"drains/{kind}"


@contextlib.asynccontextmanager
async def beating(
    placement: Placement, draining: State, *, clock: Clock, lease: float
) -> AsyncIterator[None]:
    """Show for the length of the block that somebody is at this drain."""
    task = asyncio.create_task(
        _beat(placement, draining, clock, patience(lease) / _BEATS), name=f"drain of {placement.kind.name}"
    )
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _beat(placement: Placement, draining: State, clock: Clock, every: float) -> None:
    truth, name = placement.truth(draining), beat_name(placement.kind.name)
    while True:
        # While the store is away nobody can write, nor undo; and it may be back before anybody does.
        with contextlib.suppress(UnavailableError):
            note = await truth.note(name)
            await truth.write_note(name, str(draining.epoch).encode(), expected=note.revision)
        await clock.sleep(every)


class _Seen(msgspec.Struct, frozen=True):
    epoch: int
    beat: int
    began: float
    moved: float


class DrainWatch:
    """What one node saw of the drains of one kind. `limit` is for a drain that beats, and never ends."""

    def __init__(self, placement: Placement, clock: Clock, *, lease: float, limit: float) -> None:
        self._placement, self._clock = placement, clock
        self._patience, self._limit = patience(lease), limit
        self._seen: _Seen | None = None

    async def is_abandoned(self, state: State) -> bool:
        """Whether the drain that a state tells of (if any) is to be undone. Raises UnavailableError."""
        if state.takes_writes:
            self._seen = None
            return False
        asked = self._clock.monotonic()
        beat = (await self._placement.truth(state).note(beat_name(self._placement.kind.name))).revision
        seen, now = self._seen, self._clock.monotonic()
        if seen is None or seen.epoch != state.epoch:
            seen = _Seen(state.epoch, beat, now, now)
        elif seen.beat != beat:
            seen = msgspec.structs.replace(seen, beat=beat, moved=now)
        self._seen = seen
        return asked - seen.moved >= self._patience or asked - seen.began >= self._limit
