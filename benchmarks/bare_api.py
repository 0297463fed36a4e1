"""The peer of the App API: one record by its key with Litestar and asyncpg, and nothing between them.

`python -m benchmarks.bare_api DESCRIPTOR STATEMENT` serves from an inherited socket. It asks nobody who
they are, knows one store, and answers what the driver gave, with the columns' own names.
"""

import os
import sys
from typing import Any

import asyncpg
import msgspec
import uvicorn
from litestar import Litestar, get
from litestar.datastructures import State
from litestar.exceptions import NotFoundException


@get("/api/v1/accounts/{account_id:str}")
async def read_account(account_id: str, state: State) -> dict[str, Any]:
    """The row, as JSON."""
    row = await state.pool.fetchrow(state.statement, account_id)
    if row is None:
        raise NotFoundException
    return {
        name: msgspec.Raw(value.encode()) if name in _JSON and value else value for name, value in row.items()
    }


_JSON = frozenset({"settings", "residue"})
_URL = "MYSTIRA_POSTGRES_URL"


def _application(url: str, statement: str) -> Litestar:
    async def open_pool(app: Litestar) -> None:
        app.state.pool = await asyncpg.create_pool(url, min_size=8, max_size=8)

    async def close_pool(app: Litestar) -> None:
        await app.state.pool.close()

    return Litestar(
        route_handlers=[read_account],
        state=State({"statement": statement}),
        on_startup=[open_pool],
        on_shutdown=[close_pool],
        openapi_config=None,
        logging_config=None,
    )


if __name__ == "__main__":
    uvicorn.run(
        _application(os.environ[_URL], sys.argv[2]),
        fd=int(sys.argv[1]),
        access_log=False,
        log_config=None,
        ws="none",
    )
