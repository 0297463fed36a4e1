"""What somebody who looks after a PostgreSQL server wants to know of it; reads only, and alters nothing."""

import datetime as dt
from collections.abc import Iterable
from typing import Final

import asyncpg
import msgspec

from manystore.errors import UnavailableError
from manystore.stores.postgres.mapping import Mapping
from manystore.stores.postgres.quoting import quoted_table
from manystore.stores.postgres.sessions import is_pooled, settings_of

OLDEST_NUMBER: Final = 150000
"""PostgreSQL 15, as `server_version_num` says it."""

SETTINGS: Final = (
    "fsync",
    "synchronous_commit",
    "full_page_writes",
    "server_encoding",
    "default_transaction_isolation",
    "default_transaction_read_only",
    "session_replication_role",
    "max_connections",
    "superuser_reserved_connections",
    "reserved_connections",
    "TimeZone",
)
"""Those that matter here, as a session of this user in this database has them."""
_PATIENCE: Final = 5.0

_STATE: Final = """
select current_setting('server_version_num')::int as number,
       current_setting('server_version') as version,
       clock_timestamp() as now,
       (select count(*) from pg_stat_activity where backend_type = 'client backend') as connections,
       coalesce((
           select extract(epoch from max(clock_timestamp() - xact_start))
           from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid()
       ), 0)::float8 as oldest_transaction
"""

_TRIGGERS: Final = """
select tgrelid::regclass::text as relation, tgname as name
from pg_trigger where not tgisinternal and tgenabled in ('O', 'A') and tgname like 'manystore\\_%'
"""


class Inspection(msgspec.Struct, frozen=True, kw_only=True):
    """A server as it is just now; `oldest_transaction` is its age in seconds, 0 where there is none.

    `missing_triggers` are those of the capture that are absent or disabled, as `table: trigger`; `is_pooled`
    tells that a pooler answered in the server's place.
    """

    is_pooled: bool
    number: int
    version: str
    now: dt.datetime
    connections: int
    oldest_transaction: float
    settings: dict[str, str]
    missing_triggers: tuple[str, ...]


async def inspect(url: str, mappings: Iterable[Mapping]) -> Inspection:
    """Ask the server. Raises UnavailableError."""
    try:
        # A pooler may answer, who lends the session to somebody else next: nothing stays prepared in it.
        connection = await asyncpg.connect(
            url, timeout=_PATIENCE, command_timeout=_PATIENCE, statement_cache_size=0
        )
        try:
            pooled = await is_pooled(connection)
            state = await connection.fetchrow(_STATE)
            settings = await settings_of(connection, SETTINGS)
            present = {(row["relation"], row["name"]) for row in await connection.fetch(_TRIGGERS)}
            wanted = [(await _regclass(connection, table), name) for table, name in _capture(mappings)]
        finally:
            await connection.close(timeout=_PATIENCE)
    except (
        OSError,
        TimeoutError,
        asyncpg.PostgresError,
        asyncpg.InterfaceError,
        asyncpg.InternalClientError,
    ) as error:
        reason = f"{type(error).__name__}: {error}".rstrip(": ")
        raise UnavailableError(subject="PostgreSQL", reason=reason) from error
    missing = tuple(f"{table}: {name}" for table, name in wanted if (table, name) not in present)
    return Inspection(is_pooled=pooled, **dict(state), settings=settings, missing_triggers=missing)


async def _regclass(connection: asyncpg.Connection, table: str) -> str:
    """The table's name as the server itself writes it; as it was given where there is no such table."""
    found: str | None = await connection.fetchval("select to_regclass($1)::text", table)
    return found or table


def _capture(mappings: Iterable[Mapping]) -> list[tuple[str, str]]:
    """Each table, quoted, with each trigger that has to hang on it."""
    wanted = []
    for mapping in mappings:
        root = quoted_table(mapping.table)
        wanted += [(root, "manystore_before"), (root, "manystore_after")]
        wanted += [(quoted_table(part.table), "manystore_part") for part in mapping.parts]
        wanted += [(quoted_table(table), "manystore_no_truncate") for table in mapping.tables()]
    return wanted
