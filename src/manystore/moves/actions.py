"""The actions of a move, each from where things stand to its result; a worker runs them, so may a test."""

import random
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from manystore.clock import Clock
from manystore.errors import StepRefusedError
from manystore.followers.queue import audit
from manystore.followers.sync import Track
from manystore.moves.archive import write_archive
from manystore.moves.certificate import CertificateFolder, changed_ranges
from manystore.moves.conditions import (
    absolute_reasons,
    overridable_reasons,
    queue_reasons,
    valid_certificate,
)
from manystore.moves.copy import Copy
from manystore.moves.cut_over import cut_over, describe
from manystore.moves.plan import plan
from manystore.moves.progress import Report, unreported
from manystore.moves.tasks import Action, Override
from manystore.moves.verify import Basis, Verifier
from manystore.placement import Phase, Placement, State, read_state, step
from manystore.stores.objects import ObjectStorage
from manystore.stores.store import KeyRange

Result = dict[str, Any]


class Mover:
    """Carries out one action for one kind of a family of placements."""

    def __init__(
        self,
        family: Mapping[str, Placement],
        folder: CertificateFolder,
        *,
        clock: Clock,
        randomness: random.Random,
        lease: float,
        objects: ObjectStorage | None = None,
        soak: float = 0.0,
    ) -> None:
        self._family, self._folder, self._objects, self._soak = family, folder, objects, soak
        self._clock, self._random, self._lease = clock, randomness, lease
        self._actions: Final = {
            Action.PLAN: self.plan,
            Action.START: self.start,
            Action.VERIFY: self.verify,
            Action.CUT_OVER: self.cut_over,
            Action.CUT_BACK: self.cut_back,
            Action.RECHECK: self.recheck,
            Action.FINISH: self.finish,
            Action.REOPEN: self.reopen,
        }

    async def carry_out(
        self,
        action: Action,
        kind: str,
        *,
        report: Report = unreported,
        override: Override | None = None,
    ) -> Result:
        """The result of an action. Raises StepRefusedError where its conditions are not met.

        With an `override`, the conditions that a person may answer for are written down instead (`audit`).
        """
        return await self._actions[action](kind, report, override)

    async def plan(self, kind: str, report: Report, override: Override | None) -> Result:
        """Find what the copy would refuse, before anything is written."""
        placement = self._family[kind]
        found = await plan(placement, await read_state(placement), clock=self._clock, report=report)
        return _builtins(found) | {"isClear": found.is_clear}

    async def start(self, kind: str, report: Report, override: Override | None) -> Result:
        """Let the copy follow from now on, and carry over all that was there before."""
        placement = self._family[kind]
        state = await read_state(placement)
        track = self._track(placement, state)
        if not state.phase.has_copy:
            onward = Phase.DUAL_WRITE_SOURCE_READ
            await self._demand(state, onward, track, override)
            state = await step(placement, state, onward) or await read_state(placement)
        # First the follower's place in the log, then the copy: what is written in between arrives twice.
        await track.begin_at_head()
        copied = await Copy(track, str(state.truth_since), clock=self._clock, report=report).run()
        await track.reach(await track.truth.head(track.kind))
        return _builtins(copied) | {"queued": len(await track.queue.entries())}

    async def verify(self, kind: str, report: Report, override: Override | None) -> Result:
        """Compare both sides in full; a certificate where they agree."""
        placement = self._family[kind]
        state = await read_state(placement)
        if not state.phase.has_copy:
            reason = f"At {state.phase.value} there is no copy to compare with: start the move first."
            raise StepRefusedError(kind=kind, step=Action.VERIFY.value, conditions=[reason])
        track = self._track(placement, state)
        found = await Verifier(track, clock=self._clock, report=report).full()
        queued = await track.queue.entries()
        result = {
            "compared": found.compared,
            "seconds": found.seconds,
            "differences": found.difference_count,
            "samples": [describe(difference) for difference in found.differences[:20]],
            "queued": len(queued),
            "certificate": None,
        }
        if found.agrees and not queue_reasons(queued):
            now = self._clock.now()
            certificate = self._folder.issue(placement, state, found, queued=len(queued), now=now)
            result["certificate"] = str(self._folder.folder / certificate.name)
        return result

    async def cut_over(self, kind: str, report: Report, override: Override | None) -> Result:
        """Make the target the truth."""
        return await self._move_truth(kind, Phase.DUAL_WRITE_TARGET_READ, override)

    async def cut_back(self, kind: str, report: Report, override: Override | None) -> Result:
        """Make the source the truth again."""
        return await self._move_truth(kind, Phase.DUAL_WRITE_SOURCE_READ, override)

    async def recheck(self, kind: str, report: Report, override: Override | None) -> Result:
        """Compute the newest certificate's digests anew on both sides."""
        placement = self._family[kind]
        state = await read_state(placement)
        certificate, reason = valid_certificate(self._folder, placement, state)
        if certificate is None:
            raise StepRefusedError(kind=kind, step=Action.RECHECK.value, conditions=[reason or ""])
        ranges = [KeyRange(proof.after, proof.upto) for proof in certificate.ranges]
        verifier = Verifier(self._track(placement, state), clock=self._clock, report=report)
        found = await verifier.full(ranges)
        changed = changed_ranges(certificate, found)
        return {
            "certificate": certificate.name,
            "holds": not changed and found.agrees,
            "changedRanges": len(changed),
            "differences": found.difference_count,
            "samples": [describe(difference) for difference in found.differences[:20]],
        }

    async def finish(self, kind: str, report: Report, override: Override | None) -> Result:
        """Let the source rest after the soak: nothing follows any more, and what it holds is archived."""
        placement = self._family[kind]
        state = await read_state(placement)
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

    async def reopen(self, kind: str, report: Report, override: Override | None) -> Result:
        """Let the source follow again after a finish, and bring it up to date, ready for cutting back."""
        placement = self._family[kind]
        state = await read_state(placement)
        track = self._track(placement, state)
        if state.phase is not Phase.DUAL_WRITE_TARGET_READ:
            await self._demand(state, Phase.DUAL_WRITE_TARGET_READ, track, override)
            state = await step(placement, state, Phase.DUAL_WRITE_TARGET_READ) or await read_state(placement)
        await track.reach(await track.truth.head(track.kind))
        return {"phase": state.phase.value, "epoch": state.epoch, "queued": len(await track.queue.entries())}

    async def _move_truth(self, kind: str, phase: Phase, override: Override | None) -> Result:
        placement = self._family[kind]
        state = await read_state(placement)
        if state.phase is phase and state.takes_writes:
            # A worker that died after the commit left the task open; what it asked for has happened.
            return {"phase": phase.value, "epoch": state.epoch, "pause": None}
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
        return _builtins(moved) | {"phase": moved.phase.value}

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
        return Track(placement, state, clock=self._clock, randomness=self._random)


def _builtins(report: msgspec.Struct) -> Result:
    built: Result = msgspec.to_builtins(report)
    return built
