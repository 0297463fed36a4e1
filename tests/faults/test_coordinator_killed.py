"""Whoever cuts over dies, or is frozen, while writes wait: any node lets them go on, within a lease."""

import asyncio
import contextlib
import random
import signal
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Literal

import msgspec
import pytest

from manystore.clock import SystemClock
from manystore.moves.cut_over import cut_over
from manystore.moves.verify import Basis
from manystore.placement import Leases, Phase, Placement, read_state
from manystore.records import Record
from manystore.repository import Repository
from manystore.testing.samples import PEOPLE
from tests.faults.draining_child import LEASE, FencedDocuments, placed
from tests.unit.moving import Person, person

ROOT = Path(__file__).parents[2]


class Drained:
    """A kind whose writes another process has stopped, and a node that would like to write."""

    def __init__(self, placement: Placement, child: Process) -> None:
        self.placement, self.child = placement, child
        self.leases = Leases([placement], node="node", clock=SystemClock(), lease=LEASE)
        self.people = Repository(Person, PEOPLE, self.leases, SystemClock(), patience=10.0)

    async def write(self) -> None:
        stored = await self.people.get(person(0).id)
        assert stored is not None
        await self.people.change(
            stored, msgspec.structs.replace(stored.value, visits=stored.value.visits + 1)
        )

    async def said(self) -> str:
        assert self.child.stdout is not None
        return (await self.child.stdout.readline()).decode().strip()

    async def waited(self, blow: signal.Signals) -> float:
        """Strike the coordinator in the midst of its drain; how long a write that waits waits on."""
        async with asyncio.timeout(120):
            assert await self.said() == "draining"
            writing = asyncio.create_task(self.write())
            # For longer than a drain may be without a beat: this one beats, so nobody undoes it.
            await asyncio.sleep(LEASE)
            assert not writing.done()
            struck = time.monotonic()
            self.child.send_signal(blow)
            await writing
            return time.monotonic() - struck


@pytest.fixture(params=["transaction", "lease"])
async def drained(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Drained]:
    fencing: Literal["transaction", "lease"] = request.param
    placement = placed(tmp_path, FencedDocuments(tmp_path / "source.sqlite", "source", fencing), fencing)
    async with contextlib.AsyncExitStack() as stack:
        for store in (placement.source, placement.target):
            stack.push_async_callback(store.close)
            await store.open()
        await placement.source.apply(PEOPLE, [Record(person(0).id, 0, msgspec.to_builtins(person(0)))])
        await placement.target.apply(PEOPLE, [Record(person(0).id, 0, msgspec.to_builtins(person(0)))])
        await read_state(placement)
        command = ("setpriv", "--pdeathsig=KILL", sys.executable, "-m", "tests.faults.draining_child")
        child = await asyncio.create_subprocess_exec(
            *(*command, str(tmp_path), fencing), cwd=ROOT, stdin=PIPE, stdout=PIPE
        )
        made = Drained(placement, child)
        await made.leases.refresh("people")
        keeping = asyncio.create_task(made.leases.keep())
        yield made
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)
        with contextlib.suppress(ProcessLookupError):
            child.kill()
        await child.communicate()


async def test_writes_go_on_within_a_lease_of_the_coordinator_s_death(drained: Drained) -> None:
    """The old truth takes the write again; and who cuts over next is not held up by the dead either."""
    assert await drained.waited(signal.SIGKILL) < LEASE
    state = await read_state(drained.placement)
    assert (state.phase, state.takes_writes) == (Phase.DUAL_WRITE_SOURCE_READ, True)
    moved = await cut_over(
        drained.placement,
        state,
        Phase.DUAL_WRITE_TARGET_READ,
        Basis(),
        clock=SystemClock(),
        randomness=random.Random(1),
        lease=LEASE,
    )
    assert moved.pause < LEASE
    await drained.write()
    truth = await drained.placement.target.get(PEOPLE, person(0).id)
    assert truth is not None
    assert (truth.version, (truth.content or {})["visits"]) == (2, 2)


async def test_a_coordinator_that_was_only_frozen_decides_nothing_when_it_wakes(drained: Drained) -> None:
    """Writes go on within a lease; the one that wakes finds its drain undone, and says so."""
    assert await drained.waited(signal.SIGSTOP) < LEASE
    drained.child.send_signal(signal.SIGCONT)
    assert drained.child.stdin is not None
    drained.child.stdin.write(b"\n")
    assert await drained.said() == "refused"
    state = await read_state(drained.placement)
    assert (state.phase, state.takes_writes) == (Phase.DUAL_WRITE_SOURCE_READ, True)
    await drained.write()
