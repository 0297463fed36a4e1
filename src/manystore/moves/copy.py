"""Carrying all records over while the truth goes on being written.

Ranges of keys are copied side by side. Each batch is applied together with its checkpoint in one atomic
step, so a killed copy goes on after the last batch that stands; and because the newest version wins in the
copy, it does not matter whether a record arrives by this road or by the sync follower, or by both.
"""

import asyncio
from collections.abc import Sequence
from typing import Final

import msgspec

from manystore.clock import Clock
from manystore.errors import UnavailableError
from manystore.followers.sync import Track
from manystore.moves.plan import scan_pages
from manystore.moves.progress import Report, progress_at, unreported
from manystore.records import Record
from manystore.stores.store import KeyRange, Note

BATCH: Final = 1000
"""Records a batch. Memory holds a few batches of each range at work, whatever the size of the whole."""
AT_ONCE: Final = 2
"""Ranges at work at the same time: one is read and encoded while the copy merges the other."""


class _Checkpoint(msgspec.Struct, frozen=True):
    after: str | None
    upto: str | None
    done: int = 0
    finished: bool = False


class Copied(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What a copy did: records carried by all its runs, those that the copy refused, seconds of this run."""

    records: int
    refused: int
    seconds: float
    rate: float


class Copy:
    """One full copy of a kind, named so that a later process can go on with it."""

    def __init__(self, track: Track, name: str, *, clock: Clock, report: Report = unreported) -> None:
        self._track, self._prefix = track, f"moves/{track.kind.name}/copy/{name}/"
        self._clock, self._report = clock, report
        self._total = self._done = self._done_before = self._refused = 0
        self._began = 0.0

    async def run(self, ranges: int = 16) -> Copied:
        """Carry over everything that is not carried over yet.

        Raises UnavailableError when a store stays away longer than patient retries.
        """
        self._began = self._clock.monotonic()
        self._total = await self._track.truth.count(self._track.kind)
        todo = asyncio.Queue[tuple[str, _Checkpoint]]()
        for name, checkpoint in await self._checkpoints(ranges):
            self._done_before += checkpoint.done
            if not checkpoint.finished:
                todo.put_nowait((name, checkpoint))
        async with asyncio.TaskGroup() as group:
            for number in range(AT_ONCE):
                group.create_task(self._work(todo), name=f"copy {self._track.kind.name} {number}")
        seconds = self._clock.monotonic() - self._began
        return Copied(
            records=self._done_before + self._done,
            refused=self._refused,
            seconds=round(seconds, 3),
            rate=round(self._done / seconds, 1) if seconds else 0.0,
        )

    async def _checkpoints(self, count: int) -> list[tuple[str, _Checkpoint]]:
        """The ranges as they were cut when this copy first began, with how far each has come."""
        copy = self._track.copy
        if not (await copy.note(self._prefix + "ranges")).revision:
            cut = await self._track.truth.ranges(self._track.kind, count)
            await copy.write_note(self._prefix + "ranges", msgspec.json.encode(cut), expected=0)
        ranges = msgspec.json.decode((await copy.note(self._prefix + "ranges")).value, type=list[KeyRange])
        found = []
        for number, key_range in enumerate(ranges):
            name = f"{self._prefix}range/{number:05}"
            note = await copy.note(name)
            fresh = _Checkpoint(key_range.after, key_range.upto)
            found.append(
                (name, msgspec.json.decode(note.value, type=_Checkpoint) if note.revision else fresh)
            )
        return found

    async def _work(self, todo: "asyncio.Queue[tuple[str, _Checkpoint]]") -> None:
        while not todo.empty():
            name, checkpoint = todo.get_nowait()
            await self._copy_range(name, checkpoint)

    async def _copy_range(self, name: str, checkpoint: _Checkpoint) -> None:
        # The checkpoint that is stored with a batch speaks of the batches before it: what the copy refuses
        # of this one is queued only afterwards, and a crash in between must not pass over it. So a resumed
        # range repeats one batch, which changes nothing that already stands.
        settled, done = checkpoint.after, checkpoint.done
        rest = KeyRange(checkpoint.after, checkpoint.upto)
        async for page in scan_pages(self._track.truth, self._track.kind, rest, BATCH):
            await self._apply(page, name, _Checkpoint(settled, checkpoint.upto, done))
            settled, done = page[-1].key, done + len(page)
            self._done += len(page)
            await self._tell()
        finished = _Checkpoint(None, checkpoint.upto, done, finished=True)
        note = await self._track.copy.note(name)
        await self._track.copy.write_note(name, msgspec.json.encode(finished), expected=note.revision)

    async def _tell(self) -> None:
        seconds = self._clock.monotonic() - self._began
        expected = max(self._total - self._done_before, self._done)
        progress = progress_at("copy", self._done, expected, seconds)
        carried = self._done_before + self._done
        await self._report(msgspec.structs.replace(progress, done=carried, total=max(self._total, carried)))

    async def _apply(self, page: Sequence[Record], name: str, checkpoint: _Checkpoint) -> None:
        note = Note(name=name, value=msgspec.json.encode(checkpoint), revision=0)
        for attempt in range(8):
            try:
                outcomes = await self._track.copy.apply(self._track.kind, page, note=note)
                break
            except UnavailableError as error:
                # Slow down for as long as the copy asks, or suffers; the batch is repeated whole.
                await self._clock.sleep(max(error.retry_after, 0.1 * 2**attempt))
        else:
            outcomes = await self._track.copy.apply(self._track.kind, page, note=note)
        self._refused += await self._track.settle(page, outcomes)
