"""Up to four faults anywhere in a move, by seed; and what is made of a seed that fails."""

import itertools

import pytest

from manystore.testing.model import Safeguard
from manystore.testing.simulation import (
    Fault,
    FaultKind,
    Move,
    Simulation,
    Violation,
    run,
    several,
    shrink,
    tell,
)
from manystore.testing.simulation.ablations import SWITCHES
from tests.faults.simulated.worlds import ALWAYS, EACH, SEVERAL, WORLDS, hold


@pytest.mark.parametrize("world", SEVERAL)
def test_several_faults_break_nothing(world: str) -> None:
    """Crashes, freezes, lost answers and all the others, some of them while others are being mended."""
    drawn = several(WORLDS[world], itertools.count(), each=EACH)
    tally = hold(WORLDS[world], itertools.islice(drawn, SEVERAL[world]))
    assert len(tally.schedules) == SEVERAL[world]
    assert set(tally.happened) >= ALWAYS
    assert tally.happened.total() > 1.8 * SEVERAL[world]


async def _brittle(simulation: Simulation) -> None:
    """Breaks at any error of one call of a store, whatever else happens."""
    await Move(writes=1)(simulation)
    if any(fault.kind is FaultKind.LOST for fault in simulation.plan.happened):
        raise Violation("an answer was lost")


def test_what_fails_is_told_as_a_story_with_what_it_takes_and_no_more() -> None:
    """Of four faults, the one that matters is left, earlier than it was; the seed repeats it exactly."""
    faults = (
        Fault(10, FaultKind.THROTTLED),
        Fault(50, FaultKind.LOST),
        Fault(90, FaultKind.DUPLICATE),
        Fault(95, FaultKind.LOST),
    )
    found = run(5, _brittle, faults)
    assert found.violation == "an answer was lost"
    least = shrink(_brittle, found)
    assert [fault.kind for fault in least.faults] == [FaultKind.LOST]
    assert least.faults[0].call < 95
    again = run(least.seed, _brittle, least.faults, traced=True)
    assert (again.digest, again.trace) == (least.digest, least.trace)
    story = tell(least, last=5)
    assert story.startswith(f"Seed 5, LOST at call {least.faults[0].call} (the store does what it is asked")
    assert story.endswith("Broken: an answer was lost.")


def test_a_switch_is_on_again_after_its_block() -> None:
    """What a test takes away is there for the next one."""
    move = Move()
    with SWITCHES[Safeguard.TOMBSTONE]():
        assert not run(0, move).holds
    assert run(0, move).holds
