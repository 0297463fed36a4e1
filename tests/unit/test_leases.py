"""What a node may write, and for how long."""

import asyncio

import msgspec
import pytest

from manystore.errors import DeclarationError, DrainingError, UnavailableError, UnknownKindError
from manystore.placement import (
    Leases,
    Phase,
    Placement,
    Roll,
    State,
    announce,
    await_acknowledgements,
    beating,
    commit,
    read_state,
    step,
    undo,
)
from manystore.placement.drains import patience
from manystore.stores.memory import MemoryStore
from manystore.testing.samples import PEOPLE
from tests.unit.clocks import ManualClock

LEASE = 2.0


@pytest.fixture
async def placement() -> Placement:
    source, target = MemoryStore("documents"), MemoryStore("tables")
    await source.open()
    await target.open()
    initial = Phase.DUAL_WRITE_SOURCE_READ
    return Placement(kind=PEOPLE, source=source, target=target, initial=initial)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


def node(placement: Placement, clock: ManualClock, name: str = "a", drain_limit: float = 10.0) -> Leases:
    return Leases([placement], node=name, clock=clock, lease=LEASE, drain_limit=drain_limit)


async def test_a_node_that_cannot_ask_stops_writing_after_one_lease(
    placement: Placement, clock: ManualClock
) -> None:
    """With the store away, the right to write ends by the node's own clock."""
    leases = node(placement, clock)
    async with leases.writing("people") as state:
        assert state.epoch == 1
    await placement.source.close()
    clock.advance(LEASE - 0.1)
    async with leases.writing("people"):
        pass
    clock.advance(0.2)
    with pytest.raises(UnavailableError):
        async with leases.writing("people"):
            pytest.fail("wrote without a lease")


async def test_a_lease_counts_from_before_the_question(placement: Placement, clock: ManualClock) -> None:
    """An answer that took longer than a lease gives no right at all."""

    class SlowStore(MemoryStore):
        async def fence(self, kind):  # type: ignore[no-untyped-def]
            clock.advance(LEASE + 0.1)
            return await super().fence(kind)

    slow = SlowStore("slow")
    await slow.open()
    leases = node(Placement(kind=PEOPLE, source=slow, target=placement.target), clock)
    with pytest.raises(UnavailableError):
        async with leases.writing("people"):
            pytest.fail("wrote on knowledge that was old when it came")


async def test_a_frozen_node_is_waited_for_until_its_lease_has_run_out(
    placement: Placement, clock: ManualClock
) -> None:
    """The coordinator goes on once a silent node can no longer write, not earlier."""
    frozen = node(placement, clock)
    async with frozen.writing("people"):
        pass
    state = await read_state(placement)
    draining = await announce(placement, state, Phase.DUAL_WRITE_TARGET_READ)
    assert draining is not None
    began = clock.monotonic()
    await await_acknowledgements(placement, draining, clock=clock, lease=LEASE)
    assert clock.monotonic() - began >= LEASE
    with pytest.raises((DrainingError, UnavailableError)):
        async with frozen.writing("people"):
            pytest.fail("a node whose lease ran out wrote under the old epoch")


async def test_a_node_acknowledges_only_when_its_older_writes_are_done(
    placement: Placement, clock: ManualClock
) -> None:
    """A write under way holds the acknowledgement back, whatever the node has heard."""
    leases = node(placement, clock)
    released = asyncio.Event()

    async def write() -> None:
        async with leases.writing("people"):
            await released.wait()

    writing = asyncio.create_task(write())
    await asyncio.sleep(0)
    await asyncio.sleep(0.01)
    state = await read_state(placement)
    draining = await announce(placement, state, Phase.DUAL_WRITE_TARGET_READ)
    assert draining is not None
    waiting = asyncio.create_task(await_acknowledgements(placement, draining, clock=clock, lease=1e9))
    for _ in range(5):
        await leases.refresh("people")
        await asyncio.sleep(0)
    assert not waiting.done()
    released.set()
    await writing
    await leases.refresh("people")
    await asyncio.wait_for(waiting, 120)


async def test_no_write_begins_while_draining(placement: Placement, clock: ManualClock) -> None:
    """A node that has heard of the drain refuses, with the wait that is worth trying."""
    leases = node(placement, clock)
    state = await leases.refresh("people")
    await announce(placement, state, Phase.DUAL_WRITE_TARGET_READ)
    await leases.refresh("people")
    with pytest.raises(DrainingError):
        async with leases.writing("people"):
            pytest.fail("wrote while draining")


async def test_an_abandoned_drain_is_undone_by_whoever_looks_within_a_lease(
    placement: Placement, clock: ManualClock
) -> None:
    """A coordinator that died after its announcement stops nobody for longer; woken, it decides nothing."""
    leases = node(placement, clock)
    state = await leases.refresh("people")
    draining = await announce(placement, state, Phase.DUAL_WRITE_TARGET_READ)
    assert draining is not None
    assert not (await leases.refresh("people")).takes_writes
    clock.advance(patience(LEASE) - 0.1)
    assert not (await leases.refresh("people")).takes_writes
    clock.advance(0.2)
    after = await leases.refresh("people")
    assert after.takes_writes
    assert (after.phase, after.epoch) == (Phase.DUAL_WRITE_SOURCE_READ, state.epoch + 2)
    assert patience(LEASE) + 0.1 < LEASE
    assert await commit(placement, draining, Phase.DUAL_WRITE_TARGET_READ, clock.now()) is None


async def test_a_drain_that_shows_life_is_let_be_until_its_limit(
    placement: Placement, clock: ManualClock
) -> None:
    """However long it takes, nobody undoes it while somebody is at it; once it takes too long, they do."""
    leases = node(placement, clock, drain_limit=9.0)
    state = await leases.refresh("people")
    draining = await announce(placement, state, Phase.DUAL_WRITE_TARGET_READ)
    assert draining is not None
    began = clock.monotonic()
    async with beating(placement, draining, clock=clock, lease=LEASE):
        while not (await leases.refresh("people")).takes_writes:
            assert clock.monotonic() - began < 9.0 + LEASE
            await asyncio.sleep(0)
    assert clock.monotonic() - began >= 9.0


async def test_a_drain_is_undone_when_its_beats_end(placement: Placement, clock: ManualClock) -> None:
    """Beats count from the last one that was seen to come, not from the announcement."""
    leases = node(placement, clock, drain_limit=1e9)
    state = await leases.refresh("people")
    draining = await announce(placement, state, Phase.DUAL_WRITE_TARGET_READ)
    assert draining is not None
    async with beating(placement, draining, clock=clock, lease=LEASE):
        for _ in range(20):
            assert not (await leases.refresh("people")).takes_writes
            await asyncio.sleep(0)
    assert not (await leases.refresh("people")).takes_writes
    clock.advance(patience(LEASE) + 0.01)
    assert (await leases.refresh("people")).takes_writes


async def test_the_roll_is_called_before_writes_are_stopped(placement: Placement, clock: ManualClock) -> None:
    """A node that died is waited for while writes flow, and struck off; a living one has only to beat."""
    dead, living = node(placement, clock, "dead"), node(placement, clock, "living")
    for leases in (dead, living):
        await leases.refresh("people")
    state = await read_state(placement)
    roll = Roll(placement, state, clock=clock, lease=LEASE)
    keeping = asyncio.create_task(living.keep())
    await roll.call()
    assert [each.name for each in await placement.source.notes("nodes/")] == ["nodes/people/living"]
    draining = await announce(placement, state, Phase.DUAL_WRITE_TARGET_READ)
    assert draining is not None
    began = clock.monotonic()
    await roll.acknowledged(draining.epoch)
    assert clock.monotonic() - began < LEASE / 2
    keeping.cancel()
    await asyncio.gather(keeping, return_exceptions=True)


async def test_waiting_for_a_cut_over_ends_with_the_patience(
    placement: Placement, clock: ManualClock
) -> None:
    """Somebody who waits gets an answer in the time that was promised."""
    leases = node(placement, clock)
    state = await leases.refresh("people")
    draining = await announce(placement, state, Phase.DUAL_WRITE_TARGET_READ)
    assert draining is not None
    with pytest.raises(DrainingError):
        await leases.await_steady("people", 0.5)
    await undo(placement, draining)
    assert (await leases.await_steady("people", 0.5)).takes_writes


async def test_a_step_by_an_outdated_state_is_lost(placement: Placement) -> None:
    """Of two who step from the same state, one does."""
    state = await read_state(placement)
    assert await step(placement, state, Phase.SOURCE_ONLY) is not None
    assert await step(placement, state, Phase.SOURCE_ONLY) is None


async def test_a_kind_that_nobody_placed_is_unknown(placement: Placement, clock: ManualClock) -> None:
    """A misspelt kind is told so."""
    with pytest.raises(UnknownKindError, match="'pepole'"):
        await node(placement, clock).state("pepole")


async def test_of_many_that_need_a_lease_at_once_one_asks(placement: Placement, clock: ManualClock) -> None:
    """A hundred writers find the lease run out: the store is asked for all of them, and all may write."""
    asked = 0

    class CountingStore(MemoryStore):
        async def fence(self, kind):  # type: ignore[no-untyped-def]
            nonlocal asked
            asked += 1
            await asyncio.sleep(0)
            return await super().fence(kind)

    source = CountingStore("documents")
    await source.open()
    leases = node(Placement(kind=PEOPLE, source=source, target=placement.target), clock)
    await leases.refresh("people")
    clock.advance(LEASE + 0.1)
    asked = 0

    async def write() -> int:
        async with leases.writing("people") as state:
            return state.epoch

    assert set(await asyncio.gather(*(write() for _ in range(100)))) == {1}
    assert asked <= 4


async def test_who_asks_after_a_reading_began_is_not_content_with_it(
    placement: Placement, clock: ManualClock
) -> None:
    """What was read before somebody asked may be older than what that one knows of: it is read again."""
    began, go_on = asyncio.Event(), asyncio.Event()

    class SlowStore(MemoryStore):
        async def fence(self, kind):  # type: ignore[no-untyped-def]
            found = await super().fence(kind)
            began.set()
            await go_on.wait()
            return found

    source = SlowStore("documents")
    await source.open()
    slow = Placement(kind=PEOPLE, source=source, target=placement.target, initial=placement.initial)
    go_on.set()
    state = await read_state(slow)
    leases = node(slow, clock)
    await leases.refresh("people")
    began.clear()
    go_on.clear()
    first = asyncio.create_task(leases.refresh("people"))
    await began.wait()
    fence = state.fence_for(state.truth)
    newer = msgspec.structs.replace(fence, epoch=fence.epoch + 1, body=_later(state))
    assert await source.raise_fence(PEOPLE, newer, expected=fence.epoch)
    second = asyncio.create_task(leases.refresh("people"))
    await asyncio.sleep(0)
    go_on.set()
    assert (await first).epoch == state.epoch
    assert (await second).epoch == state.epoch + 1


def _later(state: State) -> bytes:
    return msgspec.json.encode(msgspec.structs.replace(state, epoch=state.epoch + 1))


async def test_a_settled_kind_is_read_once_and_written_ever_after(clock: ManualClock) -> None:
    """Its lease never runs out, nobody registers for it, and no step leads away from its store."""
    store = MemoryStore("documents")
    await store.open()
    placement = Placement.settled(PEOPLE, store)
    leases = node(placement, clock)
    async with leases.writing("people") as state:
        assert (state.phase, state.epoch) == (Phase.SOURCE_ONLY, 1)
    await store.close()
    clock.advance(100 * LEASE)
    async with leases.writing("people") as later:
        assert later == state
    await store.open()
    assert await store.notes("nodes/") == []
    with pytest.raises(DeclarationError, match="lives in one store"):
        await step(placement, state, Phase.DUAL_WRITE_SOURCE_READ)
