"""Moves whose processes disagree about the time of day, and about how fast it passes."""

import asyncio
import datetime as dt
import random
from pathlib import Path

from manystore.clock import SystemClock
from manystore.stores.postgres import PostgresStore
from manystore.stores.sqlite import SqliteStore
from tests.contract.postgres_tables import MAPPINGS
from tests.faults.network import database
from tests.faults.ordeal import Ordeal, Verdict, there_and_back

HOUR = 3600.0


class JumpingClock(SystemClock):
    """The machine's clocks, but the time of day is `ahead` by seconds, which pass `rate` times as fast."""

    def __init__(self, rate: float = 1.0) -> None:
        self.ahead, self._rate, self._since = 0.0, rate, super().monotonic()

    def now(self) -> dt.datetime:
        """See Clock.now."""
        return super().now() + dt.timedelta(seconds=self.ahead)

    def monotonic(self) -> float:
        """See Clock.monotonic."""
        return self._since + (super().monotonic() - self._since) * self._rate


async def jumping(folder: Path, url: str, *, records: int, every: float, seed: int = 1) -> Verdict:
    """Nodes' and workers' times of day jump by an hour, there and back, apart from each other.

    Their seconds differ by eight in a hundred, which is within what leases allow for.
    """
    users, worker = JumpingClock(0.96), JumpingClock(1.04)
    async with database(url) as tables:
        source = SqliteStore(folder / "documents.sqlite")
        target = PostgresStore(tables, MAPPINGS)
        for store in (source, target):
            await store.open()
        ordeal = Ordeal(source, target, folder / "certificates", clock=users)
        await ordeal.adopt(records)
        leaping = asyncio.create_task(_leap([users, worker], random.Random(seed), every))
        try:
            async with ordeal.working(clock=worker):
                async with ordeal.used():
                    await there_and_back(ordeal)
                return await ordeal.judge()
        finally:
            leaping.cancel()
            for store in (target, source):
                await store.close()


async def _leap(clocks: list[JumpingClock], chance: random.Random, every: float) -> None:
    while True:
        chance.choice(clocks).ahead = chance.choice([-HOUR, 0.0, HOUR])
        await asyncio.sleep(every)
