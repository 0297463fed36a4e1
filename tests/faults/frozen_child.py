"""A process that stops itself at a chosen moment, as if it were frozen there, until somebody lets it go on.

    node     changes one record by a repository, and freezes between its look at the lease and the write
    decide   a worker that freezes when it wants to move the truth
    install  a worker that freezes when it has moved the truth, and the new one does not know
    worker   a worker that freezes when others stop it

It says `ready`, `frozen` before it stops, and in the end what its user was told. It ends with its input.
"""

import asyncio
import contextlib
import logging
import os
import signal
import sys
from pathlib import Path
from typing import Any, Literal
from unittest import mock

import msgspec

from manystore.errors import ManystoreError
from manystore.placement import Phase, Side, State
from manystore.records import Content, Kind, Record
from manystore.stores.sqlite import SqliteStore, writes
from manystore.stores.store import Fence, Store
from tests.faults.ordeal import Ordeal

VISITS = 77
"""What the record says after the late write."""

Role = Literal["node", "decide", "install", "worker"]


class Orders(msgspec.Struct, kw_only=True):
    """What the child is to do. `source` and `target` are URLs, or paths of SQLite files."""

    role: Role
    folder: str
    source: str
    target: str
    lease: float
    timeout: float
    key: str = ""
    is_fenced: bool = True


class Freezer:
    """Stands still once."""

    def __init__(self) -> None:
        self._has_frozen = False

    def __call__(self) -> None:
        """Stand still here until somebody sends SIGCONT."""
        if not self._has_frozen:
            self._has_frozen = True
            print("frozen", flush=True)
            os.kill(os.getpid(), signal.SIGSTOP)


FREEZE = Freezer()


class Freezing:
    """A store that stands still once, at a write of its kind or at a fence."""

    def __init__(self, store: Store, side: Side, role: Role) -> None:
        self._store, self._side, self._role = store, side, role
        self.name, self.fencing = store.name, store.fencing

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def put(self, kind: Kind, key: str, content: Content, **how: Any) -> Record:
        """See Store.put."""
        if self._role == "node" and self._store.fencing == "transaction":
            FREEZE()
        return await self._store.put(kind, key, content, **how)

    async def raise_fence(self, kind: Kind, fence: Fence, *, expected: int | None) -> bool:
        """See Store.raise_fence."""
        state = State.of(fence)
        moves = state.takes_writes and state.phase is Phase.DUAL_WRITE_TARGET_READ
        where: Role = "decide" if self._side is Side.SOURCE else "install"
        if moves and self._role == where:
            FREEZE()
        return await self._store.raise_fence(kind, fence, expected=expected)


def store_at(place: str, timeout: float) -> Store:
    """The store of a URL or path."""
    if place.startswith("postgresql:"):
        # Each product's driver only where it is used: children start by the dozen.
        from manystore.stores.postgres import PostgresStore  # noqa: PLC0415
        from tests.contract.postgres_tables import MAPPINGS  # noqa: PLC0415

        return PostgresStore(place, MAPPINGS, timeout=timeout)
    if place.startswith("http:"):
        from manystore.stores.cosmos import CosmosStore  # noqa: PLC0415
        from tests.cosmos_server.process import KEY  # noqa: PLC0415

        url, _, database = place.rpartition("#")
        return CosmosStore(url, KEY, database)
    return SqliteStore(Path(place), Path(place).stem)


def _frozen_on_the_way() -> Any:
    """Freeze after the look at the epoch, before the item goes out: there the service has no fence."""
    from manystore.stores.cosmos.writes import Writes  # noqa: PLC0415

    bring_in = Writes._bring_in

    async def late(self: Writes, *args: Any, **named: Any) -> Any:
        FREEZE()
        return await bring_in(self, *args, **named)

    return mock.patch.object(Writes, "_bring_in", late)


async def _write(ordeal: Ordeal, key: str) -> str:
    leases = ordeal.node("frozen")
    people = ordeal.repository(leases)
    stored = await people.get(key)
    assert stored is not None
    try:
        await people.change(stored, msgspec.structs.replace(stored.value, visits=VISITS))
    except ManystoreError as error:
        return f"refused {type(error).__name__}"
    return "acknowledged"


async def _work(ordeal: Ordeal) -> str:
    async with ordeal.working("frozen"):
        print("ready", flush=True)
        await asyncio.to_thread(sys.stdin.read)
    return "ended"


async def main(orders: Orders) -> None:
    """Do as ordered."""
    source, target = store_at(orders.source, orders.timeout), store_at(orders.target, orders.timeout)
    async with contextlib.AsyncExitStack() as stack:
        for store in (source, target):
            stack.push_async_callback(store.close)
            await store.open()
        if orders.role == "node" and "lease" in (source.fencing, target.fencing):
            stack.enter_context(_frozen_on_the_way())
        if not orders.is_fenced:
            stack.enter_context(mock.patch.object(writes, "check_epoch"))
        here: Any = Freezing(source, Side.SOURCE, orders.role)
        there: Any = Freezing(target, Side.TARGET, orders.role)
        ordeal = Ordeal(here, there, Path(orders.folder), lease=orders.lease)
        doing = _write(ordeal, orders.key) if orders.role == "node" else _work(ordeal)
        print(await doing, flush=True)


if __name__ == "__main__":
    logging.basicConfig(level=logging.ERROR, stream=sys.stderr)
    asyncio.run(main(msgspec.json.decode(sys.argv[1], type=Orders)))
