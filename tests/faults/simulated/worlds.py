"""The moves that are simulated, by the weakness that each is about, and how many schedules of each."""

import itertools
from collections import Counter
from collections.abc import Iterable, Iterator

import msgspec

from manystore.dual_write import DualWrite
from manystore.moves.tasks import Action
from manystore.testing.simulation import FAULT_KINDS, FaultKind, Move, Schedule, run, shrink, singles, tell

WORLDS = {
    "stores that check epochs": Move(),
    "stores fenced by leases alone": Move(source="lease", target="lease", looks=False, tail=0.3),
    "from leases to epochs": Move(source="lease"),
    "two workers, hasty nodes": Move(workers=2, drain_limit=0.02),
    "a stranger and a picky copy": Move(outsider=True, picky=True, dropped=0.3),
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


SINGLES = {
    "stores that check epochs": 3_000,
    "stores fenced by leases alone": 4_000,
    "from leases to epochs": 3_000,
    "a stranger and a picky copy": 3_500,
}
"""Schedules of one fault in a run of the tests. All calls of the first seed are struck in any case."""
PAIRS = dict.fromkeys(WORLDS, 500)
"""Schedules of two faults."""
SEVERAL = dict.fromkeys(WORLDS, 500)
"""Schedules of none to four faults."""
EACH = 10
"""Schedules that are drawn for every seed."""


ALWAYS = frozenset(FAULT_KINDS) - {FaultKind.TORN}
"""Faults that come to pass in every world: of what is torn there has to be a batch."""


class Tally(msgspec.Struct):
    """What was run: schedules, none of them twice, and faults that came to pass, by kind."""

    schedules: set[Schedule] = msgspec.field(default_factory=set)
    happened: Counter[FaultKind] = msgspec.field(default_factory=Counter)


def hold(move: Move, schedules: Iterable[Schedule]) -> Tally:
    """Run each schedule; tells a story where one fails."""
    tally = Tally()
    for seed, faults in schedules:
        found = run(seed, move, faults)
        tally.schedules.add((seed, faults))
        tally.happened.update(fault.kind for fault in found.happened)
        assert found.holds, tell(shrink(move, found))
    return tally


def struck(move: Move, least: int) -> Iterator[Schedule]:
    """Each fault at each call of the first seed, and then of the next ones, until there are `least`."""
    count = 0
    for seed in itertools.count(1):
        for schedule in singles(move, seed):
            if seed > 1 and count >= least:
                return
            yield schedule
            count += 1
