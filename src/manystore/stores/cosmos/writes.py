"""Writing records: as the truth, by compare-and-set; as a copy, where the newer version stands.

Every write of an item is conditional on the ETag under which it was read, or on its absence; whoever loses
reads again. The service cannot check another item within such a write, so the epoch is read beside the record
(one request unit) and compared before the write goes out. That narrows the time in which a stale writer can
slip through to one round trip; it does not close it. Leases do, which is what the fencing "lease" says.
"""

import asyncio
from collections.abc import Iterable, Sequence
from typing import Final

from manystore.errors import (
    NotRepresentableError,
    RefusedError,
    StaleEpochError,
    UnavailableError,
    UniqueError,
    VersionConflictError,
)
from manystore.former import as_declared
from manystore.records import Content, Kind, Record, canonical, parse
from manystore.stores.cosmos.claims import KEY, Owner
from manystore.stores.cosmos.items import MAX_ITEM, Held, Item, Origin, home_of, item_of, size_of
from manystore.stores.cosmos.notes import Notes
from manystore.stores.cosmos.places import Places
from manystore.stores.store import Applied, Diverged, Ignored, Outcome, Refused

_TRIES: Final = 30
_AT_ONCE: Final = 16
"""Records of one batch that are written at the same time."""


class Writes:
    """What puts records of one kind in their place."""

    def __init__(self, store: str, places: Places, notes: Notes) -> None:
        self._store, self._places, self._notes = store, places, notes
        self._kind: Kind = places.kind

    # -- as the truth --------------------------------------------------------------------------------

    async def accept(
        self, key: str, content: Content | None, *, expected: int | None, epoch: int, above: int
    ) -> Record:
        """Write `content` (None: a tombstone) as the next version. See Store.put and Store.delete."""
        for _ in range(_TRIES):
            _, held = await asyncio.gather(self._check_epoch(epoch), self._places.held(key))
            actual = None if held is None or held.content is None else held.version
            if actual != expected or (content is None and actual is None):
                raise VersionConflictError(kind=self._kind.name, key=key, expected=expected, actual=actual)
            version = max(0 if held is None else held.version, above) + 1
            await self._places.bound.cover(version)
            if await self._bring_in(held, Record(key, version, content), "truth"):
                return Record(key, version, None if content is None else parse(canonical(content)))
        raise UnavailableError(subject=f"{self._kind.name}/{key}", reason="too many write it at once")

    async def _check_epoch(self, epoch: int) -> None:
        fence = await self._notes.fence(self._kind)
        if fence is None or fence.epoch != epoch or not fence.admits:
            raise StaleEpochError(
                store=self._store,
                kind=self._kind.name,
                expected=epoch,
                actual=None if fence is None else fence.epoch,
                admits=fence is not None and fence.admits,
            )

    # -- as a copy -----------------------------------------------------------------------------------

    async def apply(self, records: Sequence[Record]) -> list[Outcome]:
        """Bring the records in where they are newer; one outcome for each, in order."""
        helds = await self._helds([record.key for record in records])
        await self._places.bound.cover(max((record.version for record in records), default=0))
        outcomes: list[Outcome] = [Applied()] * len(records)
        slots = asyncio.Semaphore(_AT_ONCE)

        async def apply_one(number: int) -> None:
            async with slots:
                outcomes[number] = await self._apply_one(records[number], helds)

        for wave in self._waves(records, helds):
            await asyncio.gather(*(apply_one(number) for number in wave))
        return outcomes

    async def _helds(self, keys: Sequence[str]) -> dict[str, Held | None]:
        found = await self._places.held_many(keys)
        if any(held.mark == "none" for held in found.values()) or await self._has_late(found.values()):
            # What has no state of the engine's is old data, or was made by others since the fence was raised.
            await self._places.patrol.look()
            found = await self._places.held_many(keys)
        return {**found}

    async def _has_late(self, helds: Iterable[Held]) -> bool:
        """Whether any was written by a node without a right to it, and must be kept before it is replaced."""
        truths = [held for held in helds if held.origin == "truth"]
        if not truths:
            return False
        standing = await self._notes.standing(self._kind)
        return any(map(standing.is_late, truths))

    def _waves(self, records: Sequence[Record], helds: dict[str, Held | None]) -> list[list[int]]:
        """Numbers of records that can be written at the same time, one list after the other.

        Records that share a key, or a value that is one record's own, keep their order: what the one gives
        up the next may take.
        """
        last: dict[object, int] = {}
        names = {key: self._values(held.content) for key, held in helds.items() if held is not None}
        waves: list[list[int]] = []
        for number, record in enumerate(records):
            names[record.key] = names.get(record.key, set()) | self._values(record.content)
            touched = {record.key, *names[record.key]}
            wave = 1 + max((last.get(name, -1) for name in touched), default=-1)
            last.update(dict.fromkeys(touched, wave))
            if wave == len(waves):
                waves.append([])
            waves[wave].append(number)
        return waves

    def _values(self, content: Content | None) -> set[object]:
        values = {unique.name: unique.value_of(content or {}) for unique in self._kind.uniques}
        return {(name, value) for name, value in values.items() if value is not None}

    async def apply_together(self, records: Sequence[Record]) -> list[Outcome]:
        """Bring in all records that are newer, whatever values they exchange; see Store.apply_together."""
        helds = await self._helds([record.key for record in records])
        await self._places.bound.cover(max((record.version for record in records), default=0))
        newer = [each for each in records if _outcome(self._kind, helds.get(each.key), each) is None]
        among = frozenset(record.key for record in newer)
        try:
            await self._check_together(newer, helds, among)
        except (UniqueError, NotRepresentableError) as error:
            return [_outcome(self._kind, helds.get(each.key), each) or Refused(error) for each in records]
        outcomes = {}
        # What is deleted gives its values up for good, so the less there is to be taken over.
        for record in sorted(records, key=lambda record: not record.is_deleted):
            outcomes[record.key] = await self._apply_one(record, helds, among)
        return [outcomes[record.key] for record in records]

    async def _check_together(
        self, newer: Sequence[Record], helds: dict[str, Held | None], among: frozenset[str]
    ) -> None:
        """Raise what would stop an exchange half-way."""
        wanted: dict[object, str] = {}
        for record in newer:
            if error := unfit(self._store, self._kind, record):
                raise error
            for unique in self._kind.uniques:
                value = unique.value_of(record.content or {})
                if value is not None and wanted.setdefault((unique.name, value), record.key) != record.key:
                    raise UniqueError(
                        kind=self._kind.name, key=record.key, constraint=unique.name, field=unique.field
                    )
            held = helds.get(record.key)
            await self._places.claims.check(held, self._owner(held, record), record.content, among)

    async def _apply_one(
        self, record: Record, helds: dict[str, Held | None], among: frozenset[str] = frozenset()
    ) -> Outcome:
        for _ in range(_TRIES):
            held = helds.get(record.key)
            if outcome := _outcome(self._kind, held, record):
                return outcome
            try:
                is_in = await self._bring_in(held, record, "copy", among)
            except (UniqueError, NotRepresentableError) as error:
                return Refused(error)
            helds[record.key] = await self._places.held(record.key)
            if is_in:
                return Applied()
        raise UnavailableError(subject=f"{self._kind.name}/{record.key}", reason="too many write it at once")

    # -- both ----------------------------------------------------------------------------------------

    def _owner(self, held: Held | None, record: Record) -> Owner:
        home = held.home if held is not None else home_of(self._kind, record.content or {"id": record.key})
        return Owner(record.key, home)

    async def _bring_in(
        self, held: Held | None, record: Record, origin: Origin, among: frozenset[str] = frozenset()
    ) -> bool:
        """Write the record where `held` was read; False where somebody was quicker, and nothing changed.

        What records `among` these hold, it may take from them.
        """
        owner, places = self._owner(held, record), self._places
        home = owner.home
        try:
            claims = await places.claims.reserve(held, owner, record.content, among)
        except UniqueError as error:
            if error.constraint == KEY:
                # The key was just created in another logical partition: read again, and find it there.
                return False
            raise
        kept = {claim.constraint: claim.etag for claim in claims if claim.constraint != KEY}
        # An item of a former system keeps its id, however that is spelled.
        item_id = None if held is None else held.item["id"]
        item = item_of(self._kind, record, home, origin=origin, claims=kept, item_id=item_id)
        if record.content is None and places.tombstone_ttl is not None:
            item["ttl"] = places.tombstone_ttl
        try:
            etag = await self._write(held, item)
        except RefusedError:
            await places.claims.give_back(claims)
            raise
        if etag is None:
            await places.claims.give_back(claims)
            return False
        await places.claims.give_up(held, claims)
        return True

    async def _write(self, held: Held | None, item: Item) -> str | None:
        if held is None:
            return await self._places.container.create(item)
        return await self._places.container.replace(item, held.etag)


def _outcome(kind: Kind, held: Held | None, record: Record) -> Outcome | None:
    """What becomes of the record without writing, or None where it is to be written."""
    before = None if held is None else held.record
    if before is None or before.version < record.version:
        return None
    if before.version > record.version:
        return Ignored(before.version)
    content = record.content
    if content is not None:
        content = as_declared(kind, record.version, content)
    is_same = canonical(before.content) == canonical(content)
    return Ignored(before.version) if is_same else Diverged(record.version)


def unfit(store: str, kind: Kind, record: Record) -> NotRepresentableError | None:
    """Why the service could not hold the record, or None where it can."""
    home = home_of(kind, record.content or {"id": record.key})
    size = size_of(item_of(kind, record, home, origin="copy"))
    if size <= MAX_ITEM:
        return None
    reason = f"as an item it has {size} bytes, of which the service takes {MAX_ITEM}"
    return NotRepresentableError(store=store, kind=kind.name, key=record.key, field="$", reason=reason)
