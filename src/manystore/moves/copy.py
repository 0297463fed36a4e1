"""Carrying all records over while the truth goes on being written.

Ranges of keys are copied side by side, by any number of processes. Each batch is applied together with the
range's checkpoint in one atomic step, so a range whose worker was killed goes on after the last batch that
stands; and because the newest version wins in the copy, it does not matter whether a record arrives by this
road or by the sync follower, or by both, or twice.
"""

from collections.abc import Awaitable, Callable, Sequence
from functools import partial

import msgspec

from manystore.errors import StepRefusedError
from manystore.followers.sync import Track
from manystore.moves.conditions import misplaced
from manystore.moves.pace import Pace
from manystore.moves.procedures import Begun, Means, Order, Result
from manystore.moves.progress import Report
from manystore.moves.ranges import (
    BATCH,
    Checkpoint,
    Outline,
    checkpoint_name,
    checkpoints,
    cut,
    keep_checkpoint,
    outlined,
    read_outline,
)
from manystore.moves.tasks import Override
from manystore.placement import Phase, State, read_state, step
from manystore.records import Record
from manystore.stores.store import KeyRange, Note

Demand = Callable[[State, Phase, Track, Override | None], Awaitable[None]]
"""Raises StepRefusedError where a step must not be taken, unless somebody answers for it."""


class Copied(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What a copy did: records carried in all its runs, those that the copy refused, seconds and records a
    second of this run.
    """

    records: int
    refused: int
    seconds: float
    rate: float
    queued: int


class CopyCheckpoint(Checkpoint, kw_only=True):
    """How far a range has come: everything up to `after` is applied, or queued where it was refused."""

    after: str | None = None
    refused: int = 0


class RangeCopied(msgspec.Struct, frozen=True):
    """What the copy of one range came to, over all attempts."""

    records: int
    refused: int


class Copying:
    """The action that lets the copy follow from now on, and carries over all that was there before."""

    def __init__(self, means: Means, demand: Demand) -> None:
        self._means, self._demand = means, demand

    async def begin(self, order: Order) -> Begun:
        """Go to the phase in which both are written, let the follower begin, and cut the ranges."""
        placement = self._means.family[order.kind]
        began_at, state = self._means.clock.now(), await read_state(placement)
        if reasons := misplaced(order.action, state):
            raise StepRefusedError(kind=order.kind, step=order.action.value, conditions=reasons)
        track = self._means.track(order.kind, state)
        if not state.phase.has_copy:
            onward = Phase.DUAL_WRITE_SOURCE_READ
            await self._demand(state, onward, track, order.override)
            state = await step(placement, state, onward) or await read_state(placement)
        # First the follower's place in the log, then the copy: what is written in between arrives twice.
        await track.begin_at_head()
        # Named after the truth's reign rather than after the order: asked for again, a copy goes on.
        run = f"moves/{order.kind}/copies/{state.truth_since}/"

        async def make() -> Outline:
            ranges, total = await cut(track.truth, track.kind)
            return Outline(ranges=ranges, total=total)

        outline = await outlined(track.copy, run, make)
        return Begun(
            order=order,
            began_at=began_at,
            state=state,
            run=run,
            ranges=len(outline.ranges),
            total=outline.total,
            done_before=sum(each.done for each in await checkpoints(track.copy, run)),
        )

    async def do_range(self, begun: Begun, number: int) -> bytes:
        """Copy one range."""
        track, pace = self._means.track_of(begun), self._means.pace
        outline = await pace.ask(partial(read_outline, track.copy, begun.run))
        name = checkpoint_name(begun.run, number)
        return msgspec.json.encode(await copy_range(track, name, outline.ranges[number], pace=pace))

    async def end(self, begun: Begun, results: Sequence[bytes], report: Report) -> Result:
        """Let the follower reach what was written meanwhile, and add up."""
        track = self._means.track_of(begun)
        copied = [msgspec.json.decode(result, type=RangeCopied) for result in results]
        records = sum(each.records for each in copied)
        seconds = self._means.seconds_since(begun.began_at)
        await track.reach(await track.truth.head(track.kind))
        report_of_copy = Copied(
            records=records,
            refused=sum(each.refused for each in copied),
            seconds=round(seconds, 3),
            rate=round((records - begun.done_before) / seconds, 1) if seconds else 0.0,
            queued=len(await track.queue.entries()),
        )
        built: Result = msgspec.to_builtins(report_of_copy)
        return built


async def copy_range(track: Track, name: str, key_range: KeyRange, *, pace: Pace) -> RangeCopied:
    """Carry over what is left of a range.

    Raises UnavailableError when a store stays away for longer than the pace is patient.
    """
    note = await pace.ask(partial(track.copy.note, name))
    at = msgspec.json.decode(note.value, type=CopyCheckpoint) if note.revision else None
    if at is None:
        at = CopyCheckpoint(after=key_range.after)
    while not at.finished:
        async with pace.turn():
            rest = KeyRange(at.after, key_range.upto)
            page = await pace.ask(partial(track.truth.scan, track.kind, rest, BATCH))
            if page:
                at = await _carry(track, name, page, at, pace)
            at.finished, at.slowed = len(page) < BATCH, pace.slowed
    await pace.ask(partial(keep_checkpoint, track.copy, name, msgspec.json.encode(at)))
    return RangeCopied(at.done, at.refused)


async def _carry(
    track: Track, name: str, page: Sequence[Record], at: CopyCheckpoint, pace: Pace
) -> CopyCheckpoint:
    # The checkpoint that is stored with a batch speaks of the batches before it: what the copy refuses of
    # this one is queued only afterwards, and a crash in between must not pass over it. So a resumed range
    # repeats one batch, which changes nothing that already stands.
    note = Note(name=name, value=msgspec.json.encode(at), revision=0)
    apply = partial(track.copy.apply, track.kind, page, note=note)
    outcomes = await pace.merge(track.copy.name, len(page), apply)
    refused = await pace.ask(partial(track.settle, page, outcomes))
    return CopyCheckpoint(after=page[-1].key, done=at.done + len(page), refused=at.refused + len(refused))
