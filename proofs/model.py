"""Claim: in no reachable state of the phase protocol is an invariant broken, and each safeguard is needed."""

import functools
from collections.abc import Callable

from manystore.testing.model import FULL, MISSED_IN, Safeguard, explore, tell
from proofs.trials import Outcome, Trial


def _whole(name: str) -> Outcome:
    found = explore(FULL[name])
    figures = {"states": found.states, "steps": found.steps, "violations": int(bool(found.violation))}
    return Outcome(
        holds=found.is_whole and not found.violation,
        figures=figures,
        story=tell(found) if found.violation else f"The longest way is {found.depth} steps.",
    )


def _without(safeguard: Safeguard) -> Outcome:
    found = explore(MISSED_IN[safeguard]._replace(without=frozenset({safeguard})))
    figures = {"safeguards removed": 1, "safeguards missed": int(bool(found.violation))}
    return Outcome(holds=bool(found.violation), figures=figures, story=tell(found))


_PARTS: dict[str, Callable[[], Outcome]] = {name: functools.partial(_whole, name) for name in FULL}
_PARTS |= {f"without {each.name}": functools.partial(_without, each) for each in MISSED_IN}

TRIAL = Trial(name="model", claim=(__doc__ or "").removeprefix("Claim: "), parts=_PARTS)
