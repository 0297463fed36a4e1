"""Whether a session is ours, and whether it is as the engine needs it.

Behind a pooler no session is ours for longer than a transaction. And whoever looks after a server, a database
or a user can have each session begin otherwise than usual.
"""

from collections.abc import Mapping
from typing import Final

import asyncpg

from manystore.stores.postgres.control import COPY_LOCK_SPACE

FIT: Final[Mapping[str, tuple[str, ...]]] = {
    # A writer that waited for a fence has to see the fence that rose, and a reader of the log what was
    # committed since: under a stricter level, a transaction goes on seeing what it saw first.
    "default_transaction_isolation": ("read committed",),
    # For the others no trigger fires: changes would be in no log.
    "session_replication_role": ("origin", "local"),
}
"""The settings without which promises are broken silently, with the values that keep them."""

END_SILENT: Final = f"""
    select pg_terminate_backend(pid) from pg_stat_activity join pg_locks using (pid)
    where locktype = 'advisory' and classid = {COPY_LOCK_SPACE} and datname = current_database()
    and wait_event = 'ClientRead' and query_start < now() - make_interval(secs => $1)
    """
"""Ends sessions that are amid a COPY of ours and have waited for its rows for longer than so many seconds.

No time-out of the server's covers that wait. A client that is alive gave the statement up by itself long
before; one that is frozen holds its locks until it wakes, and what waits for them would wait as long.
"""

_SETTINGS: Final = """
    select u.name, coalesce(current_setting(u.name, true), '') as value from unnest($1::text[]) u (name)
    """


async def is_pooled(connection: asyncpg.Connection) -> bool:
    """Whether something else than the server itself answers on this connection.

    Whoever accepts a connection greets with a number by which the client can have its statements cancelled.
    The server's is that of the process which serves the session; a pooler, whose sessions come and go, has
    to make one up.
    """
    # Without a name, it leaves no prepared statement in a session that may be somebody else's next.
    question = await connection.prepare("select pg_backend_pid()", name="")
    return bool(await question.fetchval() != connection.get_server_pid())


async def settings_of(connection: asyncpg.Connection, names: tuple[str, ...]) -> dict[str, str]:
    """Settings as they are in this session; empty where the release knows none of the name."""
    return {row["name"]: row["value"] for row in await connection.fetch(_SETTINGS, names)}


def unfit(settings: Mapping[str, str]) -> list[str]:
    """What is not as the engine needs it, each with what it has to be."""
    return [
        f"{name} is {settings[name]}, and has to be {' or '.join(fit)}"
        for name, fit in FIT.items()
        if settings[name] not in fit
    ]
