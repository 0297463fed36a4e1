"""A user at one node, standing outside all processes: it remembers what it was told, whoever dies.

What a write would make of a record is noted before it is asked for. A write that is refused changed nothing;
one whose answer never came may have happened or not, now or later, and both are right.
"""

from collections.abc import Awaitable, Callable
from typing import Final

import msgspec

from manystore.errors import RefusedError, UnavailableError
from manystore.records import Field, FieldType, Kind, Label, Unique
from manystore.repository import Repository, Stored
from manystore.testing.simulation.processes import Process
from manystore.testing.simulation.simulation import Simulation

THINGS: Final = Kind(
    name="things",
    container="Things",
    fields=(
        Field(name="id", type=FieldType.STRING, label=Label.PUBLIC),
        Field(name="name", type=FieldType.STRING, label=Label.PUBLIC),
        Field(name="marks", type=FieldType.STRINGS, label=Label.PUBLIC),
    ),
    uniques=(Unique(name="things_name", field="name", ignoring_case=True),),
)
SHARED: Final = ("common-0", "common-1")
"""Records that all users write. None is ever deleted, and each write of one leaves a mark of its own."""
NAMES: Final = ("Ash", "Birch", "Cedar")
"""Names that users take from each other, as only one record may have each."""


class Thing(msgspec.Struct, frozen=True):
    """A record with a name that is its own, and the marks of all who wrote it."""

    id: str
    name: str | None = None
    marks: list[str] = []


class Node(msgspec.Struct):
    """The node that a user talks to, as it lives just now."""

    process: Process
    things: Repository[Thing]


class Witness:
    """One user, and what it was told."""

    def __init__(self, name: str, simulation: Simulation) -> None:
        self.name, self._simulation = name, simulation
        self._random = simulation.stream(f"workload {name}")
        self.node: Node | None = None
        self.seen: dict[str, Thing | None] = {}
        self.open: dict[str, list[Thing | None]] = {}
        self.marks: dict[str, set[str]] = {key: set() for key in SHARED}
        self.maybe: dict[str, set[str]] = {key: set() for key in SHARED}
        self._number = 0

    async def write(self, count: int, *, pause: float) -> None:
        """Make so many attempts at a write, one after the other."""
        for _ in range(count):
            await self._simulation.wait(pause * self._random.uniform(0.2, 1.8))
            await self.write_once()

    async def write_once(self) -> bool:
        """One attempt; whether it was acknowledged."""
        while self.node is None or self.node.process.is_dead:
            await self._simulation.wait(0.01)
        self._number += 1
        mine = [key for key, value in self.seen.items() if value is not None and key not in self.open]
        dice = self._random.random()
        if dice < 0.35:
            return await self._mark(self.node, self._random.choice(SHARED))
        if dice < 0.55 or not mine:
            return await self._create(self.node)
        key = self._random.choice(mine)
        if dice < 0.85:
            return await self._change(self.node, key)
        return await self._delete(self.node, key)

    async def _create(self, node: Node) -> bool:
        thing = Thing(f"{self.name}-{self._number}", self._some_name(), [f"{self._number}"])

        async def create() -> Thing | None:
            return (await node.things.create(thing)).value

        return await self._attempt(node, thing.id, thing, create)

    async def _change(self, node: Node, key: str) -> bool:
        former = self.seen[key]
        assert former is not None
        thing = Thing(key, self._some_name(), [*former.marks, f"{self._number}"])

        async def change() -> Thing | None:
            found = await self._own(node, key)
            return (await node.things.change(found, thing)).value

        return await self._attempt(node, key, thing, change)

    async def _delete(self, node: Node, key: str) -> bool:
        async def delete() -> Thing | None:
            await node.things.delete(await self._own(node, key))
            return None

        return await self._attempt(node, key, None, delete)

    async def _own(self, node: Node, key: str) -> Stored[Thing]:
        """A record that nobody else writes: it is as it was acknowledged."""
        found = await node.things.get(key)
        if found is None or found.value != self.seen[key]:
            held = None if found is None else found.value
            self._simulation.break_invariant(
                f"no acknowledged write lost: {self.name} reads {held}, and wrote {self.seen[key]}"
            )
            raise RefusedError
        return found

    async def _mark(self, node: Node, key: str) -> bool:
        mark = f"{self.name}.{self._number}"

        async def add() -> Thing | None:
            found = await node.things.get(key)
            if found is None:
                self._simulation.break_invariant(f"no acknowledged write lost: {key} is gone")
                raise RefusedError
            value = found.value
            return (await node.things.change(found, Thing(key, value.name, [*value.marks, mark]))).value

        self.maybe[key].add(mark)
        said = await self._ask(node, f"mark {key} {mark}", add)
        if said is not None:
            self.maybe[key].discard(mark)
            self.marks[key].update({mark} if said else ())
        return bool(said)

    def _some_name(self) -> str | None:
        name: str | None = self._random.choice((*NAMES, None))
        return name

    async def _attempt(
        self, node: Node, key: str, wanted: Thing | None, write: Callable[[], Awaitable[Thing | None]]
    ) -> bool:
        self.open[key] = [wanted, *([] if key in self.seen else [None])]
        said = await self._ask(node, f"write {key}", write)
        if said is not None:
            del self.open[key]
        if said:
            self.seen[key] = wanted
        return bool(said)

    async def _ask(self, node: Node, what: str, write: Callable[[], Awaitable[Thing | None]]) -> bool | None:
        """Whether it was acknowledged, or refused (False); None where nothing is known."""
        task = node.process.begin(_awaited(write), what)
        said: bool | None = None
        if await node.process.outlived(task):
            match task.exception():
                case None:
                    said = True
                case RefusedError():
                    said = False
                case UnavailableError():
                    said = None
                case other:
                    self._simulation.break_invariant(f"{what} ended with {other!r}")
        self._simulation.trace.note(
            what, {True: "done", False: "refused", None: "no answer"}[said], who=self.name
        )
        return said


async def _awaited(write: Callable[[], Awaitable[Thing | None]]) -> Thing | None:
    return await write()
