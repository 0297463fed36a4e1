"""Moves amid which the disk of one store is full for a while. `python -m` runs the one of the documents."""

import asyncio
import contextlib
import logging
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

import msgspec
import structlog

from manystore.errors import UnavailableError
from manystore.stores.postgres import PostgresStore
from manystore.stores.sqlite import SqliteStore
from tests.contract.postgres_tables import MAPPINGS
from tests.faults.network import database
from tests.faults.ordeal import STEPS, Ordeal, Verdict
from tests.faults.small_disk import fill, run_in, server_on, small_disk
from tests.unit.moving import person

ALL = tuple(range(len(STEPS)))
"""The numbers of the steps."""

_LONGEST = 2.0
"""Seconds for which a writer waits to be refused, who may have enough room left where it is."""
_MANY = 10_000_000
"""Above the numbers of all people that users make."""


class Filled(msgspec.Struct, frozen=True):
    """What writers were told while there was no room, one for each time, and all that is left."""

    refusals: list[str]
    verdict: Verdict


@contextlib.asynccontextmanager
async def opened(documents: Path, url: str, certificates: Path) -> AsyncIterator[Ordeal]:
    """An ordeal between these places."""
    source, target = SqliteStore(documents), PostgresStore(url, MAPPINGS, timeout=5.0)
    async with contextlib.AsyncExitStack() as stack:
        for store in (source, target):
            stack.push_async_callback(store.close)
            await store.open()
        yield Ordeal(source, target, certificates)


async def filled_in_each_step(
    ordeal: Ordeal,
    fill_up: Callable[[], None],
    make_room: Callable[[], None],
    *,
    records: int,
    full_in: Sequence[int],
) -> Filled:
    """In some steps of a move there and back the disk is full until a writer was refused."""
    refusals: list[str] = []
    await ordeal.adopt(records)
    async with ordeal.working():
        async with ordeal.used(pause=0.02):
            for number, action in enumerate(STEPS):
                taking = asyncio.create_task(ordeal.take(action))
                if number in full_in:
                    fill_up()
                    refusals.append(await _refusal(ordeal, _MANY * (number + 1)))
                    make_room()
                await taking
        return Filled(refusals, await ordeal.judge())


async def _refusal(ordeal: Ordeal, number: int) -> str:
    """Write, and go on writing, until a write is refused; what the writer is told then."""
    leases = ordeal.node(f"writer-{number}")
    people, give_up = ordeal.repository(leases), asyncio.get_running_loop().time() + _LONGEST
    while asyncio.get_running_loop().time() < give_up:
        number += 1
        ordeal.adopted.add(person(number).id)
        try:
            await people.create(person(number))
        except UnavailableError as error:
            return f"{type(error).__name__}: {error}"
    return ""


async def full_documents(folder: Path, url: str, *, records: int, full_in: Sequence[int]) -> Filled:
    """SQLite's file lies on the small disk; whoever writes it runs there."""
    async with small_disk(folder / "small", "8m") as disk, database(url) as tables:
        arguments = (str(disk.folder), tables, str(folder / "certificates"), str(records), *map(str, full_in))
        return msgspec.json.decode(await run_in(disk, "tests.faults.full_disk", *arguments), type=Filled)


async def full_tables(folder: Path, *, records: int, full_in: Sequence[int]) -> Filled:
    """All of PostgreSQL's data lie on the small disk: tables, and the log without which it stops."""
    async with (
        small_disk(folder / "small", "96m") as disk,
        server_on(disk) as server,
        database(server) as url,
        opened(folder / "documents.sqlite", url, folder / "certificates") as ordeal,
    ):
        return await filled_in_each_step(ordeal, disk.fill, disk.make_room, records=records, full_in=full_in)


async def _main(folder: str, url: str, certificates: str, records: str, *full_in: str) -> None:
    ballast = Path(folder) / "ballast"
    async with opened(Path(folder) / "documents.sqlite", url, Path(certificates)) as ordeal:
        found = await filled_in_each_step(
            ordeal, lambda: fill(ballast), ballast.unlink, records=int(records), full_in=[*map(int, full_in)]
        )
    sys.stdout.buffer.write(msgspec.json.encode(found))


if __name__ == "__main__":
    logging.basicConfig(level=logging.ERROR, stream=sys.stderr)
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    asyncio.run(_main(*sys.argv[1:]))
