"""The pool of connections, and what becomes of their failures.

Nothing that the store does leaves state in a session: settings end with their transaction, there are no
temporary tables, no listeners, no session locks. So connections go back to the pool as they are, without
the reset query, which would cost a third of the rate of reads, and a transaction pooler may stand between.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Final, TypeVar

import asyncpg

from manystore.errors import UnavailableError
from manystore.stores.postgres.control import STALE_EPOCH
from manystore.stores.postgres.refusals import is_refusal, is_repeatable, unavailable

_ATTEMPTS: Final = 5
_PATIENCE: Final = 5.0
_Result = TypeVar("_Result")


async def _leave(connection: object) -> None:
    """Take the place of the pool's reset query."""


class Connections:
    """Runs statements. Raises UnavailableError for everything that is the server's fault.

    Refusals of values and of epochs pass through as asyncpg.PostgresError, for callers who know the record.
    """

    def __init__(self, url: str, size: int, store: str) -> None:
        self._url, self._size, self._store = url, size, store
        self._pool: Any = None

    async def open(self) -> None:
        """Connect. Idempotent."""
        if self._pool is not None:
            return
        try:
            self._pool = await asyncpg.create_pool(
                self._url, min_size=1, max_size=self._size, reset=_leave, timeout=_PATIENCE
            )
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, ValueError) as error:
            raise unavailable(self._store, error) from error

    async def close(self) -> None:
        """Let go of all connections, after a while also of those still at work. Idempotent."""
        pool, self._pool = self._pool, None
        if pool is None:
            return
        try:
            await asyncio.wait_for(pool.close(), _PATIENCE)
        except (TimeoutError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            pool.terminate()

    @asynccontextmanager
    async def borrow(self) -> AsyncIterator[Any]:
        """A connection of one's own for a while."""
        if self._pool is None:
            raise UnavailableError(subject=self._store, reason="it is closed")
        with self._failures():
            async with self._pool.acquire() as connection:
                yield connection

    @asynccontextmanager
    async def dedicated(self) -> AsyncIterator[Any]:
        """A new connection outside the pool, for work that leaves state in its session; closed in the end."""
        if self._pool is None:
            raise UnavailableError(subject=self._store, reason="it is closed")
        with self._failures():
            connection = await asyncpg.connect(self._url, timeout=_PATIENCE)
            try:
                yield connection
            finally:
                connection.terminate()

    @contextmanager
    def _failures(self) -> Iterator[None]:
        try:
            yield
        except asyncpg.PostgresError as error:
            if is_refusal(error) or is_repeatable(error) or error.sqlstate == STALE_EPOCH:
                raise
            raise unavailable(self._store, error) from error
        except asyncpg.DataError:
            raise
        except (OSError, asyncpg.InterfaceError) as error:
            raise unavailable(self._store, error) from error

    async def repeat(self, work: Callable[[Any], Awaitable[_Result]]) -> _Result:
        """Run `work` on a connection, again where it only lost a race; UnavailableError if it always does."""
        for attempt in range(_ATTEMPTS):
            try:
                async with self.borrow() as connection:
                    return await work(connection)
            except asyncpg.PostgresError as error:
                if not is_repeatable(error):
                    raise
                if attempt == _ATTEMPTS - 1:
                    raise unavailable(self._store, error) from error
            # Whoever won needs a moment to commit; different waits keep losers from meeting again.
            await asyncio.sleep(random.uniform(0, 0.01 * 2**attempt))  # noqa: S311
        raise AssertionError("the last attempt returns or raises")

    async def fetch(self, statement: str, *arguments: Any) -> list[Any]:
        """All rows of one statement, which is a transaction of its own."""

        async def run(connection: Any) -> list[Any]:
            rows: list[Any] = await connection.fetch(statement, *arguments)
            return rows

        return await self.repeat(run)

    async def value(self, statement: str, *arguments: Any) -> Any:
        """The first value of the first row, or None."""
        rows = await self.fetch(statement, *arguments)
        return rows[0][0] if rows else None
