"""An event loop whose time is a number, and in which the same steps come in the same order every time.

Nothing is waited for: where all tasks wait, time jumps to the first that is due. Where nobody is due, nothing
will ever happen again, and that is an error which names who waits.

Python orders what lies in a set by its hash, and that of a task is its address, another one in each
interpreter. `asyncio.wait` and task groups go through such sets, so tasks and futures of this loop are
numbered in the order in which they are made, and their hash is the number.
"""

import asyncio
import contextvars
import heapq
import itertools
from collections import deque
from collections.abc import Callable, Coroutine, Iterable
from concurrent.futures import Executor
from typing import Any, Final, NoReturn

import msgspec

MOST_STEPS: Final = 50_000
"""Steps of tasks in which time may stand still: beyond that, one of them asks again and again."""


class DeadlockError(Exception):
    """Nobody has anything left to do, and somebody waits."""


class StalledError(Exception):
    """Tasks go on and on at one moment of time."""


class FenceError(Exception):
    """Something simulated reached for the world outside."""


class CountedFuture(asyncio.Future[Any]):
    """A future that is known by its number. It has no `__init__`: thousands are made in a run."""

    __slots__ = ("number",)

    number: int

    def __hash__(self) -> int:
        return self.number


class CountedTask(asyncio.Task[Any]):
    """A task that is known by its number, and says on whose behalf it runs.

    `owner` is whatever its maker was made with; `root` is the task that was begun for this owner, of which
    all others are offspring.
    """

    def __init__(
        self,
        coroutine: Coroutine[Any, Any, Any],
        *,
        number: int,
        parent: "CountedTask | None",
        owner: object,
        loop: asyncio.AbstractEventLoop,
        name: str,
        context: contextvars.Context | None,
    ) -> None:
        self.number, self.owner = number, owner
        self.root: CountedTask = self if parent is None else parent.root
        super().__init__(coroutine, loop=loop, name=name, context=context)

    def __hash__(self) -> int:
        return self.number

    def set_name(self, value: object) -> None:
        """Be called so, after the owner, and numbered where others are called the same."""
        loop = self.get_loop()
        assert isinstance(loop, VirtualLoop)
        super().set_name(loop.label(self.owner, str(value)))


class Call(msgspec.Struct, eq=False):
    """A call that a loop is to make; the handle by which it is called off."""

    callback: Callable[..., object] | None
    args: tuple[Any, ...]
    context: contextvars.Context
    at: float = 0.0

    def cancel(self) -> None:
        """Let it be."""
        self.callback = None

    def cancelled(self) -> bool:
        """Whether it was called off."""
        return self.callback is None

    done = cancelled

    def when(self) -> float:
        """Virtual seconds at which it is due."""
        return self.at


def _named(tasks: Iterable[CountedTask]) -> str:
    return ", ".join(task.get_name() for task in tasks) or "nobody"


class VirtualLoop(asyncio.BaseEventLoop):
    """Runs tasks in virtual time, from 0 s. It knows no threads, no sockets and no processes.

    It is asyncio's own loop but for the innermost part: a run is a thousand steps in a few milliseconds, and
    what a loop of the real world does between two of them would be half of that.
    """

    def __init__(self) -> None:
        super().__init__()
        self._now, self._is_stopped = 0.0, False
        self._calls: deque[Call] = deque()
        # What is due, and when; the number keeps those of one moment in the order in which they came.
        self._due: list[tuple[float, int, Call | asyncio.Future[None]]] = []
        self._numbers = itertools.count(1)
        self._labels: dict[str, int] = {}
        self._tasks: dict[int, CountedTask] = {}
        # Told when rubbish is collected, which is at no certain time: nothing may follow from it.
        self.set_exception_handler(lambda loop, context: None)

    def time(self) -> float:
        """Virtual seconds since the loop was made."""
        return self._now

    def call_soon(  # type: ignore[override]
        self, callback: Callable[..., object], *args: Any, context: contextvars.Context | None = None
    ) -> Call:
        """Make a call after those that are to be made already."""
        call = Call(callback, args, contextvars.copy_context() if context is None else context)
        self._calls.append(call)
        return call

    def call_later(  # type: ignore[override]
        self,
        delay: float,
        callback: Callable[..., object],
        *args: Any,
        context: contextvars.Context | None = None,
    ) -> Call:
        """Make a call in so many virtual seconds."""
        return self.call_at(self._now + delay, callback, *args, context=context)

    def call_at(  # type: ignore[override]
        self,
        when: float,
        callback: Callable[..., object],
        *args: Any,
        context: contextvars.Context | None = None,
    ) -> Call:
        """Make a call at a virtual time."""
        call = Call(callback, args, contextvars.copy_context() if context is None else context, when)
        heapq.heappush(self._due, (when, next(self._numbers), call))
        return call

    def alarm(self, seconds: float) -> asyncio.Future[None]:
        """A future that is done in so many virtual seconds. Await it at once, and put it in no set.

        It is not known by its number, and so the quickest to await: most of a run's steps wait for one.
        """
        future: asyncio.Future[None] = asyncio.Future(loop=self)
        heapq.heappush(self._due, (self._now + seconds, next(self._numbers), future))
        return future

    def _run_once(self) -> None:
        """Make all calls that are to be made now, and let time pass until the next is due."""
        calls, steps = self._calls, 0
        while calls:
            call = calls.popleft()
            callback = call.callback
            if callback is None:
                continue
            try:
                call.context.run(callback, *call.args)
            except Exception as error:  # noqa: BLE001 - as in every loop: the handler is told, the others go on
                self.call_exception_handler({"message": f"{callback!r} failed", "exception": error})
            if self._is_stopped:
                self._is_stopped = False
                return
            steps += 1
            if steps > MOST_STEPS:
                busy = _named(self.unfinished())
                raise StalledError(f"Time stands still at {self._now:.6f} s. Unfinished: {busy}.")
        self._jump()

    def _jump(self) -> None:
        due = self._due
        while due and due[0][2].done():
            heapq.heappop(due)
        if not due:
            raise DeadlockError(f"Nobody has anything left to do. Waiting: {_named(self.unfinished())}.")
        # What was due before, by a clock that came from outside, does not take time back.
        now = self._now = max(self._now, due[0][0])
        while due and due[0][0] <= now:
            what = heapq.heappop(due)[2]
            if isinstance(what, Call):
                self._calls.append(what)
            elif not what.done():
                what.set_result(None)

    def stop(self) -> None:
        """Run no further."""
        super().stop()
        self._is_stopped = True

    def close(self) -> None:
        """Let go of everything that was to be done."""
        super().close()
        self._calls.clear()
        self._due.clear()

    def unfinished(self) -> list[CountedTask]:
        """The tasks that are not done, in the order in which they were made."""
        for number in [number for number, task in self._tasks.items() if task.done()]:
            _forget(self._tasks.pop(number))
        return list(self._tasks.values())

    def create_future(self) -> CountedFuture:
        """A future of this loop."""
        future = CountedFuture(loop=self)
        future.number = next(self._numbers)
        return future

    def create_task(
        self,
        coro: Any,
        *,
        name: object = None,
        context: contextvars.Context | None = None,
        **options: Any,
    ) -> asyncio.Task[Any]:
        """A task on behalf of the owner of the task that makes it."""
        parent = asyncio.current_task(self)
        assert parent is None or isinstance(parent, CountedTask)
        owner = None if parent is None else parent.owner
        return self.begin(
            coro, parent=parent, owner=owner, name=None if name is None else str(name), context=context
        )

    def begin(
        self,
        coroutine: Coroutine[Any, Any, Any],
        *,
        owner: object,
        parent: CountedTask | None = None,
        name: str | None = None,
        context: contextvars.Context | None = None,
    ) -> CountedTask:
        """A task on behalf of an owner; without a parent the first of its own."""
        number = next(self._numbers)
        task = CountedTask(
            coroutine,
            number=number,
            parent=parent,
            owner=owner,
            loop=self,
            name=self.label(owner, name or getattr(coroutine, "__qualname__", "task").rpartition(".")[2]),
            context=context,
        )
        self._tasks[number] = task
        if len(self._tasks) > 256:
            self.unfinished()
        return task

    def label(self, owner: object, name: str) -> str:
        """A name for a task that no other has."""
        label = name if owner is None else f"{owner}/{name}"
        count = self._labels[label] = self._labels.get(label, 0) + 1
        return label if count == 1 else f"{label}#{count}"

    # Each future asks when it is made. A type is called without a detour through Python, and says False.
    get_debug = bool

    # -- what a loop of the real world has --------------------------------------------------------------

    def run_in_executor(self, executor: Executor | None, func: Any, *args: Any) -> NoReturn:  # type: ignore[override]
        """Refused: what a thread does when is nobody's choice. Raises FenceError."""
        raise FenceError(f"{_named(_present(self))} hands {func!r} to a thread")

    def call_soon_threadsafe(self, callback: Any, *args: Any, **options: Any) -> NoReturn:  # type: ignore[override]
        """Refused, as there are no threads. Raises FenceError."""
        raise FenceError(f"{callback!r} is called from a thread")


def _forget(task: CountedTask) -> None:
    """Take a task out of asyncio's own set before the rubbish is collected.

    Tasks of many runs have the same few numbers as their hashes: left there, they would all collide.
    """
    asyncio._unregister_task(task)


def _present(loop: asyncio.AbstractEventLoop) -> list[CountedTask]:
    task = asyncio.current_task(loop)
    return [task] if isinstance(task, CountedTask) else []


def end_all(loop: VirtualLoop) -> None:
    """Cancel whatever is unfinished, until nothing is."""
    for _ in range(100):
        left = loop.unfinished()
        if not left:
            return
        for task in left:
            task.cancel()
        loop.run_until_complete(_turn())
    raise StalledError(f"These do not end when they are cancelled: {_named(loop.unfinished())}.")


async def _turn() -> None:
    await asyncio.sleep(0)
