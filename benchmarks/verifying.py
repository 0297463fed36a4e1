"""Claim: comparing two stores byte by byte takes little more than reading them, and half of what others take.

Former accounts, three tables each, moved from a SQLite file to PostgreSQL, and from there to a twin. A whole
verification is timed, as a worker does it: basis, ranges, comparing, certificate. Beside it, in turn:

- both stores read from end to end in the same ranges and pages, and nothing done with what is read;
- `reladiff`, which compares tables by checksums that the databases compute, on the same two databases; first
  where nothing differs, then where a record in a thousand does;
- `count(*)` of both stores.
"""

import asyncio
import contextlib
import functools
import itertools
import json
import random
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any, Final

import asyncpg

from benchmarks.bars import VERIFY, VERIFY_PEER, VERIFY_VERSIONS
from benchmarks.databases import Databases, accounts, databases, run
from benchmarks.measuring import Benchmark, Claim, Effort, Measured, Round, clocked, in_turn
from benchmarks.peers import HERE, installed
from manystore.clock import SystemClock
from manystore.moves.actions import Mover, side_by_side
from manystore.moves.certificate import CertificateFolder
from manystore.moves.ranges import BATCH, cut
from manystore.moves.tasks import Action, Depth
from manystore.placement import Phase, Placement, read_state, shut_copy
from manystore.stores.postgres import PostgresStore
from manystore.stores.sqlite import SqliteStore
from manystore.stores.store import KeyRange, Store
from mystira.domain.accounts.kind import ACCOUNTS
from mystira.schema.mappings import MAPPINGS

FULL: Final = Claim(bar=VERIFY, unit="s")
AGREEING: Final = Claim(bar=VERIFY_PEER, case="no differences", unit="/s")
DIFFERING: Final = Claim(
    bar=VERIFY_PEER,
    case="1 record in 1 000 differs",
    unit="/s",
    missed="Both sides tell a hash of each record of a range that differs, and each record that stands out "
    "is read again as it is by now, since people go on writing; the peer takes what it sees for the truth.",
)
_COUNTED: Final = (
    "A count reads no key. Here every key and version is read in key order and compared, between unlike "
    "products by this process (4 µs a record); and a run has its notes, checkpoints and certificate, "
    "which with so few records weigh more than the reading."
)
VERSIONS: Final = {
    "moved": Claim(bar=VERIFY_VERSIONS, case="documents and PostgreSQL", unit="s", missed=_COUNTED),
    "twins": Claim(bar=VERIFY_VERSIONS, case="PostgreSQL and PostgreSQL", unit="s", missed=_COUNTED),
}
_ONE_IN: Final = 1000
_COMPARED: Final = {
    "accounts": (
        ["id"],
        [
            *("external_user_id", "email", "display_name", "role", "settings", "created_at", "updated_at"),
            *("last_login_at", "version", "residue"),
        ],
    ),
    "subscriptions": (
        ["account_id"],
        [
            *("type", "product_id", "tier", "is_active", "valid_until", "start_date", "end_date"),
            *("purchase_token", "last_verified", "purchased_scenarios"),
        ],
    ),
    "completed_scenarios": (["account_id", "scenario_id"], ["ordinal"]),
}
"""What an account is made of; the tables have columns besides that belong to no record."""
_SPOIL: Final = """
    set session_replication_role = replica;
    update accounts set display_name = display_name || '!'
    from (select id, row_number() over (order by id) as number from accounts) ranked
    where accounts.id = ranked.id and ranked.number % {} = 1;
    """
"""Past the triggers, so that no log tells of it."""


class Pair:
    """Two stores that hold the same, one following the other."""

    def __init__(self, source: Store, target: Store, folder: Path) -> None:
        self.source, self.target, self.folder = source, target, folder
        initial = Phase.DUAL_WRITE_SOURCE_READ
        self._placement = Placement(kind=ACCOUNTS, source=source, target=target, initial=initial)
        self._numbers = itertools.count()

    async def begin(self) -> None:
        """Take up the phase."""
        await shut_copy(self._placement, await read_state(self._placement))

    async def _do(self, action: Action, depth: Depth = "full") -> dict[str, Any]:
        # Certificates are chained: each of these is the first, so that none has more to read than another.
        folder = CertificateFolder(self.folder / f"{next(self._numbers)}")
        family = {ACCOUNTS.name: self._placement}
        mover = Mover(family, folder, clock=SystemClock(), randomness=random.Random(), lease=2.0)
        return await mover.carry_out(action, ACCOUNTS.name, depth=depth)

    async def copy(self) -> None:
        """Carry everything over."""
        assert (await self._do(Action.START))["refused"] == 0

    async def verify(self, depth: Depth, expected: int = 0) -> None:
        """Compare everything; `expected` is how many differences there are."""
        found = await self._do(Action.VERIFY, depth)
        assert found["differences"] == expected, found

    async def stream(self) -> None:
        """Read both sides, as many ranges at a time as a verification has at work."""
        ranges, _ = await cut(self.source, ACCOUNTS)

        async def read(number: int) -> None:
            await asyncio.gather(*(_stream(each, ranges[number]) for each in (self.source, self.target)))

        await side_by_side(len(ranges), read)

    async def count(self) -> None:
        """Have both count."""
        await asyncio.gather(*(store.count(ACCOUNTS) for store in (self.source, self.target)))


async def _stream(store: Store, key_range: KeyRange) -> None:
    after = key_range.after
    while len(page := await store.scan(ACCOUNTS, KeyRange(after, key_range.upto), BATCH)) == BATCH:
        after = page[-1].key


class Twins:
    """Two databases of PostgreSQL with the same accounts, and the peer that compares their tables."""

    def __init__(self, pair: Pair, urls: Sequence[str], python: Path, count: int) -> None:
        self.pair, self._urls, self._python, self._count = pair, urls, python, count
        self._differing, self._numbers = 0, itertools.count()

    async def spoil(self) -> None:
        """Change a few of the copy's records behind the engine's back."""
        connection = await asyncpg.connect(self._urls[1])
        await connection.execute(_SPOIL.format(_ONE_IN))
        await connection.close()
        self._differing = -(-self._count // _ONE_IN)

    async def verify(self) -> float:
        """Records compared a second."""
        return await clocked(lambda: self.pair.verify("full", self._differing), of=self._count)()

    async def by_reladiff(self) -> float:
        """The same by the peer."""
        said = self.pair.folder / f"reladiff-{next(self._numbers)}"
        words = (str(HERE / "compare_tables.py"), *self._urls, json.dumps(_COMPARED))
        await run("reladiff", str(self._python), *words, log=said)
        found = json.loads(said.read_text(encoding="utf-8"))
        # It tells of a row that differs twice: as it is here, and as it is there.
        assert found["differing"] == 2 * self._differing, found
        return self._count / float(found["seconds"])


@contextlib.asynccontextmanager
async def _pairs(server: Databases, folder: Path, count: int) -> AsyncIterator[tuple[Pair, Twins]]:
    documents = SqliteStore(folder / "documents.db")
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(documents.close)
        await documents.open()
        await documents.adopt(ACCOUNTS, accounts(count))
        urls = [await server.make(name) for name in ("tables", "one", "two")]
        tables, one, two = (
            PostgresStore(url, MAPPINGS, name)
            for url, name in zip(urls, ("tables", "one", "two"), strict=True)
        )
        for store in (tables, one, two):
            stack.push_async_callback(store.close)
            await store.open()
        moved = Pair(documents, tables, folder / "moved")
        for pair in (
            moved,
            Pair(documents, one, folder / "first"),
            twins := Pair(one, two, folder / "twins"),
        ):
            await pair.begin()
            await pair.copy()
        yield moved, Twins(twins, urls[1:], await installed("reladiff"), count)


async def measure(effort: Effort) -> Measured:
    """Documents against tables, then tables against tables, then those with differences."""
    count = effort.of(100_000, 2_000)
    async with databases(effort.folder) as server, _pairs(server, effort.folder, count) as (moved, twins):
        figures = []
        full = await in_turn(effort, ours=_verifying(moved, "full"), peer=clocked(moved.stream))
        figures.append(FULL.figure(full["ours"], full["peer"]))
        for claim, pair in ((VERSIONS["moved"], moved), (VERSIONS["twins"], twins.pair)):
            found = await in_turn(effort, ours=_verifying(pair, "versions"), peer=clocked(pair.count))
            figures.append(claim.figure(found["ours"], found["peer"]))
        for claim in (AGREEING, DIFFERING):
            if claim is DIFFERING:
                await twins.spoil()
            found = await in_turn(effort, ours=twins.verify, peer=twins.by_reladiff)
            figures.append(claim.figure(found["ours"], found["peer"]))
    return Measured(figures)


def _verifying(pair: Pair, depth: Depth) -> Round:
    return clocked(functools.partial(pair.verify, depth))


async def profile_verify(effort: Effort) -> None:
    """Documents against tables, in full."""
    count = effort.of(50_000, 2_000)
    async with databases(effort.folder) as server, _pairs(server, effort.folder, count) as (moved, _):
        with effort.profiled():
            await moved.verify("full")


BENCHMARK = Benchmark(
    name="verifying",
    claims=(FULL, AGREEING, DIFFERING, *VERSIONS.values()),
    measure=measure,
    profiles={"verify": profile_verify},
)
