"""The step that changes the truth, forward or back: the same code with the stores exchanged.

    roll        hear from every node, where the store cannot fence by itself         writes flow
    passes      compare what changed since the basis, until little is left          writes flow
    announce    epoch + 1, the old truth admits nothing                             ─┐
    wait        for leases, where the store cannot fence by itself                   │
    drain       the copy follows to the head that the log has now                    │ writes wait
    check       the queue is empty, and what changed since the last pass agrees      │
    commit      epoch + 2, the other store is the truth                             ─┘

Whatever fails before the commit undoes the announcement. Whoever dies before it leaves a drain that any
node undoes within a lease (see `placement.drains`); whoever dies after it has decided, and any node finishes.
"""

import asyncio
import contextlib
import random
from typing import Final

import msgspec
import structlog

from manystore.clock import Clock
from manystore.comparison import Difference
from manystore.errors import ManystoreError, StepRefusedError
from manystore.followers.sync import Track
from manystore.moves.conditions import queue_reasons, rogue_reasons
from manystore.moves.verify import Basis, Verification, Verifier
from manystore.placement import (
    Phase,
    Placement,
    Roll,
    State,
    announce,
    beating,
    commit,
    undo,
)

_FEW: Final = 50
"""Records that are quick enough to compare while writes wait."""
_MOST_PASSES: Final = 8

log = structlog.get_logger(__name__)


class CutOver(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A truth that moved. `pause` is the time in seconds for which no store took writes.

    `overridden` are the findings that would have refused it, had not somebody answered for them.
    """

    kind: str
    phase: Phase
    epoch: int
    pause: float
    passes: int
    checked: int
    overridden: tuple[str, ...] = ()


class _Step(msgspec.Struct, frozen=True):
    """Everything that one attempt works with."""

    placement: Placement
    state: State
    phase: Phase
    track: Track
    clock: Clock
    lease: float
    roll: Roll
    is_overridden: bool
    overridden: list[str]

    def object(self, *conditions: str) -> None:
        """Refuse the step, or note what somebody answers for."""
        if not self.is_overridden:
            raise self.refused(*conditions)
        self.overridden.extend(conditions)

    def refused(self, *conditions: str) -> StepRefusedError:
        return StepRefusedError(kind=self.placement.kind.name, step=self.phase.value, conditions=conditions)

    async def compare_since(self, basis: Basis) -> Verification:
        # Writes may be waiting: what is queued by now refuses the step at once.
        found = await Verifier(self.track, clock=self.clock, waits=False).since(basis)
        if not found.agrees:
            named = ", ".join(describe(difference) for difference in found.differences[:5])
            self.object(f"{found.difference_count} records differ since the certificate ({named}).")
        return found


def describe(difference: Difference) -> str:
    """A difference in one line."""
    where = f" in {', '.join(difference.fields[:5])}" if difference.fields else ""
    return f"{difference.key} {difference.sort}{where}"


async def cut_over(
    placement: Placement,
    state: State,
    phase: Phase,
    basis: Basis,
    *,
    clock: Clock,
    randomness: random.Random,
    lease: float,
    drain_limit: float = 5.0,
    is_overridden: bool = False,
) -> CutOver:
    """Move the truth of a kind as `phase` says, if everything that changed since `basis` agrees.

    Raises StepRefusedError, with every reason, when it does not; the old truth is then in force again.
    With `is_overridden` it moves all the same, and says what it found.
    """
    track = Track(placement, state, clock=clock, randomness=randomness)
    roll = Roll(placement, state, clock=clock, lease=lease)
    step = _Step(placement, state, phase, track, clock, lease, roll, is_overridden, [])
    if track.truth.fencing == "lease":
        await roll.call()
    passes, checked, basis = await _approach(step, basis)
    began = clock.monotonic()
    draining = await announce(placement, state, phase)
    if draining is None:
        raise step.refused("The phase was changed by somebody else meanwhile: look again.")
    new, last = await _flip(step, draining, basis, drain_limit)
    pause = clock.monotonic() - began
    log.info("move.cut_over", kind=placement.kind.name, phase=phase.value, epoch=new.epoch, pause=pause)
    return CutOver(
        kind=placement.kind.name,
        phase=phase,
        epoch=new.epoch,
        pause=round(pause, 4),
        passes=passes,
        checked=checked + last.compared,
        overridden=tuple(step.overridden),
    )


async def _approach(step: _Step, basis: Basis) -> tuple[int, int, Basis]:
    """Compare what changed, again and again while writes flow, until little is left for the pause."""
    passes = checked = 0
    while passes < _MOST_PASSES:
        found = await step.compare_since(basis)
        passes, checked, basis = passes + 1, checked + found.compared, found.basis
        if found.compared <= _FEW:
            break
    return passes, checked, basis


async def _flip(step: _Step, draining: State, basis: Basis, drain_limit: float) -> tuple[State, Verification]:
    """Drain, check and commit while writes wait; whatever fails before the commit lets them go on."""
    try:
        async with (
            asyncio.timeout(drain_limit),
            beating(step.placement, draining, clock=step.clock, lease=step.lease),
        ):
            last = await _drain(step, draining, basis)
            new = await commit(step.placement, draining, step.phase, step.clock.now())
    except BaseException as error:
        await asyncio.shield(_let_go(step.placement, draining))
        if isinstance(error, TimeoutError):
            raise step.refused(f"The copy did not catch up within {drain_limit:.0f} s.") from error
        raise
    if new is None:
        raise step.refused("The cut-over took too long, and another node undid it: try again.")
    return new, last


async def _drain(step: _Step, draining: State, basis: Basis) -> Verification:
    """Bring the copy to where the truth stopped, and look once more at what changed last."""
    if step.track.truth.fencing == "lease":
        await step.roll.acknowledged(draining.epoch)
    # Only now is the head final: every write under an older epoch is in the log or will be refused.
    await step.track.reach(await step.track.truth.head(step.placement.kind))
    reasons = queue_reasons(await step.track.queue.entries()) + await rogue_reasons(step.track)
    if reasons:
        step.object(*reasons)
    last = await step.compare_since(basis)
    if last.moving:
        # Nobody may write just now, so what these hold was not compared at rest.
        step.object(f"{last.moving} records went on changing while writes waited: find out who writes.")
    return last


async def _let_go(placement: Placement, draining: State) -> None:
    """Undo an announcement if it still stands; if the store is gone, nodes do it when it is back."""
    with contextlib.suppress(ManystoreError):
        await undo(placement, draining)
