"""Claim: no value from outside is lost, misread, taken for code, or met with more than a refusal by name."""

import functools
from collections.abc import Callable, Sequence
from typing import Final

from hypothesis import Phase

from proofs.fuzzing.hunts import HAS_ATHERIS, NO_ATHERIS, TARGETS, Hunt, guide, search
from proofs.trials import Figures, Finding, Outcome, Trial, total

_NUMBER: Final = 5
_SECONDS: Final = 40
"""For each target guided by coverage; what it reached is kept, and the next run begins there."""
_SECONDS_PLANTED: Final = 120
_GUIDED: Final = 1_000_000
_SEARCHED: Final = 10_000
_UNTIL_FOUND: Final = 3_000
"""Values (divided by a target's weight) within which a planted fault must be found, by each way."""


def _searched(name: str) -> Outcome:
    hunt = search(TARGETS[name], executions=_SEARCHED, number=_NUMBER)
    return Outcome(holds=not hunt.story, figures=_figures(hunt), story=hunt.story)


def _guided(name: str) -> Outcome:
    if not HAS_ATHERIS:
        return Outcome(holds=False, story=NO_ATHERIS)
    (hunt,) = guide([(name, "", _GUIDED)], seconds=_SECONDS, number=_NUMBER)
    figures = {**_figures(hunt), "coverage edges": hunt.edges, "inputs kept": hunt.kept}
    return Outcome(holds=not hunt.story, figures=figures, story=hunt.story)


def _figures(hunt: Hunt) -> dict[str, int | float | str]:
    return {"executions": hunt.executions, "crashes": hunt.crashes}


def _planted(name: str) -> Outcome:
    """Each fault of the target, to be found by each way."""
    faults = list(TARGETS[name].faults)
    hunts = [(fault, "Hypothesis", search_planted(name, fault, _UNTIL_FOUND)) for fault in faults]
    if HAS_ATHERIS:
        asked = [(name, fault, _UNTIL_FOUND) for fault in faults]
        found = guide(asked, seconds=_SECONDS_PLANTED, number=_NUMBER)
        hunts += [(fault, "atheris", hunt) for fault, hunt in zip(faults, found, strict=True)]
    missed = [f"{way} does not notice: {fault}" for fault, way, hunt in hunts if not hunt.story]
    figures = {"planted faults found": len(hunts) - len(missed), "planted faults missed": len(missed)}
    story = "\n".join(missed if HAS_ATHERIS else [*missed, NO_ATHERIS])
    return Outcome(holds=HAS_ATHERIS and not missed, figures=figures, story=story)


def search_planted(name: str, fault: str, executions: int) -> Hunt:
    """What Hypothesis says of a target that is broken on purpose; nothing of it is kept."""
    target = TARGETS[name]
    with target.faults[fault]():
        phases = (Phase.generate, Phase.target)
        return search(target, executions=executions, number=_NUMBER, phases=phases, is_kept=False)


def _sums(findings: list[Finding]) -> Figures:
    """Like figures added, but for edges: those of one target are those of another as well, so the most."""
    edges = [finding.outcome.figures.get("coverage edges", 0) for finding in findings]
    most: Sequence[int] = [edge for edge in edges if isinstance(edge, int)]
    return {**total(findings), "coverage edges": max(most, default=0)}


_PARTS: dict[str, Callable[[], Outcome]] = {}
for _name in TARGETS:
    _PARTS[f"{_name}, by Hypothesis"] = functools.partial(_searched, _name)
    _PARTS[f"{_name}, guided by coverage"] = functools.partial(_guided, _name)
    _PARTS[f"{_name}, planted faults"] = functools.partial(_planted, _name)

TRIAL: Final = Trial(name="fuzzing", claim=(__doc__ or "").removeprefix("Claim: "), parts=_PARTS, sums=_sums)
