r"""Claims: the PostgreSQL store reads, writes and copies accounts of three tables near the driver's pace.

    read one record                     the driver alone, same statement             at most 1.3 x the time
    write one record, with its change   one plain upsert by the driver               at most 1.8 x the time
    copy into empty tables              `psql \copy` of the same rows                at least 0.35 of the rate
    copy                                look up, insert and commit row by row        at least 30 x the rate

Both sides run in turn on one server with the settings of the platform; figures are medians of five rounds
and ratios those of medians. The store's writes follow reads, as those of an API with ETags do; writes that
follow nothing are printed beside. Exit code 1 if a limit is missed.
"""

import asyncio
import datetime as dt
import gc
import itertools
import random
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import asyncpg

from manystore.records import Record
from manystore.stores.postgres import PostgresStore
from manystore.stores.postgres.kinds import MappedKind
from manystore.stores.store import Applied, Fence
from mystira.domain.accounts.kind import ACCOUNTS
from mystira.schema.mappings import MAPPINGS
from mystira.schema.upgrades import upgrade
from mystira.servers import embedded_servers
from mystira.servers.postgres import find_binary
from mystira.settings import Settings
from mystira.simulation.people import make_account

ROUNDS = 5
POINTS = 500
ACCOUNTS_COPIED = 20_000
BATCH = 1_000
ROW_BY_ROW = 300
TABLES = ("accounts", "subscriptions", "completed_scenarios")
Round = Callable[[], Awaitable[None]]


async def seconds(work: Round) -> float:
    """The time that one round takes."""
    began = time.perf_counter()
    await work()
    return time.perf_counter() - began


async def medians(**rounds: Round) -> dict[str, float]:
    """The median time of each, run in turn so that all see the same weather; the first turn warms up."""
    times: dict[str, list[float]] = {name: [] for name in rounds}
    for turn in range(ROUNDS + 1):
        for name, work in rounds.items():
            taken = await seconds(work)
            if turn:
                times[name].append(taken)
    return {name: statistics.median(taken) for name, taken in times.items()}


def report(what: str, ours: str, theirs: str, ratio: float, limit: float, *, at_most: bool) -> bool:
    """Print one claim; whether it holds."""
    holds = ratio <= limit if at_most else ratio >= limit
    sign = "<=" if at_most else ">="
    verdict = "holds" if holds else "MISSED"
    print(f"{what:34} {ours:>16} {theirs:>16}   ratio {ratio:7.2f} ({sign} {limit:g})  {verdict}")
    return holds


class Bench:
    """A store with accounts in it, and the bare driver beside."""

    def __init__(self, url: str, store: PostgresStore, driver: Any, records: list[Record]) -> None:
        self.url, self.store, self.driver, self.records = url, store, driver, records
        self.statement = MappedKind(MAPPINGS[0], "bare").reading.get
        self.keys = [record.key for record in records[:POINTS]]
        self._names = itertools.count()

    async def empty(self) -> None:
        """Take all rows away, past the triggers that would note it."""
        connection = await asyncpg.connect(self.url)
        await connection.execute(
            f"set session_replication_role = replica; truncate {', '.join(TABLES)} cascade; "
            "truncate manystore.change_log, manystore.tombstones"
        )
        await connection.close()

    async def copy(self) -> None:
        """As a mover does: batches of a thousand, two ranges at a time."""
        batches = iter(range(0, len(self.records), BATCH))

        async def work() -> None:
            for start in batches:
                batch = self.records[start : start + BATCH]
                outcomes = await self.store.apply(ACCOUNTS, batch)
                assert all(isinstance(outcome, Applied) for outcome in outcomes), outcomes

        await asyncio.gather(work(), work())

    # -- points --------------------------------------------------------------------------------------

    async def read(self) -> None:
        """Each record by the store."""
        for key in self.keys:
            await self.store.get(ACCOUNTS, key)

    async def read_bare(self) -> None:
        """Each record's row by the driver."""
        for key in self.keys:
            await self.driver.fetchrow(self.statement, key)

    async def write(self, *, after_reading: bool) -> float:
        """Seconds spent in writes; the reads that give the versions are not counted."""
        spent = 0.0
        for key in self.keys:
            if after_reading:
                held = await self.store.get(ACCOUNTS, key)
            else:
                held = (await self.store.get_many(ACCOUNTS, [key]))[key]
            assert held is not None
            assert held.content is not None
            content = held.content | {"displayName": f"Name {next(self._names)}"}
            began = time.perf_counter()
            await self.store.put(ACCOUNTS, key, content, expected=held.version, epoch=1)
            spent += time.perf_counter() - began
        return spent

    async def upsert_bare(self) -> float:
        """The same change to a twin of the root table alone, without triggers."""
        statement = """
            insert into twin (id, email, display_name, role, created_at, updated_at, version)
            values ($1, $2, $3, 'User', $4, $4, 1)
            on conflict (id) do update set display_name = excluded.display_name, role = excluded.role,
            updated_at = excluded.updated_at, version = twin.version + 1
            """
        now = dt.datetime.now(dt.UTC)
        began = time.perf_counter()
        for number, key in enumerate(self.keys):
            email = f"twin{number}@example.org"
            await self.driver.execute(statement, key, email, f"Name {next(self._names)}", now)
        return time.perf_counter() - began

    # -- the same rows by other roads ----------------------------------------------------------------

    async def psql(self, commands: str) -> None:
        """Run psql, of the wheel."""
        binary = find_binary("psql")
        process = await asyncio.create_subprocess_exec(
            binary, self.url, "-X", "-q", "-v", "ON_ERROR_STOP=1", stdin=asyncio.subprocess.PIPE
        )
        await process.communicate(commands.encode())
        assert process.returncode == 0, "psql failed"

    def copies(self, folder: Path, direction: str) -> str:
        """Commands that copy the three tables to or from files."""
        return "".join(f"\\copy {table} {direction} '{folder / table}'\n" for table in TABLES)

    async def copy_by_psql(self, folder: Path) -> None:
        """As a copy, in one transaction, so that capture stands aside here as well."""
        mode = "begin;\nselect set_config('manystore.mode', 'copy accounts', true) \\g /dev/null\n"
        await self.psql(mode + self.copies(folder, "from") + "commit;\n")

    async def copy_row_by_row(self) -> None:
        """Look each account up, insert it and its parts, commit: what a script would do."""
        connection = await asyncpg.connect(self.url)
        for record in self.records[:ROW_BY_ROW]:
            content: Any = record.content
            if await connection.fetchrow("select 1 from accounts where id = $1", record.key):
                continue
            async with connection.transaction():
                await connection.execute(
                    "insert into accounts (id, email, display_name, version) values ($1, $2, $3, 1)",
                    record.key,
                    content["email"],
                    content["displayName"],
                )
                await connection.execute("insert into subscriptions (account_id) values ($1)", record.key)
                for number, scenario in enumerate(content.get("completedScenarioIds") or ()):
                    await connection.execute(
                        "insert into completed_scenarios (account_id, scenario_id, ordinal) "
                        "values ($1, $2, $3) on conflict do nothing",
                        record.key,
                        str(scenario),
                        number,
                    )
        await connection.close()


async def compare_points(bench: Bench) -> bool:
    """Reads and writes of single records."""
    reads = await medians(ours=bench.read, theirs=bench.read_bare)
    writes: dict[str, list[float]] = {"ours": [], "blind": [], "theirs": []}
    for _ in range(ROUNDS):
        writes["theirs"].append(await bench.upsert_bare())
        writes["ours"].append(await bench.write(after_reading=True))
        writes["blind"].append(await bench.write(after_reading=False))
    ours, blind, theirs = (statistics.median(writes[name]) for name in ("ours", "blind", "theirs"))

    def micros(taken: float) -> str:
        return f"{taken / POINTS * 1e6:.0f} us"

    is_quick = report(
        "read one record",
        micros(reads["ours"]),
        micros(reads["theirs"]),
        reads["ours"] / reads["theirs"],
        1.3,
        at_most=True,
    )
    is_quick &= report(
        "write one record after a read", micros(ours), micros(theirs), ours / theirs, 1.8, at_most=True
    )
    print(f"{'write one record, nothing known':34} {micros(blind):>16} {'':16}   ratio {blind / theirs:7.2f}")
    return is_quick


async def compare_copies(bench: Bench, folder: Path) -> bool:
    """The whole population into empty tables."""
    await bench.psql(bench.copies(folder, "to"))
    rates: dict[str, list[float]] = {"ours": [], "psql": [], "rows": []}
    for _ in range(ROUNDS):
        await bench.empty()
        rates["psql"].append(ACCOUNTS_COPIED / await seconds(lambda: bench.copy_by_psql(folder)))
        await bench.empty()
        rates["ours"].append(ACCOUNTS_COPIED / await seconds(bench.copy))
        await bench.empty()
        rates["rows"].append(ROW_BY_ROW / await seconds(bench.copy_row_by_row))
    ours, psql, rows = (statistics.median(rates[name]) for name in ("ours", "psql", "rows"))
    is_quick = report(
        "copy, against psql \\copy", f"{ours:,.0f}/s", f"{psql:,.0f}/s", ours / psql, 0.35, at_most=False
    )
    return is_quick & report(
        "copy, against row by row", f"{ours:,.0f}/s", f"{rows:,.0f}/s", ours / rows, 30, at_most=False
    )


async def measure(folder: Path) -> bool:
    """Everything, on a server of its own."""
    async with embedded_servers(Settings(data_folder=folder / "data")) as settings:
        url = settings.postgres_url
        assert url is not None
        await upgrade(url)
        dice = random.Random(1)
        contents = [make_account(dice, index) for index in range(ACCOUNTS_COPIED)]
        records = [Record(content["id"], 1, content) for content in contents]
        # A mover holds a batch or two, not all of them: what lies here is no business of the collector's.
        gc.freeze()
        store = PostgresStore(url, MAPPINGS)
        await store.open()
        await store.raise_fence(ACCOUNTS, Fence(epoch=1, admits=True), expected=None)
        driver = await asyncpg.connect(url)
        try:
            await driver.execute("create table twin (like accounts including all)")
            bench = Bench(url, store, driver, records)
            await bench.copy()
            await driver.execute("vacuum analyze")
            points = await compare_points(bench)
            return await compare_copies(bench, folder) and points
        finally:
            await driver.close()
            await store.close()


def main() -> int:
    """Measure in a folder of its own, and print."""
    folder = Path(tempfile.mkdtemp(prefix="mystira-bench-"))
    try:
        print(f"{'':34} {'the store':>16} {'its peer':>16}")
        return 0 if asyncio.run(measure(folder)) else 1
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    sys.exit(main())
