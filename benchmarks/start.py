"""Claim: once installed, PostgreSQL and Redis are up within a fraction of the 5 s that a start may take.

The first start in an empty folder makes the cluster; later ones find it; the last one comes after everything
was killed.
"""

import signal
import time
from pathlib import Path

from benchmarks.bars import START
from benchmarks.measuring import Benchmark, Claim, Effort, Measured
from mystira.servers import DataFolder, EmbeddedServers
from mystira.settings import Settings

FIRST = Claim(bar=START, case="servers, in an empty folder", unit="s")
NEXT = Claim(bar=START, case="servers, again", unit="s")
KILLED = Claim(bar=START, case="servers, after SIGKILL", unit="s")


async def _start(folder: Path, *, kill: bool = False) -> float:
    async with DataFolder(folder) as data:
        servers = EmbeddedServers(Settings(data_folder=folder), data)
        began = time.perf_counter()
        try:
            async for _ in servers.start():
                pass
            return time.perf_counter() - began
        finally:
            if kill:
                for server in servers.started:
                    server.process.send(signal.SIGKILL)
            await servers.stop()


async def measure(effort: Effort) -> Measured:
    """Every kind of start, each round in a folder of its own."""
    first, again, killed = [], [], []
    for number in range(effort.rounds):
        folder = effort.folder / f"{number}"
        first.append(await _start(folder))
        again.append(await _start(folder))
        await _start(folder, kill=True)
        killed.append(await _start(folder))
    return Measured([FIRST.figure(first), NEXT.figure(again), KILLED.figure(killed)])


BENCHMARK = Benchmark(name="start", claims=(FIRST, NEXT, KILLED), measure=measure)
