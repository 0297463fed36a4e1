"""Carrying all records over while the truth goes on being written.

Ranges of keys are copied side by side, by any number of processes. Each batch is applied together with the
range's checkpoint in one atomic step, so a range whose worker was killed goes on after the last batch that
stands; and because the newest version wins in the copy, it does not matter whether a record arrives by this
road or by the sync follower, or by both, or twice.

A copy that rested for so long that the truth's log was cut beyond its place is copied anew: in a phase that
begins anew, so that no certificate of before speaks of it.
"""

from collections.abc import Awaitable, Callable, Sequence
from functools import partial

import msgspec

from manystore.errors import StepRefusedError
from manystore.followers.sync import Track
from manystore.moves.conditions import LEADS, draining_reasons, misplaced
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
        began_at, state = self._means.clock.now(), await self._onward(order)
        track = self._means.track(order.kind, state)
        # First the follower's place in the log, then the copy: what is written in between arrives twice.
        await self._place(track)
        if await track.is_cut_off():
            state, track = await self._begin_anew(order)
        run = await self._run(track, state)
        if run is None:
            return Begun(order=order, began_at=began_at, state=state)
        outline = await outlined(track.copy, run, partial(_outline, track))
        return Begun(
            order=order,
            began_at=began_at,
            state=state,
            run=run,
            ranges=len(outline.ranges),
            total=outline.total,
            done_before=sum(each.done for each in await checkpoints(track.copy, run)),
        )

    async def _onward(self, order: Order) -> State:
        placement = self._means.family[order.kind]
        state = await read_state(placement)
        if reasons := misplaced(order.action, state):
            raise StepRefusedError(kind=order.kind, step=order.action.value, conditions=reasons)
        onward = LEADS[order.action][1]
        if state.phase is onward:
            return state
        await self._demand(state, onward, self._means.track(order.kind, state), order.override)
        return await step(placement, state, onward) or await read_state(placement)

    async def _begin_anew(self, order: Order) -> tuple[State, Track]:
        """Let the phase begin anew, and the follower at the log's head; what it missed is to be copied."""
        placement = self._means.family[order.kind]
        state = await read_state(placement)
        if reasons := draining_reasons(state):
            raise StepRefusedError(kind=order.kind, step=order.action.value, conditions=reasons)
        state = await step(placement, state, state.phase) or await read_state(placement)
        track = self._means.track(order.kind, state)
        # That there is something to be copied is written down before the follower's place says otherwise.
        await outlined(track.copy, _anew(state, order.kind), partial(_outline, track))
        await track.begin_at_head(anew=True)
        return state, track

    async def _place(self, track: Track) -> None:
        """Let a follower that never ran begin at the head: all that is there before is copied."""
        await track.begin_at_head()

    async def _run(self, track: Track, state: State) -> str | None:
        """Where the copy's notes are: asked for again, it goes on. None where there is nothing to copy."""
        anew, kind = _anew(state, track.kind.name), track.kind.name
        if (await track.copy.note(f"{anew}outline")).revision:
            return anew
        # Named after the truth's reign rather than after the order.
        return f"moves/{kind}/copies/{state.truth_since}/"

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


def _anew(state: State, kind: str) -> str:
    return f"moves/{kind}/copies/{state.truth_since}-{state.phase_since}/"


async def _outline(track: Track) -> Outline:
    ranges, total = await cut(track.truth, track.kind)
    return Outline(ranges=ranges, total=total)


class Reopening(Copying):
    """The action that lets the source follow again after it rested; as a rule the log has all it missed."""

    async def _place(self, track: Track) -> None:
        """Leave it where it stood: nothing is copied but what it missed."""

    async def _run(self, track: Track, state: State) -> str | None:
        anew = _anew(state, track.kind.name)
        return anew if (await track.copy.note(f"{anew}outline")).revision else None

    async def end(self, begun: Begun, results: Sequence[bytes], report: Report) -> Result:
        """Let the follower reach the head."""
        copied = await super().end(begun, results, report)
        state = await read_state(self._means.family[begun.order.kind])
        result: Result = {"phase": state.phase.value, "epoch": state.epoch, "queued": copied["queued"]}
        return result | ({"records": copied["records"]} if begun.ranges else {})


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
