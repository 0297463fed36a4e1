"""How a claim is measured: in turn with its peer, several times, and told with the ratio's median.

A benchmark is a module with a `BENCHMARK`: its claims, and how they are measured. A claim points to its bar:

    READS = Claim(bar=READ, case="PostgresOnly", unit="s", missed="...")

    async def measure(effort: Effort) -> Measured:
        taken = await in_turn(effort, ours=clocked(ours), peer=clocked(peer))
        return Measured([READS.figure(taken["ours"], taken["peer"])])

    BENCHMARK = Benchmark(name="repository", claims=(READS,), measure=measure)

A machine is busy now with this and now with that, so what is compared takes turns, in changing order, and a
ratio is that of neighbours; the median of the rounds' ratios counts.
"""

import statistics
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec

from benchmarks.bars import Bar, Unit

T = TypeVar("T")
Work = Callable[[], Awaitable[object]]
Round = Callable[[], Awaitable[float]]

ROUNDS: Final = 5


class Effort(msgspec.Struct, frozen=True, kw_only=True):
    """How much is to be done, and where. Quick: small numbers, that show only whether the benchmark works."""

    folder: Path
    is_quick: bool = False
    sizes: tuple[int, ...] = ()
    """Sizes that were asked for, by a benchmark that knows several; none: its own."""
    profiled: Callable[[], AbstractContextManager[None]] = nullcontext
    """Within it a work is profiled, where it is run for that; what prepares the work stays outside."""

    def of(self, full: T, quick: T) -> T:
        """One number or the other."""
        return quick if self.is_quick else full

    @property
    def rounds(self) -> int:
        """How often everything is measured, after a first time that only warms up."""
        return self.of(ROUNDS, 1)


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """What was measured of a claim, round by round; `peer` is empty where a limit is the peer."""

    bar: str
    case: str
    unit: Unit
    ours: list[float]
    peer: list[float] = []
    note: str = ""

    @property
    def our_median(self) -> float:
        """Of our own rounds."""
        return statistics.median(self.ours)

    @property
    def peer_median(self) -> float:
        """Of the peer's rounds, of which there must be some."""
        return statistics.median(self.peer)

    @property
    def value(self) -> float:
        """What is held against the bar: the median of the rounds' ratios, or of our own figures."""
        if not self.peer:
            return self.our_median
        if len(self.ours) == len(self.peer):
            return statistics.median(a / b for a, b in zip(self.ours, self.peer, strict=True))
        return self.our_median / self.peer_median


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """That a bar is reached in one case. `unit` is that of both figures, before any ratio is made."""

    bar: Bar
    case: str = ""
    unit: Unit
    missed: str = ""
    """Why it is missed where it is; shown only then."""

    def figure(self, ours: Sequence[float], peer: Sequence[float] = (), *, note: str = "") -> Figure:
        """What was measured. Raises ValueError where a ratio lacks its peer, or a limit has one."""
        if not ours or bool(peer) != (self.bar.unit == "×"):
            raise ValueError(f"{self.bar.name}, {self.case!r}: {len(ours)} figures and {len(peer)} of a peer")
        return Figure(
            bar=self.bar.name, case=self.case, unit=self.unit, ours=[*ours], peer=[*peer], note=note
        )

    def is_held_by(self, figure: Figure) -> bool:
        """Whether the bar is reached."""
        return self.bar.is_held_by(figure.value)


class Chart(msgspec.Struct, frozen=True, kw_only=True):
    """Lines through points (x, y), to be drawn on the page; both axes logarithmic if asked for."""

    name: str
    title: str
    x: str
    y: str
    lines: dict[str, list[tuple[float, float]]]
    is_logarithmic: bool = False
    limit: float | None = None


class Measured(msgspec.Struct, frozen=True):
    """All that a benchmark found out."""

    figures: list[Figure]
    charts: list[Chart] = []


class Benchmark(msgspec.Struct, frozen=True, kw_only=True):
    """A module's claims, and how they are measured; the folder of the effort is empty, and removed after.

    `profiles` are works whose cost is to be known: each does its part within `effort.profiled()`.
    """

    name: str
    claims: tuple[Claim, ...]
    measure: Callable[[Effort], Awaitable[Measured]]
    profiles: Mapping[str, Callable[[Effort], Coroutine[Any, Any, None]]] = {}


async def in_turn(effort: Effort, **works: Round) -> dict[str, list[float]]:
    """What each gave in each round; the order turns every time, and the first round only warms up."""
    taken: dict[str, list[float]] = {name: [] for name in works}
    for number in range(effort.rounds + 1):
        names = [*works] if number % 2 else [*reversed(works)]
        for name in names:
            value = await works[name]()
            if number:
                taken[name].append(value)
    return taken


def clocked(work: Work, *, of: int = 0) -> Round:
    """A round that gives the seconds it takes, or how many `of` it does a second where that is given."""

    async def take() -> float:
        began = time.perf_counter()
        await work()
        seconds = time.perf_counter() - began
        return of / seconds if of else seconds

    return take


def percentile(values: Sequence[float], share: float) -> float:
    """The value within which this share of all stay. Raises ValueError where there are none."""
    if not values:
        raise ValueError("There is nothing to rank")
    ranked = sorted(values)
    return ranked[min(len(ranked) - 1, int(share * len(ranked)))]
