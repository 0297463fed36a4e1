"""Settling records that were written in two places while the places were apart.

A resolver decides between two versions of one record, and the losing one is kept by whoever calls it.

    LastWriterWins   by hybrid logical clock (Kulkarni et al. 2014), never by the wall clock alone
    VectorClocks     what happened after the other wins; what happened apart is surfaced as siblings
    ByFunction       a rule of the kind's own, such as the union of badges or the lower quantity

The stamps that the first two need lie in the record's content under `_clock`, where every store carries
them like any property that it does not know.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final, Literal, Protocol

import msgspec

from manystore.clock import Clock
from manystore.records import Content, Record

STAMP: Final = "_clock"


class HybridTime(msgspec.Struct, frozen=True, order=True):
    """A moment that respects what its maker had seen: milliseconds, a counter within them, the maker."""

    milliseconds: int
    counter: int
    node: str


class HybridClock:
    """Gives each write of a node a time above all that the node gave or saw before.

    `most_ahead` is how far, in seconds, another node's time may be in the future; one further ahead is a
    broken clock, and is not followed.
    """

    def __init__(self, node: str, clock: Clock, *, most_ahead: float = 60.0) -> None:
        self._node, self._clock, self._most_ahead = node, clock, most_ahead
        self._last = HybridTime(0, 0, node)

    def tick(self) -> HybridTime:
        """The time of a write made now."""
        wall = int(self._clock.now().timestamp() * 1000)
        if wall > self._last.milliseconds:
            self._last = HybridTime(wall, 0, self._node)
        else:
            # The wall stands still or went back: only the counter goes on.
            self._last = HybridTime(self._last.milliseconds, self._last.counter + 1, self._node)
        return self._last

    def saw(self, other: HybridTime) -> bool:
        """Take note of a time read from a record, so that what is written next comes after it.

        False where that time is too far in the future to be believed.
        """
        wall = int(self._clock.now().timestamp() * 1000)
        if other.milliseconds > wall + self._most_ahead * 1000:
            return False
        if (other.milliseconds, other.counter) > (self._last.milliseconds, self._last.counter):
            self._last = HybridTime(other.milliseconds, other.counter, self._node)
        return True


class Stamp(msgspec.Struct, frozen=True):
    """What a record says of its own making: when, and how many writes of each node it has seen."""

    hybrid: HybridTime
    vector: dict[str, int]


def stamp_of(content: Content | None) -> Stamp | None:
    """The stamp in a record's content; None where there is none that can be read."""
    try:
        return None if content is None else msgspec.convert(content.get(STAMP), Stamp)
    except msgspec.ValidationError:
        return None


def stamped(content: Content, former: Content | None, clock: HybridClock, node: str) -> Content:
    """The content with the stamp of a write by `node` over `former`: always later than that one's.

    Also where the clock of whoever wrote that was wrong, and is not followed: then this record's time alone
    goes on from there.
    """
    before = stamp_of(former)
    if before is None or clock.saw(before.hybrid):
        time = clock.tick()
    else:
        time = HybridTime(before.hybrid.milliseconds, before.hybrid.counter + 1, node)
    vector = dict(before.vector) if before is not None else {}
    vector[node] = vector.get(node, 0) + 1
    return content | {STAMP: msgspec.to_builtins(Stamp(time, vector))}


Order = Literal["before", "after", "equal", "concurrent"]


def compare_vectors(one: Mapping[str, int], other: Mapping[str, int]) -> Order:
    """Whether `one` happened before `other`, after it, is the same, or knew nothing of it (Fidge 1988)."""
    nodes = one.keys() | other.keys()
    behind = any(one.get(node, 0) < other.get(node, 0) for node in nodes)
    ahead = any(one.get(node, 0) > other.get(node, 0) for node in nodes)
    if behind and ahead:
        return "concurrent"
    return "before" if behind else "after" if ahead else "equal"


class Resolution(msgspec.Struct, frozen=True, kw_only=True):
    """The content that stands (None: deleted), and what lost, to be kept.

    Where nobody may decide but a person, `siblings` has both, and the content is the truth's.
    """

    content: Content | None
    losers: tuple[Record, ...] = ()
    siblings: tuple[Record, ...] = ()

    @property
    def is_settled(self) -> bool:
        """Whether the rule decided."""
        return not self.siblings


class Resolver(Protocol):
    """A rule that decides between two versions of one record."""

    def resolve(self, truth: Record, other: Record) -> Resolution:
        """What shall stand. The answer does not depend on which of the two is called the truth."""


class LastWriterWins:
    """The later hybrid time wins; a record without one loses to a record with one.

    Without any, the higher version wins, then the larger digest: arbitrary, but the same everywhere.
    """

    def resolve(self, truth: Record, other: Record) -> Resolution:
        """The later one."""
        winner, loser = sorted((truth, other), key=_lateness, reverse=True)
        return Resolution(content=winner.content, losers=(loser,))


def _lateness(record: Record) -> tuple[Any, ...]:
    stamp = stamp_of(record.content)
    if stamp is None:
        return (0, record.version, record.digest)
    hybrid = stamp.hybrid
    return (1, hybrid.milliseconds, hybrid.counter, hybrid.node, record.version, record.digest)


class VectorClocks:
    """What was written with knowledge of the other wins; what was not is left to a person, or to `merge`."""

    def __init__(self, merge: Resolver | None = None) -> None:
        self._merge = merge

    def resolve(self, truth: Record, other: Record) -> Resolution:
        """The one that knew of the other; both as siblings where neither did."""
        stamps = stamp_of(truth.content), stamp_of(other.content)
        order: Order = "concurrent"
        if stamps[0] is not None and stamps[1] is not None:
            order = compare_vectors(stamps[0].vector, stamps[1].vector)
        if order == "equal" and truth.digest == other.digest:
            return Resolution(content=truth.content)
        if order == "before":
            return Resolution(content=other.content, losers=(truth,))
        if order == "after":
            return Resolution(content=truth.content, losers=(other,))
        if self._merge is not None:
            return self._merge.resolve(truth, other)
        return Resolution(content=truth.content, siblings=(truth, other))


Merge = Callable[[Content, Content], Content]


class ByFunction:
    """A rule of one's own over two live contents; a deletion loses to what is alive."""

    def __init__(self, merge: Merge) -> None:
        self._merge = merge

    def resolve(self, truth: Record, other: Record) -> Resolution:
        """What the rule makes of both."""
        if truth.content is None or other.content is None:
            alive, dead = (other, truth) if truth.content is None else (truth, other)
            return Resolution(content=alive.content, losers=(dead,))
        merged = self._merge(truth.content, other.content)
        losers = tuple(each for each in (truth, other) if each.content != merged)
        return Resolution(content=merged, losers=losers)


def lower_of(field: str) -> Merge:
    """The content whose number in `field` is lower: what is left in stock is never made up."""

    def merge(one: Content, other: Content) -> Content:
        return one if one.get(field, float("inf")) <= other.get(field, float("inf")) else other

    return merge


def union_of(field: str, *, by: str, otherwise: Resolver) -> Merge:
    """The union of two lists of parts, one for each value of `by`; the rest as `otherwise` decides."""

    def merge(one: Content, other: Content) -> Content:
        # The version says nothing here; the rule looks at the contents alone.
        rest = otherwise.resolve(Record("", 0, one), Record("", 0, other)).content or one
        parts: dict[Any, Any] = {}
        for part in [*(one.get(field) or []), *(other.get(field) or [])]:
            parts.setdefault(part.get(by), part)
        return rest | {field: [parts[name] for name in sorted(parts, key=str)]}

    return merge
