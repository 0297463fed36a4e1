"""Moves amid which a process stands still for longer than its lease, and goes on as if nothing had been."""

import asyncio
import contextlib
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec

from manystore.moves.tasks import Action
from manystore.testing.samples import PEOPLE
from tests.faults.frozen_child import Orders, Role, store_at
from tests.faults.moving import ROOT
from tests.faults.ordeal import LIMIT, Ordeal, Verdict, there_and_back
from tests.faults.postgres_listener import COPY_DATA, PostgresListener
from tests.faults.tcp_proxy import tcp_proxy
from tests.unit.moving import person

LEASE = 1.0
TIMEOUT = 1.0
KEY = person(5).id


class Frozen(msgspec.Struct, frozen=True, kw_only=True):
    """What became of it: what its user was told, what the truth says of the record, and all that is left."""

    said: str
    visits: int
    rogue: list[str]
    verdict: Verdict


class Child:
    """The process."""

    def __init__(self, process: Process) -> None:
        self.process = process

    async def said(self) -> str:
        """The next line that it says."""
        assert self.process.stdout is not None
        return (await asyncio.wait_for(self.process.stdout.readline(), LIMIT)).decode().strip()

    async def stands_still(self) -> None:
        """Wait until it is stopped indeed."""
        status = Path(f"/proc/{self.process.pid}/stat")
        while status.read_text().rpartition(")")[2].split()[0] != "T":
            await asyncio.sleep(0.005)

    def stop(self) -> None:
        """Freeze it from outside."""
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """Let it go on where it was."""
        self.process.send_signal(signal.SIGCONT)


@contextlib.asynccontextmanager
async def child(orders: Orders) -> AsyncIterator[Child]:
    """The process, killed in the end."""
    process = await asyncio.create_subprocess_exec(
        *("setpriv", "--pdeathsig=KILL", sys.executable, "-m", "tests.faults.frozen_child"),
        msgspec.json.encode(orders).decode(),
        cwd=ROOT,
        stdin=PIPE,
        stdout=PIPE,
    )
    try:
        yield Child(process)
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.communicate()


@contextlib.asynccontextmanager
async def placed(folder: Path, source: str, target: str) -> AsyncIterator[Ordeal]:
    """An ordeal of two stores by their places."""
    here, there = store_at(source, TIMEOUT), store_at(target, TIMEOUT)
    async with contextlib.AsyncExitStack() as stack:
        for store in (here, there):
            stack.push_async_callback(store.close)
            await store.open()
        yield Ordeal(here, there, folder / "certificates", lease=LEASE)


def _orders(role: Role, folder: Path, source: str, target: str, *, is_fenced: bool = True) -> Orders:
    return Orders(
        role=role,
        folder=str(folder / "certificates"),
        source=source,
        target=target,
        lease=LEASE,
        timeout=TIMEOUT,
        key=KEY,
        is_fenced=is_fenced,
    )


async def late_write(
    folder: Path, source: str, target: str, *, at: Action, is_changed: bool, is_fenced: bool = True
) -> Frozen:
    """A node freezes between its look at the lease and its write; the truth moves; the node goes on.

    `at` is the step by which it moves. With `is_changed` somebody else changes the record meanwhile.
    """
    before: tuple[Action, ...] = (Action.START, Action.VERIFY)
    if at is Action.CUT_BACK:
        before += (Action.CUT_OVER, Action.VERIFY)
    async with placed(folder, source, target) as ordeal, ordeal.working():
        await ordeal.adopt(20)
        orders = _orders("node", folder, source, target, is_fenced=is_fenced)
        async with ordeal.used(1):
            await there_and_back(ordeal, before)
            said = await _be_late(ordeal, orders, at, is_changed=is_changed)
        stored = await ordeal.repository(ordeal.node("reader")).get(KEY)
        return await _look(ordeal, said, 0 if stored is None else stored.value.visits)


async def _be_late(ordeal: Ordeal, orders: Orders, at: Action, *, is_changed: bool) -> str:
    async with child(orders) as late:
        assert await late.said() == "frozen"
        await late.stands_still()
        await ordeal.take(at)
        people = ordeal.repository(ordeal.node("other"))
        if is_changed:
            stored = await people.get(KEY)
            assert stored is not None
            await people.change(stored, msgspec.structs.replace(stored.value, name="Changed"))
        # Longer than any lease or beat that somebody might still hold it to.
        await asyncio.sleep(1.2 * LEASE)
        late.go_on()
        return await late.said()


async def _look(ordeal: Ordeal, said: str, visits: int) -> Frozen:
    rogue = [
        each.key for store in (ordeal.source, ordeal.target) for each in await store.rogue_writes(PEOPLE)
    ]
    return Frozen(said=said, visits=visits, rogue=rogue, verdict=await ordeal.judge())


async def frozen_coordinator(folder: Path, source: str, target: str, *, role: Role) -> Verdict:
    """Whoever cuts over freezes before it decides or right after; others go on, and then it wakes."""
    async with placed(folder, source, target) as ordeal:
        await ordeal.adopt(20)
        async with ordeal.working(), ordeal.used(1):
            await there_and_back(ordeal, (Action.START, Action.VERIFY))
        async with child(_orders(role, folder, source, target)) as frozen, ordeal.used():
            assert await frozen.said() == "ready"
            cutting = asyncio.create_task(ordeal.take(Action.CUT_OVER))
            assert await frozen.said() == "frozen"
            await frozen.stands_still()
            # Nobody else works: the nodes by themselves must let writes go on.
            written = sum(user.writes for user in ordeal.users)
            async with asyncio.timeout(LIMIT):
                while sum(user.writes for user in ordeal.users) < written + 20:
                    await asyncio.sleep(0.01)
            async with ordeal.working("other"):
                await asyncio.sleep(2 * LEASE)
                frozen.go_on()
                await cutting
                await there_and_back(ordeal, (Action.VERIFY, Action.CUT_BACK, Action.VERIFY))
        async with ordeal.working("other"):
            return await ordeal.judge()


async def frozen_in_copy(folder: Path, source: str, target: str) -> Verdict:
    """A worker freezes amid a COPY; another one ends the copy while it stands still, and then it goes on."""
    async with placed(folder, source, target) as ordeal, tcp_proxy(target, PostgresListener) as (proxy, way):
        await ordeal.adopt(1000)
        async with child(_orders("worker", folder, source, way)) as frozen, ordeal.used():
            assert await frozen.said() == "ready"
            struck = proxy.strike(COPY_DATA, "before", frozen.stop)
            copying = asyncio.create_task(ordeal.take(Action.START))
            await asyncio.wait_for(struck.wait(), LIMIT)
            await frozen.stands_still()
            async with ordeal.working("other"):
                await copying
                await ordeal.take(Action.VERIFY)
                frozen.go_on()
                await there_and_back(ordeal, (Action.CUT_OVER, Action.VERIFY, Action.CUT_BACK))
        async with ordeal.working("other"):
            return await ordeal.judge()
