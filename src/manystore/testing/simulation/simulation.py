"""One run: a loop, the randomness of a seed, the faults that are planned, and a trace of what happened."""

import asyncio
import contextlib
import gc
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, Final

import msgspec
import structlog

from manystore.testing.simulation.faults import Fault, FaultKind, Plan
from manystore.testing.simulation.fence import fenced
from manystore.testing.simulation.loop import DeadlockError, FenceError, StalledError, VirtualLoop, end_all
from manystore.testing.simulation.processes import Process, wait
from manystore.testing.simulation.streams import Streams
from manystore.testing.simulation.trace import Trace

Stray = tuple[str, str, int]
"""A write by the name of its store, its key and its version."""


class Violation(Exception):  # noqa: N818 - it is what is looked for, no error of the program
    """Something that must hold does not."""


class Simulation:
    """What a scenario works with.

    `drift` is the most by which a process' clock may run fast or slow, `latency` the longest time in seconds
    that a call of a store takes, `freeze` for how long a frozen process stands still, and `patience` after
    how long a caller gives up a call that is late.
    """

    def __init__(
        self,
        seed: int,
        plan: Plan,
        *,
        latency: float = 0.004,
        drift: float = 0.02,
        freeze: float = 1.0,
        patience: float = 0.3,
        traced: bool = False,
        loop: VirtualLoop | None = None,
    ) -> None:
        self.seed, self.plan = seed, plan
        self.loop: Final = loop or VirtualLoop()
        self.trace: Final = Trace(self.loop, is_kept=traced)
        self.latency, self.drift, self.freeze, self.patience = latency, drift, freeze, patience
        self.called: list[str] = []
        """By whom each call was made, and of what."""
        self.tail = 0.01
        """The share of writes that are slow."""
        self.strays: set[Stray] = set()
        """Writes that landed where none is admitted, as they had left a process that froze or gave up."""
        self.is_over = False
        self._streams = Streams(seed)
        self._lives: dict[str, int] = {}
        self._processes: list[Process] = []
        self._draw: Callable[[], float] = self.stream("latency").random
        self._drifts = self.stream("drift")
        self._broken: list[str] = []

    def stream(self, name: str) -> Any:
        """The source of random numbers for one purpose (a random.Random)."""
        return self._streams.stream(name)

    def process(self, name: str) -> Process:
        """A process, or the next life of one that died."""
        life = self._lives[name] = self._lives.get(name, 0) + 1
        process = Process(self, name, life, drift=self._drifts.uniform(-self.drift, self.drift))
        self._processes.append(process)
        return process

    def end(self) -> None:
        """From now on no process goes on: each that calls or waits is cancelled."""
        self.is_over = True
        for process in self._processes:
            process.is_up = False

    def draw_latency(self, tail: float) -> float:
        """Seconds that the next call takes: a share of them up to fifty times as many."""
        share = self._draw()
        if share > 1 - tail:
            return self.latency * (share - 1 + tail) / tail * 50
        return self.latency * (0.05 + share * share)

    def begins_late(self) -> bool:
        """Whether the next call takes its time on the way to the store, rather than on the way back."""
        return self._draw() < 0.5

    def next_call(self, name: str) -> tuple[int, FaultKind | None]:
        """The number of the call that is made now, and what is to befall it."""
        number = len(self.called)
        self.called.append(name)
        return number, self.plan.at(number)

    def present(self) -> object:
        """The running task."""
        return asyncio.current_task(self.loop)

    async def wait(self, seconds: float) -> None:
        """Let time pass for who stands outside all processes."""
        await wait(self.loop, seconds)

    def break_invariant(self, what: str) -> None:
        """Say that something does not hold; the run ends with it as soon as who steers it looks."""
        self.trace.note("BROKEN:", what)
        self._broken.append(what)

    def check(self) -> None:
        """Raise Violation with the first that was broken."""
        if self._broken:
            raise Violation(self._broken[0])

    async def until(
        self, what: Callable[[], str], is_so: Callable[[], bool], *, within: float, every: float = 0.02
    ) -> None:
        """Wait until something is so. Raises Violation with `what` is wrong `within` so many seconds."""
        deadline = self.loop.time() + within
        while not is_so():
            self.check()
            if self.loop.time() >= deadline:
                raise Violation(f"liveness: {what()} after {within:g} s")
            await self.wait(every)
        self.check()


class Run(msgspec.Struct, frozen=True):
    """What a run came to. `violation` is empty where everything held; `seconds` are virtual ones."""

    seed: int
    faults: tuple[Fault, ...]
    happened: tuple[Fault, ...]
    violation: str
    called: tuple[str, ...]
    seconds: float
    digest: str = ""
    trace: tuple[str, ...] = ()

    @property
    def calls(self) -> int:
        """How many calls of stores were made."""
        return len(self.called)

    @property
    def holds(self) -> bool:
        """Whether nothing was broken."""
        return not self.violation


Scenario = Callable[[Simulation], Awaitable[None]]
"""What is to happen in a run. It raises Violation, or returns when it is content."""


def run(seed: int, scenario: Scenario, faults: tuple[Fault, ...] = (), *, traced: bool = False) -> Run:
    """Let a scenario happen once. With `traced` the result tells all that happened.

    The same seed, scenario and faults come to the same result, to the last line of the trace.
    """
    with _leaving_rubbish():
        return _run(seed, scenario, faults, traced)


def _run(seed: int, scenario: Scenario, faults: tuple[Fault, ...], traced: bool) -> Run:
    simulation = Simulation(seed, Plan(faults), traced=traced)
    loop = simulation.loop
    violation = ""
    with _logging_to(simulation.trace), fenced():
        try:
            loop.run_until_complete(loop.begin(_steer(simulation, scenario), owner=None, name="scenario"))
            simulation.check()
        except (Violation, DeadlockError, StalledError, FenceError) as broken:
            violation = f"{broken}" if isinstance(broken, Violation) else f"{type(broken).__name__}: {broken}"
        seconds = loop.time()
        lines, digest = (tuple(simulation.trace.lines()), simulation.trace.digest()) if traced else ((), "")
        simulation.end()
        end_all(loop)
        loop.close()
    return Run(
        seed,
        tuple(faults),
        tuple(simulation.plan.happened),
        violation,
        tuple(simulation.called),
        seconds,
        digest,
        lines,
    )


async def _steer(simulation: Simulation, scenario: Scenario) -> None:
    await scenario(simulation)


@contextlib.contextmanager
def _leaving_rubbish() -> Iterator[None]:
    """Collect no rubbish in a run: almost all is in use until it is over, and then goes at once."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


@contextlib.contextmanager
def _logging_to(trace: Trace) -> Iterator[None]:
    """What the code under test logs is part of the trace, and has no time of its own."""

    def keep(_logger: object, level: str, event: Any) -> Any:
        trace.note("logs", level, event.pop("event", ""))
        raise structlog.DropEvent

    before = structlog.get_config()
    structlog.configure(
        processors=[keep], wrapper_class=structlog.BoundLogger, cache_logger_on_first_use=False
    )
    try:
        yield
    finally:
        structlog.configure(**before)
