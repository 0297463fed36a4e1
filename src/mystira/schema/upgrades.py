"""Bring the tables of a database up or down, step by step; safe when several processes do so at once."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import msgspec
import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from manystore.errors import UnavailableError
from manystore.stores.postgres.control import control_statements
from manystore.stores.postgres.sessions import is_pooled
from mystira.errors import EnvironmentRefusedError, PlatformError

LOCK: Final = 0x4D79737469726100
"""Advisory lock that whoever changes the schema holds ("Mystira" in ASCII)."""

_LOCK_NOT_AVAILABLE: Final = "55P03"
_NAMELESS: Final = {
    "statement_cache_size": 0,
    "prepared_statement_cache_size": 0,
    "prepared_statement_name_func": str,
}
"""No statement stays prepared: a pooler may answer, who lends the session to somebody else next."""


class Patience(msgspec.Struct, frozen=True, kw_only=True):
    """How long a step waits for tables that others use, in seconds.

    Everybody's writes queue behind a waiting step, so it waits briefly, steps back, and comes again.
    """

    lock: float = 2.0
    pause: float = 1.0
    attempts: int = 10


_PATIENCE: Final = Patience()


class SchemaBusyError(PlatformError):
    """Tables stayed in use by others through {attempts} attempts; nothing more was changed, try later."""

    def __init__(self, *, attempts: int) -> None:
        self.attempts = attempts
        super().__init__(attempts=attempts)


class PoolerError(EnvironmentRefusedError):
    """The schema is not changed through a pooler, because the lock on it would stay in a session that was
    only lent: set MYSTIRA_POSTGRES_DIRECT_URL to the server's own address.
    """


class RevisionError(PlatformError):
    """Revision {revision} cannot be reached: {reason}."""

    def __init__(self, *, revision: str, reason: str) -> None:
        self.revision, self.reason = revision, reason
        super().__init__(revision=revision, reason=reason)


async def upgrade(url: str, revision: str = "head", *, patience: Patience = _PATIENCE) -> None:
    """Take every step up to `revision`. Steps already taken stay if a later one fails.

    `url` is as asyncpg takes it: `postgresql://user@host:port/database`. Raises SchemaBusyError,
    RevisionError for a revision that is not known, PoolerError and UnavailableError.
    """
    await _migrate(url, revision, lambda config: command.upgrade(config, revision), patience)


async def downgrade(url: str, revision: str, *, patience: Patience = _PATIENCE) -> None:
    """Take every step back to `revision`; `base` is the empty database. Raises as `upgrade`."""
    await _migrate(url, revision, lambda config: command.downgrade(config, revision), patience)


async def current(url: str) -> str | None:
    """The revision that the database is at, or None before the first step. Raises UnavailableError."""
    async with _connection(url) as connection:
        return await connection.run_sync(
            lambda plain: MigrationContext.configure(plain).get_current_revision()
        )


def head() -> str | None:
    """The newest revision that this release knows."""
    return ScriptDirectory.from_config(_config()).get_current_head()


async def _migrate(url: str, revision: str, steps: Callable[[Config], None], patience: Patience) -> None:
    async with _connection(url) as connection:
        driver = (await connection.get_raw_connection()).driver_connection
        if await is_pooled(driver):
            raise PoolerError
        await connection.execute(sa.select(sa.func.pg_advisory_lock(LOCK)))
        await connection.commit()
        # After the advisory lock, which may be waited for as long as another process works.
        await connection.execute(sa.text(f"set lock_timeout = {int(patience.lock * 1000)}"))
        await connection.commit()
        for _ in range(patience.attempts):
            try:
                await _attempt(connection, steps)
            except CommandError as error:
                raise RevisionError(revision=revision, reason=str(error)) from error
            except sa.exc.DBAPIError as error:
                await connection.rollback()
                if getattr(error.orig, "sqlstate", None) != _LOCK_NOT_AVAILABLE:
                    raise
                await asyncio.sleep(patience.pause)
            else:
                return
        raise SchemaBusyError(attempts=patience.attempts)


async def _attempt(connection: AsyncConnection, steps: Callable[[Config], None]) -> None:
    # The engine's own schema first: the steps hang its triggers on the tables.
    for statement in control_statements():
        await connection.exec_driver_sql(statement)
    await connection.commit()

    def run(plain: sa.Connection) -> None:
        config = _config()
        config.attributes["connection"] = plain
        steps(config)

    await connection.run_sync(run)
    await connection.commit()


def _config() -> Config:
    config = Config()
    folder = str(Path(__file__).with_name("migrations"))
    config.set_main_option("script_location", folder.replace("%", "%%"))
    return config


@asynccontextmanager
async def _connection(url: str) -> AsyncIterator[AsyncConnection]:
    engine = create_async_engine(_async_url(url), poolclass=sa.NullPool, connect_args=_NAMELESS)
    try:
        connection = await _connect(engine)
        try:
            yield connection
        finally:
            await connection.close()
    finally:
        await engine.dispose()


async def _connect(engine: AsyncEngine) -> AsyncConnection:
    try:
        return await engine.connect()
    except Exception as error:  # the driver's own errors, which SQLAlchemy lets through here
        reason = f"{type(error).__name__}: {error}"
        raise UnavailableError(subject="PostgreSQL", reason=reason) from error


def _async_url(url: str) -> sa.URL:
    parsed = sa.make_url(url).set(drivername="postgresql+asyncpg")
    # libpq and asyncpg's own URLs say `sslmode`; the driver's argument is called `ssl`.
    if mode := parsed.query.get("sslmode"):
        parsed = parsed.difference_update_query(["sslmode"]).update_query_dict({"ssl": mode})
    return parsed
