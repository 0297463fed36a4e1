"""How long change logs remember, so that they do not grow for ever.

An entry of a log is removed once it is older than `keep` and nobody needs it any more:

- every follower of that log has passed it: the copy's, and those whose positions are the notes
  `followers/<name>/<kind>/position` beside the log;
- while a copy follows, the certificate that holds and the comparisons under way speak of what lies after
  it. Without a certificate nothing is removed in these phases: whoever cuts back without one compares all
  that the truth accepted since it became it.

A copy that rests after a finish is no follower. Should it follow again when the log has been cut beyond its
place, it is told so by the log, and is copied anew (`copy`).

No log says how old its entries are. So the head is marked with the time now and then, in a note beside the
log; everything at or below a mark is at least as old as the mark. The wall clock decides, and only about
what nobody needs.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec
import structlog

from manystore.changes import START, Position
from manystore.clock import Clock
from manystore.errors import ManystoreError
from manystore.followers.claim import Claim
from manystore.followers.sync import position_name
from manystore.moves.certificate import CertificateFolder
from manystore.moves.conditions import valid_certificate
from manystore.moves.ranges import Outline
from manystore.moves.verify import Basis
from manystore.placement import Placement, Side, State, read_state
from manystore.stores.store import Store

KEEP: Final = dt.timedelta(days=7)
BATCH: Final = 1000
"""Entries removed by one statement, which must not hold up those who write."""
PAUSE: Final = 0.05
"""Seconds between two batches."""
_EVERY: Final = 3600.0
_MARKS: Final = 28
"""Marks made in the time for which entries are kept: four a day, where that is a week."""

log = structlog.get_logger(__name__)


class Mark(msgspec.Struct, frozen=True):
    """Where a log's head was, and when."""

    at: dt.datetime
    position: Position


def marks_name(kind: str) -> str:
    """The note, in the log's own store, of the kind's marks."""
    return f"log/{kind}/marks"


class Retention:
    """Cuts the logs of some kinds. Several workers may run one; `owner` is this one's name."""

    def __init__(
        self,
        placements: Sequence[Placement],
        folder: CertificateFolder,
        *,
        owner: str,
        clock: Clock,
        keep: dt.timedelta = KEEP,
    ) -> None:
        self._placements, self._folder, self._clock, self._keep = placements, folder, clock, keep
        self._every = min(_EVERY, keep.total_seconds() / _MARKS)
        self._claims = {
            each.kind.name: Claim(each.source, f"log/{each.kind.name}/claim", owner=owner, clock=clock)
            for each in placements
        }

    async def run(self) -> None:
        """Cut what may be cut, now and then, until cancelled."""
        while True:
            for placement in self._placements:
                try:
                    await self.cut(placement)
                except ManystoreError as error:
                    # Nothing waits for this: what could not be removed now is removed an hour later.
                    log.warning("log.not_cut", kind=placement.kind.name, reason=str(error))
            await self._clock.sleep(self._every)

    async def cut(self, placement: Placement) -> int:
        """Remove what may go of a kind's logs, in both stores; how many entries. Raises UnavailableError."""
        removed, claim = 0, self._claims[placement.kind.name]
        if await claim.hold():
            sides = (Side.SOURCE,) if placement.is_settled else tuple(Side)
            for side in sides:
                removed += await self._cut_side(placement, side, claim)
            await claim.release()
        return removed

    async def _cut_side(self, placement: Placement, side: Side, claim: Claim) -> int:
        store, kind = placement.store(side), placement.kind
        old, removed = await self._mark(store, placement), 0
        while old != START and await claim.hold():
            # Asked before each batch: who has stopped following may be about to begin again.
            needed = await self._needed(placement, side)
            upto = min([old, *needed.values()])
            count = await store.cut_log(kind, upto, BATCH) if upto != START else 0
            removed += count
            if count < BATCH:
                held_back = sorted(name for name, position in needed.items() if position < old)
                if removed or held_back:
                    log.info(
                        "log.cut", kind=kind.name, store=store.name, removed=removed, held_back_by=held_back
                    )
                break
            await self._clock.sleep(PAUSE)
        return removed

    async def _mark(self, store: Store, placement: Placement) -> Position:
        """Mark the head if it is time to; the position at or below which everything is older than `keep`."""
        now, note = self._clock.now(), await store.note(marks_name(placement.kind.name))
        marks = msgspec.json.decode(note.value, type=list[Mark]) if note.revision else []
        old = [mark for mark in marks if now - mark.at >= self._keep]
        young = [mark for mark in marks if now - mark.at < self._keep]
        if not marks or now - marks[-1].at >= self._keep / _MARKS:
            head = await store.head(placement.kind)
            if head != START:
                # Of the old ones the last says all. Losing this race is as good: another has marked it.
                kept = [*old[-1:], *young, Mark(now, head)]
                await store.write_note(note.name, msgspec.json.encode(kept), expected=note.revision)
        return old[-1].position if old else START

    async def _needed(self, placement: Placement, side: Side) -> Mapping[str, Position]:
        """Who needs the log of this side, and from which position on."""
        kind, state = placement.kind.name, await read_state(placement)
        needed = await _followers(placement.store(side), kind)
        if placement.is_settled:
            return needed
        follows = state.phase.has_copy and state.truth is side
        if follows or state.truth is not side:
            note = await placement.store(side.other).note(position_name(kind))
            if note.revision:
                needed["copy"] = msgspec.json.decode(note.value, type=Position)
            elif follows:
                needed["copy"] = START
        if state.phase.has_copy:
            needed |= await self._comparisons(placement, state, side)
        return needed

    async def _comparisons(self, placement: Placement, state: State, side: Side) -> Mapping[str, Position]:
        certificate, _ = valid_certificate(self._folder, placement, state)
        bases = {"certificate": Basis() if certificate is None else certificate.basis}
        for note in await placement.copy(state).notes(f"moves/{placement.kind.name}/comparisons/"):
            if note.name.endswith("/outline"):
                bases[note.name] = msgspec.json.decode(note.value, type=Outline).basis
        is_truth = state.truth is side
        return {name: basis.truth if is_truth else basis.copy for name, basis in bases.items()}


async def _followers(store: Store, kind: str) -> dict[str, Position]:
    ending = f"/{kind}/position"
    return {
        note.name.removesuffix(ending): msgspec.json.decode(note.value, type=Position)
        for note in await store.notes("followers/")
        if note.name.endswith(ending)
    }
