"""Compares what was acknowledged with what is there.

From the ledgers follows, for each record, what may be found: one outcome where every write got a clear
answer, several where one did not. What is found is passed in, from wherever it was read (App API, truth,
copy); each record that fits no outcome is named, with what is wrong.

This part knows neither HTTP nor stores, so that it can itself be tested: plant a fault, and see it found.
"""

from collections.abc import Iterable, Mapping
from typing import Final, Literal

import msgspec

from mystira.simulation.ledger import Document, Entry

Place = tuple[str, str]
"""Kind and key."""

Sort = Literal[
    "lost", "outdated", "withdrawn", "resurrected", "differing", "overwritten", "contradicted", "apart"
]
"""What is wrong with a record.

    lost          it is not there, though its last acknowledged write left it there
    outdated      it is there at an older version than the last acknowledged one
    withdrawn     a write was acknowledged, and a later answer showed the record as it was before
    resurrected   it is there, though its deletion was acknowledged
    differing     it is at the right version with other content
    overwritten   it is at a version that nobody who is known asked for
    contradicted  an answer did not say what was asked for
    apart         truth and copy do not hold the same
"""

LOST: Final[frozenset[Sort]] = frozenset({"lost", "outdated", "withdrawn"})
"""An acknowledged write is gone; every other sort is a divergence."""


class Seen(msgspec.Struct, frozen=True):
    """A live record as it was found somewhere.

    `hidden` is what it holds beside what the App API shows; None where the reader cannot see that.
    """

    version: int
    document: Document
    hidden: Document | None = None


class Outcome(msgspec.Struct, frozen=True):
    """One way in which a record may be found; `document` None: not at all."""

    version: int | None
    document: Document | None
    untold: tuple[str, ...] = ()

    def fits(self, seen: Seen | None) -> bool:
        """Whether this is what was found."""
        if seen is None or self.document is None:
            return seen is None and self.document is None
        if self.version is not None and self.version != seen.version:
            return False
        return not differing_fields(self.document, seen.document, self.untold)


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One record that is not as it must be, by whose account (`where`), and why."""

    kind: str
    key: str
    sort: Sort
    where: str
    detail: str


def differing_fields(expected: Document, found: Document, untold: Iterable[str] = ()) -> list[str]:
    """The properties in which two documents differ, leaving out those that nobody told."""
    names = (expected.keys() | found.keys()) - set(untold)
    return sorted(name for name in names if not is_same(expected.get(name), found.get(name)))


def is_same(expected: object, found: object) -> bool:
    """Whether two JSON values are the same, their types included."""
    # Python takes 1, 1.0 and True for the same, and 0.0 and -0.0, which a witness must not.
    if isinstance(expected, dict) and isinstance(found, dict):
        return expected.keys() == found.keys() and all(is_same(expected[k], found[k]) for k in expected)
    if isinstance(expected, list) and isinstance(found, list):
        return len(expected) == len(found) and all(map(is_same, expected, found))
    if isinstance(expected, float) and isinstance(found, float):
        return repr(expected) == repr(found)
    return type(expected) is type(found) and expected == found


class Evidence:
    """All that the ledgers say, folded: what may be found of each record, and what is wrong already."""

    def __init__(self, entries: Iterable[Entry] = ()) -> None:
        self.outcomes: Final[dict[Place, tuple[Outcome, ...]]] = {}
        self.hidden: Final[dict[Place, Document]] = {}
        self.findings: Final[list[Finding]] = []
        self.touched: Final[set[Place]] = set()
        """Records that somebody wrote to, or tried to."""
        self.acknowledged = 0
        self.unclear = 0
        for entry in entries:
            self.hear(entry)

    def hear(self, entry: Entry) -> None:
        """Take one more entry into account; those of one record come in their order."""
        place = (entry.kind, entry.key)
        outcome = Outcome(entry.version, entry.document, entry.untold)
        before = self.outcomes.get(place)
        if entry.event != "seeded":
            self.touched.add(place)
        elif entry.hidden:
            self.hidden[place] = entry.hidden
        if entry.event == "contradicted":
            self._find(place, "contradicted", f"{entry.operation}: {entry.detail}")
        elif entry.event == "unclear":
            self.unclear += 1
            # A record that nobody has heard of before is not there, if the write did not happen.
            former = (Outcome(None, None),) if before is None else before
            self.outcomes[place] = former if outcome in former else (*former, outcome)
        else:
            self._settle(place, entry, outcome, before)

    def _settle(
        self, place: Place, entry: Entry, outcome: Outcome, before: tuple[Outcome, ...] | None
    ) -> None:
        if entry.event == "acknowledged":
            self.acknowledged += 1
        if before is not None and entry.event == "acknowledged":
            self._check_order(place, entry, outcome, before)
        if before is not None and entry.event == "seen":
            seen = None if outcome.document is None else Seen(outcome.version or 0, outcome.document)
            if (found := _misfit(before, seen)) is not None:
                sort: Sort = "withdrawn" if found[0] in LOST else found[0]
                self._find(place, sort, f"{entry.operation}: {found[1]}")
        # A read says what is there by now; a request whose answer was lost may still be on its way, and takes
        # effect unless the record has meanwhile gone past the version that it was made to.
        pending = () if entry.event != "seen" else _pending(before or (), outcome)
        self.outcomes[place] = (outcome, *pending)

    def _check_order(self, place: Place, entry: Entry, outcome: Outcome, before: tuple[Outcome, ...]) -> None:
        """Versions rise: a write that was acknowledged at an old number shows that a former one is gone."""
        former = before[0].version
        if outcome.version is None or former is None or outcome.version > former:
            return
        unchanged = any(
            other.document is not None
            and outcome.document is not None
            and not differing_fields(other.document, outcome.document, other.untold)
            for other in before
            if other.version == outcome.version
        )
        if not unchanged:
            detail = f"{entry.operation} was acknowledged at version {outcome.version}, after {former}"
            self._find(place, "withdrawn", detail)

    def _find(self, place: Place, sort: Sort, detail: str) -> None:
        kind, key = place
        self.findings.append(Finding(kind=kind, key=key, sort=sort, where="answers", detail=detail))

    def compare(
        self, found: Mapping[Place, Seen | None], where: str, places: Iterable[Place] | None = None
    ) -> list[Finding]:
        """Each record (of `places`; all, without) that fits no outcome. Places not in `found` are absent."""
        findings = []
        for place in self.outcomes if places is None else places:
            seen = found.get(place)
            misfit = _misfit(self.outcomes[place], seen) or self._missing_from_hidden(place, seen)
            if misfit is not None:
                sort, detail = misfit
                findings.append(Finding(kind=place[0], key=place[1], sort=sort, where=where, detail=detail))
        return findings

    def _missing_from_hidden(self, place: Place, seen: Seen | None) -> tuple[Sort, str] | None:
        hidden = self.hidden.get(place)
        if hidden is None or seen is None or seen.hidden is None or is_same(hidden, seen.hidden):
            return None
        fields = ", ".join(differing_fields(hidden, seen.hidden)[:6])
        return "differing", f"at version {seen.version} with another {fields}, which no request can name"


def _pending(before: tuple[Outcome, ...], seen: Outcome) -> tuple[Outcome, ...]:
    """The unclear outcomes that may still come after a read."""
    if seen.document is None:
        return ()
    return tuple(
        outcome
        for outcome in before[1:]
        if outcome.version is None or seen.version is None or outcome.version > seen.version
    )


def _misfit(outcomes: tuple[Outcome, ...], seen: Seen | None) -> tuple[Sort, str] | None:
    """What is wrong with what was found, told against the last clear outcome; None where it fits one."""
    if any(outcome.fits(seen) for outcome in outcomes):
        return None
    clear, last = outcomes[0], outcomes[-1]
    if seen is None:
        return "lost", f"absent, and was acknowledged at version {clear.version}"
    if clear.document is None and last.document is None:
        return "resurrected", f"there at version {seen.version}, and its deletion was acknowledged"
    document = last.document if clear.document is None else clear.document
    versions = [outcome.version for outcome in outcomes if outcome.version is not None]
    if versions and seen.version < min(versions):
        return "outdated", f"at version {seen.version}, and version {clear.version} was acknowledged"
    if versions and seen.version > max(versions):
        return "overwritten", f"at version {seen.version}, and {max(versions)} was the last asked for"
    fields = differing_fields(document or {}, seen.document, clear.untold)
    return "differing", f"at version {seen.version} with another {', '.join(fields[:6])}"


class Tally(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The witness's conclusion. `records` is how many it knows of; `findings` names each that is wrong."""

    records: int
    acknowledged: int
    unclear: int
    lost: int
    divergent: int
    findings: tuple[Finding, ...]

    @property
    def is_clean(self) -> bool:
        """Whether nothing is wrong."""
        return not self.findings


def conclude(evidence: Evidence, findings: Iterable[Finding]) -> Tally:
    """Count records, not findings: one that is wrong in three places is one."""
    everything = (*evidence.findings, *findings)
    lost = {(found.kind, found.key) for found in everything if found.sort in LOST}
    wrong = {(found.kind, found.key) for found in everything}
    return Tally(
        records=len(evidence.outcomes),
        acknowledged=evidence.acknowledged,
        unclear=evidence.unclear,
        lost=len(lost),
        divergent=len(wrong - lost),
        findings=everything,
    )
