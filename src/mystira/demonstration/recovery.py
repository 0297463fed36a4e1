"""How a death is recovered from, and how long that takes: three clocks that start at the kill.

    served    somebody else of that name takes work
    went on   the step in whose midst it happened tells of something new (records, an attempt, its end)
    written   a write that was wanted after the kill is acknowledged, of the kind whose step it was

A death is recovered from when all three have stopped. The last one is read from the witness's ledgers, which
know what people were told, whatever the platform says of itself.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from manystore.errors import UnavailableError
from mystira.demonstration.stage import SUPERVISOR, Stage
from mystira.simulation.ledger import read_ledgers

T = TypeVar("T")

_LOOK_EVERY: Final = 0.02


class Death(msgspec.Struct, frozen=True, kw_only=True):
    """A process killed with SIGKILL at a step of a kind, when so many records were done.

    `victim` is the sort of process, `name` the platform's own word for it, `at` the moment, in seconds of
    the machine's monotonic clock.
    """

    kind: str
    step: str
    victim: str
    name: str
    pid: int
    done: int
    at: float


class Sight(msgspec.Struct, frozen=True):
    """What was seen of a step: anything that changes as it goes on, and whether it is over."""

    seen: tuple[object, ...]
    is_over: bool = False


Look = Callable[[], Awaitable[Sight]]


class Wound(msgspec.Struct):
    """A death, and the seconds after it in which it healed; None as long as it has not."""

    death: Death
    served: float | None = None
    went_on: float | None = None


class Healing:
    """Watches how a platform recovers from each death."""

    def __init__(self, platform: Stage) -> None:
        self.wounds: Final[list[Wound]] = []
        self._platform = platform
        self._returns: list[asyncio.Task[None]] = []
        self._goings_on: list[asyncio.Task[None]] = []

    def watch(self, death: Death, look: Look) -> None:
        """Watch from now on, which is the moment of the death."""
        wound = Wound(death)
        self.wounds.append(wound)
        self._returns.append(asyncio.create_task(self._await_return(wound), name=f"return of {death.name}"))
        self._goings_on.append(
            asyncio.create_task(self._await_step(wound, look), name=f"on with {death.step}")
        )

    async def _await_return(self, wound: Wound) -> None:
        death = wound.death
        if death.victim == SUPERVISOR:
            await self._platform.start_again()
        else:
            while (found := self._platform.find(death.name)) is None or found.pid == death.pid:  # noqa: ASYNC110
                await asyncio.sleep(_LOOK_EVERY)
        wound.served = time.monotonic() - death.at

    async def _await_step(self, wound: Wound, look: Look) -> None:
        # Against what is to be seen now, and not what was seen before: the dead may have told of something
        # between our look and the signal.
        before = await patiently(look)
        while not before.is_over and await patiently(look) == before:  # noqa: ASYNC110  # a store says so
            await asyncio.sleep(_LOOK_EVERY)
        wound.went_on = time.monotonic() - wound.death.at

    async def healed(self) -> None:
        """Wait until whoever was killed is back. Raises StartError for a platform that does not come back."""
        await asyncio.gather(*self._returns)

    @property
    def last_return(self) -> float:
        """When somebody came back last, in seconds of the machine's monotonic clock."""
        returns = (wound.death.at + wound.served for wound in self.wounds if wound.served is not None)
        return max(returns, default=float("-inf"))

    async def gone_on(self) -> None:
        """Wait until everybody is back, and every step has gone on. Raises as `healed`."""
        await asyncio.gather(*self._returns, *self._goings_on)

    async def stop(self) -> None:
        """Watch no longer."""
        watching = (*self._returns, *self._goings_on)
        for task in watching:
            task.cancel()
        await asyncio.gather(*watching, return_exceptions=True)


async def patiently(look: Callable[[], Awaitable[T]]) -> T:
    """Look until it is possible: a store may be away for the very reason that something was killed."""
    while True:
        try:
            return await look()
        except UnavailableError:
            await asyncio.sleep(_LOOK_EVERY)


class Recovery(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """How one death was recovered from, in milliseconds after it; None where that was never seen.

    `whole` is the longest of the three.
    """

    kind: str
    step: str
    victim: str
    served: float | None
    went_on: float | None
    written: float | None

    @property
    def whole(self) -> float | None:
        """When all was as before."""
        clocks = (self.served, self.went_on, self.written)
        known = [each for each in clocks if each is not None]
        return max(known) if len(known) == len(clocks) else None


class Recovered(msgspec.Struct, frozen=True, kw_only=True):
    """How long recovery took over a number of deaths, in milliseconds; `never` is how many have no figure."""

    deaths: int
    never: int
    p50: float
    p99: float
    max: float

    @classmethod
    def of(cls, recoveries: Sequence[Recovery]) -> "Recovered":
        """The figures of these."""
        known = [each.whole for each in recoveries if each.whole is not None]
        p50, p99, most = (share_of(known, share) for share in (0.5, 0.99, 1.0))
        return cls(deaths=len(recoveries), never=len(recoveries) - len(known), p50=p50, p99=p99, max=most)


def share_of(figures: Sequence[float], share: float) -> float:
    """The least figure that so large a share of them does not exceed; 0 where there is none."""
    ordered = sorted(figures)
    at_most = int(len(ordered) * share)
    return ordered[min(at_most, len(ordered) - 1)] if ordered else 0.0


def recoveries_of(wounds: Sequence[Wound], ledgers: Sequence[Path]) -> tuple[Recovery, ...]:
    """How each death was recovered from. Reads the ledgers, whose writers have ended."""
    writes = [
        (entry.kind, entry.due, entry.at) for entry in read_ledgers(ledgers) if entry.event == "acknowledged"
    ]
    return tuple(_recovery(wound, writes) for wound in wounds)


def _recovery(wound: Wound, writes: Sequence[tuple[str, float, float]]) -> Recovery:
    death = wound.death
    answers = (at for kind, due, at in writes if kind == death.kind and due >= death.at)
    first = min(answers, default=None)
    return Recovery(
        kind=death.kind,
        step=death.step,
        victim=death.victim,
        served=_milliseconds(wound.served),
        went_on=_milliseconds(wound.went_on),
        written=None if first is None else _milliseconds(first - death.at),
    )


def _milliseconds(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 1)
