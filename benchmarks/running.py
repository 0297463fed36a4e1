"""Runs a benchmark in a folder of its own, and keeps what it found out."""

import datetime as dt
import importlib
import sys
import tempfile
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any, Final

import uvloop

from benchmarks.measuring import Benchmark, Effort, Measured
from benchmarks.results import QUICK, ROOT, Machine, Result, known
from mystira.servers.logs import Log
from mystira.servers.processes import Program, start

NAMES: Final = (
    "repository",
    "copying",
    "verifying",
    "sync_lag",
    "write_pause",
    "app_api",
    "scale",
    "choose",
    "start",
)
"""The modules that have a `BENCHMARK`, in the order of the page."""
Work = Callable[[Effort], Coroutine[Any, Any, None]]
_LOGS: Final = ROOT / "build" / "benchmarks"


class MeasuringError(Exception):
    """{name} could not be measured: {said}; all that it said is in {log}."""

    def __init__(self, *, name: str, said: str, log: Path) -> None:
        self.name, self.said, self.log = name, said, log
        super().__init__(str(type(self).__doc__).format(name=name, said=said, log=log))


def find(name: str) -> Benchmark:
    """The benchmark of a module. Raises KeyError where there is none of that name."""
    if name not in NAMES:
        raise KeyError(name)
    benchmark: Benchmark = importlib.import_module(f"benchmarks.{name}").BENCHMARK
    return benchmark


def works() -> dict[str, Work]:
    """What can be profiled, by name."""
    return {name: work for each in NAMES for name, work in find(each).profiles.items()}


def measure(benchmark: Benchmark, *, is_quick: bool = False, sizes: Sequence[int] = ()) -> Result:
    """Measure now, in this process, and keep the result; a quick one apart, since its figures say nothing."""

    async def measured() -> Measured:
        return await benchmark.measure(effort)

    with tempfile.TemporaryDirectory(prefix="mystira-bench-", ignore_cleanup_errors=True) as folder:
        effort = Effort(folder=Path(folder), is_quick=is_quick, sizes=tuple(sizes))
        found = uvloop.run(measured())
    result = Result(
        benchmark=benchmark.name,
        taken=_now(),
        machine=Machine.this(),
        figures=found.figures,
        charts=found.charts,
    )
    if is_quick:
        result.keep(QUICK)
    else:
        result.keep()
    return result


async def measure_apart(name: str, words: Sequence[str]) -> Result:
    """Measure in a process of its own, so that no benchmark finds another's memory; it ends with this one.

    Raises MeasuringError where it ends without a result.
    """
    _LOGS.mkdir(parents=True, exist_ok=True)
    log = Log(_LOGS / f"{name}.log")
    began = _now()
    process = await start(Program(name=name, command=(sys.executable, "-m", "benchmarks", name, *words)), log)
    try:
        await process.ended()
    finally:
        await process.stop()
    result = known(name, QUICK) if "--quick" in words else known(name)
    if result is None or result.taken < began:
        raise MeasuringError(name=name, said=log.last_words(), log=log.path)
    return result


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC).replace(microsecond=0)
