"""The pool of connections, and what becomes of their failures.

Nothing that is done on a lent connection leaves state in a session: settings end with their transaction,
there are no temporary tables, no listeners, no session locks. So a connection goes back as it is, without a
query that resets it, and a pooler that lends sessions by transaction may stand between. Prepared statements
are the one exception: behind a pooler, none is kept. Work that needs a session of its own has a connection
`dedicated` to it, which must not be a pooler's: a temporary table left there would be everybody's, and one
of a real table's name would swallow what others write to that.

The pool is our own because asyncpg's goes several times around the event loop to lend a connection, which
doubles the time of a point read (measured: 55 µs for the driver alone, 140 through its pool). It is a stack:
the connection last used is the next one lent.
"""

import asyncio
import random
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Final, TypeVar

import asyncpg

from manystore.errors import DeclarationError, UnavailableError
from manystore.stores.postgres.control import STALE_EPOCH
from manystore.stores.postgres.refusals import is_refusal, is_repeatable, unavailable
from manystore.stores.postgres.sessions import is_pooled

TIMEOUT: Final = 60.0
"""Seconds for a statement, unless told otherwise: many times what the longest takes on a sound server."""

_ATTEMPTS: Final = 5
_PATIENCE: Final = 5.0
_STATEMENTS: Final = 200
_TROUBLE: Final = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)
"""What can come of a connection. The last is how the driver says that one was lost amid a statement."""
_Result = TypeVar("_Result")


class Connections:
    """Lends connections and runs statements. Raises UnavailableError for what is the server's fault.

    Refusals of values and of epochs pass through as asyncpg.PostgresError, for callers who know the record.
    Where `keeps_statements` is None, statements stay prepared unless a pooler answers at `url`; then
    `direct_url` leads past it. Whoever does not answer a statement within `timeout` seconds is unavailable.
    """

    def __init__(
        self,
        url: str,
        size: int,
        store: str,
        *,
        keeps_statements: bool | None = None,
        direct_url: str | None = None,
        timeout: float = TIMEOUT,
    ) -> None:
        self._url, self._size, self._store = url, size, store
        self.timeout: Final = timeout
        self._direct_url = direct_url or url
        self._must_ask = keeps_statements is None
        self._statements_kept = 0 if keeps_statements is False else _STATEMENTS
        self._is_open = False
        self._idle: list[Any] = []
        self._lent: set[Any] = set()
        self._coming = 0
        self._waiting: deque[asyncio.Future[Any]] = deque()

    async def open(self) -> None:
        """Connect once, to know that it can be done. Idempotent."""
        if not self._is_open:
            with self._failures():
                self._idle.append(await self._first())
            self._is_open = True

    async def close(self) -> None:
        """Let go of all connections; work under way is cut off. Idempotent."""
        self._is_open = False
        connections = [*self._idle, *self._lent]
        self._idle.clear()
        self._lent.clear()
        for waiting in self._waiting:
            if not waiting.done():
                waiting.set_exception(self._closed())
        self._waiting.clear()
        for connection in connections:
            try:
                await connection.close(timeout=_PATIENCE)
            except _TROUBLE:
                connection.terminate()

    def _closed(self) -> UnavailableError:
        return UnavailableError(subject=self._store, reason="it is closed")

    async def _first(self) -> Any:
        connection = await self._connect()
        try:
            if not (self._must_ask and await is_pooled(connection)):
                return connection
        except BaseException:
            connection.terminate()
            raise
        # It was made to keep statements, so another one takes its place.
        connection.terminate()
        self._statements_kept = 0
        return await self._connect()

    async def _connect(self) -> Any:
        # Without a limit of ours, a line that was cut without a word keeps a statement waiting for hours.
        return await asyncpg.connect(
            self._url,
            timeout=min(_PATIENCE, self.timeout),
            command_timeout=self.timeout,
            statement_cache_size=self._statements_kept,
        )

    # -- lending -------------------------------------------------------------------------------------

    async def _take(self) -> Any:
        while self._is_open:
            if self._idle:
                connection = self._idle.pop()
                if connection.is_closed():
                    continue
            elif len(self._lent) + self._coming < self._size:
                connection = await self._grow()
            else:
                connection = await self._wait()
                if connection is None:
                    continue
            self._lent.add(connection)
            return connection
        raise self._closed()

    async def warm(self, queries: Sequence[tuple[str, str]] = ()) -> None:
        """Fill the pool, one connection after the other, so that nobody has to wait for it meanwhile.

        Each is asked the queries (with their one argument), so that it has prepared them before somebody
        waits for that: what a server plans in 4 ms, ten connections plan in 40 where they begin together.
        """
        known = queries if self._statements_kept else ()
        async with self.borrow() as connection:
            await _ask_all(connection, known)
        while self._is_open and len(self._idle) + len(self._lent) + self._coming < self._size:
            with self._failures():
                connection, is_sound = await self._grow(), False
                self._lent.add(connection)
                try:
                    await _ask_all(connection, known)
                    is_sound = True
                finally:
                    self._give_back(connection, is_sound=is_sound)

    async def _grow(self) -> Any:
        self._coming += 1
        try:
            connection = await self._connect()
            if not self._is_open:
                connection.terminate()
                raise self._closed()
            return connection
        except BaseException:
            # The place that was kept for this one is free for somebody who waits.
            self._hand_on(None)
            raise
        finally:
            self._coming -= 1

    async def _wait(self) -> Any:
        waiting: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting.append(waiting)
        try:
            return await waiting
        except asyncio.CancelledError:
            if waiting.done() and not waiting.cancelled() and waiting.exception() is None:
                self._hand_on(waiting.result())
            raise

    def _give_back(self, connection: Any, *, is_sound: bool) -> None:
        if connection not in self._lent:
            return
        self._lent.discard(connection)
        if is_sound and not connection.is_closed() and not connection.is_in_transaction():
            self._hand_on(connection)
        else:
            # Cut off amid a statement: nobody knows what it would do next.
            connection.terminate()
            self._hand_on(None)

    def _hand_on(self, connection: Any) -> None:
        """Give a connection, or the place for one, to who waits longest."""
        while self._waiting:
            waiting = self._waiting.popleft()
            if not waiting.done():
                if connection is not None:
                    # Lent from here on: until who waited comes to it, others would take its place for free.
                    self._lent.add(connection)
                waiting.set_result(connection)
                return
        if connection is not None:
            self._lent.discard(connection)
            self._idle.append(connection)

    @asynccontextmanager
    async def borrow(self) -> AsyncIterator[Any]:
        """A connection of one's own for a while."""
        with self._failures():
            connection = await self._take()
            is_sound = False
            try:
                yield connection
                is_sound = True
            except Exception as error:
                is_sound = _leaves_sound(error)
                raise
            finally:
                self._give_back(connection, is_sound=is_sound)

    @asynccontextmanager
    async def dedicated(self) -> AsyncIterator[Any]:
        """A new connection beside the pool, for work that leaves state in its session; closed in the end.

        Raises DeclarationError where a pooler answers, because the session would not end with it.
        """
        if not self._is_open:
            raise self._closed()
        with self._failures():
            connection = await asyncpg.connect(self._direct_url, timeout=_PATIENCE)
            try:
                if await is_pooled(connection):
                    reason = (
                        "this needs a session of its own, and a pooler answers: add the server's direct_url"
                    )
                    raise DeclarationError(subject=f"store {self._store}", reason=reason)
                yield connection
            finally:
                connection.terminate()

    @contextmanager
    def _failures(self) -> Iterator[None]:
        try:
            yield
        except _TROUBLE as error:
            failure = self._failure(error)
            raise failure from (error.__cause__ if failure is error else error)

    def _failure(self, error: Exception) -> Exception:
        """The error itself where it is about a record or an epoch, else UnavailableError."""
        if isinstance(error, TimeoutError):
            self._forget_idle()
        is_ours = isinstance(error, asyncpg.DataError)
        if isinstance(error, asyncpg.PostgresError):
            is_ours = is_refusal(error) or is_repeatable(error) or error.sqlstate == STALE_EPOCH
        if is_ours:
            return error
        return unavailable(self._store, error)

    def _forget_idle(self) -> None:
        """The idle lead the same way as one that does not answer: new ones show soon whether anybody does."""
        while self._idle:
            self._idle.pop().terminate()

    # -- running -------------------------------------------------------------------------------------

    async def repeat(self, work: Callable[[Any], Awaitable[_Result]]) -> _Result:
        """Run `work` on a connection, again where it only lost a race; UnavailableError if it always does."""
        for attempt in range(_ATTEMPTS):
            try:
                async with self.borrow() as connection:
                    return await work(connection)
            except asyncpg.PostgresError as error:
                await self._before_next(attempt, error)
        raise AssertionError("the last attempt returns or raises")

    async def fetch(self, statement: str, *arguments: Any) -> list[Any]:
        """All rows of one statement, which is a transaction of its own.

        The same as `repeat`, written out, because every read and write comes this way.
        """
        for attempt in range(_ATTEMPTS):
            is_sound = False
            connection = None
            try:
                connection = self._idle_one() or await self._take()
                rows: list[Any] = await connection.fetch(statement, *arguments)
                is_sound = True
                return rows
            except _TROUBLE as error:
                is_sound = _leaves_sound(error)
                failure = self._failure(error)
                if not isinstance(failure, asyncpg.PostgresError):
                    raise failure from error
                await self._before_next(attempt, failure)
            finally:
                if connection is not None:
                    self._give_back(connection, is_sound=is_sound)
        raise AssertionError("the last attempt returns or raises")

    def _idle_one(self) -> Any:
        if not self._idle:
            return None
        connection = self._idle.pop()
        if connection.is_closed():
            return None
        self._lent.add(connection)
        return connection

    async def _before_next(self, attempt: int, error: asyncpg.PostgresError) -> None:
        """Wait before the next attempt; raise where there is no use in one."""
        if not is_repeatable(error):
            raise error
        if attempt == _ATTEMPTS - 1:
            raise unavailable(self._store, error) from error
        # Whoever won needs a moment to commit; different waits keep losers from meeting again.
        await asyncio.sleep(random.uniform(0, 0.01 * 2**attempt))  # noqa: S311

    async def value(self, statement: str, *arguments: Any) -> Any:
        """The first value of the first row, or None."""
        rows = await self.fetch(statement, *arguments)
        return rows[0][0] if rows else None


async def _ask_all(connection: Any, queries: Sequence[tuple[str, str]]) -> None:
    for statement, argument in queries:
        await connection.fetch(statement, argument)


def _leaves_sound(error: Exception) -> bool:
    """Whether a connection can be lent again after this: the driver may still be amid something otherwise."""
    return not isinstance(error, (OSError, asyncpg.InternalClientError))
