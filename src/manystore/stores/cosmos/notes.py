"""Fences and notes: small items of a container of their own, each changed by compare-and-set on its ETag."""

import asyncio
import base64
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

import msgspec

from manystore.records import Kind
from manystore.stores.cosmos.account import Account, Layout
from manystore.stores.cosmos.containers import Container, Query
from manystore.stores.cosmos.ids import id_of
from manystore.stores.cosmos.items import STATE, Held, Item, nonce
from manystore.stores.store import Fence, Note

_LAYOUT: Final = Layout("manystore-state", "id", unindexed=("/value/?", "/body/?", "/evidence/?"))
_PAGE: Final = 100
_AT_ONCE: Final = 16
"""Notes that are written at the same time."""


class Standing(msgspec.Struct, frozen=True):
    """A kind's fence, when it was raised in the service's seconds, and what held before it."""

    fence: Fence | None
    since: int
    admitted_before: bool

    @property
    def admits(self) -> bool:
        """Whether what others write now is a write like any other."""
        return self.fence is None or self.fence.admits

    def admitted(self, written_at: int) -> bool:
        """Whether it was when an item was written; of the second of the raising, nobody can tell."""
        return self.admitted_before if written_at < self.since else self.admits

    def is_late(self, held: Held) -> bool:
        """Whether a node wrote it as at the truth, after the truth had moved: frozen, it outlived its lease.

        A fence that was raised twice without admitting writes stands after the drain; until then, those that
        were under way when writes were stopped still come in by right.
        """
        is_over = not self.admits and not self.admitted_before
        return is_over and held.origin == "truth" and held.item["_ts"] > self.since


class Notes:
    """The container `manystore-state`: `fence:<kind>`, `note:<name>`, and what other rooms keep there.

    Those are `feed:<kind>`, `versions:<kind>`, `watch:<kind>` and `rogue:<kind>:…`.
    """

    def __init__(self, account: Account) -> None:
        self.container = Container(account, _LAYOUT, "manystore-state")

    # -- fences --------------------------------------------------------------------------------------

    async def fence(self, kind: Kind) -> Fence | None:
        """See Store.fence."""
        item = await self._read(f"fence:{kind.name}")
        return None if item is None else _fence_in(item)

    async def standing(self, kind: Kind) -> Standing:
        """The fence, and what others' writes are judged by."""
        item = await self._read(f"fence:{kind.name}")
        if item is None:
            return Standing(None, 0, True)
        return Standing(_fence_in(item), item["_ts"], item.get("before", True))

    async def raise_fence(self, kind: Kind, fence: Fence, *, expected: int | None) -> bool:
        """See Store.raise_fence."""
        body = base64.b64encode(fence.body).decode()
        before = await self._read(f"fence:{kind.name}")
        if (None if before is None else before["epoch"]) != expected:
            return False
        item = {
            "id": id_of(f"fence:{kind.name}"),
            "epoch": fence.epoch,
            "admits": fence.admits,
            "body": body,
            "before": before is None or before["admits"],
        }
        return await self.replace_if(before, item) is not None

    # -- notes ---------------------------------------------------------------------------------------

    async def note(self, name: str) -> Note:
        """See Store.note."""
        item = await self._read(f"note:{name}")
        return Note(name=name, value=b"", revision=0) if item is None else _note_in(item)

    async def notes(self, prefix: str) -> list[Note]:
        """See Store.notes."""
        query = Query(
            "SELECT * FROM c WHERE IS_DEFINED(c.revision) AND STARTSWITH(c.name, @prefix)",
            {"@prefix": prefix},
        )
        found: list[Note] = []
        for bounds in await self.container.ranges():
            async for page in self.container.query(query, bounds, _PAGE):
                found.extend(map(_note_in, page))
        return sorted(found, key=lambda note: note.name)

    async def write_note(self, name: str, value: bytes, *, expected: int) -> bool:
        """See Store.write_note."""
        before = await self._read(f"note:{name}")
        if (0 if before is None else before["revision"]) != expected:
            return False
        return await self.replace_if(before, _item_of(name, value, expected + 1)) is not None

    async def drop_note(self, name: str, *, expected: int) -> bool:
        """See Store.drop_note."""
        before = await self._read(f"note:{name}")
        if before is None:
            return expected == 0
        if before["revision"] != expected:
            return False
        return await self.container.remove(before["id"], before["id"], before["_etag"])

    async def write_notes(self, notes: Sequence[Note]) -> list[bool]:
        """See Store.write_notes."""
        return await _each(notes, lambda note: self.write_note(note.name, note.value, expected=note.revision))

    async def drop_notes(self, notes: Sequence[Note]) -> list[bool]:
        """See Store.drop_notes."""
        return await _each(notes, lambda note: self.drop_note(note.name, expected=note.revision))

    async def keep_note(self, name: str, value: bytes) -> None:
        """Store the value, whatever the note's revision was."""
        while True:
            before = await self._read(f"note:{name}")
            revision = 1 if before is None else before["revision"] + 1
            if await self.replace_if(before, _item_of(name, value, revision)) is not None:
                return

    # -- any item ------------------------------------------------------------------------------------

    async def _read(self, name: str) -> Item | None:
        return await self.container.read(id_of(name), id_of(name))

    async def replace_if(self, before: Item | None, item: Item) -> str | None:
        """Put `item` where `before` was read (None: where nothing was); its ETag, or None if too late."""
        item = item | {STATE: {"w": nonce()}}
        if before is None:
            return await self.container.create(item)
        return await self.container.replace(item, before["_etag"])


async def _each(notes: Sequence[Note], do: Callable[[Note], Awaitable[bool]]) -> list[bool]:
    slots = asyncio.Semaphore(_AT_ONCE)

    async def do_one(note: Note) -> bool:
        async with slots:
            return await do(note)

    return list(await asyncio.gather(*map(do_one, notes)))


def _item_of(name: str, value: bytes, revision: int) -> Item:
    text = base64.b64encode(value).decode()
    return {"id": id_of(f"note:{name}"), "name": name, "value": text, "revision": revision}


def _note_in(item: dict[str, Any]) -> Note:
    return Note(name=item["name"], value=base64.b64decode(item["value"]), revision=item["revision"])


def _fence_in(item: dict[str, Any]) -> Fence:
    return Fence(epoch=item["epoch"], admits=item["admits"], body=base64.b64decode(item["body"]))
