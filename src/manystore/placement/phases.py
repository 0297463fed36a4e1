"""The four steps between two stores, and the state of a kind among them.

    SOURCE_ONLY ⇄ DUAL_WRITE_SOURCE_READ ⇄ DUAL_WRITE_TARGET_READ ⇄ TARGET_ONLY
       truth: source      truth: source            truth: target      truth: target
       copy: –            copy: target             copy: source       copy: –

Only the middle step changes the truth, so only it must stop writes for a moment.
"""

import datetime as dt
import enum
from typing import Final

import msgspec

from manystore.conflicts import Resolver
from manystore.errors import DeclarationError
from manystore.records import Kind
from manystore.stores.store import Fence, Store


class Side(enum.Enum):
    """Which of a kind's two stores: the one that it came from, or the one that it moves to."""

    SOURCE = "source"
    TARGET = "target"

    @property
    def other(self) -> "Side":
        """The opposite side."""
        return Side.TARGET if self is Side.SOURCE else Side.SOURCE


class Phase(enum.Enum):
    """One of four steps between two stores."""

    SOURCE_ONLY = "SOURCE_ONLY"
    DUAL_WRITE_SOURCE_READ = "DUAL_WRITE_SOURCE_READ"
    DUAL_WRITE_TARGET_READ = "DUAL_WRITE_TARGET_READ"
    TARGET_ONLY = "TARGET_ONLY"

    @property
    def truth(self) -> Side:
        """The side that decides the order of writes."""
        return Side.TARGET if self in _BEYOND else Side.SOURCE

    @property
    def has_copy(self) -> bool:
        """Whether the other side follows."""
        return self in _TWO_STORES

    @property
    def number(self) -> int:
        """0 to 3, from the source to the target."""
        return list(Phase).index(self)

    def is_next_to(self, other: "Phase") -> bool:
        """Whether one step leads from here to `other`."""
        return abs(self.number - other.number) == 1


# Looked at on every read and write.
_BEYOND: Final = (Phase.DUAL_WRITE_TARGET_READ, Phase.TARGET_ONLY)
_TWO_STORES: Final = (Phase.DUAL_WRITE_SOURCE_READ, Phase.DUAL_WRITE_TARGET_READ)


class State(msgspec.Struct, frozen=True, kw_only=True):
    """Where a kind stands.

    `draining_to` names the phase that a cut-over under way leads to; `truth_since` is the epoch in which
    the present truth became it, and `since` that moment by the coordinator's wall clock (None at first).
    `phase_since` is the epoch in which the phase began: a drain that is undone raises the epoch alone.
    """

    phase: Phase
    epoch: int
    truth_since: int = 1
    phase_since: int = 1
    since: dt.datetime | None = None
    draining_to: Phase | None = None

    @property
    def truth(self) -> Side:
        """The side that decides; while draining, still the old one."""
        return self.phase.truth

    @property
    def takes_writes(self) -> bool:
        """Whether the truth admits writes at present."""
        return self.draining_to is None

    def fence_for(self, side: Side) -> Fence:
        """The fence by which the store of a side enforces this state."""
        admits = self.takes_writes and self.truth is side
        return Fence(epoch=self.epoch, admits=admits, body=msgspec.json.encode(self))

    @classmethod
    def of(cls, fence: Fence) -> "State":
        """The state that a fence carries. Raises DeclarationError for one that placement did not raise."""
        try:
            return msgspec.json.decode(fence.body, type=cls)
        except msgspec.MsgspecError as error:
            raise DeclarationError(subject="a fence", reason="it carries no phase") from error


class Placement(msgspec.Struct, frozen=True, kw_only=True):
    """A kind and the two stores that it can live in, with the phase in which it begins.

    `parents` are the kinds that records of this one point to and that the target checks for. `resolver`
    decides where a repair finds content in the copy that the truth never had; without one the truth's stands.
    A kind whose two stores are one and the same is settled: it lives there for good (see `settled`).
    """

    kind: Kind
    source: Store
    target: Store
    initial: Phase = Phase.SOURCE_ONLY
    parents: tuple[Kind, ...] = ()
    resolver: Resolver | None = None

    @classmethod
    def settled(cls, kind: Kind, store: Store) -> "Placement":
        """A kind that lives in one store for good, so that its phase and its epoch never change."""
        return cls(kind=kind, source=store, target=store)

    @property
    def is_settled(self) -> bool:
        """Whether there is nowhere to move to."""
        return self.source is self.target

    def store(self, side: Side) -> Store:
        """The store of a side."""
        return self.source if side is Side.SOURCE else self.target

    def truth(self, state: State) -> Store:
        """The store that decides."""
        return self.store(state.truth)

    def copy(self, state: State) -> Store:
        """The store that is not the truth, whether it follows just now or not."""
        return self.store(state.truth.other)
