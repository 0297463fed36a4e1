"""Claim: whatever fails in a simulated move, nothing is lost and all comes to order; no safeguard is idle."""

import functools
import os
import subprocess
import sys
from collections.abc import Callable, Iterable

from manystore.testing.model import SAFEGUARDS, Safeguard
from manystore.testing.simulation import Move, Run, Schedule, explore, several, shrink, singles, tell
from manystore.testing.simulation.ablations import MISSED_IN, miss
from proofs.trials import Outcome, Trial

_WORLDS = {
    "epochs": Move(),
    "leases": Move(source="lease", target="lease", looks=False, tail=0.3),
    "leases to epochs": Move(source="lease"),
    "two workers, hasty nodes": Move(workers=2, drain_limit=0.02),
    "a stranger and a picky copy": Move(outsider=True, picky=True, dropped=0.3),
}
_STRUCK = ("epochs", "leases", "leases to epochs", "a stranger and a picky copy")
"""The worlds in which every call is struck."""
_BASES = 4
_SEEDS = 250
_EACH = 4
"""Schedules that are drawn for every seed."""
_BLOCKS = 4
_INTERPRETERS = 100
_WITHIN = 200

_TOLD = """
from manystore.testing.simulation import Fault, FaultKind, Move, run
print(run(7, Move(), (Fault(40, FaultKind.CRASH_AFTER), Fault(90, FaultKind.LATE)), traced=True).digest)
"""


def _hold(move: Move, schedules: Iterable[Schedule]) -> Outcome:
    count = happened = 0
    broken: Run | None = None
    for found in explore(move, schedules):
        count, happened = count + 1, happened + len(found.happened)
        if not found.holds:
            broken = found
            break
    figures = {"schedules": count, "faults injected": happened, "violations": int(broken is not None)}
    return Outcome(
        holds=broken is None, figures=figures, story="" if broken is None else tell(shrink(move, broken))
    )


def _singles(world: str, seed: int) -> Outcome:
    return _hold(_WORLDS[world], singles(_WORLDS[world], seed))


def _several(world: str, most: int, block: int) -> Outcome:
    seeds = range(block * _SEEDS, (block + 1) * _SEEDS)
    return _hold(_WORLDS[world], several(_WORLDS[world], seeds, least=1, most=most, each=_EACH))


def _without(safeguard: Safeguard) -> Outcome:
    found = miss(safeguard, range(_WITHIN))
    figures = {"safeguards removed": 1, "safeguards missed": int(found is not None)}
    if found is None:
        return Outcome(holds=False, figures=figures, story=f"Nothing breaks without it: {safeguard.value}.")
    faults = ", ".join(map(str, found.faults)) or "no fault"
    story = f"Seed {found.seed}, {faults}, in {MISSED_IN[safeguard].move}: {found.violation}."
    return Outcome(holds=True, figures=figures, story=story)


def _same_everywhere() -> Outcome:
    digests = {
        subprocess.run(  # noqa: S603 - this very interpreter, with words of ours
            [sys.executable, "-c", _TOLD],
            env={**os.environ, "PYTHONHASHSEED": str(seed)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in range(_INTERPRETERS)
    }
    figures = {"interpreters": _INTERPRETERS, "different traces": len(digests)}
    return Outcome(holds=len(digests) == 1, figures=figures)


_PARTS: dict[str, Callable[[], Outcome]] = {
    f"each single fault, {world}, seed {seed}": functools.partial(_singles, world, seed)
    for world in _STRUCK
    for seed in range(_BASES)
}
_PARTS |= {
    f"up to {most} faults, {world}, block {block + 1}": functools.partial(_several, world, most, block)
    for most in (2, 6)
    for world in _WORLDS
    for block in range(_BLOCKS)
}
_PARTS |= {f"without {each.name}": functools.partial(_without, each) for each in SAFEGUARDS}
_PARTS["the same trace in every interpreter"] = _same_everywhere

TRIAL = Trial(name="simulation", claim=(__doc__ or "").removeprefix("Claim: "), parts=_PARTS)
