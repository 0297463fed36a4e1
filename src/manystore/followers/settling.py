"""Mending what two stores disagree about, always by a new version at the truth or a repeated copy.

Nothing is written to the copy past the versions: to make a copy give up what it holds, the truth's word is
written again above it, and arrives by the same road as any other change. What is given up is kept first.
"""

import contextlib
from collections.abc import Iterable
from typing import Final, Literal

import msgspec

from manystore.clock import Clock
from manystore.comparison import Difference, compare
from manystore.conflicts import Resolver
from manystore.errors import RefusedError, UnavailableError, VersionConflictError
from manystore.followers.queue import audit
from manystore.followers.sync import Track
from manystore.placement import State
from manystore.records import Content, Record, canonical
from manystore.stores.store import RogueWrite, Store

Keep = Literal["truth", "rogue"]
_ATTEMPTS: Final = 8


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """What a person decided about a rogue write: which of the two stands, and why."""

    keep: Keep
    actor: str
    reason: str


class Repaired(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What became of differences: copied again, the truth's word repeated, or decided by the kind's rule.

    `left` are those that neither settles: siblings for a person, or records that a store refuses.
    """

    copied: int = 0
    repeated: int = 0
    resolved: int = 0
    left: tuple[str, ...] = ()


async def reassert(track: Track, state: State, key: str, content: Content | None) -> Record:
    """Write a content (None: a deletion) at the truth above whatever either side holds under the key.

    Raises VersionConflictError where the record is written faster than it can be read, and what the truth
    refuses.
    """
    for _ in range(_ATTEMPTS):
        truth = await track.truth.get(track.kind, key)
        copy = await track.copy.get(track.kind, key)
        above = max(truth.version if truth else 0, copy.version if copy else 0)
        with contextlib.suppress(VersionConflictError):
            return await _write_above(track, state, key, content, truth, above)
    raise VersionConflictError(kind=track.kind.name, key=key, expected=None, actual=None)


async def _write_above(
    track: Track, state: State, key: str, content: Content | None, truth: Record | None, above: int
) -> Record:
    live = truth.version if truth is not None and not truth.is_deleted else None
    if content is not None:
        return await track.truth.put(track.kind, key, content, expected=live, epoch=state.epoch, above=above)
    if live is None:
        # A tombstone comes of deleting something; what only the copy has is written and deleted at once.
        stray = await track.copy.get(track.kind, key)
        if stray is None or stray.content is None:
            raise VersionConflictError(kind=track.kind.name, key=key, expected=None, actual=None)
        written = await track.truth.put(
            track.kind, key, stray.content, expected=None, epoch=state.epoch, above=above
        )
        live = written.version
    return await track.truth.delete(track.kind, key, expected=live, epoch=state.epoch, above=above)


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

    What the copy held and gives up is kept in the truth's audit. Raises UnavailableError.
    """
    copied = repeated = resolved = 0
    left: list[str] = []
    for difference in differences:
        key = difference.key
        truth, copy = await track.truth.get(track.kind, key), await track.copy.get(track.kind, key)
        if compare(truth, copy) is None:
            continue
        try:
            if truth is not None and (copy is None or copy.version < truth.version):
                await track.carry({key: truth.version})
                copied += 1
                continue
            content, is_settled = _decide(truth, copy, resolver)
            if not is_settled:
                left.append(key)
                continue
            await _keep(track.truth, clock, actor, track.kind.name, copy)
            await reassert(track, state, key, content)
        except RefusedError as error:
            left.append(f"{key}: {error}")
            continue
        resolved, repeated = (resolved + 1, repeated) if resolver else (resolved, repeated + 1)
    await track.reach(await track.truth.head(track.kind))
    return Repaired(copied=copied, repeated=repeated, resolved=resolved, left=tuple(left))


def _decide(
    truth: Record | None, copy: Record | None, resolver: Resolver | None
) -> tuple[Content | None, bool]:
    if resolver is None or truth is None or copy is None:
        return (None if truth is None else truth.content), True
    resolution = resolver.resolve(truth, copy)
    return resolution.content, resolution.is_settled


async def _keep(store: Store, clock: Clock, actor: str, kind: str, loser: Record | None) -> None:
    if loser is None:
        return
    subject = f"{kind}/{loser.key} version {loser.version}"
    content = canonical(loser.content).decode()
    await audit(store, clock, actor=actor, action="repair.replaced", subject=subject, reason=content)


async def settle_rogue_write(
    track: Track, state: State, store: Store, rogue: RogueWrite, decision: Decision, *, clock: Clock
) -> Record | None:
    """Decide about one rogue write: the truth's word stands, or what was written becomes the truth's.

    Audited with the evidence before anything is written. Raises UnavailableError where the rogue content
    is wanted, and something else stands in its place by now: write that change by the usual road.
    """
    subject = f"{track.kind.name}/{rogue.key} version {rogue.version} in {store.name}: {rogue.evidence}"
    action = f"rogue.keep-{decision.keep}"
    await audit(store, clock, actor=decision.actor, action=action, subject=subject, reason=decision.reason)
    held = await store.get(track.kind, rogue.key)
    record: Record | None = None
    if decision.keep == "rogue":
        if held is None or held.version != rogue.version:
            gone = "what was written has been replaced since; make the change at the truth"
            raise UnavailableError(subject=f"{track.kind.name}/{rogue.key}", reason=gone)
        record = await reassert(track, state, rogue.key, held.content)
    elif store is track.copy:
        truth = await track.truth.get(track.kind, rogue.key)
        if compare(truth, held) is not None:
            record = await reassert(track, state, rogue.key, None if truth is None else truth.content)
    await store.forget_rogue_write(track.kind, rogue)
    return record
