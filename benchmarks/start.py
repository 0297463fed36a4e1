"""Claim: once installed, PostgreSQL and Redis are up within a fraction of the 5 s that a start may take.

Prints the first start in an empty folder (the cluster is made), the median of later ones, and the restart
after everything was killed, each as a ratio to the limit. Exit code 1 if the limit is missed.
"""

import asyncio
import shutil
import signal
import statistics
import sys
import tempfile
import time
from pathlib import Path

from mystira.servers import DataFolder, EmbeddedServers
from mystira.settings import Settings

LIMIT_SECONDS = 5.0


async def _start(folder: Path, *, kill: bool = False) -> float:
    settings = Settings(data_folder=folder)
    async with DataFolder(folder) as data:
        servers = EmbeddedServers(settings, data)
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


async def _measure(folder: Path) -> dict[str, float]:
    return {
        "first start": await _start(folder),
        "next start (median of 5)": statistics.median([await _start(folder) for _ in range(5)]),
        "last start before SIGKILL": await _start(folder, kill=True),
        "start after SIGKILL": await _start(folder),
    }


def main() -> int:
    """Measure in a folder of its own, and print."""
    folder = Path(tempfile.mkdtemp(prefix="mystira-bench-"))
    try:
        measured = asyncio.run(_measure(folder))
    finally:
        shutil.rmtree(folder)
    for what, seconds in measured.items():
        print(
            f"{what:28} {seconds:7.3f} s   {seconds / LIMIT_SECONDS:5.2f} of the limit of {LIMIT_SECONDS:g} s"
        )
    return int(max(measured.values()) > LIMIT_SECONDS)


if __name__ == "__main__":
    sys.exit(main())
