"""The actions of a move, each from where things stand to its result; workers share the steps of some."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Final, TypeVar

import msgspec

from manystore.clock import Clock
from manystore.errors import StepRefusedError, UnavailableError
from manystore.followers.queue import audit
from manystore.followers.sync import Track
from manystore.moves.archive import write_archive
from manystore.moves.certificate import CertificateFolder
from manystore.moves.conditions import (
    LEADS,
    absolute_reasons,
    misplaced,
    overridable_reasons,
    valid_certificate,
)
from manystore.moves.copy import Copying, Reopening
from manystore.moves.cut_over import cut_over
from manystore.moves.pace import Pace
from manystore.moves.plan import plan
from manystore.moves.procedures import Begun, Means, OneStep, Order, Procedure, Result
from manystore.moves.progress import Gauge, Report, unreported
from manystore.moves.ranges import checkpoints
from manystore.moves.repairing import Repairing
from manystore.moves.tasks import Action, Depth, Override
from manystore.moves.verify import Basis
from manystore.moves.verifying import Rechecking, Verifying
from manystore.placement import Phase, Placement, State, read_state, step, undo

if TYPE_CHECKING:
    # Brings a library along, which only who has an object storage needs.
    from manystore.stores.objects import ObjectStorage

T = TypeVar("T")

AT_ONCE: Final = 4
"""Ranges that one process has at work at a time: as many as its pace has batches."""
TELL_EVERY: Final = 0.2
"""Seconds between two pieces of progress."""
_STAGES: Final = {
    Action.START: "copy",
    Action.REOPEN: "copy",
    Action.VERIFY: "verify",
    Action.REPAIR: "repair",
    Action.RECHECK: "recheck",
}


class Mover:
    """Carries out actions for the kinds of a family of placements: whole, or one step of a procedure."""

    def __init__(
        self,
        family: Mapping[str, Placement],
        folder: CertificateFolder,
        *,
        clock: Clock,
        randomness: random.Random,
        lease: float,
        objects: "ObjectStorage | None" = None,
        soak: float = 0.0,
    ) -> None:
        self._family, self._folder, self._objects, self._soak = family, folder, objects, soak
        self._clock, self._random, self._lease = clock, randomness, lease
        means = Means(family=family, clock=clock, randomness=randomness, pace=Pace(clock))
        self._means: Final = means
        self._actions: Final[Mapping[Action, Procedure]] = {
            Action.PLAN: OneStep(self.plan, clock),
            Action.START: Copying(means, self._demand),
            Action.VERIFY: Verifying(means, folder),
            Action.REPAIR: Repairing(means, folder),
            Action.CUT_OVER: OneStep(self.cut_over, clock),
            Action.CUT_BACK: OneStep(self.cut_back, clock),
            Action.RECHECK: Rechecking(means, folder),
            Action.FINISH: OneStep(self.finish, clock),
            Action.REOPEN: Reopening(means, self._demand),
        }

    async def carry_out(
        self,
        action: Action,
        kind: str,
        *,
        report: Report = unreported,
        override: Override | None = None,
        depth: Depth = "full",
        actor: str = "",
        reason: str = "",
    ) -> Result:
        """The result of an action, all of it done here. Raises StepRefusedError where it must not be.

        With an `override`, the conditions that a person may answer for are written down instead (`audit`).
        `depth` is that of a verification; a repair is asked for by an `actor` for a `reason`.
        """
        run = f"{self._random.getrandbits(64):016x}"
        order = Order(
            action=action, kind=kind, run=run, override=override, depth=depth, actor=actor, reason=reason
        )
        begun = await self.begin(order)
        async with self.telling(begun, report):
            results = await side_by_side(begun.ranges, lambda number: self.do_range(begun, number))
        return await self.end(begun, results, report)

    async def begin(self, order: Order) -> Begun:
        """See Procedure.begin."""
        return await self._actions[order.action].begin(order)

    async def do_range(self, begun: Begun, number: int) -> bytes:
        """See Procedure.do_range."""
        return await self._actions[begun.order.action].do_range(begun, number)

    async def end(self, begun: Begun, results: Sequence[bytes], report: Report = unreported) -> Result:
        """See Procedure.end."""
        return await self._actions[begun.order.action].end(begun, results, report)

    @contextlib.asynccontextmanager
    async def telling(self, begun: Begun, report: Report) -> AsyncIterator[None]:
        """Report how far all ranges have come, whoever is at them, for the length of the block."""
        if not begun.ranges:
            yield
            return
        task = asyncio.create_task(self._tell(begun, report), name=f"progress of {begun.order.kind}")
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait([task])

    async def _tell(self, begun: Begun, report: Report) -> None:
        gauge = Gauge(_STAGES[begun.order.action], begun.total, self._clock)
        notes = self._means.notes_of(begun)
        while True:
            # What cannot be told now is told next time; the work itself goes on, or says why not.
            with contextlib.suppress(UnavailableError):
                await report(gauge.read(await checkpoints(notes, begun.run), self._means.pace.slowed))
            await self._clock.sleep(TELL_EVERY)

    async def plan(self, kind: str, report: Report, override: Override | None) -> Result:
        """Find what the copy would refuse, before anything is written."""
        placement = self._family[kind]
        state = await read_state(placement)
        found = await plan(placement, state, self._family, clock=self._clock, report=report)
        result: Result = msgspec.to_builtins(found)
        return result | {"isClear": found.is_clear}

    async def cut_over(self, kind: str, report: Report, override: Override | None) -> Result:
        """Make the target the truth."""
        return await self._move_truth(kind, Action.CUT_OVER, override)

    async def cut_back(self, kind: str, report: Report, override: Override | None) -> Result:
        """Make the source the truth again."""
        return await self._move_truth(kind, Action.CUT_BACK, override)

    async def finish(self, kind: str, report: Report, override: Override | None) -> Result:
        """Let the source rest after the soak: nothing follows any more, and what it holds is archived."""
        placement, state = await self._placed(kind, Action.FINISH)
        if state.phase is not Phase.TARGET_ONLY:
            await self._demand(state, Phase.TARGET_ONLY, self._track(placement, state), override)
            state = await step(placement, state, Phase.TARGET_ONLY) or await read_state(placement)
        if self._objects is None:
            return {"phase": state.phase.value, "epoch": state.epoch, "archive": None}
        # The step comes first: from here on nothing writes the source, so the archive is of one moment.
        folder = f"archives/{kind}/{state.epoch:06}"
        manifest = await write_archive(
            placement.source, placement.kind, self._objects, folder, now=self._clock.now(), report=report
        )
        return {
            "phase": state.phase.value,
            "epoch": state.epoch,
            "archive": folder,
            "records": manifest.records,
        }

    async def _move_truth(self, kind: str, action: Action, override: Override | None) -> Result:
        placement, state = await self._placed(kind, action)
        phase = LEADS[action][1]
        if state.phase is phase and state.takes_writes:
            # A worker that died after the commit left the task open; what it asked for has happened.
            return {"phase": phase.value, "epoch": state.epoch, "pause": None}
        if state.draining_to is phase:
            # Nobody else works on this kind's task: whoever announced this died before it was decided. Were
            # it alive after all, its commit would find the drain undone.
            await undo(placement, state)
            state = await read_state(placement)
        track = self._track(placement, state)
        await self._demand(state, phase, track, override)
        certificate, _ = valid_certificate(self._folder, placement, state)
        # Without a certificate (cutting back needs none) all that this truth ever accepted is compared.
        basis = (
            certificate.basis if certificate is not None else Basis(copy=await track.copy.head(track.kind))
        )
        moved = await cut_over(
            placement,
            state,
            phase,
            basis,
            clock=self._clock,
            randomness=self._random,
            lease=self._lease,
            is_overridden=override is not None,
        )
        if override is not None and moved.overridden:
            await self._audit(track, phase, override, moved.overridden)
        result: Result = msgspec.to_builtins(moved)
        return result

    async def _placed(self, kind: str, action: Action) -> tuple[Placement, State]:
        """Where the kind stands. Raises StepRefusedError where the action does not lead on from there."""
        placement = self._family[kind]
        state = await read_state(placement)
        if reasons := misplaced(action, state):
            raise StepRefusedError(kind=kind, step=action.value, conditions=reasons)
        return placement, state

    async def _demand(self, state: State, phase: Phase, track: Track, override: Override | None) -> None:
        """Refuse the step where conditions are not met, or write down who answers for those that are not."""
        placement, kind = track.placement, track.kind.name
        if reasons := await absolute_reasons(self._family, kind, state, phase):
            raise StepRefusedError(kind=kind, step=phase.value, conditions=reasons)
        reasons = await overridable_reasons(placement, state, phase, track, self._folder)
        reasons += self._unsoaked(state, phase)
        if reasons and override is None:
            raise StepRefusedError(kind=kind, step=phase.value, conditions=reasons)
        if reasons and override is not None:
            await self._audit(track, phase, override, reasons)

    def _unsoaked(self, state: State, phase: Phase) -> list[str]:
        if phase is not Phase.TARGET_ONLY or state.since is None:
            return []
        soaked = (self._clock.now() - state.since).total_seconds()
        if soaked >= self._soak:
            return []
        return [f"The target is the truth for {soaked:.0f} s only: let it soak for {self._soak:.0f} s."]

    async def _audit(self, track: Track, phase: Phase, override: Override, reasons: Sequence[str]) -> None:
        subject = f"{track.kind.name} to {phase.value}: {' '.join(reasons)}"
        await audit(
            track.truth,
            self._clock,
            actor=override.actor,
            action="move.override",
            subject=subject,
            reason=override.reason,
        )

    def _track(self, placement: Placement, state: State) -> Track:
        return self._means.track(placement.kind.name, state)


async def side_by_side(count: int, do: Callable[[int], Awaitable[T]], at_once: int = AT_ONCE) -> list[T]:
    """`do` each number below `count`, a few at a time; the results in order. Raises what the first raised."""
    results: dict[int, T] = {}
    todo = iter(range(count))

    async def work() -> None:
        for number in todo:
            results[number] = await do(number)

    workers = [asyncio.ensure_future(work()) for _ in range(min(count, at_once))]
    try:
        await asyncio.gather(*workers)
    finally:
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)
    return [results[number] for number in range(count)]
