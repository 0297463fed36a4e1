"""Group commit: what several tasks write at the same time becomes one transaction.

A commit costs a sync of the disk, whatever it holds. Each job runs in a savepoint of its own, so one that
is refused leaves nothing behind and does not disturb the others. Nobody is told of success before the
commit that holds their write has returned.
"""

import contextlib
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

from manystore.stores.sqlite.lanes import Job, Run, Work
from manystore.stores.sqlite.schema import patiently, unavailable

T = TypeVar("T")


def committing_together(path: Path, store: str, *, first: str = "", last: str = "") -> Run:
    """How the writer's thread runs jobs: all that wait, in one transaction, between two statements."""

    def run(connection: sqlite3.Connection, jobs: Sequence[Job[Any]]) -> None:
        try:
            # Immediate: taking the write lock first means that what a job reads cannot change before it
            # writes, in whatever process.
            patiently(lambda: connection.execute("begin immediate"))
            connection.execute(first)
            for job in jobs:
                _run_in_savepoint(connection, job)
            connection.execute(last)
            patiently(lambda: connection.execute("commit"))
        except sqlite3.Error as error:
            _roll_back(connection)
            for job in jobs:
                # Also those that had succeeded: what they wrote went with the transaction.
                job.error = unavailable(store, path, error)
        for job in jobs:
            _name_error(path, store, job)

    return run


def reading(path: Path, store: str) -> Run:
    """How a reader's thread runs jobs: each statement sees what is committed just then."""

    def run(connection: sqlite3.Connection, jobs: Sequence[Job[Any]]) -> None:
        for job in jobs:
            job.work = _patient(job.work)
            job.run(connection)
            _name_error(path, store, job)

    return run


def _patient(work: Work[T]) -> Work[T]:
    # A reader waits only in rare cases: while another process recovers the log, or is the last to close it.
    return lambda connection: patiently(lambda: work(connection))


def _run_in_savepoint(connection: sqlite3.Connection, job: Job[Any]) -> None:
    connection.execute("savepoint job")
    job.run(connection)
    if isinstance(job.error, sqlite3.Error) and not connection.in_transaction:
        # Some errors (a full disk) end the whole transaction, and so concern every job of it.
        raise job.error
    if job.error is not None:
        connection.execute("rollback to job")
    connection.execute("release job")


def _roll_back(connection: sqlite3.Connection) -> None:
    # The error that led here is told to the callers; one more from the rollback would add nothing, and the
    # next `begin` reports a connection that cannot go on.
    with contextlib.suppress(sqlite3.Error):
        connection.rollback()


def _name_error(path: Path, store: str, job: Job[Any]) -> None:
    if isinstance(job.error, sqlite3.Error):
        job.error = unavailable(store, path, job.error)
