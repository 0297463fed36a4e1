"""Time as the engine sees it, handed in from outside so that the same code runs under a simulated clock."""

import asyncio
import datetime as dt
import time
from typing import Protocol


class Clock(Protocol):
    """Two clocks and a way to wait. Leases and time-outs use `monotonic` alone; `now` is for people."""

    def now(self) -> dt.datetime:
        """The wall clock, in UTC."""

    def monotonic(self) -> float:
        """Seconds that never go back and mean nothing in another process."""

    async def sleep(self, seconds: float) -> None:
        """Wait."""


class SystemClock:
    """The machine's own clocks."""

    def now(self) -> dt.datetime:
        """The wall clock, in UTC."""
        return dt.datetime.now(dt.UTC)

    def monotonic(self) -> float:
        """The machine's monotonic clock, in seconds."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Wait on the running event loop."""
        await asyncio.sleep(seconds)
