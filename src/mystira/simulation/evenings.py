"""One process's share of the households: as `traffic`, with families that play."""

import asyncio
import contextlib
import time
from random import Random
from typing import Final

from manystore.clock import SystemClock
from mystira.simulation.asking import Ask, Asker
from mystira.simulation.households import Household
from mystira.simulation.latency import Latencies
from mystira.simulation.ledger import Ledger
from mystira.simulation.requests import Asks, Experience
from mystira.simulation.traffic import MOST_AT_ONCE, Orders, Tally, is_set_within

_NEW: Final = 0.2
"""Share of arrivals that are new households as long as there are fewer than wanted."""
_SETTLE_SECONDS: Final = 40.0
"""For how long answers that are due are waited for at the end: longer than anybody's patience."""
_A_SECOND: Final = 1.0
"""Households for each request a second: each takes a breath of a second or so between its steps."""


class Evenings:
    """The households of one process, and the load that they make."""

    def __init__(self, orders: Orders, service: Asks, ledger: Ledger) -> None:
        self.tally = Tally()
        self._orders, self._random = orders, Random(f"{orders.seed}/{orders.number}")  # noqa: S311
        self._asker = Asker(service, ledger, SystemClock())
        self._made = 0
        self._wanted = max(4, round(orders.rate * _A_SECOND))
        self._idle: list[Household] = []
        self._busy: set[asyncio.Task[None]] = set()

    async def run(self, stop: asyncio.Event) -> None:
        """Make the load for as long as was ordered, or until told to stop; then let what is under way end."""
        due = began = time.monotonic()
        end = began + self._orders.seconds if self._orders.seconds else float("inf")
        while not stop.is_set():
            due += self._random.expovariate(self._orders.rate)
            if due >= end:
                break
            if (wait := due - time.monotonic()) > 0 and await is_set_within(stop, wait):
                break
            self._arrive(due)
        self.tally.seconds = time.monotonic() - began
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_SETTLE_SECONDS):
                while self._busy:
                    await asyncio.wait(self._busy)
        for task in self._busy:
            task.cancel()

    def _arrive(self, due: float) -> None:
        if len(self._busy) >= MOST_AT_ONCE:
            self.tally.turned_away += 1
            return
        task = asyncio.create_task(self._serve(self._choose(), due))
        self._busy.add(task)
        task.add_done_callback(self._busy.discard)

    def _choose(self) -> Household:
        is_missing = self._wanted > len(self._idle) + len(self._busy)
        if not self._idle or (is_missing and self._random.random() < _NEW):
            self._made += 1
            return Household(self._made, f"{self._orders.run}.{self._orders.number}", self._random)
        # Whoever has waited longest.
        return self._idle.pop(0)

    async def _serve(self, household: Household, due: float) -> None:
        ask = household.next_ask()
        self._count(ask, await self._asker.carry_out(ask, due), time.monotonic() - due)
        if not household.has_left:
            self._idle.append(household)

    def _count(self, ask: Ask, experience: Experience, seconds: float) -> None:
        tally = self.tally
        tally.latencies.setdefault(ask.operation, Latencies()).add(seconds)
        (tally.writes if ask.is_write else tally.reads).add(seconds)
        tally.requests += 1
        tally.repeated += experience.attempts - 1
        tally.faults += experience.faults
        tally.waited += experience.waited
        if experience.problem:
            tally.problems[experience.problem] = tally.problems.get(experience.problem, 0) + 1
