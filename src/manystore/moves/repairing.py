"""The action that settles what two stores disagree about: it compares all of both, and mends each difference.

Ranges are walked as by a verification, so it is resumable, shared by workers, and takes in every difference
however many there are. What it could not settle is counted and named. It issues no certificate: verify then.
"""

from collections.abc import Sequence
from functools import partial
from typing import Final

import msgspec

from manystore.clock import Clock
from manystore.errors import StepRefusedError
from manystore.followers.queue import audit
from manystore.followers.settling import repair
from manystore.followers.sync import Track
from manystore.moves.comparing import ComparisonCheckpoint, RangeComparison
from manystore.moves.conditions import copy_reasons, draining_reasons
from manystore.moves.pace import Pace
from manystore.moves.procedures import Begun, Order, Result
from manystore.moves.progress import Report
from manystore.moves.ranges import checkpoint_name, cut, read_outline
from manystore.moves.verifying import SHOWN, Comparison
from manystore.placement import State, read_state
from manystore.records import Record
from manystore.stores.store import KeyRange

_NAMED: Final = 100
"""Records of one range that are named where they could not be settled; all are counted."""


class RepairCheckpoint(ComparisonCheckpoint, kw_only=True):
    """How far the repair of a range has come, and what became of its differences.

    Where a worker is killed between mending and noting it, what was mended is found in order the next time,
    and missing from these figures; the audit has it all the same.
    """

    copied: int = 0
    repeated: int = 0
    resolved: int = 0
    left_count: int = 0
    left: list[str] = msgspec.field(default_factory=list)


class RangeRepair(RangeComparison):
    """The repair of one range."""

    checkpoint_form = RepairCheckpoint
    # Each difference is settled where it is met.
    names_what_is_told = False

    def __init__(
        self,
        track: Track,
        name: str,
        key_range: KeyRange,
        *,
        clock: Clock,
        pace: Pace,
        state: State,
        actor: str,
    ) -> None:
        super().__init__(track, name, key_range, clock=clock, pace=pace)
        self._state, self._actor = state, actor

    async def _take_in(
        self, at: ComparisonCheckpoint, page: Sequence[Record], there: dict[str, Record]
    ) -> bool:
        judged = await self._pace.ask(partial(self._verifier.judge, page, there))
        at.take_in(judged)
        found = [each.difference for each in judged if each.difference is not None]
        if not found or not isinstance(at, RepairCheckpoint):
            return False
        mend = partial(
            repair,
            self._track,
            self._state,
            found,
            clock=self._clock,
            actor=self._actor,
            resolver=self._track.placement.resolver,
        )
        done = await self._pace.ask(mend)
        at.copied, at.repeated = at.copied + done.copied, at.repeated + done.repeated
        at.resolved, at.left_count = at.resolved + done.resolved, at.left_count + len(done.left)
        at.left = [*at.left, *done.left][:_NAMED]
        return True


class Repairing(Comparison):
    """Compare both sides in full, and settle what differs."""

    async def begin(self, order: Order) -> Begun:
        """Write down who asked and why, then cut the truth into ranges."""
        placement = self._means.family[order.kind]
        state = await read_state(placement)
        reasons = copy_reasons(state) or draining_reasons(state)
        if not order.reason:
            reasons.append("A repair is written down with who asked for it and why: give a reason.")
        if reasons:
            raise StepRefusedError(kind=order.kind, step=order.action.value, conditions=reasons)
        track = self._means.track(order.kind, state)
        await audit(
            track.truth,
            self._means.clock,
            actor=order.actor,
            action="move.repair",
            subject=order.kind,
            reason=order.reason,
        )
        return await self._begin(order, state, lambda track: cut(track.truth, track.kind))

    async def do_range(self, begun: Begun, number: int) -> bytes:
        """Repair one range."""
        track, means, state = self._means.track_of(begun), self._means, begun.state
        if state is None:
            raise RuntimeError("a repair is begun in a state")
        outline = await means.pace.ask(partial(read_outline, track.copy, begun.run))
        range_repair = RangeRepair(
            track,
            checkpoint_name(begun.run, number),
            outline.ranges[number],
            clock=means.clock,
            pace=means.pace,
            state=state,
            actor=begun.order.actor,
        )
        return msgspec.json.encode(await range_repair.walk())

    async def end(self, begun: Begun, results: Sequence[bytes], report: Report) -> Result:
        """Add up."""
        track = self._means.track_of(begun)
        done = [msgspec.json.decode(result, type=RepairCheckpoint) for result in results]
        left = [key for each in done for key in each.left]
        return {
            "compared": sum(each.done for each in done),
            "seconds": round(self._means.seconds_since(begun.began_at), 3),
            "differences": sum(each.difference_count for each in done),
            "copied": sum(each.copied for each in done),
            "repeated": sum(each.repeated for each in done),
            "resolved": sum(each.resolved for each in done),
            "left": sum(each.left_count for each in done),
            "samples": left[:SHOWN],
            "queued": len(await track.queue.entries()),
        }
