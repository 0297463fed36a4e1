"""Reading many records: by specification, by range of keys; counting, and cutting the keys into ranges.

Every question goes to each range of the container by itself and the answers are joined here, so that no plan
of the service's is needed, and a partition that is split meanwhile is noticed and asked again.
"""

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeVar

from manystore.paging import check, continuation_after, page_of, start_of
from manystore.records import Kind, Record
from manystore.specifications import Page, Specification
from manystore.stores.cosmos.containers import Bounds
from manystore.stores.cosmos.ids import key_of
from manystore.stores.cosmos.places import Places
from manystore.stores.cosmos.queries import (
    candidates_query,
    count_query,
    ids_query,
    scan_query,
    versions_query,
)
from manystore.stores.store import KeyRange, KeyVersion

_PAGE: Final = 200
_IDS: Final = 1_000
_SAMPLES: Final = 20_000
"""Ids that are kept in memory to cut ranges by; of more, every second, fourth … is."""

T = TypeVar("T")


async def _in_each_range(places: Places, ask: Callable[[Bounds], Awaitable[T]]) -> list[T]:
    """The answers of all ranges, of which none was split while they were asked.

    A range that was split is answered by its parts one after the other, which would break the order of keys.
    """
    while True:
        ranges = await places.container.ranges()
        answers = await asyncio.gather(*(ask(bounds) for bounds in ranges))
        if await places.container.ranges() == ranges:
            return list(answers)


class _Selection:
    """The first records of an order among all that were shown to it, in bounded memory."""

    def __init__(self, kind: Kind, specification: Specification) -> None:
        self._kind, self._specification = kind, specification
        self._kept: list[Record] = []
        self._is_cut = False

    def add(self, records: Sequence[Record]) -> None:
        self._kept.extend(records)
        if len(self._kept) > 2 * self._specification.limit + _PAGE:
            self._reduce()

    def _reduce(self) -> None:
        page = page_of(self._kind, self._specification, self._kept)
        self._is_cut = self._is_cut or page.continuation is not None
        self._kept = list(page.records)

    def is_full(self) -> bool:
        """Whether there are already more than the page takes."""
        self._reduce()
        return self._is_cut

    def join(self, other: "_Selection") -> None:
        other._reduce()
        self._is_cut = self._is_cut or other._is_cut
        self.add(other._kept)

    def page(self) -> Page:
        self._reduce()
        if not self._is_cut:
            return Page(tuple(self._kept), None)
        last = continuation_after(self._kind, self._specification, self._kept[-1])
        return Page(tuple(self._kept), last)


async def find(places: Places, specification: Specification) -> Page:
    """See Store.find.

    In order of keys it reads until the page is full; any other order reads all that may be found, in memory
    of about two pages.
    """
    kind = places.kind
    check(kind, specification)
    query = candidates_query(kind, specification, start_of(kind, specification))
    is_by_key = not specification.order
    page = min(_PAGE, specification.limit + 1) if is_by_key else _PAGE

    async def ask(bounds: Bounds) -> _Selection:
        selection = _Selection(kind, specification)
        async for items in places.container.query(query, bounds, page):
            selection.add(await places.records_in(items))
            if is_by_key and selection.is_full():
                break
        return selection

    whole = _Selection(kind, specification)
    for selection in await _in_each_range(places, ask):
        whole.join(selection)
    return whole.page()


async def scan(places: Places, key_range: KeyRange, limit: int) -> list[Record]:
    """See Store.scan."""
    query = scan_query(key_range)

    async def ask(bounds: Bounds) -> list[Record]:
        found: list[Record] = []
        async for items in places.container.query(query, bounds, min(limit, _IDS)):
            found.extend(await places.records_in(items))
            if len(found) >= limit:
                break
        return found[:limit]

    answers = await _in_each_range(places, ask)
    found = sorted(itertools.chain.from_iterable(answers), key=lambda record: record.key)
    return found[:limit]


async def versions(places: Places, key_range: KeyRange, limit: int) -> list[KeyVersion]:
    """See Store.versions.

    Whether others changed an item shows in its content, which is not read here. Where writes are not taken,
    what they changed is looked for first; where they are, a reader of the feed comes by it.
    """
    await places.patrol.look()
    query = versions_query(key_range)

    async def ask(bounds: Bounds) -> list[KeyVersion]:
        found: list[KeyVersion] = []
        async for rows in places.container.query(query, bounds, min(limit, _IDS)):
            bare = [key_of(row["id"]) for row in rows if "v" not in row]
            records = {key: held.record for key, held in (await places.held_many(bare)).items()}
            for row in rows:
                key = key_of(row["id"])
                if "v" in row:
                    found.append(KeyVersion(key, row["v"], bool(row.get("d"))))
                elif record := records.get(key):
                    found.append(KeyVersion(key, record.version, record.is_deleted))
            if len(found) >= limit:
                break
        return found[:limit]

    answers = await _in_each_range(places, ask)
    return sorted(itertools.chain.from_iterable(answers), key=lambda each: each.key)[:limit]


async def count(places: Places) -> int:
    """See Store.count."""
    query = count_query()

    async def ask(bounds: Bounds) -> int:
        total = 0
        async for counts in places.container.query(query, bounds, _PAGE):
            total += sum(counts)
        return total

    return sum(await _in_each_range(places, ask))


async def cut_ranges(places: Places, parts: int) -> list[KeyRange]:
    """See Store.ranges. Reads every id once, and keeps a bounded number of them."""

    async def ask(bounds: Bounds) -> list[str]:
        kept, step, number = list[str](), 1, 0
        async for ids in places.container.query(ids_query(), bounds, _IDS):
            for item_id in ids:
                if number % step == 0:
                    kept.append(key_of(item_id))
                number += 1
            if len(kept) > _SAMPLES:
                kept, step = kept[::2], step * 2
        return kept

    samples = sorted(itertools.chain.from_iterable(await _in_each_range(places, ask)))
    cuts = sorted({samples[len(samples) * part // parts] for part in range(1, parts)} if samples else ())
    return [KeyRange(after, upto) for after, upto in itertools.pairwise([None, *cuts, None])]
