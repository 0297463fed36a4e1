"""An event loop whose time is a number, and in which the same steps come in the same order every time.

Nothing is waited for: where all tasks wait, time jumps to the first that is due. Where nobody is due, nothing
will ever happen again, and that is an error which names who waits.

Python orders what lies in a set by its hash, and that of a task is its address, another one in each
interpreter. `asyncio.wait` and task groups go through such sets, so tasks and futures of this loop are
numbered in the order in which they are made, and their hash is the number.
"""

import asyncio
import contextvars
import itertools
from collections.abc import Coroutine, Iterable
from concurrent.futures import Executor
from typing import Any, Final, NoReturn

MOST_TURNS: Final = 20_000
"""Turns of the loop in which time may stand still: beyond that, a task asks again and again."""


class DeadlockError(Exception):
    """Nobody has anything left to do, and somebody waits."""


class StalledError(Exception):
    """Tasks go on and on at one moment of time."""


class FenceError(Exception):
    """Something simulated reached for the world outside."""


class CountedFuture(asyncio.Future[Any]):
    """A future that is known by its number."""

    def __init__(self, number: int, loop: asyncio.AbstractEventLoop) -> None:
        self.number = number
        super().__init__(loop=loop)

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


class _Jump:
    """What the loop takes for a selector: it waits for nothing, and lets time pass."""

    def __init__(self, loop: "VirtualLoop") -> None:
        self._loop, self._turns = loop, 0

    def select(self, timeout: float | None) -> list[Any]:
        if timeout is None:
            raise DeadlockError(
                f"Nobody has anything left to do. Waiting: {_named(self._loop.unfinished())}."
            )
        if timeout > 0:
            self._loop.pass_time(timeout)
            self._turns = 0
            return []
        self._turns += 1
        if self._turns > MOST_TURNS:
            self._turns = 0
            busy = _named(self._loop.unfinished())
            raise StalledError(f"Time stands still at {self._loop.time():.6f} s. Unfinished: {busy}.")
        return []

    def close(self) -> None:
        """Nothing is open."""


def _named(tasks: Iterable[CountedTask]) -> str:
    return ", ".join(task.get_name() for task in tasks) or "nobody"


class VirtualLoop(asyncio.BaseEventLoop):
    """Runs tasks in virtual time, from 0 s. It knows no threads, no sockets and no processes."""

    def __init__(self) -> None:
        super().__init__()
        self._now = 0.0
        self._clock_resolution = 1e-9
        self._selector = _Jump(self)
        self._numbers = itertools.count(1)
        self._labels: dict[str, int] = {}
        self._tasks: dict[int, CountedTask] = {}
        # Told when rubbish is collected, which is at no certain time: nothing may follow from it.
        self.set_exception_handler(lambda loop, context: None)

    def time(self) -> float:
        """Virtual seconds since the loop was made."""
        return self._now

    def pass_time(self, seconds: float) -> None:
        """Let time pass; for the selector."""
        self._now += seconds

    def unfinished(self) -> list[CountedTask]:
        """The tasks that are not done, in the order in which they were made."""
        for number in [number for number, task in self._tasks.items() if task.done()]:
            del self._tasks[number]
        return list(self._tasks.values())

    def create_future(self) -> CountedFuture:
        """A future of this loop."""
        return CountedFuture(next(self._numbers), self)

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

    # -- what a loop of the real world has --------------------------------------------------------------

    def run_in_executor(self, executor: Executor | None, func: Any, *args: Any) -> NoReturn:  # type: ignore[override]
        """Refused: what a thread does when is nobody's choice. Raises FenceError."""
        raise FenceError(f"{_named(_present(self))} hands {func!r} to a thread")

    def call_soon_threadsafe(self, callback: Any, *args: Any, **options: Any) -> NoReturn:  # type: ignore[override]
        """Refused, as there are no threads. Raises FenceError."""
        raise FenceError(f"{callback!r} is called from a thread")

    def _process_events(self, event_list: list[Any]) -> None:
        """There are none."""

    def _write_to_self(self) -> None:
        """Nobody sleeps who would have to be woken."""


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
