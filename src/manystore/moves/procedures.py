"""What an action consists of: it is begun once, done range by range by whoever has a hand free, ended once.

Each of these may be repeated, and may run in another process than the one before it: whoever starts it is
told all there is to know by an `Order` or by what was `Begun`, which are small and pass through any queue.
Nothing here knows how work is handed out (`workflows`).
"""

import datetime as dt
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol

import msgspec

from manystore.clock import Clock
from manystore.followers.sync import Track
from manystore.moves.pace import Pace
from manystore.moves.progress import Report
from manystore.moves.tasks import Action, Depth, Override
from manystore.placement import Placement, State
from manystore.stores.store import Store

Result = dict[str, Any]


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked for, by whom and why. `run` names this carrying out; whoever takes it up again uses the
    same name.
    """

    action: Action
    kind: str
    run: str
    override: Override | None = None
    depth: Depth = "full"
    actor: str = ""
    reason: str = ""


class Begun(msgspec.Struct, frozen=True, kw_only=True):
    """What the first step of an action settled, and all later ones go by.

    `ranges` is how many there are to be done; with none, everything happens at the end. `run` is where
    their notes are, `done_before` what former runs had done of `total` records.
    """

    order: Order
    began_at: dt.datetime
    state: State | None = None
    run: str = ""
    ranges: int = 0
    total: int = 0
    done_before: int = 0


class Procedure(Protocol):
    """One action. Every method raises StepRefusedError where it must not be, and UnavailableError."""

    async def begin(self, order: Order) -> Begun:
        """Settle what is to be done."""

    async def do_range(self, begun: Begun, number: int) -> bytes:
        """Do one range, from its checkpoint on; returns its result for `end`."""

    async def end(self, begun: Begun, results: Sequence[bytes], report: Report) -> Result:
        """Conclude from the results of all ranges, in their order."""


class Means(msgspec.Struct, frozen=True, kw_only=True):
    """What procedures work with."""

    family: Mapping[str, Placement]
    clock: Clock
    randomness: random.Random
    pace: Pace

    def track(self, kind: str, state: State) -> Track:
        """The direction in which a kind's changes flow in a state."""
        return Track(self.family[kind], state, clock=self.clock, randomness=self.randomness)

    def track_of(self, begun: Begun) -> Track:
        """The direction that was settled when the action was begun."""
        if begun.state is None:
            raise RuntimeError(f"{begun.order.action.value} of {begun.order.kind} has no direction")
        return self.track(begun.order.kind, begun.state)

    def seconds_since(self, began_at: dt.datetime) -> float:
        """How long ago that was, by the wall clock: the processes of an action share no other."""
        return max(0.0, (self.clock.now() - began_at).total_seconds())

    def notes_of(self, begun: Begun) -> Store:
        """The store in which the action keeps its notes."""
        return self.track_of(begun).copy


class OneStep:
    """An action without ranges: what it does, it does at the end."""

    def __init__(
        self, act: Callable[[str, Report, Override | None], Awaitable[Result]], clock: Clock
    ) -> None:
        self._act, self._clock = act, clock

    async def begin(self, order: Order) -> Begun:
        """Nothing but the time."""
        return Begun(order=order, began_at=self._clock.now())

    async def do_range(self, begun: Begun, number: int) -> bytes:
        """There are none. Raises RuntimeError."""
        raise RuntimeError(f"{begun.order.action.value} has no ranges")

    async def end(self, begun: Begun, results: Sequence[bytes], report: Report) -> Result:
        """Act."""
        return await self._act(begun.order.kind, report, begun.order.override)
