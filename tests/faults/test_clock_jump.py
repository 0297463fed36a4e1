"""Clocks that jump or run unevenly: no lease depends on the time of day, and nothing waits for an hour."""

import datetime as dt
import random
from pathlib import Path

import pytest

from manystore.conflicts import HybridClock, LastWriterWins, compare_vectors, stamp_of, stamped
from manystore.errors import DrainingError, UnavailableError
from manystore.followers.queue import SyncQueue
from manystore.followers.sync import Track
from manystore.placement import Leases, Phase, Placement, announce, read_state, step
from manystore.placement.registers import Roll
from manystore.records import Kind, Record
from manystore.stores.memory import MemoryStore
from manystore.stores.store import Fencing
from manystore.testing.samples import PEOPLE, WORDS, word
from tests.faults.clocks import HOUR, jumping
from tests.faults.network import told
from tests.unit.clocks import ManualClock

LEASE = 10.0


class Skewed(ManualClock):
    """A clock that is ahead of another by some time, and passes `rate` times as fast."""

    def __init__(self, true: ManualClock, *, ahead: float = 0.0, rate: float = 1.0) -> None:
        super().__init__()
        self.true, self.ahead, self.rate = true, ahead, rate

    def now(self) -> dt.datetime:
        return self.true.now() + dt.timedelta(seconds=self.ahead)

    def monotonic(self) -> float:
        return self.true.seconds * self.rate


async def _placed(kind: Kind, fencing: Fencing = "transaction") -> Placement:
    source, target = MemoryStore("documents"), MemoryStore("tables")
    for store in (source, target):
        store.fencing = fencing
        await store.open()
    return Placement(kind=kind, source=source, target=target)


@pytest.mark.slow
async def test_a_move_survives_clocks_that_jump_by_an_hour(tmp_path: Path, postgres_url: str) -> None:
    """Those of nodes and of the worker, apart, several times a second: the move gets there and back."""
    verdict = await jumping(tmp_path, postgres_url, records=300, every=0.1)
    assert verdict.holds, told(verdict)


@pytest.mark.parametrize(("rate", "has_right"), [(0.92, False), (1.0, False), (1.1, False), (0.7, True)])
async def test_a_lease_is_over_when_who_drains_goes_on(rate: float, has_right: bool) -> None:
    """Also by the clock of a node that is a twelfth slow. (Planted: one by far slower may still write.)"""
    true = ManualClock()
    placement = await _placed(PEOPLE, "lease")
    await step(placement, await read_state(placement), Phase.DUAL_WRITE_SOURCE_READ)
    node = Leases([placement], node="node", clock=Skewed(true, rate=rate), lease=LEASE)
    await node.refresh("people")
    draining = await announce(placement, await read_state(placement), Phase.DUAL_WRITE_TARGET_READ)
    assert draining is not None
    await Roll(placement, draining, clock=true, lease=LEASE).acknowledged(draining.epoch)
    assert await _may_write(node) is has_right


@pytest.mark.parametrize("jump", [HOUR, -HOUR])
async def test_a_lease_does_not_look_at_the_time_of_day(jump: float) -> None:
    """A node whose time of day jumps keeps its lease for as long as before, and no longer."""
    true = ManualClock()
    placement = await _placed(PEOPLE)
    clock = Skewed(true)
    node = Leases([placement], node="node", clock=clock, lease=LEASE)
    state = await node.refresh("people")
    clock.ahead = jump
    true.advance(0.9 * LEASE)
    assert await _may_write(node)
    await step(placement, state, Phase.DUAL_WRITE_SOURCE_READ)
    true.advance(0.2 * LEASE)
    async with node.writing("people") as now:
        assert now.phase is Phase.DUAL_WRITE_SOURCE_READ


async def _may_write(node: Leases) -> bool:
    try:
        async with node.writing("people") as state:
            return state.takes_writes
    except (DrainingError, UnavailableError):
        return False


async def test_a_queued_change_does_not_wait_until_a_wrong_clock_was_right() -> None:
    """Queued by a worker whose clock is an hour ahead, it is tried by one whose clock is right at once."""
    true = ManualClock()
    placement = await _placed(WORDS)
    state = await read_state(placement)
    record = Record("a", 1, word("a"))
    await placement.source.apply(WORDS, [record])
    ahead = SyncQueue(placement.target, WORDS, clock=Skewed(true, ahead=HOUR), randomness=random.Random(1))
    await ahead.hold(record, UnavailableError(subject="tables", reason="planted"))
    track = Track(placement, state, clock=true, randomness=random.Random(1))
    assert await track.retry() == 1
    assert await placement.target.get(WORDS, "a") == record


async def test_a_queued_change_waits_for_its_delay_by_a_right_clock() -> None:
    """Not one moment less than before: only what no delay explains counts as due."""
    true = ManualClock()
    placement = await _placed(WORDS)
    track = Track(placement, await read_state(placement), clock=true, randomness=random.Random(1))
    record = Record("a", 1, word("a"))
    await placement.source.apply(WORDS, [record])
    await track.queue.hold(record, UnavailableError(subject="tables", reason="planted"))
    assert await track.retry() == 0
    true.advance(1.0)
    assert await track.retry() == 1


@pytest.mark.parametrize("ahead", [30.0, HOUR])
async def test_a_later_write_is_later_whatever_the_clock_of_the_one_before(ahead: float) -> None:
    """Whether that clock is followed or not to be believed: who saw a write and wrote over it wins."""
    true = ManualClock()
    wrong, right = HybridClock("wrong", Skewed(true, ahead=ahead)), HybridClock("right", true)
    first = stamped({"id": "a", "by": "wrong"}, None, wrong, "wrong")
    second = stamped({"id": "a", "by": "right"}, first, right, "right")
    winner = LastWriterWins().resolve(Record("a", 2, first), Record("a", 2, second)).content
    assert winner == second
    stamps = stamp_of(first), stamp_of(second)
    assert stamps[0] is not None
    assert stamps[1] is not None
    assert compare_vectors(stamps[0].vector, stamps[1].vector) == "before"
    # What was not to be believed has not spoilt the clock for other records.
    assert right.tick().milliseconds <= true.now().timestamp() * 1000 + 60_000
