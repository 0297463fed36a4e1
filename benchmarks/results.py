"""Where measured figures are kept, benchmark by benchmark, with the day and the machine they are from.

They are part of the project, so that measuring one claim anew leaves the others of the page as they are.
"""

import datetime as dt
import os
import platform
import sqlite3
import subprocess
from pathlib import Path
from typing import Final

import msgspec

from benchmarks.measuring import Chart, Figure
from mystira.servers.postgres import find_binary

ROOT: Final = Path(__file__).parents[1]
FOLDER: Final = ROOT / "benchmarks" / "results"
QUICK: Final = ROOT / "build" / "benchmarks" / "quick"


class Machine(msgspec.Struct, frozen=True):
    """On what it was measured."""

    processor: str
    cores: int
    memory_gib: float
    python: str
    postgresql: str
    sqlite: str

    @classmethod
    def this(cls) -> "Machine":
        """The one we run on."""
        names = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line]
        pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        told = subprocess.run(
            [find_binary("postgres"), "--version"], capture_output=True, text=True, check=True
        ).stdout
        return cls(
            processor=names[0].partition(":")[2].strip() if names else platform.machine(),
            cores=len(os.sched_getaffinity(0)),
            memory_gib=round(pages / 2**30, 1),
            python=platform.python_version(),
            postgresql=told.split()[-1],
            sqlite=sqlite3.sqlite_version,
        )


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What a benchmark found out, when and where."""

    benchmark: str
    taken: dt.datetime
    machine: Machine
    figures: list[Figure]
    charts: list[Chart] = []

    def keep(self, folder: Path = FOLDER) -> Path:
        """Write it in place of what was known before."""
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{self.benchmark}.json"
        beside = path.with_suffix(".new")
        beside.write_bytes(msgspec.json.format(msgspec.json.encode(self)) + b"\n")
        beside.replace(path)
        return path


def known(benchmark: str, folder: Path = FOLDER) -> Result | None:
    """What was measured last; None: nothing yet."""
    path = folder / f"{benchmark}.json"
    return msgspec.json.decode(path.read_bytes(), type=Result) if path.exists() else None
