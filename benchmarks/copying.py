r"""Claim: one process turns documents into rows of three tables at a third of the pace of `psql \copy`.

Former accounts, in a SQLite file and then in an empty database: by one process that does the whole move, by
two workers that share it, by `\copy` of the rows that came of it (in one transaction, in which capture stands
aside as in a move), and as a script would do it: look each account up, insert it and its parts, commit. All
databases are of one server with the platform's own settings, all documents copies of one file.

What is timed is the copying itself: the workers are up and the files are there when it begins.
"""

import asyncio
import itertools
import shutil
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import asyncpg

from benchmarks.bars import COPY, COPY_RATE, COPY_ROWS, COPY_TWO
from benchmarks.databases import TABLES, Databases, accounts, databases, psql
from benchmarks.measuring import Benchmark, Claim, Effort, Measured, in_turn
from benchmarks.stages import take, worker_processes
from manystore.moves.tasks import Action
from manystore.stores.sqlite import SqliteStore
from mystira.domain.accounts.kind import ACCOUNTS
from mystira.platform import open_platform
from mystira.settings import Settings

ONE: Final = Claim(bar=COPY, unit="/s")
TWO: Final = Claim(bar=COPY_TWO, unit="/s")
ROWS: Final = Claim(
    bar=COPY_ROWS,
    unit="/s",
    missed="A server behind a socket of the same machine answers row by row within a millisecond for all "
    "three tables; over a network, where each look-up and each commit waits for the wire, the ratio grows. "
    "Here the copy would need more than `\\copy` itself has, times 0.8.",
)
RATE: Final = Claim(bar=COPY_RATE, unit="/s")
_WORKERS_READ: Final = 3.0
"""Seconds in which workers are up and have read where everything stands."""
_COPYING: Final = "begin;\nselect set_config('manystore.mode', 'copy accounts', true) \\g /dev/null\n"


class Roads:
    """The ways by which accounts come into tables; each gives how many a second came."""

    def __init__(self, server: Databases, folder: Path, *, count: int, row_by_row: int) -> None:
        self._server, self._folder, self._count, self._row_by_row = server, folder, count, row_by_row
        self._documents = folder / "documents.db"
        self._numbers = itertools.count()

    async def prepare(self) -> None:
        """Write the documents once, and move them once, to have the rows for `psql`."""
        store = SqliteStore(self._documents)
        await store.open()
        await store.adopt(ACCOUNTS, accounts(self._count))
        await store.close()
        async with self._place() as settings:
            await self._move(settings)
            assert settings.postgres_url is not None
            await psql(settings.postgres_url, self._files("to"), self._folder)

    def _files(self, direction: str) -> str:
        return "".join(f"\\copy {table} {direction} '{self._folder / table}'\n" for table in TABLES)

    @asynccontextmanager
    async def _place(self) -> AsyncIterator[Settings]:
        """An empty database and documents that nobody has moved yet."""
        name = f"copy_{next(self._numbers)}"
        folder = self._folder / name
        changes = {"data_folder": folder, "postgres_url": await self._server.make(name)}
        settings = self._server.settings.model_copy(update=changes)
        settings.documents_path.parent.mkdir(parents=True)
        shutil.copy(self._documents, settings.documents_path)
        try:
            yield settings
        finally:
            await self._server.drop(name)
            await asyncio.to_thread(shutil.rmtree, folder)

    async def by_one(self) -> float:
        """All of it in the process that measures."""
        async with self._place() as settings:
            return await self._move(settings)

    async def _move(self, settings: Settings) -> float:
        async with open_platform(settings, role="benchmark") as platform:
            return self._rate(await platform.mover.carry_out(Action.START, "accounts"))

    async def by_two(self) -> float:
        """Two processes as `mystira serve worker` runs them."""
        async with (
            self._place() as settings,
            worker_processes(settings, settings.data_folder, 2),
            open_platform(settings, role="benchmark") as platform,
        ):
            await asyncio.sleep(_WORKERS_READ)
            return self._rate(await take(platform, Action.START))

    def _rate(self, copied: dict[str, Any]) -> float:
        assert (copied["records"], copied["refused"]) == (self._count, 0), copied
        return self._count / float(copied["seconds"])

    async def by_psql(self) -> float:
        """PostgreSQL's own client."""
        async with self._place() as settings:
            assert settings.postgres_url is not None
            began = time.perf_counter()
            await psql(settings.postgres_url, f"{_COPYING}{self._files('from')}commit;\n", self._folder)
            return self._count / (time.perf_counter() - began)

    async def by_row(self) -> float:
        """Some accounts one after the other."""
        async with self._place() as settings:
            connection = await asyncpg.connect(settings.postgres_url)
            try:
                began = time.perf_counter()
                for account in itertools.islice(accounts(self._count), self._row_by_row):
                    await _write(connection, account)
                return self._row_by_row / (time.perf_counter() - began)
            finally:
                await connection.close()


async def _write(connection: Any, account: dict[str, Any]) -> None:
    key = account["id"]
    if await connection.fetchrow("select 1 from accounts where id = $1", key):
        return
    async with connection.transaction():
        await connection.execute(
            "insert into accounts (id, email, display_name, version) values ($1, $2, $3, 1)",
            key,
            account["email"],
            account["displayName"],
        )
        await connection.execute("insert into subscriptions (account_id) values ($1)", key)
        for number, scenario in enumerate(account.get("completedScenarioIds") or ()):
            await connection.execute(
                "insert into completed_scenarios (account_id, scenario_id, ordinal) values ($1, $2, $3) "
                "on conflict do nothing",
                key,
                str(scenario),
                number,
            )


async def measure(effort: Effort) -> Measured:
    """Each road in turn."""
    async with databases(effort.folder) as server:
        count = effort.of(100_000, 2_000)
        roads = Roads(server, effort.folder, count=count, row_by_row=effort.of(500, 20))
        await roads.prepare()
        found = await in_turn(
            effort, one=roads.by_one, two=roads.by_two, psql=roads.by_psql, rows=roads.by_row
        )
    return Measured(
        [
            ONE.figure(found["one"], found["psql"]),
            TWO.figure(found["two"], found["psql"]),
            ROWS.figure(found["one"], found["rows"]),
            RATE.figure(found["one"]),
        ]
    )


async def profile_copy(effort: Effort) -> None:
    """One process copies all of it."""
    async with databases(effort.folder) as server:
        roads = Roads(server, effort.folder, count=effort.of(50_000, 2_000), row_by_row=0)
        await roads.prepare()
        with effort.profiled():
            await roads.by_one()


BENCHMARK = Benchmark(
    name="copying",
    claims=(ONE, TWO, ROWS, RATE),
    measure=measure,
    profiles={"copy": profile_copy},
)
