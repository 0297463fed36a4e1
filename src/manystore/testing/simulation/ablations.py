"""Off switches of the safeguards, for tests alone: nothing in production asks whether one is on.

Each takes one safeguard of the real code away for the length of a block, by putting something weaker in its
place. The names are the model's (`manystore.testing.model.Safeguard`); `MISSED_IN` says in which move each
is missed, since some cover for others, and how many faults it takes.
"""

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final
from unittest import mock

import msgspec

from manystore.changes import START, Position
from manystore.followers import sync
from manystore.followers.queue import SyncQueue
from manystore.moves import cut_over
from manystore.moves.verify import Verification, Verifier
from manystore.placement import leases, registers, transitions
from manystore.placement.phases import Placement, State
from manystore.records import Record
from manystore.stores.memory import MemoryStore
from manystore.stores.store import Applied, Fence, Outcome
from manystore.testing.model import Safeguard
from manystore.testing.simulation.explore import several
from manystore.testing.simulation.faults import FAULT_KINDS, FaultKind
from manystore.testing.simulation.scenarios import Move
from manystore.testing.simulation.simulation import Run, run

Switch = Callable[[], contextlib.AbstractContextManager[Any]]


def _patch(where: Any, name: str, weaker: Any) -> Switch:
    return lambda: mock.patch.object(where, name, weaker)


def _take_any_epoch(self: MemoryStore, kind: Any, fence: Fence | None, epoch: int) -> None:
    """A store that looks at no epoch."""


async def _wait_for_nobody(self: registers.Roll, epoch: int) -> None:
    """A coordinator that does not wait for nodes."""


def _acknowledge_at_once(self: leases._Holding) -> int:
    """A node that acknowledges what it read, whatever it has under way."""
    return 0 if self.state is None else self.state.epoch


_write = MemoryStore._write


def _write_over(
    self: MemoryStore, kind: Any, key: str, content: Any, expected: int | None, epoch: int, above: int
) -> Record:
    """A store that replaces whatever there is."""
    before = self._drawer(kind).held.get(key)
    actual = None if before is None or before.body is None else before.version
    return _write(self, kind, key, content, actual, epoch, above)


def _apply_whatever(self: MemoryStore, kind: Any, drawer: Any, record: Record) -> Outcome:
    """A copy that takes what is older as well."""
    self._hold(kind, drawer, record)
    return Applied()


_apply_one = MemoryStore._apply_one


def _apply_forgetting(self: MemoryStore, kind: Any, drawer: Any, record: Record) -> Outcome:
    """A copy that keeps nothing of what was deleted."""
    outcome = _apply_one(self, kind, drawer, record)
    if record.content is None and isinstance(outcome, Applied):
        del drawer.held[record.key]
    return outcome


async def _find_agreement(self: Any, basis: Any, also: Any = ()) -> Verification:
    """A last look that sees no difference."""
    return Verification(
        depth="since", basis=basis, compared=0, seconds=0.0, difference_count=0, differences=()
    )


def _object_to_nothing(self: Any, *conditions: str) -> None:
    """A cut-over that nothing speaks against."""


async def _reach_nothing(self: Any, head: Any) -> None:
    """A drain that waits for no follower."""


@contextlib.contextmanager
def _without_certificate() -> Iterator[None]:
    with (
        mock.patch.object(Verifier, "since", _find_agreement),
        mock.patch.object(cut_over._Step, "object", _object_to_nothing),
        mock.patch.object(cut_over, "Track", _Unfollowed),
    ):
        yield


class _Unfollowed(sync.Track):
    """The copy as it is, wherever it stands."""

    reach = _reach_nothing


async def _advance_first(self: sync.Track, limit: int = sync.BATCH) -> Any:
    """A follower that moves its position, and then applies."""
    note = await self.copy.note(sync.position_name(self.kind.name))
    position = msgspec.json.decode(note.value, type=Position) if note.revision else START
    batch = await self.truth.changes(self.kind, position, limit)
    if batch.position > position:
        await self.copy.write_note(note.name, msgspec.json.encode(batch.position), expected=note.revision)
    if batch.changes:
        await self.carry({change.key: change.version for change in batch.changes})
    return batch


async def _queue_nothing(self: SyncQueue, refused: Any, known: Any = None) -> list[Any]:
    """A queue that forgets what it is given."""
    return []


_replace = transitions._replace


async def _replace_anything(placement: Placement, old: State, new: State) -> bool:
    """A fence that is raised over whatever fence there is."""
    fence = await placement.truth(old).fence(placement.kind)
    return await placement.truth(old).raise_fence(
        placement.kind, new.fence_for(old.truth), expected=None if fence is None else fence.epoch
    )


async def _commit(placement: Placement, old: State, new: State) -> bool:
    is_commit = new.truth is not old.truth
    return await (_replace_anything if is_commit else _replace)(placement, old, new)


async def _undo(placement: Placement, old: State, new: State) -> bool:
    is_undo = old.draining_to is not None and new.draining_to is None and new.truth is old.truth
    return await (_replace_anything if is_undo else _replace)(placement, old, new)


async def _take_up(placement: Placement, state: State, former_epoch: int | None) -> None:
    """A new truth that takes over from whatever it is by then."""
    store = placement.truth(state)
    fence = await store.fence(placement.kind)
    await store.raise_fence(
        placement.kind, state.fence_for(state.truth), expected=None if fence is None else fence.epoch
    )


async def _beat_unheard(self: leases.Leases, holding: Any, truth: Any) -> None:
    """A node that nobody knows."""
    holding.beats += 1
    holding.acknowledged = holding.acknowledgeable()


@contextlib.contextmanager
def _without_rogue_watch() -> Iterator[None]:
    def keep(self: MemoryStore, kind: Any, record: Record) -> None:
        """A store that lets rogue writes pass."""

    with mock.patch.object(MemoryStore, "keep_rogue", keep):
        yield


async def _refresh_for_ever(self: leases.Leases, holding: Any, _real: Any = leases.Leases._refresh) -> State:
    state: State = await _real(self, holding)
    holding.good_until = float("inf")
    return state


SWITCHES: Final[Mapping[Safeguard, Switch]] = {
    Safeguard.FENCE: _patch(MemoryStore, "_check_epoch", _take_any_epoch),
    Safeguard.LEASE: _patch(leases.Leases, "_refresh", _refresh_for_ever),
    Safeguard.LEASE_WAIT: _patch(registers.Roll, "acknowledged", _wait_for_nobody),
    Safeguard.HONEST_ACKNOWLEDGEMENT: _patch(leases._Holding, "acknowledgeable", _acknowledge_at_once),
    Safeguard.COMPARE_AND_SET: _patch(MemoryStore, "_write", _write_over),
    Safeguard.VERSION_GUARD: _patch(MemoryStore, "_apply_one", _apply_whatever),
    Safeguard.TOMBSTONE: _patch(MemoryStore, "_apply_one", _apply_forgetting),
    Safeguard.CERTIFICATE: _without_certificate,
    Safeguard.APPLY_THEN_ADVANCE: _patch(sync.Track, "advance", _advance_first),
    Safeguard.DEAD_LETTER: _patch(SyncQueue, "hold_all", _queue_nothing),
    Safeguard.COMMIT_BY_COMPARE_AND_SET: _patch(transitions, "_replace", _commit),
    Safeguard.UNDO_BY_COMPARE_AND_SET: _patch(transitions, "_replace", _undo),
    Safeguard.INSTALL_GUARD: _patch(transitions, "_take_up", _take_up),
    Safeguard.REGISTER_FIRST: _patch(leases.Leases, "_beat", _beat_unheard),
    Safeguard.ROGUE_WATCH: _without_rogue_watch,
}


class Missed(msgspec.Struct, frozen=True):
    """In which move a safeguard is missed, and after which faults (none: without any)."""

    move: Move
    kinds: tuple[FaultKind, ...] = FAULT_KINDS


_FENCED: Final = Move()
_LEASED: Final = Move(source="lease", target="lease", looks=False, tail=0.3)
_HASTY: Final = Move(drain_limit=0.02)

MISSED_IN: Final[Mapping[Safeguard, Missed]] = {
    **dict.fromkeys(Safeguard, Missed(_FENCED)),
    Safeguard.LEASE: Missed(_LEASED, (FaultKind.FROZEN,)),
    Safeguard.LEASE_WAIT: Missed(_LEASED, (FaultKind.LOST,)),
    Safeguard.HONEST_ACKNOWLEDGEMENT: Missed(_LEASED, (FaultKind.LOST,)),
    Safeguard.REGISTER_FIRST: Missed(_LEASED, (FaultKind.LOST,)),
    Safeguard.DEAD_LETTER: Missed(Move(picky=True)),
    Safeguard.COMMIT_BY_COMPARE_AND_SET: Missed(_HASTY, (FaultKind.FROZEN,)),
    Safeguard.UNDO_BY_COMPARE_AND_SET: Missed(_HASTY, (FaultKind.FROZEN,)),
    Safeguard.INSTALL_GUARD: Missed(_FENCED, (FaultKind.FROZEN,)),
    Safeguard.ROGUE_WATCH: Missed(Move(outsider=True)),
}


def miss(safeguard: Safeguard, seeds: Iterable[int]) -> Run | None:
    """The first run without a safeguard in which something breaks that otherwise holds."""
    missed = MISSED_IN[safeguard]
    for seed, faults in several(missed.move, seeds, kinds=missed.kinds):
        with SWITCHES[safeguard]():
            found = run(seed, missed.move, faults)
        if not found.holds and run(seed, missed.move, faults).holds:
            return found
    return None
