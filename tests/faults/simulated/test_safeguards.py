"""Each safeguard of the engine taken away in turn: the explorer notices within 200 seeds."""

import pytest

from manystore.testing.model import SAFEGUARDS, Safeguard
from manystore.testing.simulation.ablations import miss

_WITHIN = 200


@pytest.mark.parametrize("safeguard", SAFEGUARDS, ids=lambda each: each.name)
def test_a_safeguard_taken_away_is_missed(safeguard: Safeguard) -> None:
    """Without it something breaks under a seed under which nothing breaks with it."""
    found = miss(safeguard, range(_WITHIN))
    assert found is not None
    assert found.violation
