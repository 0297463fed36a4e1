"""Where the records of one kind lie: reading items by key, whoever wrote them."""

from collections.abc import Iterable, Sequence
from typing import Final

from manystore.records import Kind, Record
from manystore.stores.cosmos.account import Account, Layout
from manystore.stores.cosmos.bounds import Bound
from manystore.stores.cosmos.claims import Claims
from manystore.stores.cosmos.containers import Container, Query
from manystore.stores.cosmos.feed import Feed
from manystore.stores.cosmos.ids import id_of, is_id
from manystore.stores.cosmos.items import STATE, Held, Home, Item, held_in, item_of, nonce, stamped
from manystore.stores.cosmos.notes import Notes
from manystore.stores.cosmos.patrol import Patrol
from manystore.stores.cosmos.watch import Watch

_IN_ONE_QUERY: Final = 200
_UNINDEXED: Final = ("/_manystore/b/?", "/_manystore/h/?", "/_manystore/c/*")


class Places:
    """The container of one kind."""

    def __init__(self, account: Account, kind: Kind, notes: Notes, tombstone_ttl: int | None) -> None:
        self.kind = kind
        self.tombstone_ttl = tombstone_ttl
        ttl = None if tombstone_ttl is None else -1
        layout = Layout(kind.container, kind.partition_key, unindexed=_UNINDEXED, default_ttl=ttl)
        self.container = Container(account, layout, kind.name)
        self.claims = Claims(account, kind, self.container, self)
        self.bound = Bound(kind, self.container, notes)
        self.watch = Watch(kind, self.container, notes, self.bound, self.claims.expect_unclaimed)
        self.feed = Feed(kind, self.container, notes, self.watch)
        self.patrol = Patrol(kind, self.feed, notes)

    async def held(self, key: str) -> Held | None:
        """The item that holds the record of this key.

        One point read where keys are the partition key, else a query of every physical partition.
        """
        if self.kind.partition_key == "id":
            read = await self.held_at(key, id_of(key))
        else:
            read = _best(await self._select([key]))
        return None if read is None else next(iter(await self.watch.settled([read])), None)

    async def held_at(self, key: str, home: Home) -> Held | None:
        """The item of this key in one logical partition, as it is; placeholders are shown as well."""
        item = await self.container.read(id_of(key), home)
        if item is None and id_of(key) != key and is_id(key):
            # A former system wrote such a key as it is.
            item = await self.container.read(key, key if self.kind.partition_key == "id" else home)
        return None if item is None else held_in(self.kind, item)

    async def held_many(self, keys: Sequence[str]) -> dict[str, Held]:
        """The items under these keys, by key."""
        found: dict[str, list[Held]] = {}
        wanted = sorted(set(keys))
        for start in range(0, len(wanted), _IN_ONE_QUERY):
            for held in await self._select(wanted[start : start + _IN_ONE_QUERY]):
                found.setdefault(held.key, []).append(held)
        best = [one for helds in found.values() if (one := _best(helds)) is not None]
        return {held.key: held for held in await self.watch.settled(best)}

    async def records_in(self, items: Sequence[Item]) -> list[Record]:
        """The records and tombstones of items that were read."""
        helds = await self.watch.settled([held_in(self.kind, item) for item in items])
        return [record for held in helds if (record := held.record) is not None]

    async def _select(self, keys: Sequence[str]) -> list[Held]:
        ids = sorted({spelled for key in keys for spelled in (id_of(key), key)})
        names = [f"@i{number}" for number in range(len(ids))]
        text = f"SELECT * FROM c WHERE c.id IN ({', '.join(names)})"
        query = Query(text, dict(zip(names, ids, strict=True)))
        items = await self.everywhere(query)
        return [held_in(self.kind, item) for item in items]

    async def everywhere(self, query: Query, page: int = 500) -> list[Item]:
        """What a query finds in all ranges."""
        found: list[Item] = []
        for bounds in await self.container.ranges():
            async for items in self.container.query(query, bounds, page):
                found.extend(items)
        return found

    async def unsettle(self, key: str, home: Home, held: Held | None) -> bool:
        """Make sure that a write based on `held` fails; whether `held` was still what is there."""
        if held is not None:
            if await self.watch.is_theirs(held):
                # That writes it anew as well, and whoever asked looks again.
                await self.watch.settled([held])
                return False
            if held.mark == "none":
                return await self.container.replace(stamped(held.item), held.etag) is not None
            item = held.item | {STATE: held.item[STATE] | {"w": nonce()}}
            return await self.container.replace(item, held.etag) is not None
        placeholder = item_of(self.kind, Record(key, 0, None), home, origin="copy")
        return await self.container.create(placeholder) is not None


def _best(helds: Iterable[Held]) -> Held | None:
    """The one that counts of items of one key: the newest version, then the one written last.

    Only a former system can have made several, in several logical partitions.
    """
    return max(
        helds, key=lambda held: (not held.is_placeholder, held.version, held.item["_ts"]), default=None
    )
