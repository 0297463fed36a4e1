"""A process that follows the words of a SQLite document store, and says each that it was given.

It ends with its parent, who kills it, or else by the next line that nobody reads.
"""

import asyncio
import random
import sys
from pathlib import Path

from manystore.clock import SystemClock
from manystore.followers.reaction import Reaction
from manystore.placement import Leases, Placement
from manystore.records import Record
from manystore.stores.sqlite import SqliteStore
from manystore.testing.samples import WORDS


async def _tell(record: Record) -> None:
    print(record.key, record.version, flush=True)
    # Long enough to be killed in, with some of a batch told and some not.
    await asyncio.sleep(0.002)


async def main(path: str, owner: str) -> None:
    """Follow until killed."""
    store, clock = SqliteStore(Path(path)), SystemClock()
    await store.open()
    placement = Placement.settled(WORDS, store)
    leases = Leases([placement], node=owner, clock=clock)
    reaction = Reaction(
        "teller",
        placement,
        _tell,
        leases,
        owner=owner,
        clock=clock,
        randomness=random.Random(owner),
        every=0.01,
    )
    await reaction.run()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
