"""Comparing two stores by content while both are written.

*full* reads every record of both sides in key order and compares the bytes of the canonical form, range by
range (`comparing`); *versions* does the same with keys and versions alone, so it sees what is missing, left
over, stale or ahead, and not what differs under one version; *since* looks only at what either log says was
touched after a basis. A record that looks
different may merely be on its way, so it is never judged by a glance: both sides are read again once the copy
has followed the truth's log past the moment of reading, and then a version that should be there and is not is
a difference.

A record that changes all the time may never be met at rest. It is decided by version: where the copy, each
time, had a version that lies between what the truth had before and after, it follows as it should. Its bytes
are left to a later pass: whatever changed since the basis is in the truth's log after it, so each pass since
then looks at it, and the last one does so while writes wait.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec

from manystore.changes import START, Position
from manystore.clock import Clock
from manystore.comparison import Difference, compare
from manystore.followers.sync import Track
from manystore.records import Record, canonical
from manystore.stores.store import KeyVersion, Store

PAGE: Final = 1000
MOST_SAMPLES: Final = 1000
_QUEUE_PAUSE: Final = 0.25
"""Seconds between two looks at a record whose change waits in the sync queue."""
_ROUNDS: Final = 20


class Basis(msgspec.Struct, frozen=True):
    """Up to where a verification speaks: positions in the truth's log and in the copy's own."""

    truth: Position = START
    copy: Position = START


BY_RECORD: Final = "records"
"""The form of digests that are computed here, record by record."""


class RangeProof(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Count and digest of one range of keys on both sides, each record at a common position.

    The digests are chained in key order: a record's is SHA-256 over the one before it (at first 32 zero
    bytes) and over the record's key, version and content digest. So one can stop anywhere and go on.

    That is the form BY_RECORD. Digests of any other form were computed by the stores themselves, from rows
    as they lie (see Condensing), and say the same only to digests of that form.
    """

    after: str | None
    upto: str | None
    count: int
    truth_digest: str
    copy_digest: str
    form: str = BY_RECORD


class Verification(msgspec.Struct, frozen=True, kw_only=True):
    """What a verification found. `differences` are the first ones in key order; the count is of all.

    `moving` is how many records agree by version alone, because they changed faster than both could be read.
    """

    depth: str
    basis: Basis
    compared: int
    seconds: float
    difference_count: int
    differences: tuple[Difference, ...]
    ranges: tuple[RangeProof, ...] = ()
    moving: int = 0

    @property
    def agrees(self) -> bool:
        """Whether both sides hold the same."""
        return self.difference_count == 0


class Settled(msgspec.Struct, frozen=True):
    """One record as both sides hold it at a common position.

    One that `is_moving` was never met there: both are then what the copy held last, decided by its version.
    `text` is the canonical form of the content, where both were seen to hold the same.
    """

    truth: Record | None
    copy: Record | None
    difference: Difference | None
    is_moving: bool = False
    text: bytes | None = None


class Verifier:
    """Compares truth and copy of one direction of one kind; `waits` a while for changes in the queue."""

    def __init__(self, track: Track, *, clock: Clock, waits: bool = True) -> None:
        self._waits = waits
        self._track, self._kind, self._clock = track, track.kind, clock

    async def basis(self) -> Basis:
        """The present heads of both logs."""
        return Basis(await self._track.truth.head(self._kind), await self._track.copy.head(self._kind))

    async def since(self, basis: Basis, also: Iterable[str] = ()) -> Verification:
        """Compare what was touched on either side after a basis, and the keys in `also`.

        The result's basis goes on from there.
        """
        began = self._clock.monotonic()
        after_truth, touched = await self._touched(self._track.truth, basis.truth)
        after_copy, touched_there = await self._touched(self._track.copy, basis.copy)
        keys = sorted(touched.union(touched_there, also))
        count, samples, moving = 0, list[Difference](), 0
        for start in range(0, len(keys), PAGE):
            page = keys[start : start + PAGE]
            settled = await self.settle(page)
            found = [each.difference for key in page if (each := settled[key]).difference is not None]
            count, samples = count + len(found), [*samples, *found][:MOST_SAMPLES]
            moving += sum(each.is_moving for each in settled.values())
        return Verification(
            depth="since",
            basis=Basis(after_truth, after_copy),
            compared=len(keys),
            seconds=round(self._clock.monotonic() - began, 3),
            difference_count=count,
            differences=tuple(samples),
            moving=moving,
        )

    async def _touched(self, store: Store, after: Position) -> tuple[Position, set[str]]:
        """The keys in a store's log after a position, up to its present head."""
        head, touched = await store.head(self._kind), set[str]()
        while after < head:
            batch = await store.changes(self._kind, after, PAGE)
            touched.update(change.key for change in batch.changes)
            if not batch.changes and batch.position <= after:
                await self._clock.sleep(0.002)
            after = max(after, batch.position)
        return after, touched

    async def judge(self, page: Sequence[Record], there: Mapping[str, Record]) -> list[Settled]:
        """Both sides of one stretch in key order; what looks different is looked at again, properly."""
        here = {record.key: record for record in page}
        keys = [*here] if here.keys() == there.keys() else sorted(here.keys() | there.keys())
        judged = [_judge(here.get(key), there.get(key)) for key in keys]
        suspects = [key for key, each in zip(keys, judged, strict=True) if each.difference is not None]
        if not suspects:
            return judged
        again = await self.settle(suspects)
        return [again.get(key, each) for key, each in zip(keys, judged, strict=True)]

    async def judge_versions(
        self, page: Sequence[KeyVersion], there: Mapping[str, KeyVersion]
    ) -> list[Difference]:
        """What differs in one stretch by keys and versions; content is read of what looks different alone."""
        # Both are in the order of keys, and nearly always the same.
        if [*page] == [*there.values()]:
            return []
        here = {each.key: each for each in page}
        suspects = sorted(key for key in here.keys() | there.keys() if here.get(key) != there.get(key))
        settled = await self.settle(suspects) if suspects else {}
        return [found for key in suspects if (found := settled[key].difference) is not None]

    async def settle(self, keys: list[str]) -> dict[str, Settled]:
        """Judge records at a common position: the copy is read once it has followed past the truth's reading.

        A copy that is then older, or empty, is wrong, unless the change waits in the sync queue, which is
        given a few seconds; one that is newer says that the truth moved on, and both are read again.
        """
        settled: dict[str, Settled] = {}
        todo, moving = keys, list[str]()
        for _ in range(_ROUNDS):
            if not todo:
                return settled
            truths = await self._track.truth.get_many(self._kind, todo)
            # The head is taken after the reading, so it lies at or above every version just read.
            await self._track.reach(await self._track.truth.head(self._kind))
            # The queue is read before the copy, so what is then in neither is not merely on its way.
            entries = await self._track.queue.entries()
            waiting = {entry.key for entry in entries if entry.state != "dead"}
            copies = await self._track.copy.get_many(self._kind, todo)
            suspects, late = [], []
            for key in todo:
                truth, copy = truths.get(key), copies.get(key)
                difference = compare(truth, copy)
                if difference is not None and difference.sort in ("ahead", "extra"):
                    suspects.append(key)
                elif difference is not None and self._waits and key in waiting:
                    late.append(key)
                else:
                    settled[key] = Settled(truth, copy, difference)
            moving = await self._still_ahead(suspects, copies, settled)
            todo = moving + late
            if late:
                await self._clock.sleep(_QUEUE_PAUSE)
        for key in todo:
            truth, copy = truths.get(key), copies.get(key)
            if key in moving:
                settled[key] = Settled(copy, copy, None, is_moving=True)
            else:
                settled[key] = Settled(truth, copy, compare(truth, copy))
        return settled

    async def _still_ahead(
        self, keys: list[str], copies: dict[str, Record], settled: dict[str, Settled]
    ) -> list[str]:
        """Ask the truth again about records of which the copy seemed to know more; returns the undecided.

        A truth read after the copy and still older than it never wrote what the copy holds, and one that is
        as new says what that must be. One that is newer by now has moved on: the copy's version lies between
        what it had before and what it has.
        """
        if not keys:
            return []
        truths = await self._track.truth.get_many(self._kind, keys)
        undecided = []
        for key in keys:
            difference = compare(truths.get(key), copies.get(key))
            if difference is None or difference.sort in ("ahead", "extra", "differing"):
                settled[key] = Settled(truths.get(key), copies.get(key), difference)
            else:
                undecided.append(key)
        return undecided


def _judge(truth: Record | None, copy: Record | None) -> Settled:
    """Both as they were read; all records come this way, so each is spelled once, and the text is kept."""
    if (
        truth is not None
        and copy is not None
        and truth.version == copy.version
        and truth.content is not None
        and copy.content is not None
        and (text := canonical(truth.content)) == canonical(copy.content)
    ):
        return Settled(truth, copy, None, text=text)
    return Settled(truth, copy, compare(truth, copy))
