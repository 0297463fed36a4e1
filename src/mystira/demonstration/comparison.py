"""Reads both stores directly, behind every service's back, for the witness to compare."""

from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import islice
from typing import Final

import msgspec

from manystore.placement import Placement, read_state
from manystore.records import Kind, Record
from manystore.stores.store import KeyRange, Store
from mystira.platform import document_store, place, relational_store
from mystira.settings import Settings
from mystira.simulation.views import hidden, shown
from mystira.simulation.witness import Evidence, Finding, Place, Seen, is_same

_PAGE: Final = 1000

Tell = Callable[[int], None]


class Pair(msgspec.Struct, frozen=True):
    """A kind with its truth, and its copy where it has one that follows."""

    kind: Kind
    truth: Store
    copy: Store | None


@asynccontextmanager
async def open_pairs(settings: Settings) -> AsyncIterator[list[Pair]]:
    """Every kind's truth and copy as they are now, opened for reading."""
    async with AsyncExitStack() as stack:
        documents, tables = document_store(settings), relational_store(settings)
        for store in (documents, tables):
            stack.push_async_callback(store.close)
            await store.open()
        placements = place(documents, tables, settings.profiles_home).values()
        yield [await _pair(placement) for placement in placements]


async def _pair(placement: Placement) -> Pair:
    state = await read_state(placement)
    copy = placement.copy(state) if state.phase.has_copy else None
    return Pair(placement.kind, placement.truth(state), copy)


async def compare_truth(pair: Pair, evidence: Evidence, tell: Tell) -> list[Finding]:
    """What the witness says of the truth of a kind."""
    name, findings, done = pair.kind.name, list[Finding](), 0
    for places in _batches(known for known in evidence.outcomes if known[0] == name):
        records = await pair.truth.get_many(pair.kind, [key for _, key in places])
        found: dict[Place, Seen | None] = {
            (name, key): _seen(name, record) for key, record in records.items()
        }
        findings += evidence.compare(found, "truth", places)
        tell(done := done + len(places))
    return findings


def _seen(kind: str, record: Record) -> Seen | None:
    if record.content is None:
        return None
    return Seen(record.version, shown(kind, record.content), hidden(kind, record.content))


async def compare_copy(pair: Pair, tell: Tell) -> list[Finding]:
    """Every record in which truth and copy are apart, whether the witness knows of it or not."""
    if pair.copy is None:
        return []
    findings, done = list[Finding](), 0
    for store, other in ((pair.truth, pair.copy), (pair.copy, pair.truth)):
        async for records in _pages(store, pair.kind):
            held = await other.get_many(pair.kind, [record.key for record in records])
            for record in records:
                there = held.get(record.key)
                # The second way round only finds what the truth never had: the rest was compared before.
                is_extra = store is pair.copy and there is None and record.content is not None
                if is_extra or (store is pair.truth and not _agree(record, there)):
                    findings.append(_apart(pair, record, there))
            tell(done := done + len(records))
    return findings


def _agree(one: Record, other: Record | None) -> bool:
    if one.content is None:
        return _is_gone(other)
    return other is not None and one.version == other.version and is_same(one.content, other.content)


def _is_gone(record: Record | None) -> bool:
    return record is None or record.content is None


def _apart(pair: Pair, record: Record, other: Record | None) -> Finding:
    other_version = "absent" if other is None or other.content is None else f"at version {other.version}"
    detail = f"at version {record.version} in one store, {other_version} in the other"
    return Finding(kind=pair.kind.name, key=record.key, sort="apart", where="copy", detail=detail)


async def _pages(store: Store, kind: Kind) -> AsyncIterator[list[Record]]:
    after = None
    while page := await store.scan(kind, KeyRange(after, None), _PAGE):
        yield page
        after = page[-1].key


def _batches(places: Iterable[Place]) -> Iterable[Sequence[Place]]:
    rest = iter(places)
    while batch := list(islice(rest, _PAGE)):
        yield batch
