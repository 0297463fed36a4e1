"""What a trial is: a claim, the parts in which it is tried, and what came of each part."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

Figures = Mapping[str, int | float | str]
"""What was counted, by names that a reader understands."""


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a part. `story` tells how it failed, or what is worth reading of how it went."""

    holds: bool
    figures: Figures = {}
    samples: Mapping[str, Sequence[float]] = {}
    """Single measurements, of which the sums of a trial are to tell more than their sum."""
    story: str = ""


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """A part that was tried: how long it took, in seconds, and what came of it."""

    part: str
    seconds: float
    outcome: Outcome


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """A claim, and each part in which it is tried, by its name. A part runs in a process of its own."""

    name: str
    claim: str
    parts: Mapping[str, Callable[[], Outcome]]
    sums: Callable[[list[Finding]], Figures] | None = None
    """What all parts come to together; without it, like figures are added."""
    limits: Mapping[str, tuple[float, float]] = {}
    """Between what figures of the sums must be, once all parts were tried."""
    alone: bool = False
    """Whether a part needs the machine for itself, so that they are tried one after another."""

    def missed(self, findings: list[Finding]) -> list[str]:
        """Each limit that does not hold, as a sentence; none before all parts were tried."""
        if len(findings) < len(self.parts):
            return []
        sums = summed(self, findings)
        return [
            f"{name} is {sums.get(name, 0):,} in all, and not {_between(least, most)}"
            for name, (least, most) in self.limits.items()
            if not least <= float(sums.get(name, 0)) <= most
        ]


def _between(least: float, most: float) -> str:
    return f"{least:,.0f} at least" if math.isinf(most) else f"from {least:,.0f} to {most:,.0f}"


def summed(trial: Trial, findings: list[Finding]) -> Figures:
    """What the parts that were tried come to together."""
    return (trial.sums or total)(findings)


def total(findings: list[Finding]) -> Figures:
    """Like figures added; words are left out."""
    added: dict[str, Any] = {}
    for finding in findings:
        for name, figure in finding.outcome.figures.items():
            if not isinstance(figure, str):
                added[name] = added.get(name, 0) + figure
    return added
