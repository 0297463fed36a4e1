"""Poolers between us and the server: behind one, no session is ours for longer than a transaction."""

import asyncpg


async def is_pooled(connection: asyncpg.Connection) -> bool:
    """Whether something else than the server itself answers on this connection.

    Whoever accepts a connection greets with a number by which the client can have its statements cancelled.
    The server's is that of the process which serves the session; a pooler, whose sessions come and go, has
    to make one up.
    """
    # Without a name, it leaves no prepared statement in a session that may be somebody else's next.
    question = await connection.prepare("select pg_backend_pid()", name="")
    return bool(await question.fetchval() != connection.get_server_pid())
