"""Processes that can die and freeze, as the machines do on which the real ones run.

A process is some tasks with a clock and handles of stores. When it dies nothing is cancelled: its tasks stay
where they are, since each call of a store and each wait never returns. So no `finally` has an effect, as for
a process that was killed. What starts after it under the same name remembers nothing.
"""

import asyncio
import datetime as dt
from collections.abc import Awaitable, Coroutine
from typing import Any, Final, Protocol

from manystore.testing.simulation.loop import CountedTask, VirtualLoop
from manystore.testing.simulation.trace import Trace

_EPOCH: Final = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


class Surroundings(Protocol):
    """What a process knows of the run that it is part of."""

    is_over: bool

    @property
    def loop(self) -> VirtualLoop:
        """In which its tasks run."""

    @property
    def trace(self) -> Trace:
        """Where its fate is noted."""


class Process:
    """One life of a process. `drift` is how much faster its monotonic clock runs than time does."""

    def __init__(self, simulation: Surroundings, name: str, life: int, *, drift: float = 0.0) -> None:
        self.name: Final = name
        self.label: Final = name if life == 1 else f"{name}.{life}"
        self.clock: Final = ProcessClock(self, drift)
        self.is_dead = False
        self.is_up = not simulation.is_over
        """Whether it neither sleeps nor is dead, in a run that is not over."""
        self.died: Final = simulation.loop.create_future()
        self._simulation, self._loop = simulation, simulation.loop
        self._asleep_until = 0.0

    def __str__(self) -> str:
        return self.label

    def begin(self, coroutine: Coroutine[Any, Any, Any], name: str) -> CountedTask:
        """Start a task of this process."""
        return self._loop.begin(coroutine, owner=self, name=name)

    async def outlived(self, task: asyncio.Future[Any], within: float | None = None) -> bool:
        """Wait for a task of this process, for who stands outside of it; whether it ended with an answer.

        It did not if the process died, if it was cancelled, or if it is not done `within` so many seconds.
        """
        waiting = self._loop.create_future()

        def wake(_done: object = None) -> None:
            if not waiting.done():
                waiting.set_result(None)

        bell = None if within is None else self._loop.call_later(within, wake)
        task.add_done_callback(wake)
        self.died.add_done_callback(wake)
        try:
            await waiting
        finally:
            task.remove_done_callback(wake)
            self.died.remove_done_callback(wake)
            if bell is not None:
                bell.cancel()
        return task.done() and not task.cancelled() and not self.is_dead

    def die(self) -> None:
        """From now on nothing that it does comes to anything."""
        if not self.is_dead:
            self.is_dead, self.is_up = True, False
            self._simulation.trace.note("dies", who=self.label)
            self.died.set_result(None)

    def freeze(self, seconds: float) -> None:
        """Stand still for a while, and go on as if nothing had been."""
        self._simulation.trace.note(f"freezes for {seconds:.3f} s", who=self.label)
        self.is_up = False
        self._asleep_until = max(self._asleep_until, self._loop.time() + seconds)

    async def wait(self, seconds: float) -> None:
        """Let time pass for this process, and return if it still lives."""
        if not self.is_up and self._simulation.is_over:
            raise asyncio.CancelledError
        await wait(self._loop, seconds)
        if not self.is_up:
            await self.stand()

    async def stand(self) -> bool:
        """Return once the process is awake, and never if it is dead; whether it had been asleep."""
        was_asleep = self._asleep_until > self._loop.time()
        while self._asleep_until > self._loop.time():
            await wait(self._loop, self._asleep_until - self._loop.time())
        if self._simulation.is_over:
            raise asyncio.CancelledError
        while self.is_dead:
            # Time-outs of the dead cancel them here; what they would do then comes to nothing either.
            await self._loop.create_future()
        self.is_up = True
        return was_asleep


def wait(loop: asyncio.AbstractEventLoop, seconds: float) -> Awaitable[None]:
    """Let time pass: virtual time, unless a test of a store runs in the loop of the real world."""
    return loop.alarm(seconds) if isinstance(loop, VirtualLoop) else asyncio.sleep(seconds)


class ProcessClock:
    """The clocks of one process; its monotonic clock begins anywhere, and may run a little fast or slow."""

    def __init__(self, process: Process, drift: float) -> None:
        self._process, self._rate = process, 1.0 + drift
        self._origin = 1000.0 * len(process.label)

    def now(self) -> dt.datetime:
        """The wall clock, which begins with the year 2026."""
        return _EPOCH + dt.timedelta(seconds=self._process._loop.time())

    def monotonic(self) -> float:
        """Seconds that mean nothing in another process."""
        return self._origin + self._process._loop.time() * self._rate

    async def sleep(self, seconds: float) -> None:
        """Wait by this clock."""
        await self._process.wait(max(seconds, 0.0) / self._rate)
