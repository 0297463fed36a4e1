"""Carrying a task through its steps, and keeping its page of the board, whoever does which step.

Every way in which a step can end becomes a state of the task: done, refused, failed. Only two things pass
through: being cancelled, and a mistake in the code, which is for the log of whoever runs the process.
"""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Final, TypeVar

import msgspec
import structlog

from manystore.clock import Clock
from manystore.errors import ManystoreError, StepRefusedError, UnavailableError
from manystore.moves.actions import TELL_EVERY, Mover
from manystore.moves.procedures import Begun, Order, Result
from manystore.moves.progress import Progress
from manystore.moves.tasks import Action, Task, TaskBoard, TaskState
from manystore.placement import Placement

MOST_ATTEMPTS: Final = 20
"""How often workers may die over a task, or a store may be away in one of its steps, until it is given up."""

T = TypeVar("T")

log = structlog.get_logger(__name__)


class RangeOutcome(msgspec.Struct, frozen=True):
    """What became of a range: its result, or why it was given up."""

    result: bytes = b""
    problem: str | None = None


class Conductor:
    """The steps of tasks, each safe to repeat, in whatever process. Times are of the clock handed in.

    `worker` is what the boards call whoever does them here.
    """

    def __init__(
        self, placements: Sequence[Placement], mover: Mover, clock: Clock, *, worker: str | None = None
    ) -> None:
        self._worker = worker
        self._boards = {each.kind.name: TaskBoard(each, clock) for each in placements}
        self._mover, self._clock = mover, clock

    def board(self, kind: str) -> TaskBoard:
        """The board of one of the kinds."""
        return self._boards[kind]

    async def attempt(self, kind: str, task_id: str) -> bool:
        """Count one more attempt at a task; False where there is nothing (more) to be done about it."""

        def count(task: Task) -> Task:
            started = task.started_at or self._clock.now()
            attempts = task.attempts + 1
            return msgspec.structs.replace(
                task, state="running", started_at=started, attempts=attempts, worker=self._worker
            )

        task = await self._patiently(lambda: self.board(kind).amend(task_id, count))
        if task is None:
            return False
        if task.attempts <= MOST_ATTEMPTS:
            return True
        reason = f"Workers died over it {MOST_ATTEMPTS} times: look at their logs, then ask again."
        await self.fail(kind, task_id, reason)
        return False

    async def begin(self, kind: str, task_id: str) -> Begun | None:
        """Settle what is to be done; None where the task is over, perhaps by this."""
        task = await self._patiently(self.board(kind).task)
        if task is None or task.id != task_id or not task.is_open:
            return None
        order = Order(
            action=task.action,
            kind=kind,
            run=task_id,
            override=task.override,
            depth=task.depth or "full",
            actor=task.actor,
            reason=task.reason or "",
        )
        return await self._carefully(kind, task_id, lambda: self._mover.begin(order))

    async def do_range(self, begun: Begun, number: int) -> RangeOutcome:
        """Do one range, from its checkpoint on."""
        try:
            return RangeOutcome(await self._mover.do_range(begun, number))
        except ManystoreError as error:
            log.exception("move.range_given_up", kind=begun.order.kind, number=number)
            return RangeOutcome(problem=str(error))

    @contextlib.asynccontextmanager
    async def telling(self, begun: Begun) -> AsyncIterator[None]:
        """Keep the task's progress up to date while its ranges are done, for the length of the block."""
        async with self._mover.telling(begun, self._reporter(begun)):
            yield

    async def end(self, begun: Begun, outcomes: Sequence[RangeOutcome]) -> None:
        """Conclude, and write the result to the board."""
        kind, task_id = begun.order.kind, begun.order.run
        if problem := next((each.problem for each in outcomes if each.problem is not None), None):
            await self.fail(kind, task_id, problem)
            return
        results, report = [each.result for each in outcomes], self._reporter(begun)
        result = await self._carefully(kind, task_id, lambda: self._mover.end(begun, results, report))
        if result is not None:
            await self._conclude(begun, result)

    async def fail(self, kind: str, task_id: str, reason: str) -> None:
        """Give a task up."""
        await self._close(kind, task_id, "failed", reasons=(reason,))

    async def _conclude(self, begun: Begun, result: Result) -> None:
        order = begun.order
        holds = order.action is not Action.RECHECK or result["holds"]
        await self._close(order.kind, order.run, "done" if holds else "failed", result=result)

    async def _close(
        self,
        kind: str,
        task_id: str,
        state: TaskState,
        *,
        result: Result | None = None,
        reasons: tuple[str, ...] = (),
    ) -> None:
        def close(task: Task) -> Task:
            progress = task.progress
            if progress is not None and result is not None:
                # It goes at no pace any more, slow or not.
                stage = progress.stage.partition(",")[0]
                progress = msgspec.structs.replace(
                    progress, stage=stage, done=progress.total, seconds_left=0.0
                )
            return msgspec.structs.replace(
                task,
                state=state,
                result=result,
                reasons=reasons,
                progress=progress,
                ended_at=self._clock.now(),
            )

        closed = await self._patiently(lambda: self.board(kind).amend(task_id, close))
        if closed is not None:
            log.info("move.ended", kind=kind, action=closed.action.value, state=state)

    def _reporter(self, begun: Begun) -> Callable[[Progress], Awaitable[None]]:
        board, told = self.board(begun.order.kind), float("-inf")

        async def report(progress: Progress) -> None:
            nonlocal told
            if self._clock.monotonic() - told < TELL_EVERY / 2:
                return
            told = self._clock.monotonic()
            await board.amend(begun.order.run, lambda task: msgspec.structs.replace(task, progress=progress))

        return report

    async def _carefully(self, kind: str, task_id: str, work: Callable[[], Awaitable[T]]) -> T | None:
        """The result of a step; None where it ended the task. Stores that are away are waited for."""
        try:
            return await self._patiently(work)
        except StepRefusedError as error:
            await self._close(kind, task_id, "refused", reasons=error.conditions)
        except ManystoreError as error:
            log.exception("move.failed", kind=kind, task=task_id)
            await self.fail(kind, task_id, str(error))
        return None

    async def _patiently(self, work: Callable[[], Awaitable[T]]) -> T:
        """Repeat a step for as long as a store is away. Raises UnavailableError when it has lost patience."""
        for _ in range(MOST_ATTEMPTS - 1):
            try:
                return await work()
            except UnavailableError as error:
                log.warning("move.unavailable", reason=str(error))
                await self._clock.sleep(error.retry_after)
        return await work()
