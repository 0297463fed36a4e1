"""What others write, who do not know the engine: seen by what their items lack, and given a version.

Whoever meets such an item (a read, a write, a reader of the feed) *settles* it: writes it again, unchanged,
under the ETag that it was read with, with a version above all that records of the kind ever had (see
`bounds`). While the kind's fence admits writes it thereby becomes a change like any other. While it does not,
it becomes a record that is ahead of the truth, and what was written is kept first, as a rogue write.

What can be known:

- An item without the engine's state was made or replaced whole by others, unless it is old data; so was one
  whose digest does not fit.
- Several writes to one item between two looks are one write, of which the last is kept. The service's feed
  shows no more.
- What others delete for good leaves no trace at all. A verification finds it, as a record that the truth
  lacks; a record made anew under the key begins with version 1.
- Who puts back an item exactly as it was read long ago, the engine's state and all, cannot be told from the
  engine. A verification finds that as well, as a copy that is ahead.
- A node that froze amid a write, and woke after its lease, leaves an item that looks like any of the truth's:
  it is told by its time, which is after the truth had moved.
- A write in the very second in which the fence was raised is judged by the new fence.
- An item that has no room for the engine's state within the service's two megabytes stays as it is.
"""

import asyncio
import base64
import datetime as dt
import hashlib
import zlib
from collections.abc import Callable, Sequence
from typing import Any, Final

from manystore.errors import NotRepresentableError, UnavailableError
from manystore.records import Kind, Record, canonical
from manystore.stores.cosmos.bounds import Adoption, Bound
from manystore.stores.cosmos.containers import Container, Query
from manystore.stores.cosmos.items import Held, Item, held_in, item_of, written_in
from manystore.stores.cosmos.notes import Notes, Standing
from manystore.stores.store import RogueWrite

_TRIES: Final = 10
_AT_ONCE: Final = 16
_PAGE: Final = 100
_LONGEST_TEXT: Final = 500_000
"""Characters of evidence that are kept as they are; longer ones are packed, so that they fit an item."""


class Watch:
    """Sees to what others wrote of one kind."""

    def __init__(
        self, kind: Kind, container: Container, notes: Notes, bound: Bound, on_settled: Callable[[], None]
    ) -> None:
        self._kind, self._container, self._notes, self._bound = kind, container, notes, bound
        self._on_settled = on_settled

    async def is_theirs(self, held: Held) -> bool:
        """Whether others wrote the item as it is now, and it has no version of its own for that yet."""
        adoption = await self._bound.adoption() if held.mark == "none" else None
        return _is_theirs(held, adoption)

    async def settled(self, helds: Sequence[Held], *, has_no_old: bool = False) -> list[Held]:
        """The items, with those that others wrote settled; without those that are gone meanwhile.

        `has_no_old` says that none of them is old data.
        """
        adoption = None
        if not has_no_old and any(held.mark == "none" for held in helds):
            adoption = await self._bound.adoption()
        theirs = [
            number
            for number, held in enumerate(helds)
            if _is_theirs(held, adoption) or (has_no_old and held.mark == "none")
        ]
        is_late = has_no_old and any(held.origin == "truth" for held in helds)
        if not theirs and not is_late:
            return list(helds)
        found: list[Held | None] = list(helds)
        standing = await self._notes.standing(self._kind)
        if is_late:
            late = [number for number, held in enumerate(helds) if standing.is_late(held)]
            theirs = sorted({*theirs, *late})
            if not theirs:
                return list(helds)
        # All were read before this, and are replaced only as they were read, so one version is above each.
        version = await self._bound.pass_by()
        slots = asyncio.Semaphore(_AT_ONCE)

        async def settle_one(number: int) -> None:
            async with slots:
                found[number] = await self._settle(helds[number], standing, version)

        await asyncio.gather(*(settle_one(number) for number in theirs))
        return [held for held in found if held is not None]

    async def _settle(self, held: Held, standing: Standing, version: int) -> Held | None:
        for _ in range(_TRIES):
            try:
                if settled := await self._settle_as(held, standing, version):
                    return settled
            except NotRepresentableError:
                return held
            item = await self._container.read(held.item["id"], held.home)
            if item is None:
                return None
            held = held_in(self._kind, item)
            if not await self.is_theirs(held):
                return held
            standing, version = await self._notes.standing(self._kind), await self._bound.pass_by()
        raise UnavailableError(subject=f"{self._kind.name}/{held.key}", reason="too many write it at once")

    async def _settle_as(self, held: Held, standing: Standing, version: int) -> Held | None:
        """Give the item a version; None where it is another by now."""
        is_rogue = not standing.admitted(held.item["_ts"])
        if is_rogue:
            version = await self._keep(held, version)
        item = item_of(
            self._kind,
            Record(held.key, version, held.content),
            held.home,
            origin="copy" if is_rogue else "truth",
            item_id=held.item["id"],
            is_unclaimed=bool(self._kind.uniques),
        )
        etag = await self._container.replace(item, held.etag)
        if etag is None:
            return None
        self._on_settled()
        return held_in(self._kind, item | {"_etag": etag, "_ts": held.item["_ts"]})

    # -- rogue writes --------------------------------------------------------------------------------

    async def _keep(self, held: Held, version: int) -> int:
        """Keep what was written, once however many meet it; the version that the first of them chose."""
        text = canonical([held.key, held.etag])
        item_id = f"rogue:{self._kind.name}:{hashlib.blake2b(text, digest_size=16).hexdigest()}"
        rogue: Item = {
            "id": item_id,
            "rogueOf": self._kind.name,
            "key": held.key,
            "version": version,
            "writtenAt": held.item["_ts"],
            **_spell_evidence(canonical(written_in(held.item)).decode()),
        }
        if await self._notes.replace_if(None, rogue) is None:
            kept = await self._notes.container.read(item_id, item_id)
            return version if kept is None else int(kept["version"])
        return version

    async def rogue_writes(self) -> list[RogueWrite]:
        """Those that are kept, by key."""
        found = [_rogue_in(item) for item in await self._kept()]
        return sorted(found, key=lambda rogue: (rogue.key, rogue.version))

    async def forget(self, rogue: RogueWrite) -> bool:
        """Let one go; whether it was still there."""
        for item in await self._kept():
            if _rogue_in(item) == rogue:
                return await self._notes.container.remove(item["id"], item["id"], item["_etag"])
        return False

    async def _kept(self) -> list[Item]:
        query = Query("SELECT * FROM c WHERE c.rogueOf = @kind", {"@kind": self._kind.name})
        found: list[Item] = []
        for bounds in await self._notes.container.ranges():
            async for page in self._notes.container.query(query, bounds, _PAGE):
                found.extend(page)
        return found


def _is_theirs(held: Held, adoption: Adoption | None) -> bool:
    if held.mark == "none":
        return adoption is not None and adoption.covers(held.item["_ts"])
    return held.mark == "broken"


def _spell_evidence(evidence: str) -> dict[str, Any]:
    if len(evidence) <= _LONGEST_TEXT:
        return {"evidence": evidence}
    packed = zlib.compress(evidence.encode(), level=9)
    return {"evidence": base64.b64encode(packed).decode(), "isPacked": True}


def _rogue_in(item: Item) -> RogueWrite:
    evidence = item["evidence"]
    if item.get("isPacked"):
        evidence = zlib.decompress(base64.b64decode(evidence)).decode()
    return RogueWrite(
        key=item["key"],
        version=item["version"],
        found_at=dt.datetime.fromtimestamp(item["writtenAt"], dt.UTC),
        evidence=evidence,
    )
