"""The witness is itself tested by planting what it is there to find."""

from pathlib import Path
from typing import Any

import pytest

from mystira.simulation.latency import Latencies, Milliseconds
from mystira.simulation.ledger import Document, Entry, Ledger, read_ledger
from mystira.simulation.pauses import longest_pause
from mystira.simulation.witness import Evidence, Finding, Place, Seen, conclude

ANNA: Place = ("accounts", "a")
BERT: Place = ("accounts", "b")


def document(place: Place, **changes: object) -> Document:
    return {"id": place[1], "displayName": "Anna", "settings": {"theme": "dark"}, "score": 1.0, **changes}


def entry(event: Any, place: Place, version: int | None, content: Document | None, **more: Any) -> Entry:
    return Entry(event=event, kind=place[0], key=place[1], version=version, document=content, **more)


def acknowledged(place: Place, version: int | None, content: Document | None, **more: Any) -> Entry:
    return entry("acknowledged", place, version, content, operation="change", **more)


HISTORY = (
    acknowledged(ANNA, 1, document(ANNA)),
    acknowledged(ANNA, 2, document(ANNA, displayName="Anna M.")),
    acknowledged(BERT, 1, document(BERT)),
    acknowledged(BERT, None, None),
)
TRUE_STATE: dict[Place, Seen | None] = {ANNA: Seen(2, document(ANNA, displayName="Anna M.")), BERT: None}


def judge(found: dict[Place, Seen | None], *history: Entry) -> list[Finding]:
    return Evidence(history or HISTORY).compare(found, "truth")


def sorts(findings: list[Finding]) -> list[tuple[str, str]]:
    return [(finding.key, finding.sort) for finding in findings]


def test_finds_nothing_where_nothing_is_wrong() -> None:
    """No fault, no alarm; and every acknowledged write was counted."""
    evidence = Evidence(HISTORY)
    tally = conclude(evidence, evidence.compare(TRUE_STATE, "truth"))
    assert tally.is_clean
    assert (tally.acknowledged, tally.records, tally.lost, tally.divergent) == (4, 2, 0, 0)


@pytest.mark.parametrize(
    ("planted", "expected"),
    [
        ({ANNA: None}, ("a", "lost")),
        ({ANNA: Seen(1, document(ANNA))}, ("a", "outdated")),
        ({BERT: Seen(1, document(BERT))}, ("b", "resurrected")),
        ({BERT: Seen(7, document(BERT))}, ("b", "resurrected")),
        ({ANNA: Seen(2, document(ANNA))}, ("a", "differing")),
        ({ANNA: Seen(3, document(ANNA, displayName="Anna M."))}, ("a", "overwritten")),
        ({ANNA: Seen(2, document(ANNA, displayName="Anna M.", score=1))}, ("a", "differing")),
        ({ANNA: Seen(2, document(ANNA, displayName="Anna M.", settings={}))}, ("a", "differing")),
        ({ANNA: Seen(2, document(ANNA, displayName="Anna M.", extra=0))}, ("a", "differing")),
    ],
    ids=["lost", "stale", "resurrected", "resurrected later", "swapped", "rogue", "type", "part", "extra"],
)
def test_finds_what_was_planted(planted: dict[Place, Seen | None], expected: tuple[str, str]) -> None:
    """Each planted fault is found, at the record where it was planted, and nothing else is."""
    assert sorts(judge(TRUE_STATE | planted)) == [expected]


def test_lost_and_divergent_are_counted_apart() -> None:
    """A record is lost or divergent, once, in however many places it is seen to be wrong."""
    evidence = Evidence(HISTORY)
    wrong: dict[Place, Seen | None] = {ANNA: None, BERT: Seen(1, document(BERT))}
    findings = evidence.compare(wrong, "truth") + evidence.compare(wrong, "copy")
    tally = conclude(evidence, findings)
    assert (tally.lost, tally.divergent, len(tally.findings)) == (1, 1, 4)


def test_an_unclear_write_may_have_happened_or_not() -> None:
    """After a write without an answer both states are right, and a third one is not."""
    unclear = entry("unclear", ANNA, 3, document(ANNA, displayName="New", at="?"), untold=("at",))
    history = (*HISTORY, unclear)
    happened = Seen(3, document(ANNA, displayName="New", at="noon"))
    assert judge(TRUE_STATE, *history) == []
    assert judge(TRUE_STATE | {ANNA: happened}, *history) == []
    assert sorts(judge(TRUE_STATE | {ANNA: None}, *history)) == [("a", "lost")]
    assert sorts(judge(TRUE_STATE | {ANNA: Seen(1, document(ANNA))}, *history)) == [("a", "outdated")]


def test_an_unclear_creation_may_be_absent() -> None:
    """A record whose creation was never answered is right both absent and present."""
    history = (entry("unclear", ANNA, 1, document(ANNA)),)
    assert judge({ANNA: None}, *history) == []
    assert judge({ANNA: Seen(1, document(ANNA))}, *history) == []
    assert sorts(judge({ANNA: Seen(1, document(ANNA, displayName="?"))}, *history)) == [("a", "differing")]


def test_a_read_settles_what_was_unclear() -> None:
    """Once a read has shown that the unclear write happened, its absence is a loss."""
    changed = document(ANNA, displayName="New")
    history = (*HISTORY, entry("unclear", ANNA, 3, changed), entry("seen", ANNA, 3, changed))
    assert judge(TRUE_STATE | {ANNA: Seen(3, changed)}, *history) == []
    assert sorts(judge(TRUE_STATE, *history)) == [("a", "outdated")]


def test_a_read_that_shows_an_older_state_is_found_though_later_writes_cover_it() -> None:
    """A write that vanished and was then written over leaves no trace in the stores, but does here."""
    history = (*HISTORY, entry("seen", ANNA, 1, document(ANNA), operation="read"))
    evidence = Evidence((*history, acknowledged(ANNA, 2, document(ANNA, displayName="Later"))))
    assert sorts(evidence.findings) == [("a", "withdrawn")]
    assert conclude(evidence, []).lost == 1


def test_a_version_given_twice_is_found() -> None:
    """Two different writes acknowledged at one version: the first of them is gone."""
    evidence = Evidence((*HISTORY, acknowledged(ANNA, 2, document(ANNA, displayName="Other"))))
    assert sorts(evidence.findings) == [("a", "withdrawn")]


def test_a_repeated_acknowledgement_of_the_same_state_is_no_fault() -> None:
    """A request that changes nothing is acknowledged at the version that stands."""
    assert Evidence((*HISTORY, HISTORY[1])).findings == []


def test_an_answer_that_contradicts_its_request_is_divergent() -> None:
    """What a client saw to be wrong at once is counted at the end."""
    evidence = Evidence((*HISTORY, entry("contradicted", ANNA, None, None, detail="another name")))
    assert (conclude(evidence, []).lost, conclude(evidence, []).divergent) == (0, 1)


def test_what_no_request_can_name_must_survive() -> None:
    """Unknown fields of a seeded record are compared where they can be seen, after changes too."""
    seeded = entry("seeded", ANNA, 0, document(ANNA), hidden={"loyalty": {"ratio": 1.0}})
    changed = document(ANNA, displayName="New")
    evidence = Evidence((seeded, acknowledged(ANNA, 1, changed)))
    assert evidence.compare({ANNA: Seen(1, changed, {"loyalty": {"ratio": 1.0}})}, "truth") == []
    assert evidence.compare({ANNA: Seen(1, changed)}, "App API") == []
    assert sorts(evidence.compare({ANNA: Seen(1, changed, {})}, "truth")) == [("a", "differing")]
    planted = Seen(1, changed, {"loyalty": {"ratio": 1}})
    assert sorts(evidence.compare({ANNA: planted}, "truth")) == [("a", "differing")]


def test_a_ledger_survives_its_writers_death_in_the_middle_of_a_line(tmp_path: Path) -> None:
    """Whole lines are read back as they were written; half a line at the end is left out."""
    path = tmp_path / "1.jsonl"
    with Ledger(path) as ledger:
        ledger.write(*HISTORY)
    with path.open("ab") as file:
        file.write(b'{"event":"acknow')
    assert tuple(read_ledger(path)) == HISTORY


def test_a_pause_is_the_time_in_which_a_write_waited_and_none_was_answered() -> None:
    """Ten quick writes, then one that waits 0.4 s while others become due behind it."""
    quick = [acknowledged(ANNA, 1, None, due=n / 10, at=n / 10 + 0.01) for n in range(10)]
    slow = [acknowledged(ANNA, 1, None, due=1.0 + n / 10, at=1.4 + n / 1000) for n in range(4)]
    assert longest_pause(quick, 0.0, 1.0) == pytest.approx(0.01)
    assert longest_pause(quick + slow, 0.0, 2.0) == pytest.approx(0.4)
    assert longest_pause(quick + slow, 1.2, 1.3) == pytest.approx(0.1)


def test_time_in_which_nobody_wanted_to_write_is_no_pause() -> None:
    """Two quick writes an hour apart leave no pause."""
    writes = [acknowledged(ANNA, 1, None, due=due, at=due + 0.02) for due in (0.0, 3600.0)]
    assert longest_pause(writes, 0.0, 4000.0) == pytest.approx(0.02)


def test_a_write_that_is_answered_out_of_turn_ends_the_pause_for_its_process() -> None:
    """While others are answered, one slow write is a latency, not a pause."""
    slow = acknowledged(ANNA, 1, None, due=0.0, at=1.0)
    others = [acknowledged(BERT, 1, None, due=n / 10, at=n / 10 + 0.01) for n in range(10)]
    assert longest_pause([slow, *others], 0.0, 1.0) == pytest.approx(0.1, abs=0.011)


def test_percentiles_are_right_within_two_per_cent_and_add_up_across_processes() -> None:
    """The merged histogram of two halves gives the percentiles of the whole."""
    halves = (Latencies(), Latencies())
    for number in range(1, 1001):
        halves[number % 2].add(number / 1000)
    halves[0].merge(halves[1])
    figures = Milliseconds.of(halves[0])
    assert (figures.count, figures.max) == (1000, 1000.0)
    assert figures.p50 == pytest.approx(500, rel=0.02)
    assert figures.p99 == pytest.approx(990, rel=0.02)


def test_a_deletion_without_an_answer_may_still_come_after_a_read() -> None:
    """The request may be on its way yet: seen once more, the record may be gone later, or stay."""
    lost = (
        entry("unclear", ANNA, None, None),
        entry("unclear", ANNA, None, document(ANNA, displayName="Anna M.")),
    )
    read = entry("seen", ANNA, 3, document(ANNA, displayName="Anna M."))
    history = (*HISTORY, *lost, read)
    assert Evidence(history).findings == []
    assert judge(TRUE_STATE | {ANNA: None}, *history) == []
    assert judge(TRUE_STATE | {ANNA: Seen(3, document(ANNA, displayName="Anna M."))}, *history) == []
    assert sorts(judge({ANNA: Seen(3, document(ANNA, displayName="?"))}, *history)) == [("a", "differing")]


def test_a_change_without_an_answer_cannot_come_after_a_later_one() -> None:
    """It was made to a version: once the record is past that, finding it is a fault."""
    changed = document(ANNA, displayName="Late")
    history = (
        *HISTORY,
        entry("unclear", ANNA, 3, changed),
        entry("seen", ANNA, 2, document(ANNA, displayName="Anna M.")),
    )
    assert judge(TRUE_STATE | {ANNA: Seen(3, changed)}, *history) == []
    other = document(ANNA, displayName="Other")
    later = (*history, acknowledged(ANNA, 3, other))
    assert judge(TRUE_STATE | {ANNA: Seen(3, other)}, *later) == []
    assert sorts(judge(TRUE_STATE | {ANNA: Seen(3, changed)}, *later)) == [("a", "differing")]
