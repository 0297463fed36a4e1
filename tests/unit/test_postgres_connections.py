"""What becomes of a connection whose driver no longer knows where it stands."""

from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg
import pytest

from manystore.errors import UnavailableError
from manystore.stores.postgres.connections import Connections


class Torn:
    """A connection on which the server's last words have come, and not yet that it is closed."""

    def __init__(self) -> None:
        self.is_terminated = False

    async def fetch(self, *_: object) -> list[Any]:
        """Answer as asyncpg does in that moment."""
        raise asyncpg.InternalClientError("cannot switch to state 11; another operation (2) is in progress")

    def is_closed(self) -> bool:
        """It does not know yet."""
        return self.is_terminated

    def is_in_transaction(self) -> bool:
        """No."""
        return False

    def terminate(self) -> None:
        """Close without a word."""
        self.is_terminated = True


async def _by_fetch(connections: Connections) -> object:
    return await connections.fetch("select 1")


async def _by_repeat(connections: Connections) -> object:
    async def work(connection: Any) -> object:
        return await connection.fetch("select 1")

    return await connections.repeat(work)


@pytest.mark.parametrize("ask", [_by_fetch, _by_repeat])
async def test_a_torn_connection_is_unavailable_and_never_lent_again(
    ask: Callable[[Connections], Awaitable[object]],
) -> None:
    """The caller hears what can be waited out, and nobody else gets that connection."""
    torn = Torn()

    class Pool(Connections):
        async def _connect(self) -> Any:
            return torn

    connections = Pool("postgresql://nowhere", 1, "postgres", keeps_statements=True)
    await connections.open()
    with pytest.raises(UnavailableError, match="another operation"):
        await ask(connections)
    assert torn.is_terminated
