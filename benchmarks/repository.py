"""Claim: a repository adds little to its driver in any phase, and a write waits for nothing that follows it.

Each phase has stores of its own with the same accounts, one SQLite file and one database of PostgreSQL, so
that all are measured in turn. The driver alone does the same query on the same rows. SQLite's driver blocks,
so there the peer is the driver in a thread, as any program with an event loop needs it.

Writes are changes of what was read before, as those of an API with ETags; the read is not timed. The peers'
upsert writes all columns of the one table that changes, without triggers, or the document's text. Followers
work in other processes and are not at work here: what is measured is what the writer waits for.
"""

import asyncio
import contextlib
import functools
import itertools
import random
import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, TypeVar

import asyncpg
import msgspec

from benchmarks.bars import READ, WRITE, WRITE_DEFERRED, WRITE_INLINE
from benchmarks.databases import Databases, accounts, databases
from benchmarks.measuring import Benchmark, Claim, Effort, Measured
from manystore.clock import SystemClock
from manystore.dual_write import CopyWriter, DualWrite, Secondary
from manystore.former import as_declared
from manystore.placement import Leases, Phase, Placement, Side, read_state, shut_copy
from manystore.records import Record, canonical
from manystore.repository import Repository
from manystore.stores.postgres import PostgresStore
from manystore.stores.postgres.kinds import MappedKind
from manystore.stores.sqlite import SqliteStore
from manystore.stores.sqlite.schema import connect
from mystira.domain.accounts.kind import ACCOUNTS
from mystira.domain.accounts.model import Account
from mystira.placement import PHASE_NAMES
from mystira.schema.mappings import MAPPINGS

T = TypeVar("T")

_READING: Final = (
    "Python between two queries: of the time beyond the driver's, about 24 µs are this process's own, for "
    "the pool and the lease, the rows or the text made a record exactly as it was written, and that held "
    "against the model; the rest is the other side of the wire (a process, or a thread) being woken, which "
    "falls asleep meanwhile and does not in the driver's tight loop."
)
_WRITING: Final = (
    "The peer's upsert has no version to compare, no fence to pass and no change to log; what comes on top "
    "of it goes by one statement (PostgreSQL) or one transaction (SQLite), most of which is the server's "
    "or the disk's time, not ours."
)
READS: Final = {phase: Claim(bar=READ, case=PHASE_NAMES[phase], unit="s", missed=_READING) for phase in Phase}
WRITES: Final = {
    phase: Claim(bar=WRITE, case=PHASE_NAMES[phase], unit="s", missed=_WRITING)
    for phase in Phase
    if not phase.has_copy
}
DEFERRED: Final = {
    phase: Claim(bar=WRITE_DEFERRED, case=PHASE_NAMES[phase], unit="s") for phase in Phase if phase.has_copy
}
INLINE: Final = {
    phase: Claim(
        bar=WRITE_INLINE,
        case=PHASE_NAMES[phase],
        unit="s",
        missed="The truth knows what it held, and writes only the tables whose rows change; the copy gets "
        "the whole record, and writes all of them.",
    )
    for phase in Phase
    if phase.has_copy
}
_SINGLE: Final = {Side.SOURCE: Phase.SOURCE_ONLY, Side.TARGET: Phase.TARGET_ONLY}

_FEW: Final = 20
_GET_DOCUMENT: Final = "select key, version, body from documents where kind = ? and key = ?"
_TWIN: Final = "create table twin (key text primary key, version integer not null, body text)"
_UPSERT_DOCUMENT: Final = """
    insert into twin (key, version, body) values (?, 1, ?)
    on conflict (key) do update set version = version + 1, body = excluded.body
    """
_UPSERT_ROW: Final = """
    insert into twin (id, email, external_user_id, display_name, role, settings, created_at, updated_at,
        last_login_at, residue, version)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 1)
    on conflict (id) do update set email = excluded.email, external_user_id = excluded.external_user_id,
        display_name = excluded.display_name, role = excluded.role, settings = excluded.settings,
        created_at = excluded.created_at, updated_at = excluded.updated_at,
        last_login_at = excluded.last_login_at, residue = excluded.residue, version = twin.version + 1
    """


class Tables:
    """The driver of PostgreSQL alone."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._mapped = MappedKind(next(each for each in MAPPINGS if each.kind is ACCOUNTS), "bare")

    async def read(self, key: str) -> None:
        """The store's own statement."""
        await self._connection.fetchrow(self._mapped.reading.get, key)

    def prepared(self, record: Record) -> list[Any]:
        """The root's row, but for its version, in the order of the upsert."""
        assert record.content is not None
        key, *rest = self._mapped.codec.encode(record.key, record.content).root
        columns = [self._mapped.mapping.columns[name] for name in self._mapped.codec.names]
        row = dict(zip([*columns, "residue"], rest, strict=True))
        names = ("email", "external_user_id", "display_name", "role", "settings", "created_at", "updated_at")
        return [key, *(row[name] for name in (*names, "last_login_at", "residue"))]

    async def upsert(self, row: Any) -> None:
        """One row of one table."""
        await self._connection.execute(_UPSERT_ROW, *row)


class Documents:
    """The driver of SQLite alone, in one thread."""

    def __init__(self, path: Path) -> None:
        self._thread = ThreadPoolExecutor(max_workers=1)
        self._connection = self._thread.submit(connect, path, "bare").result()
        # In a file of its own: here nobody else writes, so the driver never has to wait for a lock.
        self._twin = self._thread.submit(connect, path.with_suffix(".twin"), "bare").result()
        for statement in ("pragma journal_mode = wal", _TWIN):
            self._thread.submit(self._twin.execute, statement).result()

    def close(self) -> None:
        """End the thread."""
        for connection in (self._connection, self._twin):
            self._thread.submit(connection.close).result()
        self._thread.shutdown()

    async def _do(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    async def read(self, key: str) -> None:
        """The store's own query."""
        await self._do(functools.partial(self._read, key))

    def _read(self, key: str) -> Any:
        return self._connection.execute(_GET_DOCUMENT, ("accounts", key)).fetchone()

    def prepared(self, record: Record) -> tuple[str, str]:
        """Key and text."""
        return record.key, canonical(record.content).decode()

    async def upsert(self, row: Any) -> None:
        """One row of one table, safe on the disk as the store's are."""
        await self._do(functools.partial(self._twin.execute, _UPSERT_DOCUMENT, row))


class Stage:
    """A phase with its stores, its repositories, and the driver of its truth."""

    def __init__(self, placement: Placement, leases: Leases, driver: Tables | Documents) -> None:
        self.driver = driver
        self.deferred = _repository(placement, leases, "deferred")
        self.inline = _repository(placement, leases, "inline")


def _repository(placement: Placement, leases: Leases, secondary: Secondary) -> Repository[Account]:
    clock = SystemClock()
    config = DualWrite(secondary=secondary)
    copying = CopyWriter(placement, config, clock=clock, randomness=random.Random(1))
    return Repository(Account, ACCOUNTS, leases, clock, copying=copying)


@contextlib.asynccontextmanager
async def _stage(
    server: Databases, folder: Path, phase: Phase, records: list[Record]
) -> AsyncIterator[Stage]:
    url = await server.make(phase.value.lower())
    path = folder / f"{phase.value}.db"
    documents, tables = SqliteStore(path), PostgresStore(url, MAPPINGS)
    async with contextlib.AsyncExitStack() as stack:
        for store in (documents, tables):
            await store.open()
            stack.push_async_callback(store.close)
            await store.apply(ACCOUNTS, records)
        connection = await asyncpg.connect(url)
        stack.push_async_callback(connection.close)
        await connection.execute("create table twin (like accounts including all)")
        await connection.execute("vacuum analyze")
        placement = Placement(kind=ACCOUNTS, source=documents, target=tables, initial=phase)
        await shut_copy(placement, await read_state(placement))
        leases = Leases([placement], node=f"benchmark {phase.value}", clock=SystemClock())
        keeping = asyncio.create_task(leases.keep())
        stack.push_async_callback(_ended, keeping)
        if phase.truth is Side.TARGET:
            yield Stage(placement, leases, Tables(connection))
        else:
            with contextlib.closing(Documents(path)) as bare:
                yield Stage(placement, leases, bare)


async def _ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait([task])


class Points:
    """What is done to single records; each gives the seconds that every one of them took."""

    def __init__(self) -> None:
        self._names = itertools.count()

    async def read(self, repository: Repository[Account], records: Sequence[Record]) -> list[float]:
        """By the repository."""
        return [await _seconds(repository.get(record.key)) for record in records]

    async def read_bare(self, driver: Tables | Documents, records: Sequence[Record]) -> list[float]:
        """By the driver."""
        return [await _seconds(driver.read(record.key)) for record in records]

    async def write(self, repository: Repository[Account], records: Sequence[Record]) -> list[float]:
        """A new name for each account, just after it was read."""
        taken = []
        for record in records:
            stored = await repository.get(record.key)
            assert stored is not None
            value = msgspec.structs.replace(stored.value, display_name=f"Name {next(self._names)}")
            taken.append(await _seconds(repository.change(stored, value)))
        return taken

    async def upsert(self, driver: Tables | Documents, records: Sequence[Record]) -> list[float]:
        """As new rows the first time, and over them from then on."""
        taken = []
        for record in records:
            assert record.content is not None
            content = record.content | {"displayName": f"Name {next(self._names)}"}
            row = driver.prepared(Record(record.key, record.version, content))
            await driver.read(record.key)
            taken.append(await _seconds(driver.upsert(row)))
        return taken


async def _seconds(work: Awaitable[object]) -> float:
    began = time.perf_counter()
    await work
    return time.perf_counter() - began


Work = Callable[[Sequence[Record]], Awaitable[list[float]]]


async def _rounds(effort: Effort, records: list[Record], works: dict[str, Work]) -> dict[str, list[float]]:
    """The median of each work's seconds in every round, after a round that only warms up.

    A few records at a time, by one work after the other: so each sees the machine as its neighbours do.
    """
    found: dict[str, list[float]] = {name: [] for name in works}
    for number in range(effort.rounds + 1):
        taken: dict[str, list[float]] = {name: [] for name in works}
        for turn, few in enumerate(records[at : at + _FEW] for at in range(0, len(records), _FEW)):
            for name in [*works] if turn % 2 else [*reversed(works)]:
                taken[name] += await works[name](few)
        if number:
            for name, seconds in taken.items():
                found[name].append(statistics.median(seconds))
    return found


async def _write_beside(
    points: Points, stage: Stage, beside: dict[str, Record], records: Sequence[Record]
) -> list[float]:
    return await points.write(stage.inline, [beside[record.key] for record in records])


async def _measure(
    effort: Effort, stages: dict[Phase, Stage], records: list[Record], others: list[Record]
) -> Measured:
    """`others` are as many as `records`, for writes that the copy is to have at once.

    Nobody follows here, so a copy never gets what is deferred, and would be found a version short.
    """
    beside = dict(zip([record.key for record in records], others, strict=True))
    points, reads, writes = Points(), dict[str, Work](), dict[str, Work]()
    for phase, stage in stages.items():
        reads[f"{phase.value} ours"] = functools.partial(points.read, stage.deferred)
        reads[f"{phase.value} bare"] = functools.partial(points.read_bare, stage.driver)
        writes[f"{phase.value} ours"] = functools.partial(points.write, stage.deferred)
        if phase.has_copy:
            writes[f"{phase.value} inline"] = functools.partial(_write_beside, points, stage, beside)
        else:
            writes[f"{phase.value} bare"] = functools.partial(points.upsert, stage.driver)
    read, written = await _rounds(effort, records, reads), await _rounds(effort, records, writes)
    both = [
        one + other
        for one, other in zip(
            written[f"{Phase.SOURCE_ONLY.value} ours"],
            written[f"{Phase.TARGET_ONLY.value} ours"],
            strict=True,
        )
    ]
    figures = [
        claim.figure(read[f"{phase.value} ours"], read[f"{phase.value} bare"])
        for phase, claim in READS.items()
    ]
    figures += [
        claim.figure(written[f"{phase.value} ours"], written[f"{phase.value} bare"])
        for phase, claim in WRITES.items()
    ]
    for phase, claim in DEFERRED.items():
        single = written[f"{_SINGLE[phase.truth].value} ours"]
        figures.append(claim.figure(written[f"{phase.value} ours"], single))
    figures += [claim.figure(written[f"{phase.value} inline"], both) for phase, claim in INLINE.items()]
    return Measured(figures)


async def measure(effort: Effort) -> Measured:
    """Single records, in every phase."""
    made = [Record(each["id"], 1, as_declared(ACCOUNTS, 0, each)) for each in accounts(effort.of(5000, 100))]
    step = len(made) // effort.of(500, 20)
    async with databases(effort.folder) as server, contextlib.AsyncExitStack() as stack:
        stages = {
            phase: await stack.enter_async_context(_stage(server, effort.folder, phase, made))
            for phase in Phase
        }
        return await _measure(effort, stages, made[::step], made[1::step])


BENCHMARK = Benchmark(
    name="repository",
    claims=(*READS.values(), *WRITES.values(), *DEFERRED.values(), *INLINE.values()),
    measure=measure,
)
