"""What a trial is: a claim, the parts in which it is tried, and what came of each part."""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

Figures = Mapping[str, int | float | str]
"""What was counted, by names that a reader understands."""


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a part. `story` tells how it failed, or what is worth reading of how it went."""

    holds: bool
    figures: Figures = {}
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


def total(findings: list[Finding]) -> Figures:
    """Like figures added; words are left out."""
    added: dict[str, Any] = {}
    for finding in findings:
        for name, figure in finding.outcome.figures.items():
            if not isinstance(figure, str):
                added[name] = added.get(name, 0) + figure
    return added
