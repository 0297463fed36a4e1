"""Shadow reads: a share of what is read at the truth is asked of the copy as well, off the reader's path.

A copy that is a version behind is late, not wrong; the same version with other content is a mismatch, and
is kept with the fields in which it differs. What a mismatch says is that a person should look: the gate of
a cut-over is the verification, not this sample.
"""

import asyncio
import collections
import random
from collections.abc import Callable, Coroutine
from typing import Any, Final

import msgspec

from manystore.comparison import Difference, compare
from manystore.errors import ManystoreError
from manystore.placement import Placement, State
from manystore.records import Record

Spawn = Callable[[Coroutine[Any, Any, None]], "asyncio.Task[None]"]
_KEPT: Final = 100


class ShadowCounters(msgspec.Struct):
    """What became of the reads that were looked at twice."""

    agreed: int = 0
    behind: int = 0
    mismatched: int = 0
    unanswered: int = 0
    skipped: int = 0


class ShadowReader:
    """Compares a `share` (0 to 1) of one kind's reads, at most `at_once` at the same time."""

    def __init__(
        self,
        placement: Placement,
        *,
        share: float,
        randomness: random.Random,
        at_once: int = 8,
        spawn: Spawn = asyncio.create_task,
    ) -> None:
        self._placement, self._share, self._random = placement, share, randomness
        self._at_once, self._spawn = at_once, spawn
        self._looking: set[asyncio.Task[None]] = set()
        self.counters: Final = ShadowCounters()
        self.mismatches: Final[collections.deque[Difference]] = collections.deque(maxlen=_KEPT)

    def look(self, key: str, seen: Record | None, state: State) -> None:
        """Take note of a read; returns at once."""
        if not state.phase.has_copy or self._random.random() >= self._share:
            return
        if len(self._looking) >= self._at_once:
            self.counters.skipped += 1
            return
        task = self._spawn(self._compare(key, seen, state))
        self._looking.add(task)
        task.add_done_callback(self._looking.discard)

    async def _compare(self, key: str, seen: Record | None, state: State) -> None:
        try:
            there = await self._placement.copy(state).get(self._placement.kind, key)
        except ManystoreError:
            self.counters.unanswered += 1
            return
        difference = compare(seen, there)
        if difference is None:
            self.counters.agreed += 1
        elif difference.sort in ("differing", "extra"):
            self.counters.mismatched += 1
            self.mismatches.append(difference)
        else:
            # Missing or stale: the change is on its way. Ahead: the truth was written after it was read.
            self.counters.behind += 1

    async def settle(self) -> None:
        """Wait for the comparisons under way."""
        await asyncio.gather(*self._looking, return_exceptions=True)
