"""Claim: two worker processes share a move of any size, each within 300 MB, in time that grows linearly.

Former accounts are moved from SQLite documents to PostgreSQL's three tables: copied and verified, by two
processes as `mystira serve worker` runs them. For each size, the seconds and records a second of both steps;
for each worker, the memory it had when a tenth, a half and all was done, and the most it ever had.

    python benchmarks/move_scale.py 10000 100000 1000000

How time grows is fitted over the sizes from 100 000 up, where starting and finishing do not count: for the
time on the clock, and for the processor time of workers and PostgreSQL, which other work on the machine
hardly touches. Exit code 1 if a worker needs more memory than the limit, or the latter grows too fast.
"""

import asyncio
import contextlib
import math
import os
import shutil
import signal
import sys
import tempfile
import time
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from random import Random

import asyncpg
import msgspec

from manystore.moves.tasks import Action, Task
from manystore.stores.sqlite import SqliteStore
from mystira.domain.accounts.kind import ACCOUNTS
from mystira.platform import Platform, open_platform
from mystira.schema.upgrades import upgrade
from mystira.servers import embedded_servers
from mystira.servers.logs import Log
from mystira.servers.processes import Process, Program, start
from mystira.settings import Settings
from mystira.simulation.people import make_former_accounts

SIZES = (10_000, 100_000)
LIMIT_MB = 300
_TICKS = os.sysconf("SC_CLK_TCK")
MOST_EXPONENT = 1.05
WORKERS = 2
_PAGE = os.sysconf("SC_PAGE_SIZE")


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


class Measured(msgspec.Struct):
    """What a move took: seconds by the clock, seconds of processors, and the most memory of each worker."""

    clock: float
    processor: float
    peaks: list[float]


class Memory:
    """What a process had in memory, as it went."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self.at: dict[str, float] = {}

    def now(self) -> float:
        """MB at this moment."""
        resident = Path(f"/proc/{self.process.pid}/statm").read_text().split()[1]
        return int(resident) * _PAGE / 1e6

    def peak(self) -> float:
        """MB at most, by the kernel's own account."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.split("VmHWM:")[1].split()[0]) * 1024 / 1e6


@contextlib.asynccontextmanager
async def _workers(settings: Settings, folder: Path) -> AsyncIterator[list[Memory]]:
    running = []
    try:
        for number in range(WORKERS):
            program = Program(
                name=f"worker-{number}",
                command=(sys.executable, "-m", "mystira", "serve", "worker"),
                environment=settings.as_environment(),
            )
            running.append(await start(program, Log(folder / f"{program.name}.log")))
        yield [Memory(process) for process in running]
    finally:
        for process in running:
            await process.stop((signal.SIGTERM, 5.0))


async def _take(platform: Platform, action: Action, memories: list[Memory]) -> Task:
    board = platform.board("accounts")
    await board.request(action, task_id=uuid.uuid4().hex, actor="benchmark")
    marks = {0.1: "10 %", 0.5: "50 %", 1.0: "100 %"}
    while True:
        task = await board.task()
        assert task is not None
        progress = task.progress
        for part in [*marks]:
            if progress is not None and progress.done >= part * max(progress.total, 1):
                name = f"{action.value} {marks.pop(part)}"
                for memory in memories:
                    memory.at[name] = memory.now()
        if not task.is_open:
            assert task.state == "done", task.reasons
            return task
        await asyncio.sleep(0.05)


async def _measure(folder: Path, size: int) -> Measured:
    """Copy and verify so many accounts."""
    settings = Settings(data_folder=folder / "data")
    async with embedded_servers(settings) as running:
        assert running.postgres_url is not None
        await upgrade(running.postgres_url)
        running.documents_path.parent.mkdir(parents=True, exist_ok=True)
        documents = SqliteStore(running.documents_path)
        await documents.open()
        await documents.adopt(ACCOUNTS, make_former_accounts(Random(1), size))
        await documents.close()
        async with (
            _workers(running, folder) as memories,
            open_platform(running, role="benchmark") as platform,
        ):
            await asyncio.sleep(3.0)
            server = await Server.of(running.postgres_url)

            def used() -> float:
                return server.seconds() + sum(sum(_times(each.process.pid)[:2]) for each in memories)

            began, used_before = time.perf_counter(), used()
            for action in (Action.START, Action.VERIFY):
                result = (await _take(platform, action, memories)).result or {}
                seconds, records = result["seconds"], result.get("records", result.get("compared", 0))
                assert records == size
                assert result.get("differences", 0) == result["queued"] == 0
                print(f"{size:>10,} {action.value:7} {seconds:8.1f} s  {records / seconds:10,.0f} records/s")
            took, processor = time.perf_counter() - began, used() - used_before
            print(f"{'':>10} both    {took:8.1f} s, {processor:8.1f} s of processors")
            for memory in memories:
                course = ", ".join(f"{name} {mb:.0f}" for name, mb in memory.at.items())
                print(f"{'':>10} {memory.process.program.name}: {course}; most {memory.peak():.0f} MB")
            return Measured(took, processor, [memory.peak() for memory in memories])


def _exponent(times: dict[int, float]) -> float | None:
    """The slope of the least-squares line through the logarithms of sizes and times."""
    points = [(math.log(size), math.log(seconds)) for size, seconds in times.items() if size >= 100_000]
    if len(points) < 2:
        return None
    x_mean = sum(x for x, _ in points) / len(points)
    y_mean = sum(y for _, y in points) / len(points)
    spread = sum((x - x_mean) ** 2 for x, _ in points)
    return sum((x - x_mean) * (y - y_mean) for x, y in points) / spread


def main() -> int:
    """Measure each size in a folder of its own, and print."""
    sizes = [int(each) for each in sys.argv[1:]] or list(SIZES)
    measured = dict[int, Measured]()
    for size in sizes:
        folder = Path(tempfile.mkdtemp(prefix="mystira-bench-"))
        try:
            measured[size] = asyncio.run(_measure(folder, size))
        finally:
            shutil.rmtree(folder)
    most = max(peak for each in measured.values() for peak in each.peaks)
    print(f"most memory of a worker: {most:.0f} MB, {most / LIMIT_MB:.2f} of the limit of {LIMIT_MB} MB")
    clock = _exponent({size: each.clock for size, each in measured.items()})
    processor = _exponent({size: each.processor for size, each in measured.items()})
    if clock is not None and processor is not None:
        print(
            f"time grows with size to the power of {clock:.3f}, time of processors {processor:.3f}", end=" "
        )
        print(f"(limit {MOST_EXPONENT})")
    return int(most > LIMIT_MB or (processor or 0.0) > MOST_EXPONENT)


if __name__ == "__main__":
    sys.exit(main())
