"""A move between real stores under load while something befalls it, and a judgement of what is left after."""

import asyncio
import contextlib
import random
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from manystore.clock import Clock, SystemClock
from manystore.dual_write import CopyWriter, DualWrite
from manystore.errors import StepRefusedError, UnavailableError
from manystore.followers.runner import SyncRunner
from manystore.followers.sync import Track
from manystore.moves.actions import Mover
from manystore.moves.certificate import CertificateFolder
from manystore.moves.tasks import Action, Task, TaskBoard
from manystore.moves.worker import MoveWorker
from manystore.placement import Leases, Phase, Placement, State
from manystore.records import Record
from manystore.repository import Repository
from manystore.stores.store import Store
from manystore.testing.samples import PEOPLE
from tests.faults.moving import everything
from tests.unit.moving import Person, person
from tests.unit.witness import Witness, stop

LIMIT: Final = 120.0
"""Seconds within which all is in order again, however busy the machine is."""
STEPS: Final = (Action.START, Action.VERIFY, Action.CUT_OVER, Action.VERIFY, Action.CUT_BACK, Action.VERIFY)
"""There and back."""

_LOOK: Final = 0.01

T = TypeVar("T")


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What is left after an ordeal: keys, of which `strangers` are nobody's, and counts.

    `unclear` are writes whose outcome the user never heard, `slowest` is the longest wait in seconds,
    `asked` how often steps were asked for.
    """

    acknowledged: int
    unclear: int
    lost: list[str]
    divergent: list[str]
    strangers: list[str]
    queued: int
    rogue: int
    phase: str
    takes_writes: bool
    asked: int
    slowest: float

    @property
    def holds(self) -> bool:
        """Whether nothing is lost, both stores agree, and the kind rests in a phase that admits writes."""
        is_clean = not (self.lost or self.divergent or self.strangers or self.queued or self.rogue)
        return is_clean and self.takes_writes and self.acknowledged > 0


class User(Witness):
    """A witness who also notes how long the slowest answer took, in seconds, be it a refusal."""

    slowest = 0.0

    async def write_once(self) -> None:
        began = time.monotonic()
        try:
            await super().write_once()
        finally:
            self.slowest = max(self.slowest, time.monotonic() - began)


class Ordeal:
    """Two real stores, people in the first, a worker, and users at nodes of their own."""

    def __init__(
        self,
        source: Store,
        target: Store,
        folder: Path,
        *,
        lease: float = 1.0,
        clock: Clock | None = None,
        patience: float = 5.0,
    ) -> None:
        self.source, self.target, self.lease, self.patience = source, target, lease, patience
        self.clock: Clock = clock or SystemClock()
        self.people = Placement(kind=PEOPLE, source=source, target=target)
        self.users: list[User] = []
        self.asked = 0
        self.adopted: set[str] = set()
        self.board = TaskBoard(self.people, self.clock)
        self.random = random.Random(7)
        self.mover = Mover(
            {PEOPLE.name: self.people},
            CertificateFolder(folder),
            clock=self.clock,
            randomness=self.random,
            lease=lease,
        )

    def node(self, name: str, clock: Clock | None = None) -> Leases:
        """Another process's knowledge of the phases."""
        return Leases([self.people], node=name, clock=clock or self.clock, lease=self.lease, poll=0.05)

    def repository(self, leases: Leases, clock: Clock | None = None) -> Repository[Person]:
        """The people as a use case holds them."""
        return Repository(Person, PEOPLE, leases, clock or self.clock, patience=self.patience)

    def copying(self, config: DualWrite) -> tuple[CopyWriter, Repository[Person], Leases]:
        """A node that brings its writes to the copy itself."""
        writer = CopyWriter(self.people, config, clock=self.clock, randomness=self.random)
        leases = self.node("inline")
        return writer, Repository(Person, PEOPLE, leases, self.clock, copying=writer), leases

    async def adopt(self, count: int) -> None:
        """People of a former system."""
        records = [Record(each.id, 0, msgspec.to_builtins(each)) for each in map(person, range(count))]
        await self.source.apply(PEOPLE, records)
        self.adopted = {record.key for record in records}

    @contextlib.asynccontextmanager
    async def working(self, owner: str = "worker", clock: Clock | None = None) -> AsyncIterator[None]:
        """A worker, for the length of the block. Raises what it ends with by itself."""
        clock = clock or self.clock
        leases = self.node(owner, clock)
        runner = SyncRunner([self.people], leases, owner=owner, clock=clock, randomness=self.random)
        worker = MoveWorker([self.people], self.mover, owner=owner, clock=clock)
        tasks = [asyncio.create_task(each) for each in (runner.run(), worker.run(), leases.keep())]
        try:
            yield
        finally:
            await stop(tasks)

    @contextlib.asynccontextmanager
    async def used(self, count: int = 2, *, pause: float = 0.005) -> AsyncIterator[None]:
        """So many users write for the length of the block."""
        first = len(self.users)
        found = [User(self, f"user-{first + each}", first + each + 1) for each in range(count)]  # type: ignore[arg-type]
        self.users += found
        writing = [asyncio.create_task(user.write_on(pause=pause)) for user in found]
        try:
            yield
        finally:
            await stop(writing)

    async def take(self, action: Action, *, limit: float = LIMIT) -> Task:
        """Have a step taken by the worker; asked for again where it was refused or given up meanwhile."""
        async with asyncio.timeout(limit):
            while True:
                task = await self._ended(action)
                has_come = task.state == "done"
                if action is Action.VERIFY:
                    has_come = has_come and (task.result or {}).get("certificate") is not None
                if has_come or await self._has_moved(action):
                    return task
                await asyncio.sleep(0.05)

    async def _has_moved(self, action: Action) -> bool:
        """Whether a truth moved by a step whose end nobody could write down."""
        if action not in (Action.CUT_OVER, Action.CUT_BACK):
            return False
        phase = (await self.steady()).phase
        return phase is (
            Phase.DUAL_WRITE_TARGET_READ if action is Action.CUT_OVER else Phase.DUAL_WRITE_SOURCE_READ
        )

    async def _ended(self, action: Action) -> Task:
        with contextlib.suppress(StepRefusedError):
            self.asked += 1
            name = uuid.uuid4().hex
            await self.again(lambda: self.board.request(action, task_id=name, actor="test"))
        while True:
            task = await self.again(self.board.task)
            assert task is not None
            if not task.is_open:
                return task
            await asyncio.sleep(_LOOK)

    async def again(self, ask: Callable[[], Awaitable[T]]) -> T:
        """Ask a store until it answers."""
        while True:
            try:
                return await ask()
            except UnavailableError:
                await asyncio.sleep(0.05)

    async def steady(self) -> State:
        """The state, once somebody has ended what was under way."""
        leases = self.node("onlooker")
        try:
            return await self.again(lambda: leases.await_steady(PEOPLE.name, self.lease))
        finally:
            await leases.leave()

    async def judge(self) -> Verdict:
        """Look at all that is left; nobody writes any more, and every store can be reached."""
        async with asyncio.timeout(LIMIT):
            state = await self.steady()
            track = Track(self.people, state, clock=self.clock, randomness=self.random)
            if state.phase.has_copy:
                head = await track.truth.head(PEOPLE)
                await self.again(lambda: track.reach(head))
            there, here = await everything(self.source, PEOPLE), await everything(self.target, PEOPLE)
            lost = [key for user in self.users for key in await user.compare()]
            rogue = [len(await each.rogue_writes(PEOPLE)) for each in (self.source, self.target)]
            queued = await track.queue.entries()
        known = {key for user in self.users for key in user.seen.keys() | user.open.keys()} | self.adopted
        divergent = {key for key in there.keys() | here.keys() if there.get(key) != here.get(key)}
        return Verdict(
            acknowledged=sum(user.writes for user in self.users),
            unclear=sum(len(user.open) for user in self.users),
            lost=sorted(lost),
            divergent=sorted(divergent) if state.phase.has_copy else [],
            strangers=sorted((there.keys() | here.keys()) - known),
            queued=len(queued),
            rogue=sum(rogue),
            phase=state.phase.value,
            takes_writes=state.takes_writes,
            asked=self.asked,
            slowest=round(max((user.slowest for user in self.users), default=0.0), 2),
        )


async def there_and_back(ordeal: Ordeal, steps: Sequence[Action] = STEPS, *, limit: float = LIMIT) -> None:
    """The whole move, each step again until it is taken."""
    for action in steps:
        await ordeal.take(action, limit=limit)
