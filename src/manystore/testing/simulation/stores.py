"""Stores as a process sees them over a network that is slow, and that fails as planned.

`SimulatedStore` is a process' handle on a store that lives outside all processes. Each call takes its time,
on the way there or on the way back, and may meet a fault (see `faults`). `LeaseFencedMemory` is the store in
dictionaries with the weakness of Cosmos DB: it looks at the epoch before it writes, and not while it does.
"""

from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from typing import Any, Final, TypeVar

import msgspec

from manystore.changes import ChangeBatch, Position
from manystore.errors import ManystoreError, NotRepresentableError, ThrottledError, UnavailableError
from manystore.placement import State
from manystore.records import Content, Kind, Record
from manystore.specifications import Page, Specification
from manystore.stores.memory import MemoryStore
from manystore.stores.store import (
    Examination,
    Fence,
    Fencing,
    KeyRange,
    KeyVersion,
    Note,
    Outcome,
    Refused,
    RogueWrite,
)
from manystore.testing.simulation.faults import BATCHES, FaultKind
from manystore.testing.simulation.loop import CountedTask
from manystore.testing.simulation.processes import Process, wait
from manystore.testing.simulation.simulation import Simulation

_RETRY_AFTER: Final = 0.05
_TAIL: Final = 0.01
"""The share of calls that are slow, where they write no records."""
_REFUSALS: Final = {
    FaultKind.ERROR_BEFORE: "it refused",
    FaultKind.THROTTLED: "it was asked too often",
    FaultKind.LATE: "it did not answer in time",
    FaultKind.LOST: "the answer was lost",
    FaultKind.TORN: "the connection broke",
}
_OF_THE_PROCESS: Final = frozenset({FaultKind.FROZEN, FaultKind.CANCELLED})
_WRITES: Final = frozenset({"put", "delete"})
_BELATING: Final = frozenset({FaultKind.FROZEN, FaultKind.LATE})

T = TypeVar("T")
Answer = Coroutine[Any, Any, T]
Watch = Callable[[str, str, tuple[Any, ...], Any], None]
"""Told of each effect at the moment at which it comes about: store, method, arguments, result."""


class LeaseFencedMemory(MemoryStore):
    """Looks at the epoch, and then writes: what is under way by then lands under whatever epoch there is.

    What lands while the store drains was awaited; what lands later is kept as a rogue write. Looking narrows
    the time in which that can happen, and no more; without `looks` leases are all there is.
    """

    fencing: Fencing = "lease"

    def __init__(self, name: str = "leased", *, looks: bool = True) -> None:
        super().__init__(name)
        self._looks = looks
        self._is_landing = False

    def look(self, kind: Kind, epoch: int) -> None:
        """What is looked at before a write goes out. Raises StaleEpochError."""
        if self._looks:
            super()._check_epoch(kind, self._drawer(kind).fence, epoch)

    async def land(self, method: str, *args: Any, **kwargs: Any) -> Record:
        """A write that went out, and now arrives."""
        self._is_landing = True
        try:
            record: Record = await getattr(self, method)(*args, **kwargs)
        finally:
            self._is_landing = False
        if not self.admits(args[0]) and not self._is_draining(args[0]):
            self.keep_rogue(args[0], record)
        return record

    def admits(self, kind: Kind) -> bool:
        """Whether a write that lands now is one of its truth; before there are phases, every one is."""
        fence = self._drawer(kind).fence
        return fence is None or fence.admits

    def _is_draining(self, kind: Kind) -> bool:
        fence = self._drawer(kind).fence
        return fence is not None and bool(fence.body) and State.of(fence).draining_to is not None

    def _check_epoch(self, kind: Kind, fence: Fence | None, epoch: int) -> None:
        if not self._is_landing:
            super()._check_epoch(kind, fence, epoch)


class PickyMemory(MemoryStore):
    """Refuses records of some keys as a copy, for a reason of its own, until somebody mends that."""

    def __init__(self, name: str = "picky") -> None:
        super().__init__(name)
        self.refused: frozenset[str] = frozenset()

    def _apply_one(self, kind: Kind, drawer: Any, record: Record) -> Outcome:
        if record.key in self.refused and record.version:
            return Refused(
                NotRepresentableError(
                    store=self.name, kind=kind.name, key=record.key, field="marks", reason="it is picky"
                )
            )
        return super()._apply_one(kind, drawer, record)


class _Asked(msgspec.Struct):
    """What a store is asked to do. It is belated if its lease may be over by the time at which it lands."""

    method: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    is_belated: bool = False

    def __str__(self) -> str:
        """What it is about, in short."""
        words = []
        for each in self.args:
            if isinstance(each, Kind):
                words.append(each.name)
            elif isinstance(each, str | int):
                words.append(str(each))
            elif isinstance(each, Fence):
                words.append(f"epoch {each.epoch} {'admits' if each.admits else 'shut'}")
        return " ".join(words)


class SimulatedStore:
    """A process' handle on a store."""

    def __init__(
        self, inner: MemoryStore, process: Process, simulation: Simulation, *, watch: Watch | None = None
    ) -> None:
        self.name, self.fencing = inner.name, inner.fencing
        self.inner, self._process, self._simulation = inner, process, simulation
        self._watch = watch
        self._is_open = True
        self._caller = process.name.partition("-")[0]
        self._names: dict[str, str] = {}

    async def open(self) -> None:
        """Begin to use this handle."""
        self._is_open = True
        await self.inner.open()

    async def close(self) -> None:
        """Let go of this handle; the store goes on for others."""
        self._is_open = False

    async def _call(self, method: str, *args: Any, **kwargs: Any) -> Any:
        simulation, process = self._simulation, self._process
        was_asleep = not process.is_up and await process.stand()
        if not self._is_open:
            raise UnavailableError(subject=self.name, reason="it is closed")
        name = self._names.get(method) or self._name(method)
        number, fault = simulation.next_call(name)
        asked = _Asked(method, args, kwargs)
        if simulation.trace.is_kept:
            simulation.trace.note(number, f"{self.name}.{method}", asked, "" if fault is None else fault.name)
        is_write = method in _WRITES
        if is_write and isinstance(self.inner, LeaseFencedMemory):
            asked.is_belated = was_asleep or fault in _BELATING
            self.inner.look(args[0], kwargs["epoch"])
        latency = simulation.draw_latency(simulation.tail if is_write else _TAIL)
        if fault is not None:
            return await self._fail(number, fault, latency, asked)
        if simulation.begins_late():
            # It has left the process, whatever becomes of that.
            await wait(simulation.loop, latency)
            try:
                return await self._do(asked)
            finally:
                if not process.is_up:
                    await process.stand()
        try:
            result = await self._do(asked)
        except ManystoreError:
            await process.wait(latency)
            raise
        await process.wait(latency)
        return result

    def _name(self, method: str) -> str:
        """What is called by whom. As a process makes each call many times, its name is put together once."""
        name = self._names[method] = f"{self._caller} {self.name}.{method}"
        return name

    async def _do(self, asked: _Asked) -> Any:
        inner, args = self.inner, asked.args
        if asked.method in _WRITES and isinstance(inner, LeaseFencedMemory):
            result = await inner.land(asked.method, *args, **asked.kwargs)
            if asked.is_belated and not inner.admits(args[0]):
                self._simulation.strays.add((self.name, result.key, result.version))
        else:
            result = await getattr(inner, asked.method)(*args, **asked.kwargs)
        if self._watch is not None:
            self._watch(self.name, asked.method, args, result)
        return result

    async def _fail(self, number: int, fault: FaultKind, latency: float, asked: _Asked) -> Any:
        """Carry a call out as the fault has it."""
        simulation, process = self._simulation, self._process
        if fault is FaultKind.TORN and asked.method not in BATCHES:
            # Elsewhere the contract says that all of it is done or nothing.
            fault = FaultKind.LOST
        simulation.plan.happens(number, fault)
        if fault is FaultKind.CRASH_BEFORE:
            process.die()
        elif fault is FaultKind.FROZEN:
            process.freeze(simulation.freeze)
        await wait(simulation.loop, latency)
        match fault:
            case FaultKind.LATE:
                await self._arrive_late(asked)
            case FaultKind.LOST:
                await self._quietly(asked)
            case FaultKind.TORN:
                [notes] = asked.args
                await self._quietly(_Asked(asked.method, (notes[: len(notes) // 2 + 1],), asked.kwargs))
        if (reason := _REFUSALS.get(fault)) is not None:
            await process.stand()
            error = ThrottledError if fault is FaultKind.THROTTLED else UnavailableError
            raise error(subject=self.name, reason=reason, retry_after=_RETRY_AFTER)
        return await self._succeed(fault, asked)

    async def _succeed(self, fault: FaultKind, asked: _Asked) -> Any:
        """Those faults after which an answer comes, if there is somebody to hear it."""
        process = self._process
        is_early = self._simulation.begins_late()
        if fault is FaultKind.CANCELLED:
            self._cancel_root()
        if fault is FaultKind.CRASH_BEFORE or (fault in _OF_THE_PROCESS and is_early):
            await process.wait(0.0)
        result = await self._do(asked)
        if fault is FaultKind.DUPLICATE:
            await self._quietly(asked)
        elif fault is FaultKind.CRASH_AFTER:
            process.die()
        await process.wait(0.0)
        return result

    def _cancel_root(self) -> None:
        task = self._simulation.present()
        if isinstance(task, CountedTask):
            task.root.cancel()

    async def _arrive_late(self, asked: _Asked) -> None:
        simulation = self._simulation
        simulation.loop.begin(
            self._land(simulation.patience * 1.2, asked), owner=None, name=f"late {asked.method}"
        )
        await self._process.wait(simulation.patience)

    async def _land(self, seconds: float, asked: _Asked) -> None:
        await self._simulation.wait(seconds)
        self._simulation.trace.note(f"{self.name}.{asked.method}", asked, "arrives")
        await self._quietly(asked)

    async def _quietly(self, asked: _Asked) -> None:
        """Do it, and tell nobody what came of it."""
        try:
            await self._do(asked)
        except ManystoreError as error:
            self._simulation.trace.note(f"{self.name}.{asked.method}", "is refused:", type(error).__name__)

    # -- the protocol -----------------------------------------------------------------------------------

    def get(self, kind: Kind, key: str) -> Answer[Record | None]:
        """See Store.get."""
        return self._call("get", kind, key)

    def get_many(self, kind: Kind, keys: Sequence[str]) -> Answer[dict[str, Record]]:
        """See Store.get_many."""
        return self._call("get_many", kind, keys)

    def find(self, kind: Kind, specification: Specification) -> Answer[Page]:
        """See Store.find."""
        return self._call("find", kind, specification)

    def scan(self, kind: Kind, key_range: KeyRange, limit: int) -> Answer[list[Record]]:
        """See Store.scan."""
        return self._call("scan", kind, key_range, limit)

    def versions(self, kind: Kind, key_range: KeyRange, limit: int) -> Answer[list[KeyVersion]]:
        """See Store.versions."""
        return self._call("versions", kind, key_range, limit)

    def ranges(self, kind: Kind, count: int) -> Answer[list[KeyRange]]:
        """See Store.ranges."""
        return self._call("ranges", kind, count)

    def count(self, kind: Kind) -> Answer[int]:
        """See Store.count."""
        return self._call("count", kind)

    def put(
        self, kind: Kind, key: str, content: Content, *, expected: int | None, epoch: int, above: int = 0
    ) -> Answer[Record]:
        """See Store.put."""
        return self._call("put", kind, key, content, expected=expected, epoch=epoch, above=above)

    def delete(self, kind: Kind, key: str, *, expected: int, epoch: int, above: int = 0) -> Answer[Record]:
        """See Store.delete."""
        return self._call("delete", kind, key, expected=expected, epoch=epoch, above=above)

    def apply(
        self, kind: Kind, records: Sequence[Record], *, note: Note | None = None
    ) -> Answer[list[Outcome]]:
        """See Store.apply."""
        return self._call("apply", kind, records, note=note)

    def apply_together(self, kind: Kind, records: Sequence[Record]) -> Answer[list[Outcome]]:
        """See Store.apply_together."""
        return self._call("apply_together", kind, records)

    def examine(self, kind: Kind, batches: AsyncIterator[Sequence[Record]]) -> Answer[Examination]:
        """See Store.examine."""
        return self._call("examine", kind, batches)

    def changes(self, kind: Kind, after: Position, limit: int) -> Answer[ChangeBatch]:
        """See Store.changes."""
        return self._call("changes", kind, after, limit)

    def head(self, kind: Kind) -> Answer[Position]:
        """See Store.head."""
        return self._call("head", kind)

    def cut_log(self, kind: Kind, upto: Position, limit: int) -> Answer[int]:
        """See Store.cut_log."""
        return self._call("cut_log", kind, upto, limit)

    def rogue_writes(self, kind: Kind) -> Answer[list[RogueWrite]]:
        """See Store.rogue_writes."""
        return self._call("rogue_writes", kind)

    def forget_rogue_write(self, kind: Kind, rogue: RogueWrite) -> Answer[bool]:
        """See Store.forget_rogue_write."""
        return self._call("forget_rogue_write", kind, rogue)

    def fence(self, kind: Kind) -> Answer[Fence | None]:
        """See Store.fence."""
        return self._call("fence", kind)

    def raise_fence(self, kind: Kind, fence: Fence, *, expected: int | None) -> Answer[bool]:
        """See Store.raise_fence."""
        return self._call("raise_fence", kind, fence, expected=expected)

    def note(self, name: str) -> Answer[Note]:
        """See Store.note."""
        return self._call("note", name)

    def notes(self, prefix: str) -> Answer[list[Note]]:
        """See Store.notes."""
        return self._call("notes", prefix)

    def write_note(self, name: str, value: bytes, *, expected: int) -> Answer[bool]:
        """See Store.write_note."""
        return self._call("write_note", name, value, expected=expected)

    def drop_note(self, name: str, *, expected: int) -> Answer[bool]:
        """See Store.drop_note."""
        return self._call("drop_note", name, expected=expected)

    def write_notes(self, notes: Sequence[Note]) -> Answer[list[bool]]:
        """See Store.write_notes."""
        return self._call("write_notes", notes)

    def drop_notes(self, notes: Sequence[Note]) -> Answer[list[bool]]:
        """See Store.drop_notes."""
        return self._call("drop_notes", notes)
