"""How fast a move goes, and what it tells of that: yielding to stores that suffer, never boasting."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from manystore.errors import ThrottledError, UnavailableError
from manystore.moves.copy import CopyCheckpoint
from manystore.moves.pace import LEAST, MOST, PATIENCE, Pace
from manystore.moves.progress import Gauge
from manystore.moves.ranges import Checkpoint
from tests.unit.clocks import ManualClock


def test_progress_is_the_sum_of_the_checkpoints_and_never_goes_back() -> None:
    """A checkpoint that is behind, as a frozen worker may write it, takes nothing back."""
    clock = ManualClock()
    gauge = Gauge("copy", 100, clock)
    assert gauge.read([Checkpoint(done=10), Checkpoint(done=5)]).done == 15
    clock.advance(2.0)
    later = gauge.read([Checkpoint(done=30), Checkpoint(done=5)])
    assert (later.done, later.total, later.rate, later.seconds_left) == (35, 100, 10.0, 6.5)
    assert gauge.read([Checkpoint(done=20), Checkpoint(done=5)]).done == 35
    clock.advance(10.0)
    assert gauge.read([Checkpoint(done=120)]).total == 120


def test_progress_says_who_goes_slowly() -> None:
    """The stage names the reason for as long as an unfinished range has one."""
    gauge = Gauge("copy", 100, ManualClock())
    slow = CopyCheckpoint(done=10, slowed="documents throttles")
    assert gauge.read([Checkpoint(done=1), slow]).stage == "copy, slowed down: documents throttles"
    slow.finished = True
    assert gauge.read([Checkpoint(done=1), slow]).stage == "copy"


def refusing(times: int, error: UnavailableError) -> Callable[[], Awaitable[str]]:
    """A call that is refused so many times."""
    left = [error] * times

    async def call() -> str:
        if left:
            raise left.pop()
        return "answer"

    return call


async def test_a_throttled_source_gets_the_wait_that_it_asked_for() -> None:
    """The call is repeated after exactly that, the allowance is halved once, and the reason is told."""
    clock = ManualClock()
    pace = Pace(clock)
    throttled = ThrottledError(subject="documents", reason="429", retry_after=7.0)
    assert await pace.ask(refusing(1, throttled)) == "answer"
    assert clock.monotonic() == 1007.0
    assert pace.allowance == MOST / 2
    assert pace.slowed == "documents throttles"


async def test_pace_is_halved_by_trouble_and_regained_step_by_step() -> None:
    """However long the trouble, some work is left; and all is well again after as many good batches."""
    clock = ManualClock()
    pace = Pace(clock)
    away = UnavailableError(subject="tables", reason="gone", retry_after=2.0)
    await pace.ask(refusing(30, away))
    assert pace.allowance == LEAST
    batches = 0
    while pace.slowed:
        pace.went_well()
        batches += 1
    assert batches == 20
    assert pace.allowance == MOST


async def test_patience_ends() -> None:
    """A store that stays away is given up, with its own words."""
    clock = ManualClock()
    away = UnavailableError(subject="tables", reason="gone", retry_after=2.0)
    with pytest.raises(UnavailableError, match="gone"):
        await Pace(clock).ask(refusing(10_000, away))
    assert clock.monotonic() - 1000 >= PATIENCE


async def merge(pace: Pace, clock: ManualClock, seconds: float) -> None:
    async def apply() -> None:
        clock.advance(seconds)

    await pace.merge("tables", 1000, apply)


async def test_a_copy_that_suffers_is_left_more_time() -> None:
    """Batches that take much longer than they did slow this process down; a short hiccup does not."""
    clock = ManualClock()
    pace = Pace(clock)
    for _ in range(20):
        await merge(pace, clock, 0.1)
    await merge(pace, clock, 0.2)
    assert (pace.allowance, pace.slowed) == (MOST, "")
    for _ in range(5):
        await merge(pace, clock, 2.0)
    assert pace.allowance < 1
    assert pace.slowed == "tables is slow to write"
    for _ in range(40):
        await merge(pace, clock, 0.1)
    assert (pace.allowance, pace.slowed) == (MOST, "")


async def test_batches_that_are_quick_enough_are_never_held_up() -> None:
    """Ten times as slow as at best is nothing to speak of where both are milliseconds."""
    clock = ManualClock()
    pace = Pace(clock)
    await merge(pace, clock, 0.001)
    for _ in range(20):
        await merge(pace, clock, 0.2)
    assert pace.allowance == MOST


@pytest.mark.parametrize(("allowance", "together"), [(2.0, 2), (1.9, 1), (1.0, 1), (0.5, 1)])
async def test_the_allowance_is_how_many_batches_are_at_work(allowance: float, together: int) -> None:
    """Those above it wait for their turn."""
    pace, at_work, most = Pace(ManualClock()), 0, 0
    pace.allowance = allowance

    async def batch() -> None:
        nonlocal at_work, most
        async with pace.turn():
            at_work += 1
            most = max(most, at_work)
            for _ in range(3):
                await asyncio.sleep(0)
            at_work -= 1

    await asyncio.gather(*(batch() for _ in range(6)))
    assert most == together


async def test_an_allowance_below_one_is_a_share_of_the_time() -> None:
    """At a quarter, a batch of two seconds is followed by six of rest."""
    clock = ManualClock()
    pace = Pace(clock)
    pace.allowance = 0.25
    async with pace.turn():
        clock.advance(2.0)
    assert clock.monotonic() == 1000 + 2 + 5, "the longest pause is five seconds"
    async with pace.turn():
        clock.advance(1.0)
    assert clock.monotonic() == 1007 + 1 + 3
