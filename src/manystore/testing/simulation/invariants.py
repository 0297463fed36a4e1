"""What must hold at every moment of a move, looked at whenever a store changes, and once more at the end."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from manystore.changes import START, Position
from manystore.errors import UniqueError
from manystore.followers.queue import Entry
from manystore.followers.sync import position_name
from manystore.placement import Placement, Side, State
from manystore.records import Record
from manystore.stores.memory import MemoryStore
from manystore.stores.store import Diverged, Note
from manystore.testing.simulation.simulation import Simulation, Stray
from manystore.testing.simulation.witness import SHARED, Thing, Witness

Held = dict[str, Record]


class Watchman:
    """Sees each effect on the two stores of a kind, and says what must not be."""

    def __init__(
        self, placement: Placement, stores: Mapping[Side, MemoryStore], simulation: Simulation
    ) -> None:
        self._kind: Final = placement.kind
        self._stores, self._simulation = stores, simulation
        self._sides: Final = {store.name: side for side, store in stores.items()}
        self._truth: Side | None = None
        self._tops: dict[tuple[Side, str], int] = {}
        self._followed: dict[Side, int] = {}
        self._position: Final = position_name(placement.kind.name)
        self.rogues: dict[str, set[str]] = {}
        """Marks that were left behind the engine's back, by key."""
        self.given_up: dict[str, int] = {}
        """What an operator drops from the target's queue: the newest version dropped, by key."""

    def see(self, store: str, method: str, args: tuple[Any, ...], result: Any) -> None:
        """Look at what a call of a store just did."""
        side = self._sides[store]
        if method == "raise_fence":
            if result:
                self._look_at_truth(side)
        elif method in ("apply", "apply_together"):
            self._look_at_versions(side, [record.key for record in args[1]])
        elif method in ("put", "delete"):
            self._look_at_versions(side, [args[1]])
        elif method == "drop_notes" and side is Side.TARGET:
            self._look_at_what_is_given_up(args[0], result)
        elif method == "write_note" and result and args[0] == self._position:
            self._look_at_position(side, msgspec.json.decode(args[1], type=Position))

    def held(self, side: Side) -> Held:
        """All records and tombstones of a side."""
        drawer = self._stores[side]._drawer(self._kind)
        return {key: each.record(self._kind, key) for key, each in sorted(drawer.held.items())}

    def state(self) -> State | None:
        """The state in force, or None while no store names itself the truth."""
        for side, state in self._words().items():
            if state.truth is side:
                return state
        return None

    def _words(self) -> dict[Side, State]:
        fences = {side: store._drawer(self._kind).fence for side, store in self._stores.items()}
        return {side: State.of(fence) for side, fence in fences.items() if fence is not None}

    def _look_at_truth(self, side: Side) -> None:
        words = self._words()
        if sum(state.truth is each for each, state in words.items()) > 1:
            self._simulation.break_invariant("one truth at a time: both stores take themselves for it")
        was, self._truth = self._truth, next((each for each in words if words[each].truth is each), None)
        if was is side and words[side].truth is not side:
            for difference in self.differences().values():
                self._simulation.break_invariant(
                    f"no step without agreement: the truth moves, and {difference}"
                )

    def _look_at_versions(self, side: Side, keys: Sequence[str]) -> None:
        held = self._stores[side]._drawer(self._kind).held
        for key in keys:
            top = self._tops.get((side, key), 0)
            now = held[key].version if key in held else 0
            if now < top:
                self._simulation.break_invariant(
                    f"a copy never goes back: {key} of {side.value} went from version {top} to {now}"
                )
            self._tops[side, key] = max(top, now)

    def _look_at_position(self, side: Side, position: Position) -> None:
        reached = position[0] if position != START else 0
        before = self._followed.get(side)
        self._followed[side] = max(reached, before or 0)
        if before is None:
            # Where a follower begins, the bulk copy answers for what lies before.
            return
        for change in self._stores[side.other]._drawer(self._kind).log[before:reached]:
            held = self._stores[side]._drawer(self._kind).held.get(change.key)
            if side is Side.TARGET and change.version <= self.given_up.get(change.key, 0):
                continue
            if (held is None or held.version < change.version) and not self._is_queued(side, change.key):
                self._simulation.break_invariant(
                    f"a position never passes a change: {side.value} never had {change.key} "
                    f"version {change.version}"
                )

    def _look_at_what_is_given_up(self, notes: Sequence[Note], dropped: Sequence[bool]) -> None:
        for note, is_dropped in zip(notes, dropped, strict=True):
            entry = msgspec.json.decode(note.value, type=Entry)
            if is_dropped and entry.key in self.given_up:
                self.given_up[entry.key] = max(self.given_up[entry.key], entry.version)

    def _is_queued(self, side: Side, key: str) -> bool:
        return f"sync/{self._kind.name}/queue/{key}" in self._stores[side]._notes

    def queued(self, side: Side) -> list[Entry]:
        """All changes that wait for a side."""
        prefix = f"sync/{self._kind.name}/queue/"
        notes = self._stores[side]._notes
        return [
            msgspec.json.decode(notes[name].value, type=Entry)
            for name in sorted(notes)
            if name.startswith(prefix)
        ]

    def reported(self) -> set[Stray]:
        """All rogue writes that the stores keep."""
        return {
            (store.name, rogue.key, rogue.version)
            for store in self._stores.values()
            for rogue in store._drawer(self._kind).rogues
        }

    def unadmitted(self) -> set[str]:
        """Keys of which a store holds just now what nobody admitted: a rogue write or a stray."""
        return {
            key
            for name, key, version in self.reported() | self._simulation.strays
            if (held := self._stores[self._sides[name]]._drawer(self._kind).held.get(key)) is not None
            and held.version == version
        }

    def is_explained(self, entry: Entry) -> bool:
        """Whether a change waits because of what nobody admitted.

        That stands in its place, or holds its name; or it did when the change was queued, and a person has to
        decide about an entry that tells of a divergence.
        """
        unadmitted = self.unadmitted()
        if entry.error == Diverged.__name__:
            return entry.key in {key for _, key, _ in self.reported() | self._simulation.strays}
        return entry.key in unadmitted or (bool(unadmitted) and entry.error == UniqueError.__name__)

    def differences(self) -> dict[str, str]:
        """Where both stores do not hold the same, by key, but for what nobody admitted."""
        sides = {side: self.held(side) for side in Side}
        found = dict[str, str]()
        for key in sorted(sides[Side.SOURCE].keys() | sides[Side.TARGET].keys()):
            here, there = sides[Side.SOURCE].get(key), sides[Side.TARGET].get(key)
            if here != there and key not in self.unadmitted():
                found[key] = f"{key} is {_told(here)} in the source and {_told(there)} in the target"
        return found

    def lag(self, state: State) -> int:
        """How many changes of the truth the copy's follower has not passed yet."""
        note = self._stores[state.truth.other]._notes.get(self._position)
        position = START if note is None else msgspec.json.decode(note.value, type=Position)
        log = self._stores[state.truth]._drawer(self._kind).log
        return len(log) - (position[0] if position != START else 0)


def _told(record: Record | None) -> str:
    if record is None:
        return "absent"
    return (
        f"version {record.version}" if record.content is not None else f"deleted in version {record.version}"
    )


def lost(witness: Witness, truth: Held) -> list[str]:
    """What a user was told, and the truth does not hold."""
    found = []
    for key in sorted(witness.seen.keys() | witness.open.keys()):
        allowed = [witness.seen[key]] if key in witness.seen else []
        allowed += witness.open.get(key, [])
        held = _value(truth.get(key))
        if held not in allowed:
            found.append(f"no acknowledged write lost: {key} is {held}, and should be one of {allowed}")
    return found


def lost_marks(witnesses: Sequence[Witness], truth: Held, strangers: Mapping[str, set[str]]) -> list[str]:
    """Marks in the shared records that are gone, doubled, or nobody's."""
    found = []
    for key in SHARED:
        held = _value(truth.get(key))
        marks = [] if held is None else held.marks
        sure = {mark for witness in witnesses for mark in witness.marks[key]}
        maybe = {mark for witness in witnesses for mark in witness.maybe[key]} | strangers.get(key, set())
        if missing := sorted(sure - set(marks)):
            found.append(f"no acknowledged write lost: marks {missing} of {key} are gone")
        if len(set(marks)) < len(marks) or set(marks) - sure - maybe:
            found.append(f"nothing is written twice, or by nobody: {key} has the marks {marks}")
    return found


def _value(record: Record | None) -> Thing | None:
    if record is None or record.content is None:
        return None
    return msgspec.convert(record.content, Thing)
