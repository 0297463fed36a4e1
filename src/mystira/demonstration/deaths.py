"""Processes that are killed in the midst of a step: one in every step of every kind, in turn."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Final, Literal

import msgspec

from manystore.clock import SystemClock
from manystore.moves.tasks import Task, TaskBoard
from mystira.demonstration.stage import Stage
from mystira.platform import document_store, place, relational_store

_HEAL_EVERY: Final = 0.05
_LOOK_EVERY: Final = 0.004
"""Seconds between two looks at a board: some steps are over in less than a tenth of a second."""
_FEW: Final = 5000
"""Records of a step that may be over before it tells of its middle: there, its beginning will do."""


Victims = Literal["workers", "anybody"]
"""Who is killed: the worker that is at the step, or one of that worker, the API and PostgreSQL, by chance."""

WORKER: Final = "worker"
_ANYBODY: Final = (WORKER, "api", "postgres")


class Death(msgspec.Struct, frozen=True):
    """A process killed with SIGKILL at a step of a kind, when so many records were done."""

    kind: str
    step: str
    victim: str
    pid: int
    done: int


def at_work(task: Task) -> bool:
    """Whether a worker has taken the task up."""
    return task.state == "running"


def amid_records(task: Task) -> bool:
    """Whether some of many records are done, and others are not."""
    progress = task.progress
    return task.state == "running" and progress is not None and (progress.done > 0 or progress.total <= _FEW)


class Deaths:
    """Kills processes by what the boards say of who is at a task, and remembers it."""

    def __init__(
        self,
        platform: Stage,
        boards: Mapping[str, TaskBoard],
        victims: Victims,
        randomness: random.Random,
    ) -> None:
        self.all: Final[list[Death]] = []
        self._platform, self._boards = platform, boards
        self._victims, self._random = victims, randomness

    @contextlib.asynccontextmanager
    async def during(
        self, kind: str, step: str, when: Callable[[Task], bool] = at_work
    ) -> AsyncIterator[None]:
        """Kill somebody over the kind's next task, once, as soon as `when` holds of that."""
        former = await self._boards[kind].task()
        striking = asyncio.create_task(self._strike(kind, step, when, former), name=f"death at {step}")
        try:
            yield
        finally:
            striking.cancel()
            await asyncio.wait([striking])

    async def _strike(self, kind: str, step: str, when: Callable[[Task], bool], former: Task | None) -> None:
        while True:
            task = await self._boards[kind].task()
            is_new = task is not None and (former is None or task.id != former.id)
            if task is not None and task.worker is not None and is_new and when(task):
                victim = self._random.choice(_ANYBODY) if self._victims == "anybody" else WORKER
                pid = self._kill(victim, task.worker)
                # Two kinds at once may have lost the same worker: one death, of which both have to recover.
                if pid is not None:
                    done = 0 if task.progress is None else task.progress.done
                    self.all.append(Death(kind, step, victim, pid, done))
                return
            await asyncio.sleep(_LOOK_EVERY)

    def _kill(self, victim: str, worker: str) -> int | None:
        return self._platform.kill_worker(worker) if victim == WORKER else self._platform.kill(victim)

    def of(self, kind: str, step: str) -> Death | None:
        """Who died over a step, if anybody did."""
        return next((death for death in self.all if (death.kind, death.step) == (kind, step)), None)

    @property
    def restarts(self) -> int:
        """How often processes were started again."""
        return self._platform.all_restarts()

    async def healed(self) -> None:
        """Wait until whoever was killed is back."""
        while self.restarts < len(self.all):  # noqa: ASYNC110  # a file says so
            await asyncio.sleep(_HEAL_EVERY)


@contextlib.asynccontextmanager
async def open_deaths(platform: Stage, victims: Victims = "workers", seed: int = 0) -> AsyncIterator[Deaths]:
    """Deaths on a platform that is up. The boards are read where they lie: services answer too late."""
    settings, clock = platform.settings, SystemClock()
    documents = document_store(settings)
    await documents.open()
    try:
        placements = place(documents, relational_store(settings))
        boards = {kind: TaskBoard(each, clock) for kind, each in placements.items()}
        chance = random.Random(seed)  # noqa: S311 - who dies is no secret
        yield Deaths(platform, boards, victims, chance)
    finally:
        await documents.close()
