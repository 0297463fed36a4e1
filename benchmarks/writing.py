"""A process that writes and reads accounts at a set rate, as an API's process does, while others watch.

The load is open: each write has a moment at which somebody wants it, and its latency counts from then. All
processes of a machine read one clock, so what they noted can be laid side by side.

    async with writers(settings, folder, Orders(keys=..., writes=250, reads=50), processes=2) as written: ...
    for report in await written(): ...
"""

import asyncio
import contextlib
import signal
import sys
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from random import Random
from typing import Final

import msgspec
import uvloop

from manystore.errors import UnavailableError
from manystore.repository import Repository, Stored
from mystira.domain.accounts.model import Account
from mystira.platform import open_platform
from mystira.serve.signals import told_to_stop
from mystira.servers.logs import Log
from mystira.servers.processes import Process, Program, start
from mystira.settings import Settings, load_settings

READY_SECONDS: Final = 30.0
_STOPPING: Final = ((signal.SIGTERM, 30.0),)


class Orders(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be done, by all processes together: so many writes and reads a second of these accounts."""

    keys: list[str]
    writes: float
    reads: float = 0.0
    seed: int = 1

    def share(self, number: int, of: int) -> "Orders":
        """What one process does; no two write to the same account."""
        return Orders(
            keys=self.keys[number::of],
            writes=self.writes / of,
            reads=self.reads / of,
            seed=self.seed + number,
        )


class Report(msgspec.Struct):
    """When each write and read was due, and when it was confirmed; monotonic seconds."""

    writes: list[tuple[float, float]] = msgspec.field(default_factory=list)
    reads: list[tuple[float, float]] = msgspec.field(default_factory=list)


class Writer:
    """Carries out a share of orders."""

    def __init__(self, accounts: Repository[Account], orders: Orders) -> None:
        self._accounts, self._orders, self._random = accounts, orders, Random(orders.seed)
        self._resting: deque[Stored[Account]] = deque()
        self.report = Report()

    async def look_up(self) -> None:
        """Read every account once, so that a write need not."""
        for key in self._orders.keys:
            stored = await self._accounts.get(key)
            assert stored is not None, f"account {key} is not there"
            self._resting.append(stored)

    async def run(self, told: asyncio.Event) -> None:
        """Write and read until told to stop; what is under way ends. Whatever fails, fails the process."""
        async with asyncio.TaskGroup() as group:
            loads = [(self._orders.writes, self._write), (self._orders.reads, self._read)]
            running = [group.create_task(self._repeat(rate, work, group)) for rate, work in loads if rate]
            await told.wait()
            for task in running:
                task.cancel()

    async def _repeat(
        self, rate: float, work: Callable[[float], Awaitable[None]], group: asyncio.TaskGroup
    ) -> None:
        due = time.monotonic()
        while True:
            due += self._random.expovariate(rate)
            if (wait := due - time.monotonic()) > 0:
                await asyncio.sleep(wait)
            group.create_task(_awaited(work(due)))

    async def _write(self, due: float) -> None:
        if not self._resting:
            raise RuntimeError(f"All {len(self._orders.keys):,} accounts wait to be written: it is too much")
        stored = self._resting.popleft()
        name = f"Name {self._random.getrandbits(40)}"
        value = msgspec.structs.replace(stored.value, display_name=name)
        changed = await self._change(stored, value)
        self.report.writes.append((due, time.monotonic()))
        self._resting.append(changed)

    async def _change(self, stored: Stored[Account], value: Account) -> Stored[Account]:
        while True:
            try:
                return await self._accounts.change(stored, value)
            except UnavailableError as error:
                # As a client would, who is told to come back; its wait goes on to count.
                await asyncio.sleep(error.retry_after)

    async def _read(self, due: float) -> None:
        assert await self._accounts.get(self._random.choice(self._orders.keys)) is not None
        self.report.reads.append((due, time.monotonic()))


async def _awaited(work: Awaitable[None]) -> None:
    await work


@contextlib.asynccontextmanager
async def writers(
    settings: Settings, folder: Path, orders: Orders, *, processes: int
) -> AsyncIterator[Callable[[], Awaitable[list[Report]]]]:
    """Processes at work as long as the block runs; what it is given stops them, and returns their reports."""
    running = []
    try:
        for number in range(processes):
            place = folder / f"writer-{number}"
            place.mkdir(parents=True)
            (place / "orders.json").write_bytes(msgspec.json.encode(orders.share(number, processes)))
            command = (sys.executable, "-m", "benchmarks.writing", str(place))
            program = Program(name=place.name, command=command, environment=settings.as_environment())
            running.append(await start(program, Log(place / "log")))
        async with asyncio.timeout(READY_SECONDS):
            for number, process in enumerate(running):
                await _ready(folder / f"writer-{number}" / "ready", process)

        async def written() -> list[Report]:
            codes = [await process.stop(*_STOPPING) for process in running]
            assert not any(codes), f"writers ended with {codes}: {running[0].log.last_words()}"
            paths = [folder / f"writer-{number}" / "report.json" for number in range(processes)]
            return [msgspec.json.decode(path.read_bytes(), type=Report) for path in paths]

        yield written
    finally:
        for process in running:
            await process.stop(*_STOPPING)


async def _ready(sign: Path, process: Process) -> None:
    while not sign.exists():  # noqa: ASYNC240 - one look at a local file
        if process.returncode is not None:
            raise RuntimeError(f"{process.program.name} ended: {process.log.last_words()}")
        await asyncio.sleep(0.02)


async def _work(place: Path) -> None:
    orders = msgspec.json.decode((place / "orders.json").read_bytes(), type=Orders)
    with told_to_stop() as told:
        async with open_platform(load_settings(), role="writer") as platform:
            # As a process of the API does, before the truth may move to where it has no connection yet.
            await platform.keep_ready()
            writer = Writer(platform.accounts, orders)
            await writer.look_up()
            (place / "ready").touch()
            await writer.run(told)
    (place / "report.json").write_bytes(msgspec.json.encode(writer.report))


if __name__ == "__main__":
    uvloop.run(_work(Path(sys.argv[1])))
