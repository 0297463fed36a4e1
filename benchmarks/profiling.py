"""Where the processor's time goes in a piece of work: own time by function, by the processor's clock.

Time in C counts for the Python function that called it, since that is the place where something can be done
about it. Python's profiler sees the thread it was started in; what others used is told as one sum.
"""

import contextlib
import cProfile
import datetime as dt
import pstats
import re
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec

from benchmarks.results import FOLDER, ROOT, Machine

PROFILES: Final = FOLDER / "profiles"
_MOST: Final = 12
_PACKAGES: Final = re.compile(r".*/site-packages/|.*/lib/python3\.\d+/")
_Function = tuple[str, int, str]


class Cost(msgspec.Struct, frozen=True):
    """A function's own time as a share of all that was used, and how often it was called."""

    where: str
    share: float
    calls: int


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """A work's dearest functions, and the shares of the rooms they are in."""

    name: str
    what: str
    taken: dt.datetime
    machine: Machine
    seconds: float
    costs: list[Cost]
    rooms: dict[str, float]

    def keep(self, folder: Path = PROFILES) -> None:
        """Write it in place of what was known before."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{self.name}.json").write_bytes(msgspec.json.format(msgspec.json.encode(self)) + b"\n")


def known_profiles(folder: Path = PROFILES) -> list[Profile]:
    """What was profiled, by name."""
    return [msgspec.json.decode(path.read_bytes(), type=Profile) for path in sorted(folder.glob("*.json"))]


class Profiler:
    """Profiles what happens in blocks, on the thread of whoever runs them."""

    def __init__(self) -> None:
        self._profile = cProfile.Profile(time.thread_time)
        self._others = 0.0

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        """For the length of the block."""
        used, mine = time.process_time(), time.thread_time()
        self._profile.enable()
        try:
            yield
        finally:
            self._profile.disable()
            self._others += time.process_time() - used - (time.thread_time() - mine)

    def profile(self, name: str, what: str) -> Profile:
        """What it was that took time. Raises TypeError where nothing was watched."""
        stats = pstats.Stats(self._profile).stats  # type: ignore[attr-defined]
        return summed(name, what, stats, max(0.0, self._others))


def summed(name: str, what: str, stats: dict[_Function, Any], others: float) -> Profile:
    """A profile from what the profiler counted, and the seconds that other threads used."""
    own: defaultdict[_Function, float] = defaultdict(float)
    calls: defaultdict[_Function, int] = defaultdict(int)
    for function, counted in stats.items():
        for owner, times, seconds in _owners(function, counted):
            own[owner] += seconds
            calls[owner] += times
    used = sum(own.values()) + others
    rooms: defaultdict[str, float] = defaultdict(float)
    for function, seconds in own.items():
        rooms[_room(function)] += seconds / used
    if others:
        rooms["other threads"] = others / used
    dearest = sorted(own, key=lambda each: -own[each])[:_MOST]
    return Profile(
        name=name,
        what=what,
        taken=dt.datetime.now(dt.UTC).replace(microsecond=0),
        machine=Machine.this(),
        seconds=used,
        costs=[Cost(_where(each), own[each] / used, calls[each]) for each in dearest],
        rooms=dict(sorted(rooms.items(), key=lambda item: -item[1])[:8]),
    )


def _owners(function: _Function, counted: Any) -> Iterator[tuple[_Function, int, float]]:
    """Whose time it is: a function's own, and that of C its callers'."""
    _, times, seconds, _, callers = counted
    if function[0] != "~" or not callers:
        yield function, times, seconds
        return
    for caller, (_, _, by_caller, _) in callers.items():
        yield caller, 0, by_caller


def _where(function: _Function) -> str:
    file, line, name = function
    return f"{_PACKAGES.sub('', _short(file))}:{line} {name}" if line else name.strip("<>")


def _short(file: str) -> str:
    return file.removeprefix(f"{ROOT}/")


def _room(function: _Function) -> str:
    file = _short(function[0])
    if found := re.search(r"(manystore|mystira)/(\w+)", file):
        return ".".join(found.groups())
    if "site-packages/" in file:
        return file.rpartition("site-packages/")[2].split("/")[0]
    return "Python's library and loop"
