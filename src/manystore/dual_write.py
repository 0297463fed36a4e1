"""Bringing a write to the copy at once, on the writer's own time, where freshness is worth the wait.

The truth comes first, always; its change log has the change, and the sync follower brings the copy up to
date whatever becomes of the attempt made here. So a crash between the two writes loses nothing, and all
that this module decides is how fresh the copy is and what the writer is told:

    deferred                  the follower does it; the writer waits for the truth alone
    inline                    one bounded attempt here, behind a circuit breaker
    inline with compensation  where that attempt fails, the truth takes the write back, and the writer is told
"""

import asyncio
import random
from typing import Final, Literal

import msgspec

from manystore.clock import Clock
from manystore.errors import ManystoreError, UnavailableError
from manystore.placement import Placement, State
from manystore.records import Record
from manystore.stores.store import Applied, Diverged, Ignored, Outcome, Refused

Secondary = Literal["inline", "deferred"]


class CopyFailedError(UnavailableError):
    """{subject} could not be brought to its copy ({reason}), and the write was taken back; try again
    in {retry_after:.1f} s.
    """


class DualWrite(msgspec.Struct, frozen=True, kw_only=True):
    """How writes of a kind reach the copy. Times in seconds; `retries` are beyond the first attempt."""

    secondary: Secondary = "deferred"
    compensation: bool = False
    timeout: float = 5.0
    retries: int = 3
    first_delay: float = 0.05
    breaker_failures: int = 5
    breaker_seconds: float = 30.0


class Breaker:
    """Stops asking a store that keeps failing, and lets a single probe find out when it is back.

    After `failures` in a row it is open for `seconds`; then one caller may try, and the others are turned
    away until that one has come back (M. Nygard, Release It!).
    """

    def __init__(self, *, failures: int, seconds: float, clock: Clock) -> None:
        self._limit, self._seconds, self._clock = failures, seconds, clock
        self._failed = 0
        self._opened_at: float | None = None
        self._probing = False

    @property
    def is_open(self) -> bool:
        """Whether the store is thought to be failing."""
        return self._opened_at is not None

    def allows(self) -> bool:
        """Whether the caller may try. Each True must be followed by `succeeded` or `failed`."""
        if self._opened_at is None:
            return True
        if self._probing or self._clock.monotonic() - self._opened_at < self._seconds:
            return False
        self._probing = True
        return True

    def succeeded(self) -> None:
        """The store answered, be it with a refusal."""
        self._failed, self._opened_at, self._probing = 0, None, False

    def failed(self) -> None:
        """The store could not be asked in time."""
        self._failed += 1
        if self._probing or self._failed >= self._limit:
            self._opened_at, self._probing = self._clock.monotonic(), False


class SecondaryCounters(msgspec.Struct):
    """What became of inline attempts."""

    applied: int = 0
    refused: int = 0
    failed: int = 0
    turned_away: int = 0
    compensated: int = 0


class CopyWriter:
    """Brings single records of one kind to its copy, as `DualWrite` says."""

    def __init__(
        self, placement: Placement, config: DualWrite, *, clock: Clock, randomness: random.Random
    ) -> None:
        self._placement, self._clock, self._random = placement, clock, randomness
        self.config: Final = config
        self.counters: Final = SecondaryCounters()
        self.breaker: Final = Breaker(
            failures=config.breaker_failures, seconds=config.breaker_seconds, clock=clock
        )

    async def bring(self, record: Record, state: State) -> str | None:
        """Try to bring a record over; None where the copy holds it now, else why it does not (yet).

        Never raises for a copy that fails: the follower will bring the change.
        """
        if not self.breaker.allows():
            self.counters.turned_away += 1
            return "the copy has been failing, and is left in peace for a while"
        try:
            async with asyncio.timeout(self.config.timeout):
                outcome = await self._attempt(record, state)
        except (ManystoreError, TimeoutError) as error:
            self.breaker.failed()
            self.counters.failed += 1
            return str(error) or f"it did not answer within {self.config.timeout:.0f} s"
        except BaseException:
            # Cancelled in the middle: nothing is known of the store, and a probe must not stay out for ever.
            self.breaker.failed()
            raise
        self.breaker.succeeded()
        return self._judge(outcome)

    async def _attempt(self, record: Record, state: State) -> Outcome:
        copy = self._placement.copy(state)
        for attempt in range(self.config.retries):
            try:
                return (await copy.apply(self._placement.kind, [record]))[0]
            except UnavailableError as error:
                delay = self.config.first_delay * 2**attempt * self._random.uniform(0.5, 1.5)
                await self._clock.sleep(max(delay, min(error.retry_after, self.config.timeout / 4)))
        return (await copy.apply(self._placement.kind, [record]))[0]

    def _judge(self, outcome: Outcome) -> str | None:
        match outcome:
            case Applied() | Ignored():
                self.counters.applied += 1
                return None
            case Refused(error):
                self.counters.refused += 1
                return str(error)
            case Diverged(version):
                self.counters.refused += 1
                return f"it holds version {version} with other content"
