"""Each kind of fault at each call of a whole move: nothing is lost, and all comes to order by itself."""

import pytest

from manystore.testing.simulation import FaultKind, Move, run
from tests.faults.simulated.worlds import ALWAYS, PAIRS, SEVERAL, SINGLES, WORLDS, hold, struck


@pytest.mark.parametrize("world", SINGLES)
def test_a_fault_at_any_call_breaks_nothing(world: str) -> None:
    """Ten kinds of faults at every single call of a move there and back, with two nodes writing."""
    tally = hold(WORLDS[world], struck(WORLDS[world], SINGLES[world]))
    # Batches are written where something is queued, which an ordinary copy gives no reason for.
    assert (tally.happened[FaultKind.TORN] > 0) == WORLDS[world].picky
    assert len(tally.schedules) >= SINGLES[world]
    assert set(tally.happened) >= ALWAYS
    # Not all come to pass: who was struck may have called what is no batch, or the move was over by then.
    assert tally.happened.total() > 0.95 * len(tally.schedules)


def test_twenty_thousand_schedules_are_run() -> None:
    """The three files of this folder that run schedules come to 20 000 of them, each asserting its share."""
    assert sum(map(sum, (SINGLES.values(), PAIRS.values(), SEVERAL.values()))) >= 20_000


def test_without_faults_nothing_is_in_doubt() -> None:
    """Where nothing fails, every step is taken at the first attempt, and every kind of write is seen."""
    found = [_lines(seed) for seed in range(5)]
    for lines in found:
        assert not [line for line in lines if "ends without an answer" in line or "no answer" in line]
    told = " ".join(line for lines in found for line in lines)
    for word in (".put", ".delete", ".apply", "cut-over is done", "cut-back is done", "refused"):
        assert word in told


def _lines(seed: int) -> tuple[str, ...]:
    found = run(seed, Move(), traced=True)
    assert found.holds, found.violation
    return found.trace
