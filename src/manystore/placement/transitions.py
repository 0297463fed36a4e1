"""How a kind goes from one state to the next, so that a crash anywhere leaves one truth in force.

The state is kept in both stores, as the body of the fence that each checks writes against. A store's word
counts only where it names *itself* the truth; at most one store does at any time. A change of truth is

    1. announce   old truth: epoch + 1, admits nothing          (undone by whoever finds it abandoned)
    2. commit     old truth: epoch + 2, names the other store   ← one compare-and-set decides
    3. install    new truth: epoch + 2, admits writes           (done by whoever finds it missing)

Before 2, the old truth can take writes again (`undo`, also by compare-and-set on the same fence, so that
exactly one of commit and undo wins). After 2 nobody is truth until 3, and anyone who looks carries 3 out;
it is idempotent because the new truth's former fence has a lower epoch and is replaced only if unchanged.
"""

import datetime as dt

import msgspec

from manystore.errors import DeclarationError, UnavailableError
from manystore.placement.phases import Phase, Placement, Side, State

_READS = 20
"""How often a state that others keep changing is read before giving up; each loss means someone else won."""


async def read_state(placement: Placement, expected: Side | None = None) -> State:
    """The state in force, asking the `expected` truth first, and finishing a commit left half done.

    A kind that is in no phase yet is brought into its initial one. Raises UnavailableError where a store
    cannot be asked.
    """
    for _ in range(_READS):
        if expected is not None and (state := await _own_word(placement, expected)) is not None:
            return state
        words = {side: await _word(placement, side) for side in Side}
        for side, state in words.items():
            if state is not None and state.truth is side:
                return state
        # No store names itself: the old truth has let go and the new one has not taken up. Help.
        spoken = [state for state in words.values() if state is not None]
        if not spoken:
            # Losing this race is as good as winning it: another node takes the same first step.
            await _take_up(placement, State(phase=placement.initial, epoch=1), None)
            continue
        latest = max(spoken, key=lambda state: state.epoch)
        former = words[latest.truth]
        await _take_up(placement, latest, None if former is None else former.epoch)
    raise UnavailableError(subject=placement.kind.name, reason="its phase keeps changing")


async def _word(placement: Placement, side: Side) -> State | None:
    fence = await placement.store(side).fence(placement.kind)
    return None if fence is None else State.of(fence)


async def _own_word(placement: Placement, side: Side) -> State | None:
    state = await _word(placement, side)
    return state if state is not None and state.truth is side else None


async def _take_up(placement: Placement, state: State, former_epoch: int | None) -> None:
    if former_epoch is not None and former_epoch >= state.epoch:
        # Others have finished this, and perhaps moved on and back, before the fence was looked at.
        return
    fence = state.fence_for(state.truth)
    await placement.truth(state).raise_fence(placement.kind, fence, expected=former_epoch)


async def _replace(placement: Placement, old: State, new: State) -> bool:
    """Put `new` in the place of `old` in the store that `old` names the truth."""
    fence = new.fence_for(old.truth)
    return await placement.truth(old).raise_fence(placement.kind, fence, expected=old.epoch)


async def step(placement: Placement, state: State, phase: Phase) -> State | None:
    """Go to a neighbouring phase with the same truth; None if somebody else changed the state first.

    Raises DeclarationError for a phase with another truth, to which only a drain leads, and for a settled
    kind, which has nowhere to go.
    """
    if placement.is_settled:
        subject, reason = placement.kind.name, "it lives in one store for good"
        raise DeclarationError(subject=f"a step of {subject}", reason=reason)
    if phase.truth is not state.truth:
        subject, reason = placement.kind.name, f"{phase.value} has another truth than {state.phase.value}"
        raise DeclarationError(subject=f"a step of {subject}", reason=reason)
    epoch = state.epoch + 1
    new = msgspec.structs.replace(state, phase=phase, epoch=epoch, phase_since=epoch)
    if not await _replace(placement, state, new):
        return None
    await shut_copy(placement, new)
    return new


async def shut_copy(placement: Placement, state: State) -> None:
    """See that the copy knows it is one: without a fence it would take a stranger's write for old data.

    Idempotent, and without effect on a copy that has become the truth meanwhile (its fence is another).
    """
    if not state.phase.has_copy:
        return
    side = state.truth.other
    fence = await placement.store(side).fence(placement.kind)
    if fence is None or (not fence.admits and fence.epoch < state.epoch):
        expected = None if fence is None else fence.epoch
        await placement.store(side).raise_fence(placement.kind, state.fence_for(side), expected=expected)


async def announce(placement: Placement, state: State, phase: Phase) -> State | None:
    """Stop writes on the way to a phase with the other truth; None if somebody else was first.

    Raises DeclarationError where no copy follows that could become the truth.
    """
    if phase.truth is state.truth or not (state.phase.has_copy and phase.has_copy):
        subject, reason = placement.kind.name, f"no cut-over leads from {state.phase.value} to {phase.value}"
        raise DeclarationError(subject=f"a cut-over of {subject}", reason=reason)
    new = msgspec.structs.replace(state, epoch=state.epoch + 1, draining_to=phase)
    return new if await _replace(placement, state, new) else None


async def commit(placement: Placement, draining: State, phase: Phase, now: dt.datetime) -> State | None:
    """Move the truth; None if the drain was undone by somebody else, in which case nothing has moved."""
    epoch = draining.epoch + 1
    new = State(phase=phase, epoch=epoch, truth_since=epoch, phase_since=epoch, since=now)
    if not await _replace(placement, draining, new):
        return None
    former = await _word(placement, new.truth)
    await _take_up(placement, new, None if former is None else former.epoch)
    return new


async def undo(placement: Placement, draining: State) -> State | None:
    """Let the old truth take writes again; None if the drain was committed or undone by somebody else."""
    new = msgspec.structs.replace(draining, epoch=draining.epoch + 1, draining_to=None)
    return new if await _replace(placement, draining, new) else None
