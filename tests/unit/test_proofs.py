"""What the parts of a trial come to together, and when that is not enough."""

from math import inf

from proofs.kills import TRIAL as TRIAL_OF_KILLS
from proofs.trials import Finding, Outcome, Trial, summed


def found(part: str, **figures: float) -> Finding:
    return Finding(part=part, seconds=1.0, outcome=Outcome(holds=True, figures=figures))


def nothing() -> Outcome:
    raise AssertionError("no part is tried here")


TRIAL = Trial(
    name="kills",
    claim="",
    parts={"one": nothing, "two": nothing},
    limits={"kills": (20, inf), "lost": (0, 0)},
)


def test_like_figures_are_added() -> None:
    """Each part adds what it counted."""
    assert summed(TRIAL, [found("one", kills=9, lost=0), found("two", kills=12)]) == {"kills": 21, "lost": 0}


def test_limits_are_for_all_parts_together() -> None:
    """Nothing is said before all were tried; then every figure beyond its limits is named."""
    assert TRIAL.missed([found("one", kills=1, lost=1)]) == []
    assert TRIAL.missed([found("one", kills=9), found("two", kills=11)]) == []
    missed = TRIAL.missed([found("one", kills=9, lost=1), found("two", kills=10)])
    assert [sentence.split(" is ")[0] for sentence in missed] == ["kills", "lost"]


def test_the_kills_are_tried_alone_and_judged_together() -> None:
    """Two platforms at a time would measure each other; the bar is one over all kills of both stores."""
    kills = TRIAL_OF_KILLS
    assert kills.alone
    assert {part.split(",")[0] for part in kills.parts} >= {"SQLite", "the Cosmos server"}
    assert max(kills.limits["recovery p99, ms"]) == 5000.0
    findings = [
        Finding(
            part=part,
            seconds=1.0,
            outcome=Outcome(
                holds=True,
                figures={"kills": 100, "lost": 0, "divergent": 0, "recovery p99, ms": 1.0},
                samples={"recovery, ms": [1000.0] * 97 + [9000.0] * 3},
            ),
        )
        for part in kills.parts
    ]
    assert summed(kills, findings)["recovery p50, ms"] == 1000.0
    (missed,) = kills.missed(findings)
    assert missed.startswith("recovery p99, ms is 9,000.0")
