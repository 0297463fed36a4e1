"""Moves as durable workflows on a real PostgreSQL, in this process: what is told, refused, and given up."""

import asyncio
import contextlib
import functools
import random
import threading
import time
import uuid
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
import pytest
import pytest_asyncio

from manystore.clock import SystemClock
from manystore.errors import ThrottledError
from manystore.followers.runner import SyncRunner
from manystore.moves.actions import Mover
from manystore.moves.certificate import CertificateFolder
from manystore.moves.durable import DurableWorkflows
from manystore.moves.ranges import Outline
from manystore.moves.tasks import Action, Task, TaskBoard
from manystore.moves.worker import MoveWorker
from manystore.placement import Leases, Phase, Placement, read_state
from manystore.records import Kind, Record
from manystore.stores.postgres import PostgresStore
from manystore.stores.sqlite import SqliteStore
from manystore.stores.store import KeyRange
from manystore.testing.samples import PEOPLE, WORDS, person, word
from tests.contract.postgres_tables import MAPPINGS, clear
from tests.faults.moving import Workers, everything

pytestmark = pytest.mark.slow
LEASE = 1.0


class Documents(SqliteStore):
    """A document store that a test can make difficult; `before_page` is awaited before each page."""

    async def before_page(self) -> None:
        """Nothing, unless a test says otherwise."""

    async def scan(self, kind: Kind, key_range: KeyRange, limit: int) -> list[Record]:
        """See Store.scan."""
        await self.before_page()
        return await super().scan(kind, key_range, limit)


class Scene:
    """Two kinds in documents, tables that wait for them, and a worker that can be started and stopped."""

    def __init__(self, source: Documents, target: PostgresStore, url: str, folder: Path) -> None:
        self.source, self.target, self.url = source, target, url
        self.clock, self.random = SystemClock(), random.Random(1)
        self.folder = CertificateFolder(folder)
        self._since = int(time.time() * 1000)
        self.placements = [Placement(kind=kind, source=source, target=target) for kind in (PEOPLE, WORDS)]

    def board(self, kind: Kind) -> TaskBoard:
        """What is asked of a kind."""
        return TaskBoard(next(each for each in self.placements if each.kind is kind), self.clock)

    async def ask(self, action: Action, kind: Kind) -> str:
        """Ask for an action; the task's id."""
        task = await self.board(kind).request(action, task_id=uuid.uuid4().hex, actor="test")
        return task.id

    async def until(self, kind: Kind, is_so: Callable[[Task], bool]) -> Task:
        """The present task as soon as something is true of it."""
        async with asyncio.timeout(60):
            while (task := await self.board(kind).task()) is None or not is_so(task):
                await asyncio.sleep(0.01)
            return task

    async def take(self, action: Action, kind: Kind) -> Task:
        """The ended task of an action."""
        await self.ask(action, kind)
        return await self.until(kind, lambda task: not task.is_open)

    @contextlib.asynccontextmanager
    async def working(self, rest_after: float = 30.0) -> AsyncIterator[None]:
        """A worker, for the length of the block."""
        name = f"worker-{uuid.uuid4().hex}"
        leases = Leases(self.placements, node=name, clock=self.clock, lease=LEASE)
        runner = SyncRunner(self.placements, leases, owner=name, clock=self.clock, randomness=self.random)
        mover = Mover(
            {each.kind.name: each for each in self.placements},
            self.folder,
            clock=self.clock,
            randomness=self.random,
            lease=LEASE,
        )
        workflows = DurableWorkflows(
            self.url, self.target, worker=name, clock=self.clock, rest_after=rest_after
        )
        worker = MoveWorker(self.placements, mover, owner=name, clock=self.clock, workflows=workflows)
        tasks = [asyncio.create_task(each) for each in (runner.run(), worker.run(), leases.keep())]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            for result in await asyncio.gather(*tasks, return_exceptions=True):
                assert isinstance(result, asyncio.CancelledError), result

    async def workflows(self, name: str) -> list[Any]:
        """What the engine has in its tables of workflows of a name that were begun in this scene."""
        rows = "select * from dbos.workflow_status where name = $1 and created_at >= $2 order by created_at"
        connection = await asyncpg.connect(self.url)
        try:
            return list(await connection.fetch(rows, name, self._since))
        finally:
            await connection.close()


@pytest_asyncio.fixture
async def scene(tmp_path: Path, sample_database: str) -> AsyncIterator[Scene]:
    await clear(sample_database)
    source, target = Documents(tmp_path / "documents.sqlite"), PostgresStore(sample_database, MAPPINGS)
    async with contextlib.AsyncExitStack() as stack:
        for store in (source, target):
            stack.push_async_callback(store.close)
            await store.open()
        yield Scene(source, target, sample_database, tmp_path / "certificates")


async def seed(scene: Scene, *, people: int = 0, words: int = 0) -> None:
    """What a former system left."""
    await scene.source.adopt(PEOPLE, (person(number) for number in range(people)))
    await scene.source.adopt(WORDS, (word(f"word-{number:06}") for number in range(words)))


async def test_a_move_there_and_back_is_a_workflow_a_step(scene: Scene) -> None:
    """Every action ends on the board as it does without an engine; for the engine all were successes."""
    await seed(scene, people=5000)
    async with scene.working():
        planned = await scene.take(Action.PLAN, PEOPLE)
        assert planned.result is not None
        assert (planned.state, planned.result["isClear"]) == ("done", True)
        started = await scene.take(Action.START, PEOPLE)
        assert started.result is not None
        assert (started.result["records"], started.result["refused"], started.result["queued"]) == (
            5000,
            0,
            0,
        )
        assert started.progress is not None
        assert (started.progress.stage, started.progress.done) == ("copy", 5000)
        refused = await scene.take(Action.CUT_OVER, PEOPLE)
        assert (refused.state, refused.reasons) == ("refused", ("There is no certificate: verify first.",))
        verified = await scene.take(Action.VERIFY, PEOPLE)
        assert verified.result is not None
        assert (verified.result["compared"], verified.result["differences"]) == (5000, 0)
        assert (await scene.take(Action.RECHECK, PEOPLE)).state == "done"
        assert (await scene.take(Action.CUT_OVER, PEOPLE)).state == "done"
        assert (await read_state(scene.placements[0])).phase is Phase.DUAL_WRITE_TARGET_READ
        assert (await scene.take(Action.VERIFY, PEOPLE)).state == "done"
        assert (await scene.take(Action.CUT_BACK, PEOPLE)).state == "done"
        async with asyncio.timeout(120):
            # The task is over when its board says so, a moment before the engine has noted it.
            while {row["status"] for row in await scene.workflows("moves.task")} != {"SUCCESS"}:
                await asyncio.sleep(0.05)
    assert (await read_state(scene.placements[0])).phase is Phase.DUAL_WRITE_SOURCE_READ
    assert await everything(scene.source, PEOPLE) == await everything(scene.target, PEOPLE)
    tasks, ranges = await scene.workflows("moves.task"), await scene.workflows("moves.range")
    assert {row["status"] for row in ranges} == {"SUCCESS"}
    # Each of the four actions on all records was done in as many ranges as that many records are cut into.
    assert (len(tasks), len(ranges)) == (8, 4 * 4)
    assert {row["parent_workflow_id"] for row in ranges} < {row["workflow_uuid"] for row in tasks}


async def recorded(scene: Scene, table: str) -> set[str]:
    """Of which workflows a table of the engine has rows."""
    connection = await asyncpg.connect(scene.url)
    try:
        rows = await connection.fetch(f"select workflow_uuid from dbos.{table}")
        return {row[0] for row in rows}
    finally:
        await connection.close()


async def age(scene: Scene, tasks: list[str], days: float) -> None:
    """Let workflows have ended so long ago."""
    connection = await asyncpg.connect(scene.url)
    try:
        await connection.execute(
            "update dbos.workflow_status set completed_at = completed_at - $2 "
            "where workflow_uuid = any($1) or parent_workflow_id = any($1)",
            tasks,
            int(days * 86_400_000),
        )
    finally:
        await connection.close()


async def test_what_is_recorded_of_old_tasks_is_removed_and_of_young_ones_is_kept(scene: Scene) -> None:
    """A week after its end a task goes with its ranges and whatever was recorded of them, a few at a time."""
    await seed(scene, people=5000)
    async with scene.working():
        tasks = [f"people/{(await scene.take(Action.START, PEOPLE)).id}"]
        tasks += [f"people/{(await scene.take(Action.VERIFY, PEOPLE)).id}" for _ in range(7)]
    before = await recorded(scene, "workflow_status")
    assert len(before & set(tasks)) == 8
    await age(scene, tasks[:6], 7.01)
    await age(scene, tasks[6:], 6.9)
    old = {each["workflow_uuid"] for each in await scene.workflows("moves.range")}
    old = {each for each in old if any(each.startswith(f"{task}/") for task in tasks[:6])} | {*tasks[:6]}
    assert len(old) == 6 * (1 + 4)
    async with scene.working(), asyncio.timeout(120):
        while old & await recorded(scene, "workflow_status"):
            await asyncio.sleep(0.1)
    assert await recorded(scene, "workflow_status") == before - old
    for table in ("operation_outputs", "workflow_input", "workflow_output"):
        assert not old & await recorded(scene, table), table
    last = await scene.board(PEOPLE).last(Action.START)
    assert last is not None
    assert f"people/{last.id}" == tasks[0]


async def cut(scene: Scene, kind: Kind, count: int) -> None:
    """Cut a kind into more ranges than so few records would be cut into."""
    ranges = tuple(await scene.source.ranges(kind, count))
    outline = Outline(ranges=ranges, total=await scene.source.count(kind))
    name = f"moves/{kind.name}/copies/1/outline"
    assert await scene.target.write_note(name, msgspec.json.encode(outline), expected=0)


async def test_kinds_share_the_hands_of_a_worker(scene: Scene) -> None:
    """A kind that comes later does not wait until all ranges of the one before are done."""
    await seed(scene, people=24, words=24)
    for kind in (PEOPLE, WORDS):
        await cut(scene, kind, 12)
    scene.source.before_page = functools.partial(asyncio.sleep, 0.6)  # type: ignore[method-assign]
    async with scene.working():
        await scene.ask(Action.START, PEOPLE)
        await scene.until(PEOPLE, lambda task: task.progress is not None)
        await scene.ask(Action.START, WORDS)
        for kind in (PEOPLE, WORDS):
            task = await scene.until(kind, lambda task: not task.is_open)
            assert task.state == "done", task.reasons
            assert task.result is not None
            assert task.result["records"] == 24
    spans = []
    for kind in (PEOPLE, WORDS):
        last = await scene.board(kind).last(Action.START)
        assert last is not None
        ranges = [row for row in await scene.workflows("moves.range") if last.id in row["workflow_uuid"]]
        assert len(ranges) == 12
        spans.append(ranges)
    people, words = spans
    assert min(row["started_at_epoch_ms"] for row in words) < max(row["completed_at"] for row in people)


async def test_a_source_that_throttles_slows_the_move_down_and_it_says_so(scene: Scene) -> None:
    """The wait that the store asked for is kept, the stage names the reason, and nothing is lost."""
    await seed(scene, words=8000)
    refusals = 0

    async def throttle() -> None:
        nonlocal refusals
        if refusals < 6:
            refusals += 1
            raise ThrottledError(subject="documents", reason="429", retry_after=0.3)

    scene.source.before_page = throttle  # type: ignore[method-assign]
    async with scene.working():
        await scene.ask(Action.START, WORDS)
        told = await scene.until(
            WORDS, lambda task: task.progress is not None and "slowed" in task.progress.stage
        )
        assert told.progress is not None
        assert told.progress.stage == "copy, slowed down: documents throttles"
        task = await scene.until(WORDS, lambda task: not task.is_open)
    assert task.result is not None
    assert (task.result["records"], refusals) == (8000, 6)


async def test_a_worker_that_was_stopped_goes_on_when_it_is_started_again(scene: Scene) -> None:
    """Stopped in the middle of its ranges, the same process takes part again, and ends what it began."""
    await seed(scene, words=8000)
    scene.source.before_page = functools.partial(asyncio.sleep, 0.4)  # type: ignore[method-assign]
    async with scene.working():
        await scene.ask(Action.START, WORDS)
        told = await scene.until(WORDS, lambda task: task.progress is not None and task.progress.done >= 2000)
    assert told.is_open
    async with scene.working():
        task = await scene.until(WORDS, lambda task: not task.is_open)
    assert (task.state, task.attempts) == ("done", 2)
    assert await everything(scene.source, WORDS) == await everything(scene.target, WORDS)


async def test_a_worker_without_work_rests_until_there_is_some(scene: Scene) -> None:
    """Resting it has no thread and no beat; asked for something, it is there, as often as one likes."""
    await seed(scene, words=10)
    async with scene.working(rest_after=0.5):
        for action in (Action.START, Action.VERIFY):
            async with asyncio.timeout(120):
                while await scene.target.notes("workers/"):
                    await asyncio.sleep(0.05)
            assert [thread.name for thread in threading.enumerate() if "queue-worker" in thread.name] == []
            assert (await scene.take(action, WORDS)).state == "done"


async def test_a_mistake_in_the_code_fails_the_task_with_its_own_words(scene: Scene) -> None:
    """Neither repeated for ever nor hidden; and the next task is not hindered by it."""
    await seed(scene, words=10)

    async def fail() -> None:
        raise ValueError("a planted mistake")

    scene.source.before_page = fail  # type: ignore[method-assign]
    async with scene.working():
        task = await scene.take(Action.START, WORDS)
        assert task.state == "failed"
        assert task.reasons == ("Range 0 broke: ValueError('a planted mistake')",)
        task = await scene.take(Action.PLAN, WORDS)
        assert task.state == "failed"
        assert task.reasons == ("It broke: ValueError('a planted mistake')",)
        del scene.source.before_page
        assert (await scene.take(Action.START, WORDS)).state == "done"


async def test_a_workflow_that_was_ended_by_hand_ends_its_task(scene: Scene) -> None:
    """Nobody waits for ever for what the engine was told to forget."""
    await seed(scene, words=10)
    scene.source.before_page = functools.partial(asyncio.sleep, 30)  # type: ignore[method-assign]
    async with scene.working():
        task_id = await scene.ask(Action.START, WORDS)
        await scene.until(WORDS, lambda task: task.state == "running")
        connection = await asyncpg.connect(scene.url)
        await connection.execute(
            "update dbos.workflow_status set status = 'CANCELLED', owner_xid = null where workflow_uuid = $1",
            f"words/{task_id}",
        )
        await connection.close()
        task = await scene.until(WORDS, lambda task: not task.is_open)
    assert task.state == "failed"
    assert task.reasons == ("Its workflow ended as CANCELLED: look at the workers' logs, then ask again.",)


async def test_a_worker_connects_to_nothing_but_its_database(scene: Scene, tmp_path: Path) -> None:
    """Every socket of a worker process that has moved something leads to PostgreSQL."""
    await seed(scene, words=2000)
    workers = Workers(tmp_path, scene.url)
    try:
        name = await workers.start()
        assert (await scene.take(Action.START, WORDS)).state == "done"
        peers = _peers(workers.pid(name))
        port = int(scene.url.rpartition(":")[2].partition("/")[0])
        assert peers == {("127.0.0.1", port)}
        assert await workers.stop(name) == 0
    finally:
        await workers.end()


def _peers(pid: int) -> set[tuple[str, int]]:
    """To whom a process has sockets open, or tries to."""
    descriptors = [path.readlink() for path in Path(f"/proc/{pid}/fd").iterdir()]
    inodes = {str(link)[8:-1] for link in descriptors if str(link).startswith("socket:[")}
    peers = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            columns = line.split()
            if columns[9] in inodes:
                address, _, port = columns[2].partition(":")
                octets = reversed([address[at : at + 2] for at in range(0, 8, 2)])
                peers.add((".".join(str(int(octet, 16)) for octet in octets), int(port, 16)))
    return peers
