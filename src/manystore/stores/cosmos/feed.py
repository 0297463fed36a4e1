"""The change log: the service's change feed, and what a position in it is.

A container lies in several physical partitions, and each numbers its own writes (its log sequence number): so
where a reader stands is a number for each *range* of the feed, and "has the reader reached that head?" is
asked of every range. Tuples of numbers are compared from the left, which would be wrong for two readers that
are each ahead in another range. A head is therefore *marked*: it gets a number of its own, one above the
last, kept with its numbers of each range in the item `feed:<kind>` of `manystore-state`. A position is

    (mark, layout, number of range 1, … number of range n)

where `mark` is the last marked head of which the reader has passed every number. Marks never lie below the
ones before them, so among positions and heads `>=` from the left means what it says: a reader whose mark is
that of the head, or a later one, has seen all that lay below the head, in every range.

`layout` names the list of ranges. When the service splits a partition, both children go on from the parent's
number; a new layout with the finer ranges is kept, and positions in the former one are read by it. Ranges
that the service merges stay apart here, as parts of one partition.

The feed shows the last state of an item, so several writes of a record may be one change, and an item that
was removed for good is not in it: records are deleted softly. Items that were followed from the truth are
passed over. What others wrote is settled on the way (see `watch`), and so is in the feed once more.

An answer comes from one replica. At the consistency levels Strong and Bounded Staleness it knows every write
that was acknowledged before; at Session and below it may miss the latest writes *of other processes*, which
then lie above the head although they were accepted before it. Draining a kind asks for the former levels, or
for patience between the last write and the head.
"""

import asyncio
import itertools
from typing import Any, Final

import msgspec

from manystore.changes import Change, ChangeBatch, Position
from manystore.errors import UnavailableError
from manystore.records import Kind
from manystore.stores.cosmos.containers import Bounds, Container, FeedPage, RangeSplitError
from manystore.stores.cosmos.ids import id_of
from manystore.stores.cosmos.items import Item, held_in
from manystore.stores.cosmos.notes import Notes
from manystore.stores.cosmos.watch import Watch

_MARKS: Final = 32
"""How many marked heads are kept. A reader behind all of them has its mark once it passes the oldest."""
_ROUNDS: Final = 20
"""How often a reader is led on past changes that are not of its business before it is answered."""
_TRIES: Final = 10

Numbers = dict[Bounds, int]
"""For each range of a layout, the number up to which it was read."""


class Book(msgspec.Struct):
    """What is kept of a kind's feed: the layouts there were, and the last marked heads."""

    layouts: list[list[Bounds]]
    marks: list[tuple[int, int, list[int]]]
    before: Item | None = None
    """The item that this was read from."""

    @property
    def latest(self) -> int:
        """The number of the latest layout."""
        return len(self.layouts) - 1

    def numbers(self, layout: int, values: list[int]) -> Numbers:
        """Numbers of an earlier layout in terms of the latest: children go on from the parent's."""
        former = dict(zip(self.layouts[layout], values, strict=True))
        return {
            bounds: next(number for parent, number in former.items() if _lies_in(bounds, parent))
            for bounds in self.layouts[-1]
        }

    def position(self, mark: int, numbers: Numbers) -> Position:
        """The position of a reader of these numbers that had passed `mark` already."""
        for number, layout, values in self.marks:
            marked = self.numbers(layout, values)
            if all(numbers[bounds] >= marked[bounds] for bounds in marked):
                mark = max(mark, number)
        return (mark, self.latest, *(numbers[bounds] for bounds in self.layouts[-1]))

    def read(self, position: Position) -> tuple[int, Numbers]:
        """The mark and the numbers of a position; everything from the beginning where it is not known."""
        if len(position) > 2 and 0 <= position[1] <= self.latest:
            mark, layout, *values = position
            if len(values) == len(self.layouts[layout]):
                return mark, self.numbers(layout, values)
        return 0, dict.fromkeys(self.layouts[-1], 0)


def _lies_in(inner: Bounds, outer: Bounds) -> bool:
    return outer[0] <= inner[0] and (outer[1] == "FF" or inner[1] <= outer[1])


def _finer(former: list[Bounds], present: list[Bounds]) -> list[Bounds]:
    """The ranges of both, cut wherever either is cut. ("FF" sorts after every other bound.)"""
    cuts = sorted({cut for bounds in (*former, *present) for cut in bounds})
    return list(itertools.pairwise(cuts))


class Feed:
    """The change feed of one kind's container."""

    def __init__(self, kind: Kind, container: Container, notes: Notes, watch: Watch) -> None:
        self._kind, self._container, self._notes, self._watch = kind, container, notes, watch
        self._item_id = id_of(f"feed:{kind.name}")

    async def head(self) -> Position:
        """See Store.head. Marks the head, unless nothing was written since the last one was."""
        for _ in range(_TRIES):
            book = await self._book()
            try:
                present = await self._numbers_now(book)
            except RangeSplitError:
                continue
            marks = [(number, book.numbers(layout, values)) for number, layout, values in book.marks]
            last, marked = marks[-1] if marks else (0, dict.fromkeys(present, 0))
            reached = {bounds: max(number, marked[bounds]) for bounds, number in present.items()}
            if reached == marked:
                return book.position(last, marked) if marks else ()
            values = [reached[bounds] for bounds in book.layouts[-1]]
            book.marks = [*book.marks, (last + 1, book.latest, values)][-_MARKS:]
            if await self._keep(book):
                return (last + 1, book.latest, *values)
        raise UnavailableError(subject=self._kind.name, reason="its head is being marked by too many at once")

    async def here(self) -> Position:
        """Where a reader of all that was written so far stands, but for the mark."""
        for _ in range(_TRIES):
            book = await self._book()
            try:
                return book.position(0, await self._numbers_now(book))
            except RangeSplitError:
                continue
        raise UnavailableError(subject=self._kind.name, reason="its ranges are being split")

    async def patrol(self, after: Position, limit: int, *, is_since_fence: bool) -> tuple[Position, bool]:
        """Settle what others wrote after a position; where to go on, and whether nothing is left for now.

        With `is_since_fence`, all of it was written since the kind's fence stopped admitting writes, so that
        an item without the engine's state is not old data.
        """
        for _ in range(_TRIES):
            book = await self._book()
            mark, numbers = book.read(after)
            share = max(1, limit // len(numbers))
            try:
                pages = await asyncio.gather(
                    *(self._container.feed(bounds, number, share) for bounds, number in numbers.items())
                )
            except RangeSplitError:
                continue
            for bounds, page in zip(list(numbers), pages, strict=True):
                helds = [held_in(self._kind, item) for item in page.items]
                await self._watch.settled(helds, has_no_old=is_since_fence)
                numbers[bounds] = page.reached
            return book.position(mark, numbers), not any(page.items for page in pages)
        raise UnavailableError(subject=self._kind.name, reason="its ranges are being split")

    async def changes(self, after: Position, limit: int) -> ChangeBatch:
        """See Store.changes."""
        for _ in range(_TRIES):
            book = await self._book()
            mark, numbers = book.read(after)
            try:
                changes = await self._read_on(numbers, limit)
            except RangeSplitError:
                continue
            return ChangeBatch(tuple(changes), book.position(mark, numbers))
        raise UnavailableError(subject=self._kind.name, reason="its ranges are being split")

    async def _read_on(self, numbers: Numbers, limit: int) -> list[Change]:
        """Read every range on from its number, which is raised, until there are changes or nothing is."""
        changes: list[Change] = []
        rest = dict(numbers)
        share = max(1, limit // len(numbers))
        for _ in range(_ROUNDS):
            pages = await asyncio.gather(
                *(self._container.feed(bounds, number, share) for bounds, number in rest.items())
            )
            for bounds, page in zip(list(rest), pages, strict=True):
                numbers[bounds] = page.reached
                changes.extend(await self._changes_in(page))
                if not page.items:
                    del rest[bounds]
            if changes or not rest:
                break
            rest = {bounds: numbers[bounds] for bounds in rest}
        return changes

    async def _changes_in(self, page: FeedPage) -> list[Change]:
        helds = await self._watch.settled([held_in(self._kind, item) for item in page.items])
        # What could not be settled is told all the same.
        told = (held for held in helds if held.origin != "copy" or held.mark == "broken")
        return [Change(held.key, held.version) for held in told]

    async def _numbers_now(self, book: Book) -> Numbers:
        layout = book.layouts[-1]
        pages = await asyncio.gather(*(self._container.feed(bounds, "Now", 1) for bounds in layout))
        return {bounds: page.reached for bounds, page in zip(layout, pages, strict=True)}

    async def _book(self) -> Book:
        """The kept book, with the present ranges in its latest layout."""
        for _ in range(_TRIES):
            item = await self._notes.container.read(self._item_id, self._item_id)
            book = Book([], []) if item is None else _book_in(item)
            present = await self._container.ranges()
            finer = _finer(book.layouts[-1] if book.layouts else [], present)
            if book.layouts and finer == book.layouts[-1]:
                return book
            book.layouts.append(finer)
            await self._keep(book)
        raise UnavailableError(subject=self._kind.name, reason="its ranges are being split")

    async def _keep(self, book: Book) -> bool:
        body: dict[str, Any] = {"layouts": book.layouts, "marks": book.marks}
        return await self._notes.replace_if(book.before, {"id": self._item_id, "feed": body}) is not None


def _book_in(item: Item) -> Book:
    body = item["feed"]
    layouts = [[(low, high) for low, high in layout] for layout in body["layouts"]]
    marks = [(number, layout, list(values)) for number, layout, values in body["marks"]]
    return Book(layouts, marks, item)
