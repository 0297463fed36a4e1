"""Mending what two stores disagree about, always by a new version at the truth or a repeated copy.

Nothing is written to the copy past the versions: to make a copy give up what it holds, the truth's word is
written again above it, and arrives by the same road as any other change. What is given up is kept first.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Final, Literal

import msgspec

from manystore.clock import Clock
from manystore.comparison import Difference, compare
from manystore.conflicts import Resolver
from manystore.errors import RefusedError, StaleEpochError, StepRefusedError, VersionConflictError
from manystore.followers.queue import audit
from manystore.followers.sync import Track
from manystore.placement import State, read_state
from manystore.records import Content, Record, canonical
from manystore.stores.store import RogueWrite, Store

Keep = Literal["truth", "rogue"]
_ATTEMPTS: Final = 8

Decide = Callable[[Record | None, Record | None], "Awaitable[Word | None]"]
"""What shall stand, given what truth and copy hold just now; None where nothing is to be written."""


class Word(msgspec.Struct, frozen=True):
    """A content to be written (None: a deletion), and what is given up by it."""

    content: Content | None
    losers: tuple[Record, ...] = ()


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """What a person decided about a rogue write: which of the two stands, and why."""

    keep: Keep
    actor: str
    reason: str


class Repaired(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What became of differences: copied again, the truth's word repeated, or decided by the kind's rule.

    `left` are those that none of it settles: siblings for a person, or records that a store refuses, each
    with the reason.
    """

    copied: int = 0
    repeated: int = 0
    resolved: int = 0
    left: tuple[str, ...] = ()


async def keep_truth(truth: Record | None, copy: Record | None) -> Word | None:
    """The truth's word is repeated, unless it is newer anyway and arrives by itself."""
    if compare(truth, copy) is None or (
        truth is not None and copy is not None and copy.version < truth.version
    ):
        return None
    return Word(None if truth is None else truth.content, () if copy is None else (copy,))


async def reassert(track: Track, state: State, key: str, decide: Decide) -> Record | None:
    """Write what `decide` says at the truth above whatever either side holds; None where that is nothing.

    It is asked anew when the truth is written meanwhile, so that no write is undone by a decision that did
    not know of it. Raises VersionConflictError where the record is written faster than it can be read, and
    what the truth refuses.
    """
    for _ in range(_ATTEMPTS):
        truth = await track.truth.get(track.kind, key)
        copy = await track.copy.get(track.kind, key)
        word = await decide(truth, copy)
        if word is None:
            return None
        try:
            written = await _write_above(track, state, key, word.content, truth, copy)
        except VersionConflictError:
            continue
        await _replay(track, key)
        return written
    raise VersionConflictError(kind=track.kind.name, key=key, expected=None, actual=None)


async def _write_above(
    track: Track, state: State, key: str, content: Content | None, truth: Record | None, copy: Record | None
) -> Record:
    above = max(truth.version if truth else 0, copy.version if copy else 0)
    live = truth.version if truth is not None and not truth.is_deleted else None
    if content is not None:
        return await track.truth.put(track.kind, key, content, expected=live, epoch=state.epoch, above=above)
    if live is None:
        # A tombstone comes of deleting something: what only the copy has is written and deleted at once, and
        # where that is a tombstone as well, as little as a record can be.
        stray = copy.content if copy is not None and copy.content is not None else {"id": key}
        written = await track.truth.put(track.kind, key, stray, expected=None, epoch=state.epoch, above=above)
        live = written.version
    return await track.truth.delete(track.kind, key, expected=live, epoch=state.epoch, above=above)


async def _replay(track: Track, key: str) -> None:
    """Let a change that waits behind a dead letter go, now that there is a newer version to be carried."""
    if await track.queue.entry(key) is not None:
        await track.queue.replay(key)


async def repair(
    track: Track,
    state: State,
    differences: Iterable[Difference],
    *,
    clock: Clock,
    actor: str,
    resolver: Resolver | None = None,
) -> Repaired:
    """Settle differences in place: by copying again, by the truth's word, or by a resolver of the kind's own.

    What either side gives up is kept in the truth's audit, and what the queue has of these records is tried
    again. Raises UnavailableError, and StaleEpochError where the phase has changed.
    """
    keys = dict.fromkeys(difference.key for difference in differences)
    await track.queue.replay_all([entry for entry in await track.queue.entries() if entry.key in keys])
    mended = await _copy_again(track, list(keys))
    mending = _Mending(track, clock, actor, resolver)
    left = dict[str, str]()
    for key in keys:
        if key not in mended:
            try:
                if await reassert(track, state, key, mending.decide) is not None:
                    mended[key] = "repeated" if resolver is None else "resolved"
            except _UndecidedError:
                left[key] = key
            except StaleEpochError:
                raise
            except RefusedError as error:
                left[key] = f"{key}: {error}"
    left |= await _still_queued(track, mended)
    how = [mended[key] for key in mended.keys() - left.keys()]
    return Repaired(
        copied=how.count("copied"),
        repeated=how.count("repeated"),
        resolved=how.count("resolved"),
        left=tuple(left.values()),
    )


async def _copy_again(track: Track, keys: list[str]) -> dict[str, str]:
    """Carry over whatever the copy lacks or has an older version of; each key with how it was mended."""
    truths = await track.truth.get_many(track.kind, keys)
    copies = await track.copy.get_many(track.kind, keys)
    behind = {
        key: truth.version
        for key, truth in truths.items()
        if key not in copies or copies[key].version < truth.version
    }
    if behind:
        await track.carry(behind)
    return dict.fromkeys(behind, "copied")


async def _still_queued(track: Track, mended: Mapping[str, str]) -> dict[str, str]:
    """Let the copy follow, and tell of which of these records it refuses still, and why."""
    await track.reach(await track.truth.head(track.kind))
    entries = await track.queue.entries()
    return {entry.key: f"{entry.key}: {entry.reason}" for entry in entries if entry.key in mended}


class _UndecidedError(Exception):
    """A rule leaves a record to a person."""


class _Mending:
    """Decides what shall stand of each record, and keeps what does not before anything is written."""

    def __init__(self, track: Track, clock: Clock, actor: str, resolver: Resolver | None) -> None:
        self._track, self._clock, self._actor, self._resolver = track, clock, actor, resolver
        self._kept: set[tuple[str, int, bytes]] = set()

    async def decide(self, truth: Record | None, copy: Record | None) -> Word | None:
        """See Decide. Raises _UndecidedError."""
        word = await keep_truth(truth, copy)
        if word is None:
            return None
        if self._resolver is not None and copy is not None:
            word = _resolve(self._resolver, truth, copy)
        for loser in word.losers:
            await self._keep(loser)
        return word

    async def _keep(self, loser: Record) -> None:
        content = canonical(loser.content)
        if (loser.key, loser.version, content) in self._kept:
            return
        self._kept.add((loser.key, loser.version, content))
        await audit(
            self._track.truth,
            self._clock,
            actor=self._actor,
            action="repair.replaced",
            subject=f"{self._track.kind.name}/{loser.key} version {loser.version}",
            reason=content.decode(),
        )


def _resolve(resolver: Resolver, truth: Record | None, copy: Record) -> Word:
    if truth is None:
        # Made in the copy while it was apart: the rule of a kind that has one is to keep both sides' records.
        return Word(copy.content)
    resolution = resolver.resolve(truth, copy)
    if not resolution.is_settled:
        raise _UndecidedError
    return Word(resolution.content, resolution.losers)


async def settle_rogue_write(
    track: Track, state: State, store: Store, rogue: RogueWrite, decision: Decision, *, clock: Clock
) -> Record | None:
    """Decide about one rogue write: the truth's word stands, or what was written becomes the truth's.

    Returns what was written at the truth, if anything had to be. Audited with the evidence before that.
    Raises StaleEpochError where the phase has changed since `state`; the rogue write is then still kept.
    Raises StepRefusedError where the rogue content is wanted, and something else stands in its place by now.
    """
    subject = f"{track.kind.name}/{rogue.key} version {rogue.version} in {store.name}: {rogue.evidence}"
    action = f"rogue.keep-{decision.keep}"
    await audit(store, clock, actor=decision.actor, action=action, subject=subject, reason=decision.reason)
    record: Record | None = None
    if decision.keep == "rogue":
        held = await store.get(track.kind, rogue.key)
        if held is None or held.version != rogue.version:
            gone = f"What was written to {rogue.key} has been replaced since: make the change at the truth."
            raise StepRefusedError(kind=track.kind.name, step="settle", conditions=[gone])
        wanted = Word(held.content)

        async def keep_rogue(truth: Record | None, copy: Record | None) -> Word | None:
            return wanted

        record = await reassert(track, state, rogue.key, keep_rogue)
    elif store is track.copy:
        record = await reassert(track, state, rogue.key, keep_truth)
    await _assert_current(track, state)
    await store.forget_rogue_write(track.kind, rogue)
    return record


async def _assert_current(track: Track, state: State) -> None:
    """Where nothing had to be written, no store has checked the epoch, and the truth may have moved."""
    present = await read_state(track.placement)
    if present.epoch != state.epoch:
        raise StaleEpochError(
            store=track.truth.name,
            kind=track.kind.name,
            expected=state.epoch,
            actual=present.epoch,
            admits=present.takes_writes,
        )
