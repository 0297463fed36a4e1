"""DBOS, as far as it is used here; no other module knows of it.

    task    one workflow a task, with the task's id: begin · a child for each range · gather · end
    range   one workflow a range, with the task's id and the range's number

Both wait in queues from which any worker takes them, and what a step came to is recorded with the workflow,
so whoever takes over goes on after the last step that was recorded. A step may run twice; one whose worker is
not its owner any more is not recorded. What the steps do is not known here (`conduct`).

DBOS lives in threads and an event loop of its own, one instance a process. Everything that touches a store is
sent back to the loop on which this was started, since the stores belong to it. Conductor, automatic upgrades,
sharding and telemetry are off, and nothing but the database is connected to.
"""

import asyncio
import concurrent.futures.thread
import contextlib
import datetime as dt
import logging
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable
from typing import Any, Final, TypeVar

import msgspec
import structlog
from dbos import DBOS, DBOSConfig, DBOSPortableJSONSerializer, SetEnqueueOptions, SetWorkflowID
from dbos import error as dbos_errors

from manystore.errors import UnavailableError
from manystore.moves.actions import AT_ONCE
from manystore.moves.conduct import MOST_ATTEMPTS, Conductor, RangeOutcome
from manystore.moves.procedures import Begun

T = TypeVar("T")

TASKS: Final = "moves.tasks"
RANGES: Final = "moves.ranges"
POLL_EVERY: Final = 0.1
"""Seconds between two looks into a queue, or at a result that is waited for."""
STOP_WITHIN: Final = 1.2
"""Seconds that stopping may take; whatever is not done by then is left to the end of the process."""
VERSION: Final = "1"
"""To be raised when the workflows come to consist of other steps; all tasks must have ended by then."""
ENDED: Final = ("SUCCESS", "ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED")
"""What DBOS calls a workflow that nobody will go on with."""

_TASK: Final = "moves.task"
_RANGE: Final = "moves.range"
_ONE: Final = threading.Lock()
"""Held by whoever has the one instance that a process can have."""
_SILENCE: Final = 5.0
_HANDOVER: Final = 10.0
"""Seconds that the next one waits for the one before to be gone."""

TaskWorkflow = Callable[[str, str], Coroutine[Any, Any, None]]
RangeWorkflow = Callable[[str, int], Coroutine[Any, Any, str]]

log = structlog.get_logger(__name__)


class Binding:
    """The DBOS instance of this process. `worker` is its executor's name."""

    def __init__(self, url: str, worker: str) -> None:
        self._url, self._worker = url, worker
        self._starting = threading.Lock()
        self._steps: Steps | None = None
        self._task: TaskWorkflow | None = None
        self._is_started = False

    async def start(self, conductor: Conductor) -> None:
        """Begin to take work from the queues.

        Raises UnavailableError, also where another worker of this process does so already.
        """
        self._steps = steps = Steps(conductor, asyncio.get_running_loop())
        try:
            await in_thread(lambda: self._launch(steps))
        except Exception as error:
            raise UnavailableError(subject="the workflow engine", reason=_first_line(error)) from error

    def _launch(self, steps: "Steps") -> None:
        # In a thread that runs no loop: DBOS then makes one of its own, and leaves ours as it is.
        with self._starting:
            if not _ONE.acquire(timeout=_HANDOVER):
                raise RuntimeError("a process can take part in workflows once, and another worker here does")
            self._is_started = True
            _quieten()
            DBOS(config=self._config())
            self._task = steps.register()
            DBOS.launch()
            DBOS.register_queue(TASKS, polling_interval_sec=POLL_EVERY, on_conflict="always_update")
            # By kinds, of which each is asked in turn: none has to wait until another one is done.
            DBOS.register_queue(
                RANGES,
                worker_concurrency=AT_ONCE,
                partition_worker_concurrency=AT_ONCE,
                polling_interval_sec=POLL_EVERY,
                on_conflict="always_update",
            )

    def _config(self) -> DBOSConfig:
        return {
            "name": "manystore-moves",
            "system_database_url": self._url,
            "executor_id": self._worker,
            "application_version": VERSION,
            "serializer": DBOSPortableJSONSerializer(),
            "use_listen_notify": False,
            "notification_listener_polling_interval_sec": 0.5,
            "sys_db_pool_size": 5,
            "max_executor_threads": 16,
            "log_level": "WARNING",
        }

    @property
    def is_at_work(self) -> bool:
        """Whether something that was taken from a queue is under way here."""
        return self._steps is not None and self._steps.is_under_way

    async def stop(self) -> None:
        """Take no more work, let go of what is under way, and end all threads. Idempotent."""
        if self._steps is not None:
            self._steps.close()
        stopping = in_thread(self._destroy)
        done, _ = await asyncio.wait([stopping], timeout=STOP_WITHIN)
        if not done:
            log.warning("move.engine_lingers", seconds=STOP_WITHIN)
        _let_threads_be()
        if self._steps is not None:
            await self._steps.let_go()

    def _destroy(self) -> None:
        with self._starting:
            if not self._is_started:
                return
            # That the work under way is cancelled is what was asked for.
            logging.getLogger("dbos").setLevel(logging.ERROR)
            try:
                DBOS.destroy(destroy_registry=True)
            finally:
                self._is_started = False
                _ONE.release()

    async def enqueue(self, kind: str, task_id: str) -> str:
        """Put a task into the queue unless it was there before; its status. Raises UnavailableError."""
        return await self._ask(lambda: self._enqueue(kind, task_id))

    def _enqueue(self, kind: str, task_id: str) -> str:
        if self._task is None:
            raise RuntimeError("it is not running")
        with SetWorkflowID(f"{kind}/{task_id}"):
            handle = DBOS.enqueue_workflow(TASKS, self._task, kind, task_id)
        return handle.get_status().status

    async def workers_at_work(self) -> set[str]:
        """Everybody who has taken work and not ended it, alive or gone. Raises UnavailableError."""

        def ask() -> set[str]:
            taken = DBOS.list_workflows(status="PENDING", load_input=False, load_output=False)
            return {each.executor_id for each in taken if each.executor_id}

        return await self._ask(ask)

    async def hand_back(self, workers: Iterable[str]) -> None:
        """Put what these workers had taken back into the queues, for anybody. Raises UnavailableError.

        Each piece goes back only if it still belongs to one of them. DBOS counts how often that happens to a
        piece; this is what its own service for that purpose calls.
        """
        gone = sorted(workers)
        await self._ask(lambda: DBOS._recover_pending_workflows(gone))

    async def forget(self, before: dt.datetime, most: int) -> int:
        """Remove the oldest tasks that ended before then, with their ranges and all that was recorded.

        At most so many, and returns how many. Raises UnavailableError.
        """

        def ask() -> int:
            ended = DBOS.list_workflows(
                name=_TASK,
                status=[*ENDED],
                completed_before=before.isoformat(),
                limit=most,
                load_input=False,
                load_output=False,
            )
            if ended:
                DBOS.delete_workflows([each.workflow_id for each in ended], delete_children=True)
            return len(ended)

        return await self._ask(ask)

    async def _ask(self, question: Callable[[], T]) -> T:
        try:
            return await in_thread(question)
        except Exception as error:  # of drivers that are not known here
            raise UnavailableError(subject="the workflow engine", reason=_first_line(error)) from error


def in_thread(call: Callable[[], T]) -> "asyncio.Future[T]":
    """Run a blocking call in a thread that nobody waits for when the process ends.

    DBOS waits for its database for as long as that takes; a pool's threads would have to be waited for too.
    """
    future: concurrent.futures.Future[T] = concurrent.futures.Future()

    def run() -> None:
        if future.set_running_or_notify_cancel():
            try:
                future.set_result(call())
            except BaseException as error:  # noqa: BLE001 - raised where it is awaited
                future.set_exception(error)

    threading.Thread(target=run, name="workflows", daemon=True).start()
    return asyncio.wrap_future(future)


def _let_threads_be() -> None:
    """Keep the end of the process from waiting for DBOS's pool, whose threads may wait for a database.

    The standard library joins the threads of all pools at exit, daemons or not. What these would still do is
    at most to record a step that another worker repeats.
    """
    for thread in [*concurrent.futures.thread._threads_queues]:
        if thread.name.startswith("dbos-executor-"):
            del concurrent.futures.thread._threads_queues[thread]  # type: ignore[attr-defined]


class _Briefly(logging.Filter):
    """Lets each place in the code say its first line, once every few seconds."""

    def __init__(self) -> None:
        super().__init__()
        self._said: dict[tuple[str, int], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record may pass."""
        place, now = (record.pathname, record.lineno), time.monotonic()
        if now - self._said.get(place, float("-inf")) < _SILENCE:
            return False
        self._said[place] = now
        record.msg, record.args = record.getMessage().partition("\n")[0], ()
        record.exc_info = record.exc_text = None
        return True


def _quieten() -> None:
    """Send what DBOS logs the way of all other logs: while a database is away, ten times a second."""
    logger = logging.getLogger("dbos")
    if not logger.handlers:
        # Without a handler it would take its own, and pass nothing on.
        logger.addHandler(logging.NullHandler())
        logger.addFilter(_Briefly())


class Steps:
    """The two workflows, and the way from their loop to that of the stores."""

    def __init__(self, conductor: Conductor, loop: asyncio.AbstractEventLoop) -> None:
        self._conductor, self._loop = conductor, loop
        self._under_way: set[asyncio.Task[Any]] = set()
        self._is_closed = False

    @property
    def is_under_way(self) -> bool:
        """Whether any step is at work."""
        return bool(self._under_way)

    def register(self) -> TaskWorkflow:
        """Make both workflows known to DBOS; returns that of a task."""

        # Functions rather than methods: DBOS would take `self` for an argument to be stored.
        async def do_range(begun: str, number: int) -> str:
            return await DBOS.run_step_async({"name": "range"}, self._range, begun, number)

        range_workflow = DBOS.workflow(name=_RANGE, max_recovery_attempts=MOST_ATTEMPTS)(do_range)

        async def carry_out(kind: str, task_id: str) -> None:
            await self._carry_out(kind, task_id, range_workflow)

        return DBOS.workflow(name=_TASK, max_recovery_attempts=MOST_ATTEMPTS)(carry_out)

    async def _carry_out(self, kind: str, task_id: str, range_workflow: RangeWorkflow) -> None:
        if not await self._on_loop(self._conductor.attempt(kind, task_id)):
            return
        begun = await DBOS.run_step_async({"name": "begin"}, self._begin, kind, task_id)
        if not begun:
            return
        async with self._telling(begun):
            outcomes = await self._spread(begun, range_workflow)
        await DBOS.run_step_async({"name": "end"}, self._end, begun, outcomes)

    async def _spread(self, begun: str, range_workflow: RangeWorkflow) -> list[str]:
        order, count = _begun(begun).order, _begun(begun).ranges
        handles = []
        for number in range(count):
            with (
                SetWorkflowID(f"{order.kind}/{order.run}/{number:05}"),
                SetEnqueueOptions(queue_partition_key=order.kind),
            ):
                handles.append(await DBOS.enqueue_workflow_async(RANGES, range_workflow, begun, number))
        outcomes = []
        for number, handle in enumerate(handles):
            try:
                outcomes.append(await handle.get_result(polling_interval_sec=POLL_EVERY))
            except dbos_errors.DBOSAwaitedWorkflowMaxRecoveryAttemptsExceeded:
                problem = f"Workers died over range {number} {MOST_ATTEMPTS} times: look at their logs."
                outcomes.append(_told(RangeOutcome(problem=problem)))
        return outcomes

    # -- steps, which are recorded -------------------------------------------------------------------

    async def _begin(self, kind: str, task_id: str) -> str:
        begun = await self._safely(self._conductor.begin(kind, task_id), kind, task_id)
        return "" if begun is None else _told(begun)

    async def _range(self, begun: str, number: int) -> str:
        try:
            return _told(await self._on_loop(self._conductor.do_range(_begun(begun), number)))
        except Exception as error:  # a mistake in the code, which must not be repeated for ever
            log.exception("move.range_broke", number=number)
            return _told(RangeOutcome(problem=f"Range {number} broke: {error!r}"))

    async def _end(self, begun: str, outcomes: list[str]) -> None:
        decoded, order = _begun(begun), _begun(begun).order
        results = [msgspec.json.decode(outcome, type=RangeOutcome) for outcome in outcomes]
        await self._safely(self._conductor.end(decoded, results), order.kind, order.run)

    async def _safely(self, work: Coroutine[Any, Any, T], kind: str, task_id: str) -> T | None:
        """Do part of a task; where the code is mistaken, say so on the board instead of doing it for ever."""
        try:
            return await self._on_loop(work)
        except Exception as error:  # as above
            log.exception("move.broke", kind=kind, task=task_id)
            await self._on_loop(self._conductor.fail(kind, task_id, f"It broke: {error!r}"))
            return None

    # -- from one loop to the other ------------------------------------------------------------------

    @contextlib.asynccontextmanager
    async def _telling(self, begun: str) -> AsyncIterator[None]:
        async def tell() -> None:
            async with self._conductor.telling(_begun(begun)):
                await asyncio.Event().wait()

        telling = self._send(tell())
        try:
            yield
        finally:
            telling.cancel()

    async def _on_loop(self, work: Coroutine[Any, Any, T]) -> T:
        return await asyncio.wrap_future(self._send(work))

    def _send(self, work: Coroutine[Any, Any, T]) -> "concurrent.futures.Future[T]":
        if self._is_closed:
            # As if it had been cancelled a moment later: not an outcome, so whoever is there does it.
            work.close()
            raise asyncio.CancelledError
        return asyncio.run_coroutine_threadsafe(self._track(work), self._loop)

    async def _track(self, work: Awaitable[T]) -> T:
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("work is sent to a loop, where it becomes a task")
        self._under_way.add(task)
        try:
            return await work
        finally:
            self._under_way.discard(task)

    def close(self) -> None:
        """Begin nothing more, whatever is still taken from a queue."""
        self._is_closed = True

    async def let_go(self) -> None:
        """Cancel what is under way, and wait a moment until it has undone what it must."""
        under_way = [*self._under_way]
        for task in under_way:
            task.cancel()
        if under_way:
            await asyncio.wait(under_way, timeout=STOP_WITHIN)


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]


def _told(value: msgspec.Struct) -> str:
    return msgspec.json.encode(value).decode()


def _begun(told: str) -> Begun:
    return msgspec.json.decode(told, type=Begun)
