"""The moves that are simulated, by the weakness that each is about."""

from collections.abc import Iterable

from manystore.dual_write import DualWrite
from manystore.moves.tasks import Action
from manystore.testing.simulation import Move, Schedule, run, shrink, tell

WORLDS = {
    "stores that check epochs": Move(),
    "stores fenced by leases alone": Move(source="lease", target="lease", looks=False, tail=0.3),
    "from leases to epochs": Move(source="lease"),
    "two workers, hasty nodes": Move(workers=2, drain_limit=0.02),
    "a stranger and a picky copy": Move(outsider=True, picky=True),
    "copies on the writers' time": Move(
        dual_write=DualWrite(secondary="inline", timeout=0.5, compensation=True)
    ),
    "there, back and there again": Move(
        journey=(
            Action.START,
            Action.VERIFY,
            Action.CUT_OVER,
            Action.CUT_BACK,
            Action.VERIFY,
            Action.CUT_OVER,
        ),
        writes=7,
    ),
}


def hold(move: Move, schedules: Iterable[Schedule]) -> tuple[int, int]:
    """How many schedules were run, and how many faults came to pass; tells a story where one fails."""
    count = happened = 0
    for seed, faults in schedules:
        found = run(seed, move, faults)
        count, happened = count + 1, happened + len(found.happened)
        assert found.holds, tell(shrink(move, found))
    return count, happened
