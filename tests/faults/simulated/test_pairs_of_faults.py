"""Two faults anywhere in a move, by seed: the second may strike what mends the first."""

import itertools

import pytest

from manystore.testing.simulation import several
from tests.faults.simulated.worlds import ALWAYS, EACH, PAIRS, WORLDS, hold


@pytest.mark.parametrize("world", PAIRS)
def test_two_faults_break_nothing(world: str) -> None:
    """Pairs of all kinds, at calls of all kinds, in each of the worlds."""
    drawn = several(WORLDS[world], itertools.count(), least=2, most=2, each=EACH)
    tally = hold(WORLDS[world], itertools.islice(drawn, PAIRS[world]))
    assert len(tally.schedules) == PAIRS[world]
    assert set(tally.happened) >= ALWAYS
    # The second may have no call to befall, where the first has shortened the run.
    assert tally.happened.total() > 1.8 * PAIRS[world]
