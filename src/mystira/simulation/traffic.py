"""One process's share of the traffic: requests at a set rate, whatever becomes of them.

The load is open: each request has a moment at which somebody wants it, and its latency counts from then,
whether or not the platform was able to take it. A platform that stands still for a second is thereby seen to
have kept a second's worth of people waiting, instead of one (what is called coordinated omission).
"""

import asyncio
import contextlib
import time
from pathlib import Path
from random import Random
from typing import Final, Literal

import msgspec

from manystore.clock import SystemClock
from mystira.simulation.families import Family
from mystira.simulation.latency import Latencies
from mystira.simulation.ledger import Ledger
from mystira.simulation.requests import Asks, Requester

MOST_AT_ONCE: Final = 500
"""Requests under way beyond which further ones are turned away here, and counted: memory has an end."""
_NEW_FAMILIES: Final = 0.15
"""Share of arrivals that are sign-ups as long as there are fewer families than wanted."""
_SETTLE_SECONDS: Final = 20.0


Load = Literal["play", "records"]
"""What is done: families that play, by tokens of their own, or accounts and profiles that change at speed."""


class Orders(msgspec.Struct, frozen=True, kw_only=True):
    """What one process is to do. `seconds` 0: until told to stop; `families` is how many new ones there come
    to be, `former` the accounts to act for beside them; `run` keeps e-mail addresses apart from those of
    every other run.
    """

    number: int
    url: str
    rate: float
    seconds: float
    seed: int
    run: str
    ledger: Path
    families: int = 400
    former: tuple[str, ...] = ()
    load: Load = "records"


class Tally(msgspec.Struct):
    """What one process has seen so far."""

    latencies: dict[str, Latencies] = msgspec.field(default_factory=dict)
    problems: dict[str, int] = msgspec.field(default_factory=dict)
    writes: Latencies = msgspec.field(default_factory=Latencies)
    reads: Latencies = msgspec.field(default_factory=Latencies)
    requests: int = 0
    repeated: int = 0
    faults: int = 0
    turned_away: int = 0
    waited: float = 0.0
    seconds: float = 0.0

    def merge(self, other: "Tally") -> None:
        """Count all that another process has counted."""
        for operation, latencies in other.latencies.items():
            self.latencies.setdefault(operation, Latencies()).merge(latencies)
        for problem, count in other.problems.items():
            self.problems[problem] = self.problems.get(problem, 0) + count
        self.writes.merge(other.writes)
        self.reads.merge(other.reads)
        self.requests += other.requests
        self.repeated += other.repeated
        self.faults += other.faults
        self.turned_away += other.turned_away
        self.waited += other.waited
        self.seconds = max(self.seconds, other.seconds)


class Traffic:
    """The families of one process, and the load that they make."""

    def __init__(self, orders: Orders, service: Asks, ledger: Ledger) -> None:
        self.tally = Tally()
        self._orders, self._random = orders, Random(f"{orders.seed}/{orders.number}")  # noqa: S311
        self._requester = Requester(service, ledger, SystemClock())
        self._made = 0
        self._idle: list[Family] = []
        self._busy: set[asyncio.Task[None]] = set()
        for key in orders.former:
            self._idle.append(self._make_family(former=key))

    async def run(self, stop: asyncio.Event) -> None:
        """Make the load for as long as was ordered, or until told to stop; then let what is under way end."""
        began = time.monotonic()
        end = began + self._orders.seconds if self._orders.seconds else float("inf")
        due = began
        while not stop.is_set():
            due += self._random.expovariate(self._orders.rate)
            if due >= end:
                break
            if (wait := due - time.monotonic()) > 0 and await is_set_within(stop, wait):
                break
            self._arrive(due)
        self.tally.seconds = time.monotonic() - began
        await self._finish()

    def _arrive(self, due: float) -> None:
        if len(self._busy) >= MOST_AT_ONCE:
            self.tally.turned_away += 1
            return
        task = asyncio.create_task(self._serve(self._choose(), due))
        self._busy.add(task)
        task.add_done_callback(self._busy.discard)

    def _choose(self) -> Family:
        """A family that is not waiting for an answer; a new one where all are, or more are wanted."""
        wanted = self._orders.families + len(self._orders.former)
        missing = wanted > len(self._idle) + len(self._busy)
        if not self._idle or (missing and self._random.random() < _NEW_FAMILIES):
            return self._make_family()
        place = self._random.randrange(len(self._idle))
        self._idle[place], self._idle[-1] = self._idle[-1], self._idle[place]
        return self._idle.pop()

    def _make_family(self, *, former: str | None = None) -> Family:
        self._made += 1
        run = f"{self._orders.run}.{self._orders.number}"
        return Family(self._made, run, self._random, former=former)

    async def _serve(self, family: Family, due: float) -> None:
        intent = family.next_intent()
        experience = await self._requester.carry_out(family, intent, due)
        seconds = time.monotonic() - due
        self.tally.latencies.setdefault(intent.operation, Latencies()).add(seconds)
        (self.tally.writes if intent.is_write else self.tally.reads).add(seconds)
        self.tally.requests += 1
        self.tally.repeated += experience.attempts - 1
        self.tally.waited += experience.waited
        if experience.problem:
            problems = self.tally.problems
            problems[experience.problem] = problems.get(experience.problem, 0) + 1
        if not family.has_left:
            self._idle.append(family)

    async def _finish(self) -> None:
        """Wait for the answers that are due, and look once at every record that is in doubt."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_SETTLE_SECONDS):
                while self._busy:
                    await asyncio.wait(self._busy)
                for family in self._idle:
                    if family.unfinished is not None:
                        await self._requester.carry_out(family, family.next_intent(), time.monotonic())
        for task in self._busy:
            task.cancel()


async def is_set_within(stop: asyncio.Event, seconds: float) -> bool:
    """Wait so long; whether it was set meanwhile."""
    try:
        async with asyncio.timeout(seconds):
            return await stop.wait()
    except TimeoutError:
        return False
