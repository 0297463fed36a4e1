"""How much of a move one process does at a time: little where a store suffers, more again when all is well.

Additive increase, multiplicative decrease, as networks share a line (Chiu and Jain, 1989): several processes
that know nothing of each other come to a fair share of what both stores can bear. The unit is a batch.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final, TypeVar

from manystore.clock import Clock
from manystore.errors import ThrottledError, UnavailableError

T = TypeVar("T")

MOST: Final = 4.0
"""Batches at work at a time: while some are merged by the copy, one is encoded and the next is read.

With two, both were often with the copy at once and this process had nothing to do: a fifth less came over.
"""
LEAST: Final = 1 / 32
STEP: Final = 0.2
"""By how much a batch that went well raises the allowance."""
SUFFERS: Final = 5.0
"""How many times slower than at its best, record for record, a store is taken to suffer."""
FELT: Final = 0.5
"""Seconds that a batch must take for anybody to be bothered by it."""
LONGEST_PAUSE: Final = 5.0
_SHORTEST_WAIT: Final = 0.1
PATIENCE: Final = 300.0
"""Seconds for which a store may stay away before a range is given up."""


class Pace:
    """The allowance of one process, shared by all kinds that it moves.

    From 1 up it says how many batches may be at work at a time; below 1, which share of the time one may.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._at_work, self._freed = 0, asyncio.Event()
        self._best: float | None = None
        self._recent: float | None = None
        self._cut_at = float("-inf")
        self._reason = ""
        self.allowance = MOST

    @property
    def slowed(self) -> str:
        """Why this process goes slowly just now; empty when it does not."""
        return self._reason if self.allowance < MOST else ""

    @contextlib.asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Hold one of the places for the length of a batch, and for the pause after it."""
        while self._at_work >= max(1, int(self.allowance)):
            self._freed.clear()
            await self._freed.wait()
        self._at_work += 1
        began = self._clock.monotonic()
        try:
            yield
            if self.allowance < 1:
                took = self._clock.monotonic() - began
                await self._clock.sleep(min(took * (1 / self.allowance - 1), LONGEST_PAUSE))
        finally:
            self._at_work -= 1
            self._freed.set()

    async def ask(self, call: Callable[[], Awaitable[T]]) -> T:
        """Ask a store, again after as long as it wishes where it cannot answer; every refusal slows down.

        Raises UnavailableError where it stays away for longer than PATIENCE.
        """
        until, wait = self._clock.monotonic() + PATIENCE, _SHORTEST_WAIT
        while True:
            try:
                return await call()
            except UnavailableError as error:
                if self._clock.monotonic() >= until:
                    raise
                if isinstance(error, ThrottledError):
                    # It knows best when it can be asked again; guessing longer waits would be no kindness.
                    self._slow_down(f"{error.subject} throttles")
                    await self._clock.sleep(max(error.retry_after, _SHORTEST_WAIT))
                else:
                    self._slow_down(f"{error.subject} is not available")
                    await self._clock.sleep(max(error.retry_after, wait))
                    wait = min(2 * wait, LONGEST_PAUSE)

    async def merge(self, store: str, records: int, call: Callable[[], Awaitable[T]]) -> T:
        """Ask a store to take a batch, and learn from how long that takes. Raises UnavailableError."""
        asked = self._clock.monotonic()
        outcome = await self.ask(call)
        self._learn(store, records, self._clock.monotonic() - asked)
        return outcome

    def went_well(self) -> None:
        """A batch met no resistance."""
        self.allowance = min(MOST, self.allowance + STEP)

    def _learn(self, store: str, records: int, seconds: float) -> None:
        each = seconds / max(records, 1)
        self._recent = each if self._recent is None else 0.7 * self._recent + 0.3 * each
        # The best is forgotten slowly, so that a store that has become another one is judged as what it is.
        self._best = self._recent if self._best is None else min(1.002 * self._best, self._recent)
        if seconds > FELT and self._recent > SUFFERS * self._best:
            self._slow_down(f"{store} is slow to write")
        else:
            self.went_well()

    def _slow_down(self, reason: str) -> None:
        """Halve the allowance, once for all that are at work when the trouble comes."""
        self._reason, now = reason, self._clock.monotonic()
        if now - self._cut_at >= 1.0:
            self._cut_at = now
            self.allowance = max(LEAST, min(self.allowance, MOST) / 2)
