"""What can go wrong at a call of an adapter, and which calls it is planned for."""

import enum
from collections.abc import Iterable, Mapping
from typing import Final

import msgspec


class FaultKind(enum.Enum):
    """A way for a call to go wrong. The first eight befall the call, the others who makes it."""

    ERROR_BEFORE = "the store refuses the call as unavailable, and does nothing"
    LOST = "the store does what it is asked, and the answer is lost"
    DUPLICATE = "the call arrives twice"
    LATE = "the caller gives up waiting, and then the call arrives"
    CRASH_BEFORE = "the process dies before the call leaves it"
    CRASH_AFTER = "the process dies before the answer reaches it"
    TORN = "part of the batch is done, and then the store is unavailable"
    THROTTLED = "the store asks to be asked later"
    CANCELLED = "who makes the call is cancelled while it is under way"
    FROZEN = "the process freezes with the call under way, and wakes after its lease"


FAULT_KINDS: Final = tuple(FaultKind)


BATCHES: Final = frozenset({"write_notes", "drop_notes"})
"""Calls of which a part may be done: of the others the contract of stores says all or nothing."""


class Fault(msgspec.Struct, frozen=True):
    """A fault at the call of that number, counted from 0 over all adapter calls of a run."""

    call: int
    kind: FaultKind

    def __str__(self) -> str:
        return f"{self.kind.name} at call {self.call}"


class Plan:
    """The faults of a run, and which of them came to pass: a call may never come, or not be a batch."""

    def __init__(self, faults: Iterable[Fault] = ()) -> None:
        self.faults: Final = tuple(sorted(faults, key=lambda each: each.call))
        by_call: Mapping[int, FaultKind] = {each.call: each.kind for each in self.faults}
        self.at: Final = by_call.get
        """What is to befall a call (by its number), or None."""
        self.happened: list[Fault] = []

    def happens(self, call: int, kind: FaultKind) -> None:
        """Note that it did."""
        self.happened.append(Fault(call, kind))
