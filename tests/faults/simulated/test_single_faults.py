"""Each kind of fault at each call of a whole move: nothing is lost, and all comes to order by itself."""

import pytest

from manystore.testing.simulation import Move, run, singles
from tests.faults.simulated.worlds import WORLDS, hold

_PARTS = 5
"""Every so many calls one is struck here; the long run strikes all of them."""


@pytest.mark.parametrize("world", ["stores that check epochs", "stores fenced by leases alone"])
def test_a_fault_at_any_call_breaks_nothing(world: str) -> None:
    """Ten kinds of faults at calls all along a move there and back, with two nodes writing."""
    move = WORLDS[world]
    count, happened = hold(move, singles(move, seed=1, share=(2, _PARTS)))
    assert count > 400
    # Not all come to pass: who was struck may have called what is no batch, or the move was over by then.
    assert happened > 0.95 * count


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
