"""Tasks as durable workflows, kept in PostgreSQL, whose steps are handed to all workers.

A workflow engine does the keeping and the handing out (`dbos_binding`). It leaves it to others to notice that
a worker is gone. So each worker shows that it is alive (`attendance`), and the first of the living, by name,
hands the work of the gone back to the queues.
"""

import asyncio
import contextlib
import datetime as dt
from collections.abc import AsyncIterator
from typing import Final

import structlog

from manystore.clock import Clock
from manystore.errors import UnavailableError
from manystore.followers.claim import IsDead, nobody_known_dead
from manystore.moves.attendance import BEAT_EVERY, Attendance
from manystore.moves.conduct import Conductor
from manystore.moves.dbos_binding import ENDED, Binding
from manystore.moves.retention import KEEP
from manystore.stores.store import Store

_FORGET_EVERY: Final = 3600.0
_FORGET_AT_ONCE: Final = 5
"""Tasks whose records are removed in one step; each has one of its own and up to 256 ranges."""
LOOK_AGAIN_EVERY: Final = 2.0
"""Seconds after which a task that is still open is looked after once more."""

log = structlog.get_logger(__name__)


class DurableWorkflows:
    """One process's part in the workflows that are kept in the PostgreSQL database at `url`.

    `worker` is its name, unlike that of any process before it; `store` is where workers show that they live,
    best in the same database, so that they can be seen exactly when the work can be taken over. When there
    was nothing to do for `rest_after` seconds it rests, which costs nothing, until there is. What was
    recorded of a task is removed once it has ended for as long as `keep`; its board has the result all the
    same. A worker of which `is_dead` knows that it is gone is not waited for.
    """

    def __init__(
        self,
        url: str,
        store: Store,
        *,
        worker: str,
        clock: Clock,
        rest_after: float = 30.0,
        keep: dt.timedelta = KEEP,
        is_dead: IsDead = nobody_known_dead,
    ) -> None:
        self._worker, self._clock, self._rest_after, self._keep = worker, clock, rest_after, keep
        self._forgot = float("-inf")
        self._attendance = Attendance(store, worker, clock, is_dead)
        self._binding = Binding(url, worker)
        self._waking, self._wanted = asyncio.Lock(), float("-inf")
        self._awake: contextlib.AsyncExitStack | None = None
        self._looked: dict[str, tuple[str, float]] = {}
        self._conductor: Conductor | None = None

    @contextlib.asynccontextmanager
    async def running(self, conductor: Conductor) -> AsyncIterator[None]:
        """See Workflows.running. One at a time in a process. Stops within a few seconds."""
        self._conductor = conductor
        try:
            # Awake at first: what a killed worker left is taken up, and a new database is made ready.
            await self._wake()
            resting = asyncio.create_task(self._rest_when_idle(), name="rest")
            try:
                yield
            finally:
                await _end(resting)
        finally:
            await self._rest()

    async def take_up(self, kind: str, task_id: str) -> None:
        """See Workflows.take_up. Returns when the task is in the queue."""
        await self._wake()
        looked, at = self._looked.get(kind, ("", 0.0))
        if looked == task_id and self._clock.monotonic() - at < LOOK_AGAIN_EVERY:
            return
        status = await self._binding.enqueue(kind, task_id)
        self._looked[kind] = (task_id, self._clock.monotonic())
        if status in ENDED and self._conductor is not None:
            # A workflow that ended as it should has closed its task before, and then this does nothing.
            reason = f"Its workflow ended as {status}: look at the workers' logs, then ask again."
            await self._conductor.fail(kind, task_id, reason)

    async def _wake(self) -> None:
        """Take work from the queues from now on. Raises UnavailableError."""
        self._wanted = self._clock.monotonic()
        async with self._waking:
            if self._awake is not None or self._conductor is None:
                return
            async with contextlib.AsyncExitStack() as stack:
                # Seen to be alive before the first piece of work is taken, and until the last is let go.
                await self._attendance.beat()
                stack.push_async_callback(self._leave)
                stack.push_async_callback(_end, asyncio.create_task(self._beat(), name="beats"))
                stack.push_async_callback(self._binding.stop)
                await self._binding.start(self._conductor)
                stack.push_async_callback(_end, asyncio.create_task(self._watch(), name="watch over workers"))
                self._awake = stack.pop_all()

    async def _rest(self) -> None:
        """Let go of all work, and of all threads. Idempotent."""
        async with self._waking:
            awake, self._awake = self._awake, None
            if awake is not None:
                await awake.aclose()

    async def _rest_when_idle(self) -> None:
        while True:
            await self._clock.sleep(1.0)
            idle = self._clock.monotonic() - self._wanted
            if self._awake is not None and idle > self._rest_after and not self._binding.is_at_work:
                await self._rest()

    async def _leave(self) -> None:
        with contextlib.suppress(UnavailableError):
            await self._attendance.leave()

    async def _beat(self) -> None:
        while True:
            try:
                await self._attendance.beat()
            except UnavailableError as error:
                log.warning("move.no_beat", reason=str(error))
            await self._clock.sleep(BEAT_EVERY)

    async def _watch(self) -> None:
        while True:
            await self._clock.sleep(BEAT_EVERY)
            try:
                await self._attendance.look()
                living = self._attendance.living()
                if min(living) == self._worker:
                    await self._take_over(living)
                    await self._forget()
            except UnavailableError as error:
                log.warning("move.no_look", reason=str(error))

    async def _forget(self) -> None:
        """Remove what is recorded of a few old tasks, and of more at the next look, until none is left."""
        now = self._clock.monotonic()
        if now - self._forgot < _FORGET_EVERY:
            return
        count = await self._binding.forget(self._clock.now() - self._keep, _FORGET_AT_ONCE)
        if count < _FORGET_AT_ONCE:
            self._forgot = now
        if count:
            log.info("move.forgotten", tasks=count)

    async def _take_over(self, living: set[str]) -> None:
        """Hand back what the gone had taken; only then forget them, in case this worker goes too."""
        gone = await self._binding.workers_at_work() - living
        if gone:
            log.warning("move.taken_over", workers=sorted(gone))
            await self._binding.hand_back(gone)
        await self._attendance.bury()


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait([task])
