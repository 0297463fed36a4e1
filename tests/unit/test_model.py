"""The model of the phase protocol: nothing breaks with all safeguards, and something breaks without each."""

import pytest

from manystore.testing.model import FENCED, MISSED_IN, RETURNING, SAFEGUARDS, Safeguard, World, explore, tell

_MOST = 150_000
"""States within which a missing safeguard is noticed; far more than any of them takes."""


@pytest.mark.parametrize(
    "world", [FENCED._replace(undos=0), RETURNING], ids=["two nodes, one move", "there and back"]
)
def test_every_reachable_state_keeps_every_invariant(world: World) -> None:
    """Explored to the last state, with all safeguards, no invariant is ever broken."""
    found = explore(world)
    assert found.is_whole
    assert not found.violation, tell(found)
    assert found.states > 5_000


@pytest.mark.parametrize("safeguard", SAFEGUARDS, ids=lambda each: each.name)
def test_a_safeguard_taken_away_is_missed(safeguard: Safeguard) -> None:
    """Without it an invariant breaks, and the shortest way there is told as a story."""
    found = explore(MISSED_IN[safeguard]._replace(without=frozenset({safeguard})), most=_MOST)
    assert found.violation
    story = tell(found)
    assert safeguard.value in story
    assert len(found.trace) == found.depth
    assert story.endswith(f"Broken: {found.violation}.")
