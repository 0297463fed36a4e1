"""The background process's part in a move: sees to it that open tasks are worked on, whoever asked."""

import asyncio
from collections.abc import Sequence
from typing import Final

import structlog

from manystore.clock import Clock
from manystore.errors import UnavailableError
from manystore.moves.actions import Mover
from manystore.moves.conduct import Conductor
from manystore.moves.workflows import InProcess, Workflows
from manystore.placement import Placement

_LOOK_EVERY: Final = 0.05

log = structlog.get_logger(__name__)


class MoveWorker:
    """Looks at every kind's board and has what is asked for done, one task a kind at a time.

    Without `workflows` this process does all that it takes up; `owner` is its name among the others.
    """

    def __init__(
        self,
        placements: Sequence[Placement],
        mover: Mover,
        *,
        owner: str,
        clock: Clock,
        workflows: Workflows | None = None,
    ) -> None:
        self._placements, self._clock = placements, clock
        self._workflows = workflows or InProcess(placements, owner=owner, clock=clock)
        self._conductor = Conductor(placements, mover, clock, worker=owner)

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            try:
                async with self._workflows.running(self._conductor), asyncio.TaskGroup() as group:
                    for placement in self._placements:
                        kind = placement.kind.name
                        group.create_task(self._mind(kind), name=f"move {kind}")
            except UnavailableError as error:
                log.warning("move.unavailable", reason=str(error))
                await self._clock.sleep(error.retry_after)

    async def _mind(self, kind: str) -> None:
        board = self._conductor.board(kind)
        while True:
            try:
                task = await board.task()
                if task is not None and task.is_open:
                    await self._workflows.take_up(kind, task.id)
            except UnavailableError as error:
                log.warning("move.unavailable", kind=kind, reason=str(error))
                await self._clock.sleep(error.retry_after)
            await self._clock.sleep(_LOOK_EVERY)
