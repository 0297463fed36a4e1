"""What must hold before a kind may go to a neighbouring phase; each unmet condition is a sentence."""

from collections.abc import Mapping
from typing import Final

from manystore.errors import CertificateError
from manystore.followers.queue import Entry
from manystore.followers.runner import read_lag
from manystore.followers.sync import Track
from manystore.moves.certificate import Certificate, CertificateFolder, still_speaks
from manystore.moves.tasks import Action
from manystore.placement import Phase, Placement, State, read_state

MOST_LAG: Final = 5.0
"""Seconds that a copy may be behind, as last measured, for a cut-over to be tried."""


def is_forward(state: State, phase: Phase) -> bool:
    """Whether a step leads towards the target."""
    return phase.number > state.phase.number


def needs_certificate(state: State, phase: Phase) -> bool:
    """Whether a step relies on the copy being whole: each step forward but the first."""
    return is_forward(state, phase) and state.phase.has_copy


def valid_certificate(
    folder: CertificateFolder, placement: Placement, state: State
) -> tuple[Certificate | None, str | None]:
    """The newest certificate if it speaks about the present state, else why there is none."""
    try:
        certificate = folder.newest(placement.kind.name)
    except CertificateError as error:
        return None, str(error)
    if certificate is None:
        return None, "There is no certificate: verify first."
    if (reason := still_speaks(certificate, placement, state)) is not None:
        return None, f"Certificate {certificate.name} does not hold: {reason}. Verify again."
    return certificate, None


def copy_reasons(state: State) -> list[str]:
    """Why there is nothing that the truth could be compared with; nobody can override that."""
    if state.phase.has_copy:
        return []
    return [f"At {state.phase.value} there is no copy to compare with: start the move first."]


LEADS: Final[Mapping[Action, tuple[tuple[Phase, ...], Phase]]] = {
    Action.START: (
        (Phase.SOURCE_ONLY, Phase.DUAL_WRITE_SOURCE_READ),
        Phase.DUAL_WRITE_SOURCE_READ,
    ),
    Action.CUT_OVER: (
        (Phase.DUAL_WRITE_SOURCE_READ, Phase.DUAL_WRITE_TARGET_READ),
        Phase.DUAL_WRITE_TARGET_READ,
    ),
    Action.CUT_BACK: (
        (Phase.DUAL_WRITE_TARGET_READ, Phase.DUAL_WRITE_SOURCE_READ),
        Phase.DUAL_WRITE_SOURCE_READ,
    ),
    Action.FINISH: ((Phase.DUAL_WRITE_TARGET_READ, Phase.TARGET_ONLY), Phase.TARGET_ONLY),
    Action.REOPEN: ((Phase.TARGET_ONLY, Phase.DUAL_WRITE_TARGET_READ), Phase.DUAL_WRITE_TARGET_READ),
}
"""From which phases an action leads, and to which. From the last one it is only done again."""


def misplaced(action: Action, state: State) -> list[str]:
    """Why an action does not lead on from where the kind is; nobody can override that."""
    if action not in LEADS or state.phase in LEADS[action][0]:
        return []
    before = " or ".join(phase.value for phase in LEADS[action][0])
    return [f"{action.value} leads on from {before}, not from {state.phase.value}."]


async def unmet(
    family: Mapping[str, Placement],
    kind: str,
    state: State,
    phase: Phase,
    track: Track,
    folder: CertificateFolder,
) -> list[str]:
    """Every reason against going to `phase` now, each a sentence with what to do about it."""
    reasons = await absolute_reasons(family, kind, state, phase)
    return reasons or await overridable_reasons(family[kind], state, phase, track, folder)


async def absolute_reasons(
    family: Mapping[str, Placement], kind: str, state: State, phase: Phase
) -> list[str]:
    """The reasons that nobody can override, because the step would make no sense."""
    if not state.phase.is_next_to(phase):
        return [f"{phase.value} is not next to {state.phase.value}: go step by step."]
    if reasons := draining_reasons(state):
        return reasons
    return await _unmet_by_relatives(family, family[kind], state, phase)


def draining_reasons(state: State) -> list[str]:
    """Why nothing can be written at the truth just now."""
    return [] if state.takes_writes else ["Another cut-over is under way: wait for it."]


async def overridable_reasons(
    placement: Placement, state: State, phase: Phase, track: Track, folder: CertificateFolder
) -> list[str]:
    """The reasons that speak against the step, but that a person may answer for."""
    reasons = []
    if needs_certificate(state, phase):
        _, reason = valid_certificate(folder, placement, state)
        reasons += [reason] if reason else []
    if state.phase.has_copy and (phase.truth is not state.truth or not phase.has_copy):
        reasons += queue_reasons(await track.queue.entries())
        reasons += await rogue_reasons(track)
        lag = await read_lag(track.copy, placement.kind.name)
        if lag.last > MOST_LAG:
            reasons.append(
                f"The copy is {lag.last:.1f} s behind (at most {MOST_LAG:.0f}): wait, or find out why."
            )
    return reasons


async def rogue_reasons(track: Track) -> list[str]:
    """One sentence for each store that keeps writes which came from nowhere known."""
    reasons = []
    for store in (track.truth, track.copy):
        if rogues := await store.rogue_writes(track.kind):
            keys = ", ".join(sorted({rogue.key for rogue in rogues})[:3])
            reasons.append(
                f"{len(rogues)} writes were made behind the engine's back in {store.name} ({keys}): "
                "decide about each."
            )
    return reasons


def queue_reasons(entries: list[Entry]) -> list[str]:
    """One sentence for each state in which changes are queued."""
    counts = {
        state: sum(entry.state == state for entry in entries) for state in ("dead", "parked", "retrying")
    }
    advice = {
        "dead": "look at each, mend the cause, and replay it",
        "parked": "they wait for their parents, which must be moved or made first",
        "retrying": "they are tried again by themselves",
    }
    return [f"{count} changes are {state}: {advice[state]}." for state, count in counts.items() if count]


async def _unmet_by_relatives(
    family: Mapping[str, Placement], placement: Placement, state: State, phase: Phase
) -> list[str]:
    """A child is never further on than its parent, so that the target can check what points to what."""
    reasons = []
    if is_forward(state, phase):
        for parent in placement.parents:
            there = await read_state(family[parent.name])
            if there.phase.number < phase.number:
                reasons.append(f"Its parent {parent.name} is at {there.phase.value}: move that first.")
        return reasons
    for child in family.values():
        if placement.kind.name in (parent.name for parent in child.parents):
            there = await read_state(child)
            if there.phase.number > phase.number:
                reasons.append(f"Its child {child.kind.name} is at {there.phase.value}: cut that back first.")
    return reasons
