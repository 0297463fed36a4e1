"""By whom a task is carried through its steps, so that it comes to an end although workers die.

Two answers: the process that finds the task does all of it (here), which needs nothing and serves programs of
one process, tests and simulations; or the steps are spread over all workers by a workflow engine (`durable`).
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Final, Protocol

from manystore.clock import Clock
from manystore.errors import UnavailableError
from manystore.followers.claim import Claim
from manystore.moves.actions import side_by_side
from manystore.moves.conduct import Conductor
from manystore.placement import Placement

_RENEW_EVERY: Final = 0.5


class Workflows(Protocol):
    """Whoever sees to it that open tasks are worked on."""

    def running(self, conductor: Conductor) -> AbstractAsyncContextManager[None]:
        """Take part in the work, by the means of `conductor`, for the length of the block.

        Raises UnavailableError where that is not possible now.
        """

    async def take_up(self, kind: str, task_id: str) -> None:
        """See to it that an open task is worked on, by this process or another. Idempotent.

        May return long before the task is over. Raises UnavailableError.
        """


class InProcess:
    """The first process that claims a task carries it out; where it dies, the next one begins it again.

    Ranges go on from their checkpoints all the same.
    """

    def __init__(self, placements: Sequence[Placement], *, owner: str, clock: Clock) -> None:
        self._claims: Mapping[str, Claim] = {
            each.kind.name: Claim(each.source, f"moves/{each.kind.name}/claim", owner=owner, clock=clock)
            for each in placements
        }
        self._clock = clock
        self._conductor: Conductor | None = None

    @contextlib.asynccontextmanager
    async def running(self, conductor: Conductor) -> AsyncIterator[None]:
        """See Workflows.running."""
        self._conductor = conductor
        yield

    async def take_up(self, kind: str, task_id: str) -> None:
        """See Workflows.take_up. Returns when the task is over, or another process has it."""
        claim = self._claims[kind]
        if self._conductor is None or not await claim.hold():
            return
        renewing = asyncio.create_task(self._renew(claim), name=f"claim {kind}")
        try:
            await _carry_out(self._conductor, kind, task_id)
        finally:
            renewing.cancel()
            await asyncio.wait([renewing])
            await claim.release()

    async def _renew(self, claim: Claim) -> None:
        while True:
            await self._clock.sleep(_RENEW_EVERY)
            with contextlib.suppress(UnavailableError):
                await claim.hold()


async def _carry_out(conductor: Conductor, kind: str, task_id: str) -> None:
    if not await conductor.attempt(kind, task_id):
        return
    begun = await conductor.begin(kind, task_id)
    if begun is None:
        return
    async with conductor.telling(begun):
        outcomes = await side_by_side(begun.ranges, lambda number: conductor.do_range(begun, number))
    await conductor.end(begun, outcomes)
