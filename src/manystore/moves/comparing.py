"""Comparing one range of keys from end to end, in steps that can be stopped and gone on with.

Both sides are walked in step, either by whole records or, for the price of an index, by keys and versions.

What a range comes to is a running digest for either side, a count, and samples of what differs. All of it is
kept in the range's checkpoint every now and then, so a killed worker's range is gone on with by another one,
and the sum of the checkpoints is how far the whole is.
"""

import abc
import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import partial
from typing import ClassVar, Final, Generic, Protocol, TypeVar

import msgspec

from manystore.clock import Clock
from manystore.comparison import Difference
from manystore.errors import UnavailableError
from manystore.followers.sync import Track
from manystore.moves.pace import Pace
from manystore.moves.ranges import Checkpoint, keep_checkpoint
from manystore.moves.verify import BY_RECORD, PAGE, RangeProof, Settled, Verifier
from manystore.records import Kind, Record, digest_of_text
from manystore.stores.store import Condensed, Condensing, Depth, KeyRange, KeyVersion, Store

SAMPLES: Final = 100
"""Differences of one range that are kept in full; all are counted."""
KEEP_EVERY: Final = 0.25
"""Seconds between two checkpoints of a range: what a kill costs, and how often progress is told."""

MOST_TOLD: Final = 100_000
"""Records of a range that stores may be asked to stand for one by one: all of them lie in memory."""

_FIRST: Final = bytes(32)


class _Keyed(Protocol):
    @property
    def key(self) -> str: ...


R = TypeVar("R", bound=_Keyed)
Read = Callable[[Kind, KeyRange, int], Awaitable[list[R]]]


class ComparisonCheckpoint(Checkpoint, kw_only=True):
    """How far the comparison of a range has come: everything up to `after` is in the digests."""

    after: str | None = None
    count: int = 0
    truth_digest: bytes = _FIRST
    copy_digest: bytes = _FIRST
    difference_count: int = 0
    differences: list[Difference] = msgspec.field(default_factory=list)
    moving: int = 0
    form: str = BY_RECORD

    def take_in(self, judged: Iterable[Settled]) -> None:
        """Add records, in key order."""
        for settled in judged:
            self.count += settled.truth is not None
            self.moving += settled.is_moving
            # Where both sides came to the same before, and hold the same here, they come to the same again.
            is_same = settled.text is not None and self.truth_digest == self.copy_digest
            self.truth_digest = chain(self.truth_digest, settled.truth, settled.text)
            self.copy_digest = (
                self.truth_digest if is_same else chain(self.copy_digest, settled.copy, settled.text)
            )
            if settled.difference is not None:
                self.note(settled.difference)

    def note(self, difference: Difference) -> None:
        """Count a difference, and keep it if it is one of the first."""
        self.difference_count += 1
        if len(self.differences) < SAMPLES:
            self.differences.append(difference)

    def take_whole(self, truth: Condensed, copy: Condensed, upto: str | None) -> None:
        """Add the whole range, as both stores put it; what differs is noted besides."""
        self.after, self.finished, self.form = upto, True, truth.form
        self.count = self.done = truth.count
        self.truth_digest, self.copy_digest = truth.digest, copy.digest


class RangeCompared(msgspec.Struct, frozen=True):
    """What the comparison of one range found. `differences` are the first ones; the count is of all."""

    proof: RangeProof
    compared: int
    difference_count: int
    differences: tuple[Difference, ...]
    moving: int = 0


def chain(digest: bytes, record: Record | None, text: bytes | None = None) -> bytes:
    """The running digest of one side after one more record, or none; `text`: its canonical form, if known."""
    if record is None:
        return digest
    head = f"{record.key}\0{record.version}\0".encode("utf-8", "surrogatepass")
    return hashlib.sha256(digest + head + _content_digest(record, text)).digest()


def _content_digest(record: Record, text: bytes | None) -> bytes:
    if text is not None:
        return digest_of_text(text)
    return b"\0" if record.content is None else record.digest


class RangeWalk(abc.ABC, Generic[R]):
    """One range of one direction of one kind, and the note of its checkpoint.

    `by_record` is for who needs digests of the form BY_RECORD, whatever the stores can say by themselves.
    """

    checkpoint_form: ClassVar[type[ComparisonCheckpoint]] = ComparisonCheckpoint
    condensed_as: ClassVar[Depth | None] = None
    """What both stores may be asked to say of the whole range first; None where each record must be met."""
    names_what_is_told: ClassVar[bool] = False
    """Whether they may also be asked which records differ, and nothing else be done about those."""

    def __init__(
        self,
        track: Track,
        name: str,
        key_range: KeyRange,
        *,
        clock: Clock,
        pace: Pace,
        by_record: bool = False,
    ) -> None:
        self._track, self._name, self._range, self._by_record = track, name, key_range, by_record
        self._clock, self._pace = clock, pace
        self._verifier = Verifier(track, clock=clock)

    @abc.abstractmethod
    def _reader(self, store: Store) -> Read[R]:
        """How a store is read in key order."""

    @abc.abstractmethod
    async def _take_in(self, at: ComparisonCheckpoint, page: Sequence[R], there: dict[str, R]) -> bool:
        """Judge one stretch of both sides; whether its checkpoint must not wait."""

    async def run(self) -> RangeCompared:
        """Compare what is left. Raises UnavailableError when a store stays away for too long."""
        at = await self.walk()
        return RangeCompared(
            proof=RangeProof(
                after=self._range.after,
                upto=self._range.upto,
                count=at.count,
                truth_digest=at.truth_digest.hex(),
                copy_digest=at.copy_digest.hex(),
                form=at.form,
            ),
            compared=at.done,
            difference_count=at.difference_count,
            differences=tuple(at.differences),
            moving=at.moving,
        )

    async def walk(self) -> ComparisonCheckpoint:
        """Walk what is left; the last checkpoint. Raises UnavailableError."""
        at = await self._checkpoint()
        if not at.done and not at.finished and await self._is_told(at):
            await self._keep(at)
        if not at.finished:
            await self._walk(at)
        return at

    async def _is_told(self, at: ComparisonCheckpoint) -> bool:
        """Whether what both stores say of the whole range is enough, which is then in the checkpoint.

        They are asked at the same time, more or less. What is written meanwhile makes them differ, and then
        the records are met one by one, as they are where a store cannot answer, or not quickly enough.
        """
        truth, copy, depth = self._track.truth, self._track.copy, self.condensed_as
        if self._by_record or depth is None:
            return False
        if not isinstance(truth, Condensing) or not isinstance(copy, Condensing):
            return False
        asked = (self._track.kind, self._range)
        try:
            async with self._pace.turn():
                one, other = await asyncio.gather(truth.condense(*asked, depth), copy.condense(*asked, depth))
                if one == other:
                    at.take_whole(one, other, self._range.upto)
                elif self.names_what_is_told and one.form == other.form and one.count <= MOST_TOLD:
                    await self._tell_apart(
                        at,
                        one,
                        other,
                        await asyncio.gather(truth.condense_each(*asked), copy.condense_each(*asked)),
                    )
        except UnavailableError:
            return False
        return at.finished

    async def _tell_apart(
        self,
        at: ComparisonCheckpoint,
        truth: Condensed,
        copy: Condensed,
        each: Sequence[dict[str, int]],
    ) -> None:
        """Look at the records of which the stores say different things, and finish if some do differ.

        If none does, the range has to be walked all the same: it may be certified then, and of one moment at
        which both were alike neither has spoken.
        """
        here, there = each
        suspects = sorted({key for key, _ in here.items() ^ there.items()})
        found, moving = list[Difference](), 0
        for start in range(0, len(suspects), PAGE):
            settled = await self._verifier.settle(suspects[start : start + PAGE])
            found += [each.difference for each in settled.values() if each.difference is not None]
            moving += sum(each.is_moving for each in settled.values())
        if not found:
            return
        at.moving = moving
        at.take_whole(truth, copy, self._range.upto)
        for difference in sorted(found, key=lambda each: each.key):
            at.note(difference)

    async def _checkpoint(self) -> ComparisonCheckpoint:
        note = await self._pace.ask(partial(self._track.copy.note, self._name))
        if note.revision:
            return msgspec.json.decode(note.value, type=self.checkpoint_form)
        return self.checkpoint_form(after=self._range.after)

    async def _walk(self, at: ComparisonCheckpoint) -> None:
        """Walk both sides in step: a page of the truth, and the same stretch of the copy."""
        kept = self._clock.monotonic()
        page = await self._page(at.after)
        while not at.finished:
            async with self._pace.turn():
                at.finished = len(page) < PAGE
                upto = self._range.upto if at.finished else page[-1].key
                ahead = self._nothing() if at.finished else self._page(upto)
                there, following = await asyncio.gather(self._stretch(KeyRange(at.after, upto)), ahead)
                is_urgent = await self._take_in(at, page, there)
                at.after, at.done, page = upto, at.done + len(page), following
                self._pace.went_well()
            if at.finished or is_urgent or self._clock.monotonic() - kept >= KEEP_EVERY:
                kept = self._clock.monotonic()
                await self._keep(at)

    async def _keep(self, at: ComparisonCheckpoint) -> None:
        at.slowed = self._pace.slowed
        value = msgspec.json.encode(at)
        await self._pace.ask(partial(keep_checkpoint, self._track.copy, self._name, value))

    async def _page(self, after: str | None) -> list[R]:
        read, rest = self._reader(self._track.truth), KeyRange(after, self._range.upto)
        return await self._pace.ask(partial(read, self._track.kind, rest, PAGE))

    async def _stretch(self, stretch: KeyRange) -> dict[str, R]:
        read = self._reader(self._track.copy)
        return await self._pace.ask(partial(read_stretch, read, self._track.kind, stretch))

    @staticmethod
    async def _nothing() -> list[R]:
        return []


class RangeComparison(RangeWalk[Record]):
    """By every byte."""

    condensed_as = "full"
    names_what_is_told = True

    def _reader(self, store: Store) -> Read[Record]:
        return store.scan

    async def _take_in(
        self, at: ComparisonCheckpoint, page: Sequence[Record], there: dict[str, Record]
    ) -> bool:
        at.take_in(await self._pace.ask(partial(self._verifier.judge, page, there)))
        return False


class RangeVersions(RangeWalk[KeyVersion]):
    """By keys and versions; the digests of such a comparison say nothing."""

    condensed_as = "versions"

    def _reader(self, store: Store) -> Read[KeyVersion]:
        return store.versions

    async def _take_in(
        self, at: ComparisonCheckpoint, page: Sequence[KeyVersion], there: dict[str, KeyVersion]
    ) -> bool:
        at.count += len(page)
        for difference in await self._pace.ask(partial(self._verifier.judge_versions, page, there)):
            at.note(difference)
        return False


async def read_stretch(read: Read[R], kind: Kind, key_range: KeyRange) -> dict[str, R]:
    """Everything a store holds in a stretch of keys that is a page long on the other side."""
    found: dict[str, R] = {}
    after = key_range.after
    while True:
        page = await read(kind, KeyRange(after, key_range.upto), PAGE)
        found.update((record.key, record) for record in page)
        if len(page) < PAGE:
            return found
        after = page[-1].key
