"""The first step of a move: what would go wrong, found before anything is written."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Final

import msgspec

from manystore.clock import Clock
from manystore.moves.parents import Orphans, ParentSearch
from manystore.moves.progress import Report, progress_at, unreported
from manystore.placement import Placement, State
from manystore.records import Kind, Record
from manystore.stores.store import Examination, KeyRange, Store

PAGE: Final = 1000
_SAMPLES: Final = 20


class Finding(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One reason why records cannot be moved as they are: how many, some of them, and what to do."""

    problem: str
    field: str
    count: int
    samples: tuple[str, ...]
    remedy: str


class Plan(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What a move would carry, how long at the rate of reading, and what stands in its way."""

    kind: str
    truth: str
    copy: str
    records: int
    seconds_to_read: float
    findings: tuple[Finding, ...]

    @property
    def is_clear(self) -> bool:
        """Whether nothing stands in the way."""
        return not self.findings


async def scan_pages(
    store: Store, kind: Kind, key_range: KeyRange, limit: int = PAGE
) -> AsyncIterator[list[Record]]:
    """The records of a range page by page, in key order, each page read when it is asked for."""
    after = key_range.after
    while True:
        page = await store.scan(kind, KeyRange(after, key_range.upto), limit)
        if page:
            yield page
        if len(page) < limit:
            return
        after = page[-1].key


async def plan(
    placement: Placement,
    state: State,
    family: Mapping[str, Placement],
    *,
    clock: Clock,
    report: Report = unreported,
) -> Plan:
    """Read the whole truth once and let the copy say what it would refuse. Writes nothing.

    `family` are the placements, by kind, in which parents are looked for.
    """
    truth, copy, kind = placement.truth(state), placement.copy(state), placement.kind
    parents = await ParentSearch.of(placement, state, family)
    total, began = await truth.count(kind), clock.monotonic()

    async def read() -> AsyncIterator[Sequence[Record]]:
        done = 0
        async for page in scan_pages(truth, kind, KeyRange()):
            done += len(page)
            await report(progress_at("plan", done, total, clock.monotonic() - began))
            await parents.look(page)
            yield page

    examination = await copy.examine(kind, read())
    return Plan(
        kind=kind.name,
        truth=truth.name,
        copy=copy.name,
        records=examination.examined,
        seconds_to_read=round(clock.monotonic() - began, 3),
        findings=(*_findings(examination), *map(_finding_of, parents.found)),
    )


def _finding_of(orphans: Orphans) -> Finding:
    return Finding(
        problem="missing parent",
        field=orphans.field,
        count=orphans.count,
        samples=tuple(orphans.samples),
        remedy=f"make the record of {orphans.parent} that is pointed to, or point to another or to none",
    )


def _findings(examination: Examination) -> list[Finding]:
    findings = []
    by_field: dict[str, list[str]] = {}
    for error in examination.unfit:
        by_field.setdefault(error.field, []).append(f"{error.key}: {error.reason}")
    for name, samples in by_field.items():
        findings.append(
            Finding(
                problem="not representable",
                field=name,
                count=examination.unfit_count if len(by_field) == 1 else len(samples),
                samples=tuple(samples[:_SAMPLES]),
                remedy="change the value in the record, or the column that is to hold it",
            )
        )
    by_unique: dict[tuple[str, str], list[str]] = {}
    for twins in examination.twins:
        by_unique.setdefault((twins.unique, twins.field), []).append(", ".join(twins.keys))
    for (_, name), samples in by_unique.items():
        findings.append(
            Finding(
                problem="not unique",
                field=name,
                count=examination.twins_count if len(by_unique) == 1 else len(samples),
                samples=tuple(samples[:_SAMPLES]),
                remedy="give all but one of each group another value",
            )
        )
    return findings
