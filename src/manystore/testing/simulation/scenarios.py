"""A move there and back while two nodes write: the engine's own classes, in processes that may die."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any, Final, cast

import msgspec

from manystore.dual_write import CopyWriter, DualWrite
from manystore.errors import MoveError, StepRefusedError, UnavailableError
from manystore.followers.queue import SyncQueue
from manystore.followers.runner import SyncRunner
from manystore.moves.actions import Mover
from manystore.moves.certificate import Certificate, CertificateFolder
from manystore.moves.tasks import Action
from manystore.placement import Leases, Placement, Side
from manystore.records import Record, canonical
from manystore.repository import Repository
from manystore.stores.memory import MemoryStore
from manystore.stores.store import Fencing, Store
from manystore.testing.simulation.invariants import Watchman, lost, lost_marks
from manystore.testing.simulation.processes import Process
from manystore.testing.simulation.simulation import Simulation, Violation
from manystore.testing.simulation.stores import LeaseFencedMemory, PickyMemory, SimulatedStore
from manystore.testing.simulation.witness import SHARED, THINGS, Node, Thing, Witness

_KIND: Final = THINGS.name
_RESTART: Final = 0.05


class Certificates(CertificateFolder):
    """A folder in memory; it survives whoever writes to it."""

    def __init__(self) -> None:
        super().__init__(Path("certificates"))
        self._texts: dict[str, bytes] = {}

    def _write(self, certificate: Certificate) -> None:
        self._texts[certificate.name] = msgspec.json.encode(certificate)

    def _names(self, kind: str) -> list[str]:
        return sorted(self._texts)

    def _text(self, name: str) -> bytes:
        return self._texts[name]


class Move(msgspec.Struct, frozen=True, kw_only=True):
    """What happens: which stores, which steps, how much is written. Times in virtual seconds.

    With an `outsider`, somebody writes behind the engine's back in the store that is the copy just then.
    A target that is `picky` refuses a record until the operator has seen to it, and replays the queue; with
    `dropped`, a share of 1, one queued change is given up instead, and repaired later. Nodes undo a cut-over
    that lasts longer than `drain_limit`. Stores that are fenced by leases alone need not even look (`looks`).
    `tail` is the share of writes that are slow. Nodes leave the copy to the worker, unless `dual_write` says
    otherwise.
    """

    source: Fencing = "transaction"
    target: Fencing = "transaction"
    journey: tuple[Action, ...] = (Action.START, Action.VERIFY, Action.CUT_OVER, Action.CUT_BACK)
    nodes: int = 2
    workers: int = 1
    writes: int = 5
    pause: float = 0.04
    lease: float = 0.4
    outsider: bool = False
    picky: bool = False
    dropped: float = 0.0
    looks: bool = True
    dual_write: DualWrite | None = None
    drain_limit: float = 10.0
    tail: float = 0.01
    impatience: float = 0.4
    """After how long without an answer the operator takes another coordinator."""
    bound: float = 12.0
    """Within how long after the last fault everything must be in order again."""

    async def __call__(self, simulation: Simulation) -> None:
        """Let it happen. Raises Violation."""
        await Stage(self, simulation).play()


class Stage:
    """Everything that outlives processes: the stores, the certificates, and those who stand outside."""

    def __init__(self, move: Move, simulation: Simulation) -> None:
        self.move, self.simulation = move, simulation
        target = PickyMemory("target") if move.picky else _store(move, move.target, "target")
        self.stores: Final = {Side.SOURCE: _store(move, move.source, "source"), Side.TARGET: target}
        self.certificates: Final = Certificates()
        placement = self.placement(self.stores[Side.SOURCE], self.stores[Side.TARGET])
        self.watchman: Final = Watchman(placement, self.stores, simulation)
        self.witnesses: Final = [Witness(f"user-{number + 1}", simulation) for number in range(move.nodes)]
        self.coordinator: Process | None = None
        self.mover: Mover | None = None
        self.refusals: list[str] = []
        self.is_in_want_of_repair = False
        self._outside: list[asyncio.Task[Any]] = []

    @staticmethod
    def placement(source: object, target: object) -> Placement:
        """The kind between two stores, or two handles of them."""
        return Placement(kind=THINGS, source=cast(Store, source), target=cast(Store, target))

    def seen_by(self, process: Process) -> Placement:
        """The placement with a process' own handles."""
        handles = [
            SimulatedStore(store, process, self.simulation, watch=self.watchman.see)
            for store in (self.stores[Side.SOURCE], self.stores[Side.TARGET])
        ]
        return self.placement(*handles)

    def leases(self, process: Process, placement: Placement) -> Leases:
        """What a process knows of the phases."""
        return Leases(
            [placement],
            node=process.label,
            clock=process.clock,
            lease=self.move.lease,
            drain_limit=self.move.drain_limit,
        )

    async def play(self) -> None:
        """From the first step of the journey until all is in order. Raises Violation."""
        self.simulation.tail = self.move.tail
        for store in self.stores.values():
            await store.open()
        old = [Record(key, 0, msgspec.to_builtins(Thing(key))) for key in SHARED]
        await self.stores[Side.SOURCE].apply(THINGS, old)
        for witness in self.witnesses:
            self._begin(
                self._keep_alive(f"node-{witness.name[5:]}", self._node(witness)), f"keeper {witness.name}"
            )
        for number in range(self.move.workers):
            self._begin(self._keep_alive(f"worker-{number + 1}", self._work), f"keeper worker-{number + 1}")
        travelling = self._begin(self._travel(), "operator")
        writing = [
            self._begin(each.write(self.move.writes, pause=self.move.pause), each.name)
            for each in self.witnesses
        ]
        target = self.stores[Side.TARGET]
        if isinstance(target, PickyMemory):
            target.refused = frozenset(SHARED[:1])
        if self.move.outsider:
            self._begin(self._intrude(), "outsider")
        await self.simulation.until(
            lambda: "the journey is not over",
            lambda: self._is_done([travelling, *writing]),
            within=4 * self.move.bound,
        )
        await self._settle()

    def _begin(self, coroutine: Any, name: str) -> asyncio.Task[Any]:
        task = self.simulation.loop.begin(coroutine, owner=None, name=name)
        self._outside.append(task)
        return task

    def _is_done(self, tasks: list[asyncio.Task[Any]]) -> bool:
        for task in self._outside:
            if task.done() and not task.cancelled() and (error := task.exception()) is not None:
                raise error
        return all(task.done() for task in tasks)

    # -- processes ---------------------------------------------------------------------------------------

    async def _keep_alive(self, name: str, main: Callable[[Process], Awaitable[None]]) -> None:
        """Start a process, and start it anew whenever it is gone."""
        while True:
            process = self.simulation.process(name)
            task = process.begin(_awaited(main, process), "main")
            if await process.outlived(task) and (error := task.exception()) is not None:
                raise Violation(f"{process} ended with {error!r}") from error
            process.die()
            await self.simulation.wait(_RESTART)

    def _node(self, witness: Witness) -> Callable[[Process], Awaitable[None]]:
        async def serve(process: Process) -> None:
            placement = self.seen_by(process)
            leases = self.leases(process, placement)
            things = Repository(
                Thing, THINGS, leases, process.clock, patience=2.0, copying=self._copying(process, placement)
            )
            witness.node = Node(process, things)
            await leases.keep()

        return serve

    def _copying(self, process: Process, placement: Placement) -> CopyWriter | None:
        if self.move.dual_write is None:
            return None
        randomness = self.simulation.stream("jitter")
        return CopyWriter(placement, self.move.dual_write, clock=process.clock, randomness=randomness)

    async def _work(self, process: Process) -> None:
        placement = self.seen_by(process)
        leases = self.leases(process, placement)
        runner = SyncRunner(
            [placement],
            leases,
            owner=process.label,
            clock=process.clock,
            randomness=self.simulation.stream("jitter"),
        )
        async with asyncio.TaskGroup() as group:
            group.create_task(runner.run(), name="runner")
            group.create_task(leases.keep(), name="leases")

    # -- those who stand outside -------------------------------------------------------------------------

    async def _travel(self) -> None:
        """Ask for each step until it is done, as a patient operator would."""
        for action in self.move.journey:
            tries = 0
            while not await self._take(action):
                tries += 1
                if tries >= 40 or (tries >= 3 and self.watchman.reported()):
                    self.simulation.trace.note("gives up at", action.value, who="operator")
                    return
                await self.simulation.wait(0.05)
                await self._mend()
                if action in (Action.CUT_OVER, Action.CUT_BACK):
                    await self._take(Action.VERIFY)

    async def _mend(self) -> None:
        """See to what the target refuses, and replay it."""
        target = self.stores[Side.TARGET]
        if not isinstance(target, PickyMemory):
            return
        target.refused = frozenset()
        process, _ = self._coordinator()
        jitter, choice = self.simulation.stream("jitter"), self.simulation.stream("mending")
        queue = SyncQueue(self.seen_by(process).target, THINGS, clock=process.clock, randomness=jitter)
        waiting = self.watchman.queued(Side.TARGET)
        if waiting and choice.random() < self.move.dropped:
            # Said before it is known: an answer that is lost leaves a change given up all the same.
            self.is_in_want_of_repair = True
            key = choice.choice(waiting).key
            self.watchman.given_up.setdefault(key, 0)
            await self._done_by(process, queue.drop(key, actor="operator", reason="of no use"), "drop")
        else:
            await self._done_by(process, queue.replay(), "replay")
        if self.is_in_want_of_repair and await self._take(Action.REPAIR):
            self.is_in_want_of_repair = False

    async def _done_by(self, process: Process, work: Coroutine[Any, Any, Any], name: str) -> None:
        task = process.begin(work, name)
        if await process.outlived(task, within=1.0) and (error := task.exception()) is not None:
            self.simulation.trace.note(name, error, who="operator")
            if not isinstance(error, UnavailableError):
                raise Violation(f"{name} ended with {error!r}") from error

    async def _take(self, action: Action) -> bool:
        process, mover = self._coordinator()
        work = mover.carry_out(action, _KIND, actor="operator", reason="a move")
        task = process.begin(work, action.value)
        if not await process.outlived(task, within=self.move.impatience):
            if process.is_dead or not task.done():
                # Frozen, slow or dead: nobody knows, and another one takes its place.
                self.coordinator = None
            self.simulation.trace.note(action.value, "ends without an answer", who="operator")
            return False
        error = task.exception()
        self.simulation.trace.note(action.value, "is done" if error is None else str(error), who="operator")
        if isinstance(error, StepRefusedError):
            self.refusals = list(error.conditions)
        elif error is not None and not isinstance(error, UnavailableError | MoveError):
            raise Violation(f"{action.value} ended with {error!r}") from error
        if error is None and action is Action.VERIFY:
            return task.result()["certificate"] is not None
        return error is None

    def _coordinator(self) -> tuple[Process, Mover]:
        if self.coordinator is None or self.mover is None or self.coordinator.is_dead:
            self.coordinator = self.simulation.process("mover")
            self.mover = Mover(
                {_KIND: self.seen_by(self.coordinator)},
                self.certificates,
                clock=self.coordinator.clock,
                randomness=self.simulation.stream("jitter"),
                lease=self.move.lease,
            )
        return self.coordinator, self.mover

    async def _intrude(self) -> None:
        """Write one mark behind the engine's back, in the copy of the moment."""
        await self.simulation.wait(self.simulation.stream("outsider").uniform(0.02, 0.5))
        state = self.watchman.state()
        if state is None:
            return
        side, key = state.truth.other, SHARED[0]
        held = self.watchman.held(side).get(key)
        if await self.stores[side].fence(THINGS) is None:
            # Before the move whatever lies there is old data.
            return
        if held is None or held.content is None:
            return
        marks = [*held.content["marks"], "outsider"]
        self.simulation.trace.note("writes", key, "of", side.value, who="outsider")
        self.stores[side].write_behind(THINGS, key, held.content | {"marks": marks})
        self.watchman.rogues[key] = {"outsider"}

    # -- in the end --------------------------------------------------------------------------------------

    async def _settle(self) -> None:
        """See that everything comes to be in order by itself, and that nothing is missing."""
        bound, watchman = self.move.bound, self.watchman
        await self.simulation.until(lambda: "no writes are admitted", self._admits, within=bound)
        deadline = self.simulation.loop.time() + bound
        for witness in self.witnesses:
            while not await witness.write_once():
                if self.simulation.loop.time() > deadline:
                    raise Violation(f"liveness: {witness.name} could not write within {bound:g} s")
                await self.simulation.wait(0.02)
        if self.move.picky:
            self._begin(self._keep_mending(), "operator who mends")
        await self.simulation.until(self._behind, self._has_caught_up, within=bound)
        # Whoever stands outside may have found something meanwhile, the operator who mends as well.
        self._is_done([])
        state = watchman.state()
        assert state is not None
        waiting = {entry.key for entry in watchman.queued(state.truth.other)}
        for key, difference in watchman.differences().items():
            # Whatever waits by now waits for a name that somebody took without a right to (see `_behind`).
            if state.phase.has_copy and key not in waiting:
                raise Violation(f"copy equals truth: {difference}")
        self._look_for_the_unasked()
        truth = watchman.held(state.truth)
        missing = [each for witness in self.witnesses for each in lost(witness, truth)]
        if missing := missing or lost_marks(self.witnesses, truth, watchman.rogues):
            raise Violation(missing[0])
        await self._look_for_rogues(truth)

    async def _keep_mending(self) -> None:
        while True:
            if self.is_in_want_of_repair or self.watchman.queued(Side.TARGET):
                await self._mend()
            await self.simulation.wait(0.3)

    def _admits(self) -> bool:
        state = self.watchman.state()
        return state is not None and state.takes_writes

    def _has_caught_up(self) -> bool:
        return self.watchman.state() is not None and not self._behind()

    def _behind(self) -> str:
        """What the copy lacks of the truth, without an explanation."""
        state = self.watchman.state()
        if state is None or not state.phase.has_copy:
            return ""
        if self.is_in_want_of_repair:
            return "what was given up is not repaired"
        if lag := self.watchman.lag(state):
            return f"the copy is {lag} changes behind"
        waiting = [
            entry.key
            for entry in self.watchman.queued(state.truth.other)
            if not self.watchman.is_explained(entry)
        ]
        return f"these are queued: {waiting}" if waiting else ""

    def _look_for_the_unasked(self) -> None:
        """Only who froze, or gave up waiting, may leave a write that nobody admitted."""
        for store, key, version in sorted(self.watchman.reported() - self.simulation.strays):
            if key not in self.watchman.rogues:
                raise Violation(f"nobody writes without a right to: {key} version {version} of {store}")

    async def _look_for_rogues(self, truth: dict[str, Record]) -> None:
        """What the outsider wrote is in the truth, or a store tells of it."""
        for key, marks in self.watchman.rogues.items():
            told = [rogue for store in self.stores.values() for rogue in await store.rogue_writes(THINGS)]
            for mark in marks:
                is_told = any(rogue.key == key and mark in rogue.evidence for rogue in told)
                if not is_told and mark.encode() not in canonical(truth[key].content):
                    raise Violation(f"a rogue write is never silent: {mark} in {key} is nowhere")


def _store(move: Move, fencing: Fencing, name: str) -> MemoryStore:
    return MemoryStore(name) if fencing == "transaction" else LeaseFencedMemory(name, looks=move.looks)


async def _awaited(main: Callable[[Process], Awaitable[None]], process: Process) -> None:
    with contextlib.suppress(UnavailableError):
        await main(process)
