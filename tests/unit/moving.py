"""A small platform in memory: two stores, a kind in one of them, a node and a worker."""

import asyncio
import contextlib
import random
import re
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec

from manystore.clock import SystemClock
from manystore.errors import StepRefusedError
from manystore.followers.runner import SyncRunner
from manystore.followers.sync import Track
from manystore.moves.actions import Mover
from manystore.moves.certificate import CertificateFolder
from manystore.moves.procedures import Result
from manystore.moves.tasks import Action, Override
from manystore.moves.worker import MoveWorker
from manystore.placement import Leases, Placement, read_state
from manystore.records import Kind, Record
from manystore.repository import Repository
from manystore.stores.memory import MemoryStore
from manystore.stores.objects import ObjectStorage
from manystore.stores.store import Store
from manystore.testing.samples import LETTERS, PEOPLE

LEASE = 0.4
_SLOWNESS = re.compile("did not catch up within|took too long")


class Person(msgspec.Struct):
    """As much of a person as these tests change."""

    id: str
    email: str
    name: str
    visits: int = 0


class Letter(msgspec.Struct):
    """Something that points to a person."""

    id: str
    personId: str | None  # noqa: N815 - the property's name in documents
    text: str


class Scene:
    """Everything that a test of a move touches. `kinds` are two, of which the second points to the first."""

    def __init__(
        self, source: Store, target: Store, folder: Path, *, kinds: tuple[Kind, Kind] = (PEOPLE, LETTERS)
    ) -> None:
        self.source, self.target, self.folder = source, target, CertificateFolder(folder)
        self.clock, self.random = SystemClock(), random.Random(7)
        first, second = kinds
        self.people = Placement(kind=first, source=source, target=target)
        self.letters = Placement(kind=second, source=source, target=target, parents=(first,))
        self.family = {first.name: self.people, second.name: self.letters}
        self.leases = self.node("node-1")
        self.objects = ObjectStorage.in_memory()
        self.mover = Mover(
            self.family,
            self.folder,
            clock=self.clock,
            randomness=self.random,
            lease=LEASE,
            objects=self.objects,
        )

    def node(self, name: str, *, drain_limit: float = 30.0) -> Leases:
        """Another process's knowledge of the phases."""
        placements = list(self.family.values())
        return Leases(
            placements, node=name, clock=self.clock, lease=LEASE, poll=0.02, drain_limit=drain_limit
        )

    def repository(self, leases: Leases | None = None) -> Repository[Person]:
        """The people as a use case holds them."""
        return Repository(Person, PEOPLE, leases or self.leases, self.clock)

    async def track(self) -> Track:
        """The people's present direction."""
        state = await read_state(self.people)
        return Track(self.people, state, clock=self.clock, randomness=self.random)

    async def do(self, action: Action, kind: str = "people", override: Override | None = None) -> Result:
        """Carry out one action here and now.

        A flip for which this machine was too busy is tried again, as its refusal says: for how long writes
        may wait is not what is shown here.
        """
        for _ in range(9):
            try:
                return await self.mover.carry_out(action, kind, override=override)
            except StepRefusedError as refusal:
                if not _SLOWNESS.search(str(refusal)):
                    raise
        return await self.mover.carry_out(action, kind, override=override)

    @contextlib.asynccontextmanager
    async def working(self, owner: str = "worker-1") -> AsyncIterator[None]:
        """Run a worker's followers and tasks, and this node's leases, for the length of the block."""
        placements = list(self.family.values())
        runner = SyncRunner(placements, self.leases, owner=owner, clock=self.clock, randomness=self.random)
        worker = MoveWorker(placements, self.mover, owner=owner, clock=self.clock)
        tasks = [asyncio.create_task(each) for each in (runner.run(), worker.run(), self.leases.keep())]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


@contextlib.asynccontextmanager
async def memory_scene(folder: Path) -> AsyncIterator[Scene]:
    """A scene between two stores in memory."""
    source, target = MemoryStore("documents"), MemoryStore("tables")
    await source.open()
    await target.open()
    yield Scene(source, target, folder)
    await source.close()
    await target.close()


def person(number: int) -> Person:
    """One of many people, always the same for a number."""
    return Person(str(uuid.UUID(int=number + 1)), f"p{number}@example.org", f"Person {number}")


async def adopt(store: Store, count: int) -> list[Record]:
    """Put records of a former system there, without versions."""
    records = []
    for number in range(count):
        content = msgspec.to_builtins(person(number)) | {"shoeSize": number % 50}
        records.append(Record(content["id"], 0, content))
    await store.apply(PEOPLE, records)
    return records
