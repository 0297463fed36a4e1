"""The highest version that any record of a kind can have: what a write by others must lie above.

Who replaces a whole item drops the engine's state with it, and one who edits what was read long ago brings
an old state along. Which version the record had before, the item does not say; that none of its kind had a
higher one than the bound is sure. The bound is the item `versions:<kind>` of `manystore-state`. It is raised
*before* a version above it is written, with some room above, so that few writes have to wait for it.

Its first raising is also when the kind was *adopted*. An item without a version that was last written before
that is old data; one that was written since is a write by others. The service's clock counts whole seconds,
so in a container that had old data, what others write within that very second is taken for old data too.
"""

import asyncio
from collections.abc import Callable
from typing import Final

import msgspec

from manystore.errors import UnavailableError
from manystore.records import Kind
from manystore.stores.cosmos.containers import Container, Query
from manystore.stores.cosmos.ids import id_of
from manystore.stores.cosmos.items import Item
from manystore.stores.cosmos.notes import Notes

_TRIES: Final = 30
_MOST_ROOM: Final = 1_024

_ANY_OLD: Final = Query("SELECT TOP 1 VALUE c.id FROM c WHERE NOT IS_DEFINED(c._manystore.v)", {})
_HIGHEST: Final = Query(
    "SELECT TOP 1 VALUE c._manystore.v FROM c WHERE IS_DEFINED(c._manystore.v) ORDER BY c._manystore.v DESC",
    {},
)


class Adoption(msgspec.Struct, frozen=True):
    """When the engine first wrote a version of the kind, in the service's seconds, and what it found."""

    since: int
    has_old: bool

    def covers(self, written_at: int) -> bool:
        """Whether an item without a version, last written then, was written since."""
        return not self.has_old or written_at > self.since


class Bound:
    """The bound of one kind, as one handle knows it."""

    def __init__(self, kind: Kind, container: Container, notes: Notes) -> None:
        self._kind, self._container, self._notes = kind, container, notes
        self._item_id = id_of(f"versions:{kind.name}")
        self._known: Item | None = None
        self._raising = asyncio.Lock()

    async def adoption(self) -> Adoption | None:
        """When the kind was adopted, or None where no version was ever written."""
        item = self._known or await self._read()
        return None if item is None else Adoption(_since(item), item["hasOld"])

    async def cover(self, version: int) -> None:
        """Make sure that the bound is not below a version that is about to be written."""
        # The bound never goes down, so what this handle knows of it may be old, and is no lie.
        if version == 0 or (self._known is not None and self._known["highest"] >= version):
            return
        async with self._raising:
            await self._raise(lambda highest: max(highest, version + min(version // 8, _MOST_ROOM)), version)

    async def pass_by(self) -> int:
        """A version above all that any record had; for what others wrote before this call."""
        async with self._raising:
            self._known = None
            return await self._raise(lambda highest: highest + 1, None)

    async def _raise(self, raised: Callable[[int], int], wanted: int | None) -> int:
        for _ in range(_TRIES):
            before = self._known or await self._read()
            if before is None:
                await self._adopt()
                continue
            if wanted is not None and before["highest"] >= wanted:
                return int(before["highest"])
            highest = raised(before["highest"])
            kept = {"since": _since(before), "hasOld": before["hasOld"]}
            item = {"id": self._item_id, "highest": highest, **kept}
            if etag := await self._notes.replace_if(before, item):
                self._known = item | {"_etag": etag}
                return highest
            self._known = None
        raise UnavailableError(subject=self._kind.name, reason="its versions are raised by too many at once")

    async def _read(self) -> Item | None:
        self._known = await self._notes.container.read(self._item_id, self._item_id)
        return self._known

    async def _adopt(self) -> None:
        """Note what there is before the first version is written; a container may know versions already."""
        old, versions = await self._select(_ANY_OLD), await self._select(_HIGHEST)
        item = {"id": self._item_id, "highest": max([0, *versions]), "hasOld": bool(old)}
        await self._notes.replace_if(None, item)

    async def _select(self, query: Query) -> list[int]:
        found: list[int] = []
        for bounds in await self._container.ranges():
            async for page in self._container.query(query, bounds, 1):
                found.extend(page)
        return found


def _since(item: Item) -> int:
    # The service's time of the first writing; each later one carries it on.
    return int(item["since"] if "since" in item else item["_ts"])
