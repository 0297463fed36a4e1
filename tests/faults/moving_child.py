"""A worker as a process of its own: followers, leases, and moves as durable workflows; nothing of Mystira.

It says `ready` when it takes work, and ends on SIGTERM or at the end of its input.
"""

import asyncio
import contextlib
import logging
import random
import signal
import sys
from pathlib import Path

from manystore.clock import SystemClock
from manystore.followers.runner import SyncRunner
from manystore.moves.actions import Mover
from manystore.moves.certificate import CertificateFolder
from manystore.moves.durable import DurableWorkflows
from manystore.moves.worker import MoveWorker
from manystore.placement import Leases, Placement
from manystore.records import Kind, Record
from manystore.stores.postgres import PostgresStore
from manystore.stores.sqlite import SqliteStore
from manystore.stores.store import KeyRange
from manystore.testing.samples import PEOPLE, WORDS
from tests.contract.postgres_tables import MAPPINGS

LEASE = 1.0
PAGE_SECONDS = 0.2


class SlowDocuments(SqliteStore):
    """A store that takes a while for each page, so that a test can do something in the midst of reading."""

    async def scan(self, kind: Kind, key_range: KeyRange, limit: int) -> list[Record]:
        """See Store.scan."""
        await asyncio.sleep(PAGE_SECONDS)
        return await super().scan(kind, key_range, limit)


def placements(source: SqliteStore, target: PostgresStore) -> list[Placement]:
    """What is moved here: two kinds that have nothing to do with each other."""
    return [Placement(kind=kind, source=source, target=target) for kind in (PEOPLE, WORDS)]


async def ended(told: asyncio.Event) -> None:
    """Wait for SIGTERM, or for the end of standard input, which is open for as long as the parent lives."""
    loop, reader = asyncio.get_running_loop(), asyncio.StreamReader()
    loop.add_signal_handler(signal.SIGTERM, told.set)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    reading = asyncio.create_task(reader.read())
    waiting = asyncio.create_task(told.wait())
    await asyncio.wait({reading, waiting}, return_when=asyncio.FIRST_COMPLETED)


async def main(documents: str, url: str, certificates: str, name: str) -> None:
    """Work until told to end."""
    clock, randomness = SystemClock(), random.Random(name)
    source, target = SlowDocuments(Path(documents)), PostgresStore(url, MAPPINGS)
    async with contextlib.AsyncExitStack() as stack:
        for store in (source, target):
            stack.push_async_callback(store.close)
            await store.open()
        placed = placements(source, target)
        leases = Leases(placed, node=name, clock=clock, lease=LEASE)
        family = {each.kind.name: each for each in placed}
        folder = CertificateFolder(Path(certificates))
        mover = Mover(family, folder, clock=clock, randomness=randomness, lease=LEASE)
        workflows = DurableWorkflows(url, target, worker=name, clock=clock)
        runner = SyncRunner(placed, leases, owner=name, clock=clock, randomness=randomness)
        worker = MoveWorker(placed, mover, owner=name, clock=clock, workflows=workflows)
        work = [asyncio.create_task(each) for each in (runner.run(), worker.run(), leases.keep())]
        print("ready", flush=True)
        await asyncio.wait(
            [asyncio.create_task(ended(asyncio.Event())), *work], return_when="FIRST_COMPLETED"
        )
        for task in work:
            task.cancel()
        for result in await asyncio.gather(*work, return_exceptions=True):
            if isinstance(result, Exception):
                raise result


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    asyncio.run(main(*sys.argv[1:]))
