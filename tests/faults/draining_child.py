"""A process that cuts over, and stays in the drain until it is told to go on, or killed.

It says `draining` once writes are stopped, and in the end `moved` or `refused`.
"""

import asyncio
import random
import sys
from pathlib import Path
from typing import Literal

from manystore.changes import Position
from manystore.clock import SystemClock
from manystore.errors import StepRefusedError
from manystore.moves.cut_over import cut_over
from manystore.moves.verify import Basis
from manystore.placement import Leases, Phase, Placement, read_state
from manystore.records import Kind
from manystore.stores.sqlite import SqliteStore
from manystore.stores.store import Fence, Fencing
from manystore.testing.samples import PEOPLE

LEASE = 3.0


class FencedDocuments(SqliteStore):
    """A store that says of itself how it is fenced."""

    def __init__(self, path: Path, name: str, fencing: Fencing) -> None:
        super().__init__(path, name)
        self.fencing = fencing


class SlowToDrain(FencedDocuments):
    """Once writes are stopped, the end of its log is told when somebody has typed a line."""

    is_draining = False

    async def raise_fence(self, kind: Kind, fence: Fence, *, expected: int | None) -> bool:
        """See Store.raise_fence."""
        self.is_draining = not fence.admits
        return await super().raise_fence(kind, fence, expected=expected)

    async def head(self, kind: Kind) -> Position:
        """See Store.head."""
        if self.is_draining:
            self.is_draining = False
            print("draining", flush=True)
            await asyncio.to_thread(sys.stdin.readline)
        return await super().head(kind)


def placed(folder: Path, source: SqliteStore, fencing: Fencing) -> Placement:
    """People in one file, and their copy in another."""
    target = FencedDocuments(folder / "target.sqlite", "target", fencing)
    return Placement(kind=PEOPLE, source=source, target=target, initial=Phase.DUAL_WRITE_SOURCE_READ)


async def main(folder: str, fencing: Literal["transaction", "lease"]) -> None:
    """Cut over."""
    clock, source = SystemClock(), SlowToDrain(Path(folder) / "source.sqlite", "source", fencing)
    placement = placed(Path(folder), source, fencing)
    for store in (placement.source, placement.target):
        await store.open()
    leases = Leases([placement], node="coordinator", clock=clock, lease=LEASE)
    await leases.refresh("people")
    keeping = asyncio.create_task(leases.keep())
    try:
        await cut_over(
            placement,
            await read_state(placement),
            Phase.DUAL_WRITE_TARGET_READ,
            Basis(),
            clock=clock,
            randomness=random.Random(1),
            lease=LEASE,
            drain_limit=60.0,
        )
        print("moved", flush=True)
    except StepRefusedError:
        print("refused", flush=True)
    keeping.cancel()
    for store in (placement.source, placement.target):
        await store.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], "lease" if sys.argv[2] == "lease" else "transaction"))
