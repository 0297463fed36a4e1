"""How far a long step has come, told as it goes."""

import collections
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import msgspec

from manystore.clock import Clock
from manystore.moves.ranges import Checkpoint

_WINDOW: Final = 5.0
"""Seconds over which the present rate is taken."""


class Progress(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """`done` of about `total` records, at `rate` a second; `stage` says doing what, and why slowly if so."""

    stage: str
    done: int = 0
    total: int = 0
    rate: float = 0.0
    seconds_left: float | None = None


Report = Callable[[Progress], Awaitable[None]]
"""Takes each piece of progress; must be quick, or drop some."""


async def unreported(progress: Progress) -> None:
    """Tell nobody."""


def progress_at(stage: str, done: int, total: int, seconds: float) -> Progress:
    """Progress with its rate and the time left at that rate."""
    rate = done / seconds if seconds > 0 else 0.0
    left = (total - done) / rate if rate > 0 and total >= done else None
    return Progress(stage=stage, done=done, total=total, rate=rate, seconds_left=left)


class Gauge:
    """The progress of a step that several processes share, from the checkpoints of its ranges.

    It never goes back: what a checkpoint says is done stays done, whoever goes on from it.
    """

    def __init__(self, stage: str, total: int, clock: Clock) -> None:
        self._stage, self._total, self._clock = stage, total, clock
        self._most = 0
        self._seen: collections.deque[tuple[float, int]] = collections.deque()

    def read(self, checkpoints: Sequence[Checkpoint], slowed: str = "") -> Progress:
        """The progress at this moment. `slowed` is why the process that asks goes slowly, if it does."""
        now = self._clock.monotonic()
        self._most = done = max(self._most, sum(each.done for each in checkpoints))
        self._seen.append((now, done))
        while self._seen[0][0] < now - _WINDOW and len(self._seen) > 2:
            self._seen.popleft()
        since, before = self._seen[0]
        rate = (done - before) / (now - since) if now > since else 0.0
        total = max(self._total, done)
        slowed = slowed or next(
            (each.slowed for each in checkpoints if each.slowed and not each.finished), ""
        )
        return Progress(
            stage=f"{self._stage}, slowed down: {slowed}" if slowed else self._stage,
            done=done,
            total=total,
            rate=round(rate, 1),
            seconds_left=round((total - done) / rate, 1) if rate else None,
        )
