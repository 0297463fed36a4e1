"""Comparing two stores by content while both are written.

*full* reads every record of both sides in key order and compares the bytes of the canonical form; *since*
looks only at what either log says was touched after a basis. A record that looks different may merely be on
its way, so it is never judged by a glance: both sides are read again once the copy has followed the truth's
log past the moment of reading, and then a version that should be there and is not is a difference.
"""

import asyncio
import hashlib
from collections.abc import Iterable
from typing import Final

import msgspec

from manystore.changes import START, Position
from manystore.clock import Clock
from manystore.comparison import Difference, compare
from manystore.followers.sync import Track
from manystore.moves.progress import Report, progress_at, unreported
from manystore.records import Kind, Record
from manystore.stores.store import KeyRange, Store

PAGE: Final = 1000
MOST_SAMPLES: Final = 1000
_ROUNDS: Final = 20


class Basis(msgspec.Struct, frozen=True):
    """Up to where a verification speaks: positions in the truth's log and in the copy's own."""

    truth: Position = START
    copy: Position = START


class RangeProof(msgspec.Struct, frozen=True, kw_only=True):
    """Count and digest of one range of keys on both sides, each record at a common position.

    The digests are SHA-256 over key, version and content digest of each record in key order.
    """

    after: str | None
    upto: str | None
    count: int
    truth_digest: str
    copy_digest: str


class Verification(msgspec.Struct, frozen=True, kw_only=True):
    """What a verification found. `differences` are the first ones in key order; the count is of all."""

    depth: str
    basis: Basis
    compared: int
    seconds: float
    difference_count: int
    differences: tuple[Difference, ...]
    ranges: tuple[RangeProof, ...] = ()

    @property
    def agrees(self) -> bool:
        """Whether both sides hold the same."""
        return self.difference_count == 0


class Settled(msgspec.Struct, frozen=True):
    """One record as both sides hold it at a common position."""

    truth: Record | None
    copy: Record | None
    difference: Difference | None


class Verifier:
    """Compares truth and copy of one direction of one kind."""

    def __init__(self, track: Track, *, clock: Clock, report: Report = unreported) -> None:
        self._track, self._kind, self._clock, self._report = track, track.kind, clock, report
        self._compared = self._difference_count = 0
        self._differences: list[Difference] = []
        self._began = clock.monotonic()
        self._total = 0

    async def basis(self) -> Basis:
        """The present heads of both logs."""
        return Basis(await self._track.truth.head(self._kind), await self._track.copy.head(self._kind))

    async def full(self, ranges: Iterable[KeyRange] | None = None) -> Verification:
        """Compare every record, range by range (by default as the truth would cut them now)."""
        basis = await self.basis()
        self._total = await self._track.truth.count(self._kind)
        cut = list(ranges) if ranges is not None else await self._track.truth.ranges(self._kind, 16)
        proofs = [await self._range(key_range) for key_range in cut]
        return self._verification("full", basis, tuple(proofs))

    async def since(self, basis: Basis) -> Verification:
        """Compare what was touched on either side after a basis; the result's basis goes on from there."""
        after_truth, touched = await self._touched(self._track.truth, basis.truth)
        after_copy, touched_there = await self._touched(self._track.copy, basis.copy)
        keys = sorted(touched | touched_there)
        for start in range(0, len(keys), PAGE):
            for settled in (await self.settle(keys[start : start + PAGE])).values():
                self._note(settled.difference)
        self._compared += len(keys)
        return self._verification("since", Basis(after_truth, after_copy), ())

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

    def _verification(self, depth: str, basis: Basis, ranges: tuple[RangeProof, ...]) -> Verification:
        return Verification(
            depth=depth,
            basis=basis,
            compared=self._compared,
            seconds=round(self._clock.monotonic() - self._began, 3),
            difference_count=self._difference_count,
            differences=tuple(self._differences),
            ranges=ranges,
        )

    def _note(self, difference: Difference | None) -> None:
        if difference is not None:
            self._difference_count += 1
            if len(self._differences) < MOST_SAMPLES:
                self._differences.append(difference)

    async def _range(self, key_range: KeyRange) -> RangeProof:
        """Walk both sides of a range in step: a page of the truth, and the same stretch of the copy."""
        truth_hash, copy_hash, count = hashlib.sha256(), hashlib.sha256(), 0
        truth, copy, kind = self._track.truth, self._track.copy, self._kind
        after = key_range.after
        page: list[Record] | None = await truth.scan(kind, key_range, PAGE)
        while page is not None:
            upto = page[-1].key if len(page) == PAGE else key_range.upto
            ahead = (
                truth.scan(kind, KeyRange(upto, key_range.upto), PAGE) if len(page) == PAGE else _nothing()
            )
            there, following = await asyncio.gather(_stretch(copy, kind, KeyRange(after, upto)), ahead)
            for settled in await self._judge(page, there):
                _feed(truth_hash, settled.truth)
                _feed(copy_hash, settled.copy)
                count += settled.truth is not None
                self._note(settled.difference)
            self._compared += len(page)
            seconds = self._clock.monotonic() - self._began
            await self._report(
                progress_at("verify", self._compared, max(self._total, self._compared), seconds)
            )
            page, after = following, upto
        return RangeProof(
            after=key_range.after,
            upto=key_range.upto,
            count=count,
            truth_digest=truth_hash.hexdigest(),
            copy_digest=copy_hash.hexdigest(),
        )

    async def _judge(self, page: list[Record], there: dict[str, Record]) -> list[Settled]:
        """Both sides of one stretch in key order; what looks different is looked at again, properly."""
        here = {record.key: record for record in page}
        keys = sorted(here.keys() | there.keys())
        suspects = [key for key in keys if compare(here.get(key), there.get(key)) is not None]
        again = await self.settle(suspects) if suspects else {}
        return [again.get(key) or Settled(here.get(key), there.get(key), None) for key in keys]

    async def settle(self, keys: list[str]) -> dict[str, Settled]:
        """Judge records at a common position: the copy is read once it has followed past the truth's reading.

        A copy that is then older, or empty, is wrong; one that is newer says that the truth moved on
        meanwhile, and both are read again.
        """
        settled: dict[str, Settled] = {}
        todo = keys
        for _ in range(_ROUNDS):
            if not todo:
                return settled
            truths = await self._track.truth.get_many(self._kind, todo)
            # The head is taken after the reading, so it lies at or above every version just read.
            await self._track.reach(await self._track.truth.head(self._kind))
            copies = await self._track.copy.get_many(self._kind, todo)
            suspects = []
            for key in todo:
                truth, copy = truths.get(key), copies.get(key)
                difference = compare(truth, copy)
                if difference is not None and difference.sort in ("ahead", "extra"):
                    suspects.append(key)
                else:
                    settled[key] = Settled(truth, copy, difference)
            todo = await self._still_ahead(suspects, copies, settled)
        for key in todo:
            settled[key] = Settled(
                truths.get(key), copies.get(key), compare(truths.get(key), copies.get(key))
            )
        return settled

    async def _still_ahead(
        self, keys: list[str], copies: dict[str, Record], settled: dict[str, Settled]
    ) -> list[str]:
        """Ask the truth again about records of which the copy seemed to know more; returns the undecided.

        A truth read after the copy and still older than it never wrote what the copy holds.
        """
        if not keys:
            return []
        truths = await self._track.truth.get_many(self._kind, keys)
        undecided = []
        for key in keys:
            difference = compare(truths.get(key), copies.get(key))
            if difference is not None and difference.sort in ("ahead", "extra"):
                settled[key] = Settled(truths.get(key), copies.get(key), difference)
            else:
                undecided.append(key)
        return undecided


async def _nothing() -> None:
    return None


async def _stretch(store: Store, kind: Kind, key_range: KeyRange) -> dict[str, Record]:
    """Everything a store holds in a stretch of keys that is a page long on the other side."""
    found: dict[str, Record] = {}
    after = key_range.after
    while True:
        page = await store.scan(kind, KeyRange(after, key_range.upto), PAGE)
        found.update((record.key, record) for record in page)
        if len(page) < PAGE:
            return found
        after = page[-1].key


def _feed(running: "hashlib._Hash", record: Record | None) -> None:
    if record is not None:
        running.update(f"{record.key}\0{record.version}\0".encode("utf-8", "surrogatepass"))
        running.update(b"\0" if record.content is None else record.digest)
