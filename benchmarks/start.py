"""Claim: once installed, the platform is up within 5 s, and its servers within a fraction of that.

The first start in an empty folder makes the cluster; later ones find it; the servers' last one comes after
they were killed. The platform is `mystira up`, until it says that it takes requests.
"""

import signal
import time
from pathlib import Path

from benchmarks.bars import START
from benchmarks.measuring import Benchmark, Claim, Effort, Measured
from mystira.demonstration.stage import stage
from mystira.servers import DataFolder, EmbeddedServers
from mystira.settings import Settings

FIRST = Claim(bar=START, case="servers, in an empty folder", unit="s")
NEXT = Claim(bar=START, case="servers, again", unit="s")
KILLED = Claim(bar=START, case="servers, after SIGKILL", unit="s")
ALL_FIRST = Claim(bar=START, case="the whole platform, in an empty folder", unit="s")
ALL_NEXT = Claim(bar=START, case="the whole platform, again", unit="s")


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


async def _start_all(folder: Path) -> float:
    began = time.perf_counter()
    async with stage(folder) as staged:
        await staged.up()
        return time.perf_counter() - began


async def measure(effort: Effort) -> Measured:
    """Every kind of start, each round in a folder of its own."""
    first, again, killed, all_first, all_again = [], [], [], [], []
    for number in range(effort.rounds):
        folder = effort.folder / f"{number}"
        first.append(await _start(folder))
        again.append(await _start(folder))
        await _start(folder, kill=True)
        killed.append(await _start(folder))
        place = effort.folder / f"platform-{number}"
        all_first.append(await _start_all(place))
        all_again.append(await _start_all(place))
    taken = {FIRST: first, NEXT: again, KILLED: killed, ALL_FIRST: all_first, ALL_NEXT: all_again}
    return Measured([claim.figure(seconds) for claim, seconds in taken.items()])


BENCHMARK = Benchmark(name="start", claims=(FIRST, NEXT, KILLED, ALL_FIRST, ALL_NEXT), measure=measure)
