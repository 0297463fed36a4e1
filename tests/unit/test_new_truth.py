"""What a truth that has just taken over relies on: nodes that it knows, and a fence that stays."""

import asyncio

import pytest

from manystore.placement import Leases, Phase, Placement, announce, commit, read_state
from manystore.records import Kind
from manystore.stores.memory import MemoryStore
from manystore.stores.store import Fence
from manystore.testing.samples import PEOPLE
from tests.unit.clocks import ManualClock

LEASE = 2.0


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


class SlowToRegister(MemoryStore):
    """Takes no note before it is told to."""

    def __init__(self) -> None:
        super().__init__("tables")
        self.may, self.asked = asyncio.Event(), asyncio.Event()

    async def write_note(self, name: str, value: bytes, *, expected: int) -> bool:
        self.asked.set()
        await self.may.wait()
        return await super().write_note(name, value, expected=expected)


async def test_what_is_left_of_a_lease_does_not_count_at_a_new_truth(clock: ManualClock) -> None:
    """A node that read of the new truth, and is not on its register yet, writes there no sooner than it is.

    Whoever drained the new truth meanwhile would not wait for that node.
    """
    source, target = MemoryStore("documents"), SlowToRegister()
    await source.open()
    await target.open()
    moving = Placement(kind=PEOPLE, source=source, target=target, initial=Phase.DUAL_WRITE_SOURCE_READ)
    leases = Leases([moving], node="a", clock=clock, lease=LEASE)
    state = await leases.refresh("people")
    draining = await announce(moving, state, Phase.DUAL_WRITE_TARGET_READ)
    assert draining is not None
    assert await commit(moving, draining, Phase.DUAL_WRITE_TARGET_READ, clock.now()) is not None
    clock.advance(LEASE / 2)
    refreshing = asyncio.create_task(leases.refresh("people"))
    await target.asked.wait()
    entered: list[bool] = []

    async def write() -> None:
        async with leases.writing("people"):
            entered.append((await target.note("nodes/people/a")).revision > 0)

    writing = asyncio.create_task(write())
    for _ in range(20):
        await asyncio.sleep(0)
    assert entered == []
    target.may.set()
    await asyncio.gather(refreshing, writing)
    assert entered == [True]


class SlowToTell(MemoryStore):
    """Tells of its fence only when it may."""

    def __init__(self) -> None:
        super().__init__("tables")
        self.may, self.asked = asyncio.Event(), asyncio.Event()
        self.may.set()

    async def fence(self, kind: Kind) -> Fence | None:
        self.asked.set()
        await self.may.wait()
        return await super().fence(kind)


async def test_who_is_late_to_install_a_truth_leaves_what_came_after_it(clock: ManualClock) -> None:
    """While a commit was slow to look at the new truth, others finished it and moved back: that stands."""
    source, target = MemoryStore("documents"), SlowToTell()
    await source.open()
    await target.open()
    slow = Placement(kind=PEOPLE, source=source, target=target, initial=Phase.DUAL_WRITE_SOURCE_READ)
    draining = await announce(slow, await read_state(slow), Phase.DUAL_WRITE_TARGET_READ)
    assert draining is not None
    target.asked.clear()
    target.may.clear()
    late = asyncio.create_task(commit(slow, draining, Phase.DUAL_WRITE_TARGET_READ, clock.now()))
    await target.asked.wait()
    # Others see the same stores by handles of their own, which are not slow.
    quick = MemoryStore("tables")
    quick.__dict__.update(target.__dict__)
    others = Placement(kind=PEOPLE, source=source, target=quick, initial=Phase.DUAL_WRITE_SOURCE_READ)
    back = await announce(others, await read_state(others), Phase.DUAL_WRITE_SOURCE_READ)
    assert back is not None
    assert await commit(others, back, Phase.DUAL_WRITE_SOURCE_READ, clock.now()) is not None
    stands = await read_state(others)
    assert stands.phase is Phase.DUAL_WRITE_SOURCE_READ
    target.may.set()
    await late
    fence = await target.fence(PEOPLE)
    assert fence is not None
    assert not fence.admits
    assert await read_state(slow) == stands
