"""Threads that each own a connection, and the queue by which tasks of the event loop reach them.

SQLite's calls block, so they run here. A thread takes all that waits for it at once: the writer commits it
as one transaction, since each commit costs a sync of the disk, and the loop is woken once for all of it.
"""

import asyncio
import queue
import sqlite3
import threading
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

import msgspec

from manystore.errors import UnavailableError

T = TypeVar("T")

Work = Callable[[sqlite3.Connection], T]


class Job(msgspec.Struct, Generic[T]):
    """Something to do with a connection, who waits for it, and what became of it."""

    work: Work[T]
    future: asyncio.Future[T]
    result: T | None = None
    error: BaseException | None = None

    def run(self, connection: sqlite3.Connection) -> None:
        """Do it, and keep its result or its error."""
        try:
            self.result, self.error = self.work(connection), None
        except BaseException as error:  # noqa: BLE001 - it belongs to whoever waits, and is raised there
            self.error = error

    def settle(self) -> None:
        """Tell who waits; on the event loop."""
        if self.future.done():
            return
        if self.error is None:
            self.future.set_result(self.result)  # type: ignore[arg-type]
        else:
            self.future.set_exception(self.error)


Run = Callable[[sqlite3.Connection, Sequence[Job[Any]]], None]
"""How a lane's threads do the jobs that they took together."""


class Lane:
    """A queue of jobs and the threads that work on it, each with a connection of its own."""

    def __init__(
        self,
        store: str,
        role: str,
        connect: Callable[[], sqlite3.Connection],
        run: Run,
        *,
        threads: int = 1,
        at_once: int = 1,
    ) -> None:
        self._store, self._role, self._connect, self._run = store, role, connect, run
        self._thread_count, self._at_once = threads, at_once
        self._waiting: queue.SimpleQueue[Job[Any] | None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._is_open = False

    async def start(self) -> None:
        """Connect. Raises what `connect` raises, with nothing left behind."""
        loop = asyncio.get_running_loop()
        ready: list[asyncio.Future[None]] = []
        for number in range(self._thread_count):
            ready.append(loop.create_future())
            # As daemons, because a process that was told to end must not wait for one who forgot to close.
            name = f"{self._store}-{self._role}-{number}"
            thread = threading.Thread(target=self._work, args=(loop, ready[-1]), name=name, daemon=True)
            thread.start()
            self._threads.append(thread)
        results = await asyncio.gather(*ready, return_exceptions=True)
        self._is_open = True
        for result in results:
            if isinstance(result, BaseException):
                await self.stop()
                raise result

    async def stop(self) -> None:
        """Finish what waits, then end the threads and close their connections."""
        self._is_open = False
        for _ in self._threads:
            self._waiting.put(None)
        for thread in self._threads:
            await asyncio.to_thread(thread.join)
        self._threads.clear()
        self._waiting = queue.SimpleQueue()

    async def do(self, work: Work[T]) -> T:
        """Have it done by the next free thread. Raises UnavailableError where the lane is closed."""
        if not self._is_open:
            raise UnavailableError(subject=self._store, reason="it is closed")
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._waiting.put(Job(work, future))
        return await future

    def _work(self, loop: asyncio.AbstractEventLoop, ready: asyncio.Future[None]) -> None:
        opening = Job(lambda connection: None, ready)
        try:
            connection = self._connect()
        except UnavailableError as error:
            opening.error = error
            _settle(loop, [opening])
            return
        _settle(loop, [opening])
        try:
            while jobs := self._take():
                try:
                    self._run(connection, jobs)
                except BaseException as error:  # noqa: BLE001 - raised where the jobs are waited for
                    for job in jobs:
                        job.error = error
                _settle(jobs[0].future.get_loop(), jobs)
        finally:
            connection.close()

    def _take(self) -> list[Job[Any]]:
        """All that waits, up to `at_once`; nothing at all once the lane has stopped."""
        jobs = list[Job[Any]]()
        job = self._waiting.get()
        while job is not None:
            # A caller that was cancelled before its turn came wants nothing any more.
            if not job.future.cancelled():
                jobs.append(job)
            if len(jobs) == self._at_once:
                return jobs
            try:
                job = self._waiting.get(block=not jobs)
            except queue.Empty:
                return jobs
        if jobs:
            self._waiting.put(None)
        return jobs


def _settle(loop: asyncio.AbstractEventLoop, jobs: Sequence[Job[Any]]) -> None:
    def settle_all() -> None:
        for job in jobs:
            job.settle()

    try:
        loop.call_soon_threadsafe(settle_all)
    except RuntimeError:
        # The loop is gone, and with it everyone who could wait for these results.
        return
