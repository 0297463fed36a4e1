"""Keeps the sync follower of every kind going in one worker, and measures how far behind each copy is."""

import asyncio
import contextlib
import random
from collections.abc import Sequence
from typing import Final

import msgspec
import structlog

from manystore.changes import Position
from manystore.clock import Clock
from manystore.errors import ManystoreError, UnavailableError
from manystore.followers.claim import Claim, IsDead, nobody_known_dead
from manystore.followers.sync import BATCH, Track
from manystore.placement import Leases, Placement, Side, State, shut_copy
from manystore.stores.store import Store

_IDLE: Final = 0.015
"""Seconds until the next look at a log that was just read to its end, in which some changes come together.

Each look that finds any costs two commits of the copy, be it one change or hundreds.
"""
_MOST_IDLE: Final = 0.04
"""Seconds between two looks at a log in which nothing happens; half of it is the least lag on average."""
_STAND_BY: Final = 0.1
"""Seconds between two looks where there is nothing to do here: no copy, or another worker's claim."""
_RETRY_EVERY: Final = 0.1
_MEASURE_EVERY: Final = 0.25

log = structlog.get_logger(__name__)


class Lag(msgspec.Struct, frozen=True):
    """How old a change was when the copy had it, in seconds, as last measured; and of how many samples."""

    last: float = 0.0
    worst: float = 0.0
    samples: int = 0


def lag_name(kind: str) -> str:
    """The note of the copy that tells how far behind it is."""
    return f"sync/{kind}/lag"


async def read_lag(copy: Store, kind: str) -> Lag:
    """What the running follower last wrote down."""
    note = await copy.note(lag_name(kind))
    return msgspec.json.decode(note.value, type=Lag) if note.revision else Lag()


class _LagMeter:
    """Takes the truth's head now and then, and notes how long it is until the copy has reached it."""

    def __init__(self, clock: Clock) -> None:
        self._clock, self._marked_at = clock, float("-inf")
        self._mark: Position | None = None
        self.lag = Lag()

    async def look(self, track: Track, position: Position) -> bool:
        """Whether there is a new sample."""
        now = self._clock.monotonic()
        if self._mark is None:
            if now - self._marked_at < _MEASURE_EVERY:
                return False
            self._marked_at = now
            self._mark = await track.truth.head(track.kind)
        if position < self._mark:
            return False
        late = self._clock.monotonic() - self._marked_at
        self._mark = None
        self.lag = Lag(late, max(late, self.lag.worst), self.lag.samples + 1)
        return True


class SyncRunner:
    """All kinds' followers in one worker; several workers share them by claims."""

    def __init__(
        self,
        placements: Sequence[Placement],
        leases: Leases,
        *,
        owner: str,
        clock: Clock,
        randomness: random.Random,
        is_dead: IsDead = nobody_known_dead,
    ) -> None:
        self._is_dead = is_dead
        self._placements, self._leases = placements, leases
        self._owner, self._clock, self._random = owner, clock, randomness

    async def run(self) -> None:
        """Follow until cancelled."""
        async with asyncio.TaskGroup() as group:
            for placement in self._placements:
                group.create_task(self._follow(placement), name=f"sync {placement.kind.name}")

    async def _follow(self, placement: Placement) -> None:
        pause = _IDLE
        # Kept for as long as this worker runs: that a holder is dead is seen only by who looks again.
        claims = {side: self._claim(placement, placement.store(side)) for side in Side}
        while True:
            try:
                state = await self._leases.refresh(placement.kind.name)
                claim, pause = claims[state.truth.other], _STAND_BY
                if state.phase.has_copy and await claim.hold():
                    await self._follow_while(placement, state, claim)
                    pause = _IDLE
            except UnavailableError as error:
                pause = min(2 * pause + error.retry_after / 10, 2.0)
                log.warning("sync.unavailable", kind=placement.kind.name, reason=str(error), again_in=pause)
            except ManystoreError as error:
                pause = 1.0
                # The reason says all; what matters is that the follower goes on.
                log.warning("sync.failed", kind=placement.kind.name, reason=str(error))
            await self._clock.sleep(pause)

    def _claim(self, placement: Placement, copy: Store) -> Claim:
        name = f"sync/{placement.kind.name}/claim"
        return Claim(copy, name, owner=self._owner, clock=self._clock, is_dead=self._is_dead)

    async def _follow_while(self, placement: Placement, state: State, claim: Claim) -> None:
        """Follow one direction for as long as the state lasts and this worker holds the claim."""
        track = Track(placement, state, clock=self._clock, randomness=self._random)
        meter = _LagMeter(self._clock)
        await shut_copy(placement, state)
        retried, idle = float("-inf"), _IDLE
        try:
            while await self._still(state, placement) and await claim.hold():
                batch = await track.advance()
                if await meter.look(track, batch.position):
                    await _write_down(track.copy, placement.kind.name, meter.lag)
                if self._clock.monotonic() - retried > _RETRY_EVERY:
                    retried = self._clock.monotonic()
                    await track.retry()
                if len(batch.changes) < BATCH:
                    idle = _IDLE if batch.changes else min(1.5 * idle, _MOST_IDLE)
                    await self._clock.sleep(idle)
        finally:
            with contextlib.suppress(UnavailableError):
                await claim.release()

    async def _still(self, state: State, placement: Placement) -> bool:
        now = await self._leases.state(placement.kind.name)
        return now.phase.has_copy and now.truth is state.truth


async def _write_down(copy: Store, kind: str, lag: Lag) -> None:
    note = await copy.note(lag_name(kind))
    await copy.write_note(note.name, msgspec.json.encode(lag), expected=note.revision)
