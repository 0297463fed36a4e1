"""Processes that are killed in the midst of a step: one in every step of every kind, in turn."""

import asyncio
import contextlib
import os
import random
import signal
import time
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Final, Literal

from manystore.clock import SystemClock
from manystore.moves.tasks import Task, TaskBoard
from mystira.demonstration.recovery import Death, Healing, Look, Sight, Wound, patiently
from mystira.demonstration.stage import SUPERVISOR, WORKER, Stage
from mystira.platform import document_store, place, relational_store
from mystira.supervisor import RunningProcess

_LOOK_EVERY: Final = 0.004
"""Seconds between two looks at a board: some steps are over in less than a tenth of a second."""
_APART: Final = 1.0
"""Seconds between the return of one victim and the death of the next."""
_FEW: Final = 5000
"""Records of a step that may be over before it tells of its middle: there, its beginning will do."""


Victims = Literal["workers", "anybody", "nobody"]
"""Who is killed: the worker that is at the step; by chance that one, the API, PostgreSQL, Redis or the
supervisor, and with it everything; or nobody."""

ANYBODY: Final = (WORKER, "api", "postgres", "redis", SUPERVISOR)


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
        self.healing: Final = Healing(platform)
        self._platform, self._boards = platform, boards
        self._victims, self._random = victims, randomness
        self._deck: list[str] = []

    @contextlib.asynccontextmanager
    async def during(
        self, kind: str, step: str, when: Callable[[Task], bool] = at_work
    ) -> AsyncIterator[None]:
        """Kill somebody over the kind's next task, once, as soon as `when` holds of that."""
        if self._victims == "nobody":
            yield
            return
        former = await patiently(self._boards[kind].task)
        striking = asyncio.create_task(self._strike(kind, step, when, former), name=f"death at {step}")
        try:
            yield
        finally:
            striking.cancel()
            await asyncio.wait([striking])

    async def _strike(self, kind: str, step: str, when: Callable[[Task], bool], former: Task | None) -> None:
        board, victim = self._boards[kind], self._draw()
        while True:
            task = await patiently(board.task)
            is_new = task is not None and (former is None or task.id != former.id)
            if task is not None and task.worker is not None and is_new and when(task):
                done = 0 if task.progress is None else task.progress.done
                found = self._find(victim, task.worker)
                if self._kill(kind, step, victim, found, done, lambda: _see(board)):
                    return
                if victim == WORKER:
                    # Two kinds at once may have lost the same worker: one death, of which both recover.
                    return
            await asyncio.sleep(_LOOK_EVERY)

    async def amid(self, kind: str, step: str, look: Look) -> None:
        """Kill somebody now, in a step that is no task; it has gone on when `look` sees anything new."""
        victim = None if self._victims == "nobody" else self._draw()
        while victim is not None:
            if self._kill(kind, step, victim, self._find(victim), 0, look):
                return
            await asyncio.sleep(_LOOK_EVERY)

    def _draw(self) -> str:
        """A victim by chance, each sort as often as any other: drawn as cards are, until none is left."""
        if self._victims == "workers":
            return WORKER
        if not self._deck:
            self._deck = self._random.sample(ANYBODY, len(ANYBODY))
        return self._deck.pop()

    def _find(self, victim: str, node: str | None = None) -> RunningProcess | None:
        """Who is to die; None while there is nobody of that sort."""
        if victim == WORKER:
            return self._platform.find_worker(node) if node else self._platform.any_worker(self._random)
        return self._platform.find("" if victim == SUPERVISOR else victim)

    def _kill(
        self, kind: str, step: str, victim: str, found: RunningProcess | None, done: int, look: Look
    ) -> bool:
        """SIGKILL; whether it hit somebody who lived."""
        if found is None or found.pid in (death.pid for death in self.all):
            return False
        name, pid = found.name, found.pid
        try:
            if victim == SUPERVISOR:
                name, pid = SUPERVISOR, self._platform.kill_supervisor()
            else:
                os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            return False
        at = time.monotonic()
        death = Death(kind=kind, step=step, victim=victim, name=name, pid=pid, done=done, at=at)
        self.healing.watch(death, look)
        return True

    @property
    def all(self) -> list[Death]:
        """Everybody who was killed, in that order."""
        return [wound.death for wound in self.wounds]

    @property
    def wounds(self) -> list[Wound]:
        """Every death, with what is known of its recovery."""
        return self.healing.wounds

    def of(self, kind: str, step: str) -> Death | None:
        """Who died over a step, if anybody did."""
        return next((death for death in self.all if (death.kind, death.step) == (kind, step)), None)

    @property
    def restarts(self) -> int:
        """How often processes were started again."""
        return self._platform.all_restarts()

    async def healed(self) -> None:
        """Wait until whoever was killed is back. Raises StartError for a platform that does not come back.

        Where anybody may be next, people get a moment in between: a death that follows too soon would be
        counted against the recovery from the one before.
        """
        await self.healing.healed()
        if self._victims == "anybody":
            await asyncio.sleep(max(0.0, self.healing.last_return + _APART - time.monotonic()))

    async def gone_on(self) -> None:
        """Wait until everybody is back, and every step that lost somebody has gone on. Raises as `healed`."""
        await self.healing.gone_on()


async def _see(board: TaskBoard) -> Sight:
    task = await board.task()
    if task is None:
        return Sight((), is_over=True)
    done = None if task.progress is None else task.progress.done
    return Sight((task.id, task.state, task.attempts, done), is_over=not task.is_open)


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
        deaths = Deaths(platform, boards, victims, chance)
        try:
            yield deaths
        finally:
            await deaths.healing.stop()
    finally:
        await documents.close()
