"""The background process's part in a move: takes open tasks and carries them out, whoever asked.

A worker that dies leaves its task open and its claim behind; the next one to look, once the claim has gone
stale, begins the action again.
"""

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Final

import msgspec
import structlog

from manystore.clock import Clock
from manystore.errors import ManystoreError, StepRefusedError, UnavailableError
from manystore.followers.claim import Claim
from manystore.moves.actions import Mover
from manystore.moves.progress import Progress
from manystore.moves.tasks import Action, Task, TaskBoard
from manystore.placement import Placement

_LOOK_EVERY: Final = 0.05
_TELL_EVERY: Final = 0.2
_RENEW_EVERY: Final = 0.5
MOST_ATTEMPTS: Final = 20

log = structlog.get_logger(__name__)


class MoveWorker:
    """Looks at every kind's board and does what is asked, one task a kind at a time."""

    def __init__(self, placements: Sequence[Placement], mover: Mover, *, owner: str, clock: Clock) -> None:
        self._placements, self._mover = placements, mover
        self._owner, self._clock = owner, clock

    async def run(self) -> None:
        """Work until cancelled."""
        async with asyncio.TaskGroup() as group:
            for placement in self._placements:
                group.create_task(self._mind(placement), name=f"move {placement.kind.name}")

    async def _mind(self, placement: Placement) -> None:
        board = TaskBoard(placement, self._clock)
        claim_name = f"moves/{placement.kind.name}/claim"
        claim = Claim(placement.source, claim_name, owner=self._owner, clock=self._clock)
        while True:
            try:
                task = await board.task()
                if task is not None and task.is_open and await claim.hold():
                    await self._work(board, claim, task)
                    await claim.release()
            except UnavailableError as error:
                log.warning("move.unavailable", kind=placement.kind.name, reason=str(error))
                await self._clock.sleep(error.retry_after)
            await self._clock.sleep(_LOOK_EVERY)

    async def _work(self, board: TaskBoard, claim: Claim, task: Task) -> None:
        if task.attempts >= MOST_ATTEMPTS:
            reason = f"Workers died over it {task.attempts} times: look at their logs, then ask again."
            ended = msgspec.structs.replace(
                task, state="failed", reasons=(reason,), ended_at=self._clock.now()
            )
            await board.update(ended)
            return
        started = task.started_at or self._clock.now()
        attempt = msgspec.structs.replace(
            task, state="running", started_at=started, attempts=task.attempts + 1
        )
        if not await board.update(attempt):
            return
        renewing = asyncio.create_task(_renew(claim, self._clock), name=f"claim {board.kind}")
        try:
            ended = await self._carry_out(board, attempt)
        finally:
            renewing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await renewing
        await board.update(msgspec.structs.replace(ended, ended_at=self._clock.now()))
        log.info("move.ended", kind=board.kind, action=task.action.value, state=ended.state)

    async def _carry_out(self, board: TaskBoard, task: Task) -> Task:
        told, latest = self._clock.monotonic(), task

        async def report(progress: Progress) -> None:
            nonlocal told, latest
            latest = msgspec.structs.replace(latest, progress=progress)
            if self._clock.monotonic() - told >= _TELL_EVERY:
                told = self._clock.monotonic()
                await board.update(latest)

        try:
            result = await self._mover.carry_out(
                task.action, board.kind, report=report, override=task.override
            )
        except StepRefusedError as error:
            return msgspec.structs.replace(latest, state="refused", reasons=error.conditions)
        except UnavailableError as error:
            if task.attempts < MOST_ATTEMPTS:
                raise
            return msgspec.structs.replace(latest, state="failed", reasons=(str(error),))
        except ManystoreError as error:
            log.exception("move.failed", kind=board.kind, action=task.action.value)
            return msgspec.structs.replace(latest, state="failed", reasons=(str(error),))
        finished = latest.progress
        if finished is not None:
            finished = msgspec.structs.replace(finished, done=finished.total, seconds_left=0.0)
        state = "failed" if task.action is Action.RECHECK and not result["holds"] else "done"
        return msgspec.structs.replace(latest, state=state, result=result, progress=finished)


async def _renew(claim: Claim, clock: Clock) -> None:
    while True:
        await clock.sleep(_RENEW_EVERY)
        with contextlib.suppress(UnavailableError):
            await claim.hold()
