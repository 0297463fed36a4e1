"""Claim: two worker processes share a move of any size, each within 300 MB, in time that grows linearly.

Former accounts are moved from SQLite documents to PostgreSQL's three tables: copied and verified, by two
processes as `mystira serve worker` runs them.

    python -m benchmarks scale                      10 000, 100 000 and 1 000 000 accounts
    python -m benchmarks scale --sizes 10000000     ten million, which takes half an hour and 40 GB of disk

How time grows is fitted over all sizes from 100 000 up that were measured on this machine, now or earlier:
below, starting and finishing count for more than records do. Beside the exponent by the clock stands that of
the processor time of workers and PostgreSQL, which other work on the machine hardly touches.
"""

import contextlib
import math
import os
import shutil
from pathlib import Path

import asyncpg
import msgspec

from benchmarks.bars import GROWTH, MEMORY
from benchmarks.measuring import Benchmark, Chart, Claim, Effort, Figure, Measured
from benchmarks.results import Machine, known
from benchmarks.stages import moving_accounts, take
from manystore.moves.tasks import Action
from mystira.servers.processes import Process

PEAK = Claim(bar=MEMORY, case="two workers, accounts of three tables", unit="MB")
STEPS = {
    Action.START: Claim(bar=GROWTH, case="copy", unit=""),
    Action.VERIFY: Claim(bar=GROWTH, case="verify", unit=""),
}
SIZES = (10_000, 100_000, 1_000_000)
FEW = (1_000, 2_000)
FITTED_FROM = 100_000
WORKERS = 2
_TICKS = os.sysconf("SC_CLK_TCK")
Points = dict[str, list[tuple[float, float]]]


def _times(pid: int) -> list[float]:
    """Seconds of a process in its own code and the system's, and of its ended children in both."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return [int(field) / _TICKS for field in fields[11:15]]


class Server:
    """PostgreSQL, to be asked how much of the processor it has used."""

    def __init__(self, postmaster: int) -> None:
        self._postmaster = postmaster

    @classmethod
    async def of(cls, url: str) -> "Server":
        """The one behind a URL, which must be of this machine."""
        connection = await asyncpg.connect(url)
        folder = Path(await connection.fetchval("show data_directory"))
        await connection.close()
        return cls(int((folder / "postmaster.pid").read_text().split()[0]))

    def seconds(self) -> float:
        """Processor time of all its processes, those that have ended included."""
        children = Path(f"/proc/{self._postmaster}/task/{self._postmaster}/children").read_text().split()
        used = sum(_times(self._postmaster))
        for child in children:
            with contextlib.suppress(OSError):
                used += sum(_times(int(child))[:2])
        return used


class Move(msgspec.Struct):
    """What a move took: seconds by the clock and of processors, step by step; each worker's most memory."""

    clock: dict[str, float] = msgspec.field(default_factory=dict)
    processor: dict[str, float] = msgspec.field(default_factory=dict)
    peaks: list[float] = msgspec.field(default_factory=list)


def _peak(process: Process) -> float:
    """MB at most, by the kernel's own account."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) * 1024 / 1e6


async def _move(folder: Path, size: int) -> Move:
    """Copy and verify so many accounts."""
    async with moving_accounts(folder, size, workers=WORKERS) as (settings, platform, workers):
        assert settings.postgres_url is not None
        server = await Server.of(settings.postgres_url)

        def used() -> float:
            return server.seconds() + sum(sum(_times(each.pid)[:2]) for each in workers)

        move = Move()
        for action, claim in STEPS.items():
            before = used()
            result = await take(platform, action)
            records = result.get("records", result.get("compared", 0))
            assert records == size, f"{action.value}: {records:,} records of {size:,}"
            assert result.get("differences", 0) == result["queued"] == 0, f"{action.value}: {result}"
            move.clock[claim.case], move.processor[claim.case] = result["seconds"], used() - before
        move.peaks = [_peak(each) for each in workers]
        return move


def exponent(points: list[tuple[float, float]]) -> float:
    """The slope of the least-squares line through the logarithms of points. Raises ValueError below two."""
    if len(points) < 2:
        raise ValueError(f"An exponent needs two sizes at least, and there are {len(points)}")
    logs = [(math.log(x), math.log(y)) for x, y in points]
    x_mean, y_mean = (sum(each) / len(logs) for each in zip(*logs, strict=True))
    spread = sum((x - x_mean) ** 2 for x, _ in logs)
    slope: float = sum((x - x_mean) * (y - y_mean) for x, y in logs) / spread
    return slope


def merged(before: Points, now: Points) -> Points:
    """All points, in the order of their sizes; where a size was measured again, what is known now."""
    return {
        name: sorted((dict(before.get(name, ())) | dict(now.get(name, ()))).items())
        for name in [*before, *(name for name in now if name not in before)]
    }


def _seconds(moves: dict[int, Move]) -> Points:
    steps = [claim.case for claim in STEPS.values()]
    by_clock = {
        f"{step}, by the clock": [(n, move.clock[step]) for n, move in moves.items()] for step in steps
    }
    used = {
        f"{step}, of processors": [(n, move.processor[step]) for n, move in moves.items()] for step in steps
    }
    return {
        name: [(float(n), seconds) for n, seconds in points] for name, points in (by_clock | used).items()
    }


def _charts(moves: dict[int, Move], before: list[Chart]) -> tuple[Chart, Chart]:
    then = {chart.name: chart.lines for chart in before}
    memory = {"the larger worker": [(float(size), max(move.peaks)) for size, move in moves.items()]}
    return (
        Chart(
            name="scale-time",
            title="Time of a copy and of a verification, two workers",
            x="accounts",
            y="seconds",
            lines=merged(then.get("scale-time", {}), _seconds(moves)),
            is_logarithmic=True,
        ),
        Chart(
            name="scale-memory",
            title="Most memory of a worker",
            x="accounts",
            y="MB",
            lines=merged(then.get("scale-memory", {}), memory),
            is_logarithmic=True,
            limit=MEMORY.limit,
        ),
    )


def _figures(time: Chart, memory: Chart) -> list[Figure]:
    figures = [PEAK.figure([max(mb for _, mb in memory.lines["the larger worker"])])]
    for claim in STEPS.values() if len(memory.lines["the larger worker"]) > 1 else ():
        clock, used = (_fitted(time.lines[f"{claim.case}, {of}"]) for of in ("by the clock", "of processors"))
        sizes = ", ".join(
            f"{size:,.0f} in {took:.1f} s" for size, took in time.lines[f"{claim.case}, by the clock"]
        )
        note = f"{sizes}; processor time grows by {exponent(used):.3f}"
        figures.append(claim.figure([exponent(clock)], note=note))
    return figures


def _fitted(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    large = [point for point in points if point[0] >= FITTED_FROM]
    return large if len(large) > 1 else points


async def measure(effort: Effort) -> Measured:
    """Each size in a folder of its own; earlier sizes of the same machine count as well."""
    before = None if effort.is_quick else known("scale")
    charts = before.charts if before is not None and before.machine == Machine.this() else []
    moves = {}
    for size in effort.sizes or effort.of(SIZES, FEW):
        moves[size] = await _move(effort.folder / f"{size}", size)
        print(f"{size:,}: {moves[size]}", flush=True)
        shutil.rmtree(effort.folder / f"{size}")
    time, memory = _charts(moves, charts)
    return Measured(_figures(time, memory), [time, memory])


BENCHMARK = Benchmark(name="scale", claims=(PEAK, *STEPS.values()), measure=measure)
