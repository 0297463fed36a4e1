"""Looking for rogue writes that nobody met: through the feed, from where the fence stopped admitting writes.

Who raises a fence that no longer admits notes where the feed stood just before, in `watch:<kind>` of
`manystore-state`. From there every look goes on to the present and notes how far it came, so that each item
is read once. Where the fence admits again, one last look is taken.
"""

from typing import Final

from manystore.changes import START, Position
from manystore.records import Kind
from manystore.stores.cosmos.feed import Feed
from manystore.stores.cosmos.ids import id_of
from manystore.stores.cosmos.items import Item
from manystore.stores.cosmos.notes import Notes
from manystore.stores.store import Fence

_AT_ONCE: Final = 1_000


class Patrol:
    """The looks of one kind."""

    def __init__(self, kind: Kind, feed: Feed, notes: Notes) -> None:
        self._kind, self._feed, self._notes = kind, feed, notes
        self._item_id = id_of(f"watch:{kind.name}")

    async def close_fence(self, fence: Fence, *, expected: int | None) -> bool:
        """Raise a fence that admits no writes, and note where the feed stood. See Store.raise_fence."""
        if not (await self._notes.standing(self._kind)).admits:
            return await self._notes.raise_fence(self._kind, fence, expected=expected)
        # Before the fence is raised, so that nothing is missed; what was written before shows in its time.
        position = await self._feed.here()
        is_raised = await self._notes.raise_fence(self._kind, fence, expected=expected)
        if is_raised:
            await self._note(await self._read(), position)
        return is_raised

    async def look(self) -> None:
        """Settle all that others wrote since the fence stopped admitting writes, if it did."""
        standing, before = await self._notes.standing(self._kind), await self._read()
        noted = None if before is None else before["position"]
        if noted is None and standing.admits:
            return
        # Whoever raised the fence may have crashed before the note: then all of the feed is read, in which
        # old data is no news.
        position: Position = START if noted is None else tuple(noted)
        is_done = False
        while not is_done:
            position, is_done = await self._feed.patrol(position, _AT_ONCE, is_since_fence=noted is not None)
            await self._note(before, None if is_done and standing.admits else position)
            before = await self._read()

    async def _read(self) -> Item | None:
        return await self._notes.container.read(self._item_id, self._item_id)

    async def _note(self, before: Item | None, position: Position | None) -> None:
        if before is not None and before["position"] == (None if position is None else list(position)):
            return
        # Of two that look at the same time, one notes less far than it came, and the next look is longer.
        item = {"id": self._item_id, "position": None if position is None else list(position)}
        await self._notes.replace_if(before, item)
