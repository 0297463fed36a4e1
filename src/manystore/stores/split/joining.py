"""Reading split records: the core's records, each joined with its part.

The core is read first and the sheets then, so a part may be gone because the core has moved on between the
two: such a record is read again. If the core has not moved on, the part was taken from its sheet by somebody
else. Then the record is given without it (a verification names what is missing, a sweep the record), and
counted: what is left of it must stay readable, or nothing could compare and mend it.
"""

from collections.abc import Iterator, Sequence
from typing import Final

import msgspec
import structlog
from msgspec import structs

from manystore.errors import UnavailableError
from manystore.paging import check, continuation_after, page_of, sort_values
from manystore.records import Content, Kind, Record
from manystore.specifications import Page, Specification, holds
from manystore.stores.split.declaration import POINTER, Split, pointer_of
from manystore.stores.split.shelf import Shelf
from manystore.stores.store import Store

log = structlog.get_logger(__name__)

_AT_ONCE: Final = 500
_MOST: Final = 1000
_ROUNDS: Final = 100


class Counters(msgspec.Struct):
    """What a split store has noticed. The first two should stay zero: somebody else wrote to the rest store.

    `lost_parts` were not on their sheets, `altered_parts` not what their digests stand for, each time that
    they were read; `left_to_sweep` are records of which parts could not be taken off at once.
    """

    lost_parts: int = 0
    altered_parts: int = 0
    left_to_sweep: int = 0


class Reading:
    """Joins the records of one split kind."""

    def __init__(self, core: Store, split: Split, shelf: Shelf, counters: Counters) -> None:
        self._core, self._split, self._shelf, self._counters = core, split, shelf, counters
        self._core_kind = split.core_kind

    async def join(self, cores: Sequence[Record]) -> list[Record]:
        """The records, whole, in the same order; one that moved on meanwhile as it is now."""
        joined: list[Record] = []
        for start in range(0, len(cores), _AT_ONCE):
            joined += await self._join(cores[start : start + _AT_ONCE])
        return joined

    async def _join(self, cores: Sequence[Record]) -> list[Record]:
        found: dict[str, Record] = {}
        now = {record.key: record for record in cores}
        for _ in range(_ROUNDS):
            missing = await self._match(now, found)
            if not missing:
                return [found[record.key] for record in cores]
            again = await self._core.get_many(self._core_kind, missing)
            for key in missing:
                # A record that the core held never vanishes; were it so, what was read of it stands.
                if key not in again or again[key] == now[key]:
                    self._lose(now.pop(key), found)
                else:
                    now[key] = again[key]
        reason = "it is written faster than it can be read"
        raise UnavailableError(subject=f"{self._split.kind.name}/{missing[0]}", reason=reason)

    async def _match(self, now: dict[str, Record], found: dict[str, Record]) -> list[str]:
        """Move those whose parts are there from `now` to `found`; returns the keys of the others."""
        sheets = await self._shelf.read(key for key, record in now.items() if pointer_of(record.content))
        for key, record in list(now.items()):
            pointer = pointer_of(record.content)
            if pointer is None:
                found[key] = now.pop(key)
            elif (part := sheets[key].part(pointer)) is not None:
                found[key] = whole(now.pop(key), part.content)
                if not part.is_intact:
                    self._counters.altered_parts += 1
                    log.warning("split.part_altered", kind=self._split.kind.name, key=key)
        return list(now)

    def _lose(self, record: Record, found: dict[str, Record]) -> None:
        self._counters.lost_parts += 1
        log.warning("split.part_lost", kind=self._split.kind.name, key=record.key)
        found[record.key] = whole(record, {})

    # -- finding -------------------------------------------------------------------------------------

    async def find(self, kind: Kind, specification: Specification) -> Page:
        """See Store.find.

        The core store evaluates what it can of the predicate, and the order where that is all core; memory
        does the rest over pages of joined records, of which never more are held than two pages.
        """
        check(kind, specification)
        in_order = all(self._split.is_core(order.field) for order in specification.order)
        where = self._split.core_of(specification.where)
        if in_order and where == specification.where:
            return await self._find_at_core(kind, specification)
        asked = Specification(
            where=where,
            order=specification.order if in_order else (),
            continuation=specification.continuation if in_order else None,
            limit=min(_MOST, max(200, specification.limit)),
        )
        best, has_more = tuple[Record, ...](), False
        while True:
            page = await self._core.find(self._core_kind, asked)
            joined = [*self._in_place(kind, asked, page.records, await self.join(page.records))]
            found = page_of(kind, specification, [*best, *joined])
            best, has_more = found.records, has_more or found.continuation is not None
            if page.continuation is None or (in_order and has_more):
                end = continuation_after(kind, specification, best[-1]) if has_more else None
                return Page(best, end)
            asked = structs.replace(asked, continuation=page.continuation)

    async def _find_at_core(self, kind: Kind, specification: Specification) -> Page:
        page = await self._core.find(self._core_kind, specification)
        joined = self._in_place(kind, specification, page.records, await self.join(page.records))
        kept = [
            record
            for record in joined
            if record.content is not None and holds(kind, specification.where, record.content)
        ]
        return Page(tuple(kept), page.continuation)

    @staticmethod
    def _in_place(
        kind: Kind, asked: Specification, before: Sequence[Record], joined: Sequence[Record]
    ) -> Iterator[Record]:
        """Those that stand where they stood in the core's order.

        One that moved on while it was read may have another place now. If that lies ahead it will be found
        there, and must not be found twice.
        """
        for was, record in zip(before, joined, strict=True):
            if was.version == record.version or sort_values(kind, asked, was) == sort_values(
                kind, asked, record
            ):
                yield record


def whole(core: Record, part: Content) -> Record:
    """A record out of what the core has and its part."""
    if core.content is None:
        return core
    content = dict(core.content)
    content.pop(POINTER, None)
    # A property of the rest that the core has itself was written there by hand, after the part.
    return Record(core.key, core.version, {**part, **content})
