"""When a death counts as recovered from, and what is said of many."""

from pathlib import Path

from mystira.demonstration.recovery import Death, Recovered, Wound, recoveries_of, share_of
from mystira.simulation.ledger import Entry, Ledger


def death(kind: str = "accounts", at: float = 100.0) -> Death:
    return Death(kind=kind, step="verify", victim="api", name="api", pid=7, done=0, at=at)


def answered(kind: str, due: float, at: float, event: str = "acknowledged") -> Entry:
    return Entry(event=event, kind=kind, key="k", version=1, document={}, due=due, at=at)  # type: ignore[arg-type]


def test_only_a_write_that_was_wanted_after_the_kill_counts(tmp_path: Path) -> None:
    """Not an answer to what was asked before, not another kind, and not what got no clear answer."""
    with Ledger(tmp_path / "one.jsonl") as one, Ledger(tmp_path / "two.jsonl") as two:
        one.write(answered("accounts", due=99.9, at=100.2), answered("accounts", due=100.5, at=103.0))
        two.write(
            answered("user_profiles", due=100.1, at=100.3),
            answered("accounts", due=100.1, at=100.4, event="unclear"),
            answered("accounts", due=102.0, at=102.5),
        )
    (recovery,) = recoveries_of([Wound(death(), served=1.0, went_on=0.5)], [one.path, two.path])
    assert (recovery.served, recovery.went_on, recovery.written) == (1000.0, 500.0, 2500.0)
    assert recovery.whole == 2500.0


def test_a_clock_that_never_stopped_is_no_recovery(tmp_path: Path) -> None:
    """It is counted as never, and not left out of the figures in silence."""
    with Ledger(tmp_path / "one.jsonl") as ledger:
        ledger.write(answered("accounts", due=101.0, at=101.5))
    wounds = [
        Wound(death(), served=0.2, went_on=0.4),
        Wound(death(), served=0.2, went_on=None),
        Wound(death(kind="user_profiles"), served=0.2, went_on=0.4),
    ]
    recoveries = recoveries_of(wounds, [ledger.path])
    assert [each.whole for each in recoveries] == [1500.0, None, None]
    found = Recovered.of(recoveries)
    assert (found.deaths, found.never, found.p50, found.max) == (3, 2, 1500.0, 1500.0)


def test_a_share_is_never_less_than_what_it_stands_for() -> None:
    """Of two hundred figures, at most two are above the p99."""
    figures = [float(number) for number in range(1, 201)]
    assert (share_of(figures, 0.5), share_of(figures, 0.99), share_of(figures, 1.0)) == (101.0, 199.0, 200.0)
    assert share_of([], 0.99) == 0.0
