"""An operator at the queue of a copy while its follower lets newer versions wait behind the same entries."""

import re
from collections import Counter

from manystore.testing.simulation import run
from tests.faults.simulated.worlds import WORLDS

_ROUND = re.compile(r"\s*\S+\s+mover\S*/((replay|drop)\S*)\s+\d+ target\.(write_notes|drop_notes) ")
"""A line of a trace in which an operator's task writes to entries, or takes one off."""
_MOST = 1500
"""Runs at the very most: it happens in about one of a hundred."""


def test_a_replay_and_a_drop_meet_the_follower_and_hold() -> None:
    """Under some seeds the entry changes between look and write: they go round again, and all holds."""
    again = set[str]()
    for seed in range(_MOST):
        found = run(seed, WORLDS["a stranger and a picky copy"], traced=True)
        assert found.holds, found.violation
        tasks = Counter(match[1] for line in found.trace if (match := _ROUND.match(line)))
        again |= {name.partition("#")[0] for name, times in tasks.items() if times > 1}
        if again == {"replay", "drop"}:
            return
    raise AssertionError(f"in {_MOST} runs the follower came between in {again or 'nothing'} alone")
