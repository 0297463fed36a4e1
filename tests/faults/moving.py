"""What tests of killed workers share: two stores, worker processes over them, and somebody who watches."""

import asyncio
import contextlib
import itertools
import signal
import sys
import uuid
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Final

import asyncpg

from manystore.clock import SystemClock
from manystore.moves.tasks import Action, Task, TaskBoard
from manystore.placement import Placement
from manystore.records import Kind
from manystore.stores.postgres import PostgresStore
from manystore.stores.sqlite import SqliteStore
from manystore.stores.store import KeyRange, Store
from manystore.testing.samples import WORDS
from tests.contract.postgres_tables import MAPPINGS, prepare
from tests.faults.moving_child import placements

ROOT: Final = Path(__file__).parents[2]
STOP_SECONDS: Final = 30.0
"""Within which a worker that was told to stop has ended, however busy the machine is."""
_TASK_SECONDS: Final = 300.0


class Workers:
    """Worker processes, by names that are never used twice."""

    def __init__(self, folder: Path, url: str) -> None:
        self._arguments = [str(folder / "documents.sqlite"), url, str(folder / "certificates")]
        self._numbers = itertools.count()
        self._running: dict[str, Process] = {}

    async def start(self) -> str:
        """One more worker; its name, once it takes work."""
        # By name it comes after those before it, so the first one minds the others for as long as it lives.
        name = f"worker-{next(self._numbers):03}"
        process = await asyncio.create_subprocess_exec(
            *("setpriv", "--pdeathsig=KILL", sys.executable, "-m", "tests.faults.moving_child"),
            *(*self._arguments, name),
            cwd=ROOT,
            stdin=PIPE,
            stdout=PIPE,
        )
        self._running[name] = process
        assert process.stdout is not None
        assert (await process.stdout.readline()).strip() == b"ready"
        return name

    async def start_two(self) -> list[str]:
        """Two workers, started at the same moment."""
        return [*await asyncio.gather(self.start(), self.start())]

    def signal(self, name: str, number: signal.Signals) -> None:
        """Send a signal that it survives."""
        self._running[name].send_signal(number)

    async def kill(self, name: str) -> None:
        """End it without asking."""
        process = self._running.pop(name)
        process.kill()
        await process.communicate()

    async def stop(self, name: str) -> int | None:
        """Tell it to stop; its exit code, None where it took too long."""
        process = self._running[name]
        process.terminate()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), STOP_SECONDS)
            del self._running[name]
        return process.returncode

    def pid(self, name: str) -> int:
        """Its process."""
        return self._running[name].pid

    async def end(self) -> None:
        """Kill all that are left."""
        for name in [*self._running]:
            self.signal(name, signal.SIGCONT)
            await self.kill(name)


class Watched:
    """A task, and all that was seen of it until it ended."""

    def __init__(self) -> None:
        self.done: list[int] = []
        self.stages: set[str] = set()

    def note(self, task: Task) -> None:
        if task.progress is not None:
            self.stages.add(task.progress.stage)
            if not self.done or self.done[-1] != task.progress.done:
                self.done.append(task.progress.done)

    @property
    def never_went_back(self) -> bool:
        """Whether each piece of progress was at least the one before."""
        return self.done == sorted(self.done)


class Stage:
    """Documents in SQLite, tables in PostgreSQL, and workers that move the one to the other."""

    def __init__(self, folder: Path, url: str, source: SqliteStore, target: PostgresStore) -> None:
        self.source, self.target, self.url, self.folder = source, target, url, folder
        self.workers = Workers(folder, url)
        self._placements = {each.kind.name: each for each in placements(source, target)}

    def placement(self, kind: Kind) -> Placement:
        return self._placements[kind.name]

    def board(self, kind: Kind = WORDS) -> TaskBoard:
        return TaskBoard(self.placement(kind), SystemClock())

    async def seed(self, count: int) -> None:
        """Words as a former system left them."""
        words = ({"id": f"word-{number:08}", "meaning": f"meaning {number}"} for number in range(count))
        assert await self.source.adopt(WORDS, words) == count

    async def ask(self, action: Action, kind: Kind = WORDS, *, reason: str | None = None) -> None:
        """Ask for an action, as the Admin API would."""
        await self.board(kind).request(action, task_id=uuid.uuid4().hex, actor="test", reason=reason)

    async def ended(self, watched: Watched, until: Callable[[Task], bool], kind: Kind = WORDS) -> Task:
        """Watch the present task until something is true of it, or it has ended."""
        async with asyncio.timeout(_TASK_SECONDS):
            while True:
                task = await self.board(kind).task()
                assert task is not None
                watched.note(task)
                if not task.is_open or until(task):
                    return task
                await asyncio.sleep(0.01)

    async def take(self, action: Action, kind: Kind = WORDS) -> Task:
        """Take a step that must succeed."""
        await self.ask(action, kind)
        task = await self.ended(Watched(), lambda _: False, kind)
        assert task.state == "done", task.reasons
        return task


def reached(done: int) -> Callable[[Task], bool]:
    """Whether so many records are done, by what the task says."""
    return lambda task: task.progress is not None and task.progress.done >= done


def over(task: Task) -> bool:
    """Nothing but the end of the task ends the watching."""
    return False


async def differing(stage: Stage, kind: Kind = WORDS) -> list[str]:
    """The keys under which the two stores do not hold the same, found by reading all of both."""
    there, here = await everything(stage.source, kind), await everything(stage.target, kind)
    return sorted(key for key in there.keys() | here.keys() if there.get(key) != here.get(key))


async def everything(store: Store, kind: Kind) -> dict[str, tuple[int, object]]:
    """All that a store holds: version and content by key."""
    found: dict[str, tuple[int, object]] = {}
    after: str | None = None
    while page := await store.scan(kind, KeyRange(after), 1000):
        found.update((record.key, (record.version, record.content)) for record in page)
        after = page[-1].key
    return found


@contextlib.asynccontextmanager
async def stage(folder: Path, server_url: str) -> AsyncIterator[Stage]:
    """A stage over a database of its own."""
    name = f"moving_{uuid.uuid4().hex}"
    await _as_owner(server_url, f'create database "{name}"')
    url = server_url.rpartition("/")[0] + f"/{name}"
    await prepare(url)
    source, target = SqliteStore(folder / "documents.sqlite"), PostgresStore(url, MAPPINGS)
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(_as_owner, server_url, f'drop database "{name}" with (force)')
        for store in (source, target):
            stack.push_async_callback(store.close)
            await store.open()
        made = Stage(folder, url, source, target)
        stack.push_async_callback(made.workers.end)
        yield made


async def _as_owner(server_url: str, statement: str) -> None:
    owner = await asyncpg.connect(server_url)
    try:
        await owner.execute(statement)
    finally:
        await owner.close()
