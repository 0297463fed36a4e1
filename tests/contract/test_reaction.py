"""A reaction across moves, on dictionaries and on a SQLite file with PostgreSQL: no change is missed."""

import asyncio
import collections
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from manystore.followers.reaction import Handler, Reaction, position_name
from manystore.moves.tasks import Action
from manystore.records import Record
from manystore.repository import Stored
from manystore.stores.postgres import PostgresStore
from manystore.stores.sqlite import SqliteStore
from tests.contract.postgres_tables import MAPPINGS, clear
from tests.unit.moving import Person, Scene, memory_scene, person

Seen = dict[str, int]
"""The newest version of each record that a handler was given."""


def reaction(scene: Scene, handle: Handler, owner: str = "worker-1") -> Reaction:
    return Reaction(
        "teller",
        scene.people,
        handle,
        scene.leases,
        owner=owner,
        clock=scene.clock,
        randomness=scene.random,
        every=0.01,
    )


@contextlib.asynccontextmanager
async def following(made: Reaction) -> AsyncIterator[None]:
    task = asyncio.create_task(made.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


class Noting:
    """A handler that notes what it is given."""

    def __init__(self) -> None:
        self.seen: Seen = collections.defaultdict(int)
        self.went_back = False
        self.gate = asyncio.Event()
        self.gate.set()

    async def __call__(self, record: Record) -> None:
        await self.gate.wait()
        self.went_back |= record.version < self.seen[record.key]
        self.seen[record.key] = record.version

    async def has(self, promised: Seen) -> bool:
        """Whether all that was promised has come, at once or within a while."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(120):
                while not all(self.seen[key] >= version for key, version in promised.items()):
                    await asyncio.sleep(0.01)
                return True
        return False


async def greet(scene: Scene, promised: Seen, numbers: range) -> None:
    """Make people, or change them, and note what was acknowledged."""
    people = scene.repository()
    for number in numbers:
        value = person(number)
        stored: Stored[Person] | None = await people.get(value.id)
        if stored is None:
            stored = await people.create(value)
        else:
            visited = msgspec.structs.replace(stored.value, visits=stored.value.visits + 1)
            stored = await people.change(stored, visited)
        promised[stored.key] = stored.version


async def forward(scene: Scene) -> None:
    for action in (Action.START, Action.VERIFY, Action.CUT_OVER):
        await scene.do(action)
    await scene.leases.refresh("people")


class ReactionContract:
    """What holds whichever two stores a kind lives in."""

    async def test_a_cut_over_and_a_cut_back_in_the_middle_miss_nothing(self, scene: Scene) -> None:
        """Writes go on while the truth moves there and back, and each is carried out by one follower."""
        noting, promised, done = Noting(), Seen(), asyncio.Event()

        async def write() -> None:
            while not done.is_set():
                await greet(scene, promised, range(8))
                await asyncio.sleep(0.005)

        async with scene.working(), following(reaction(scene, noting)):
            writing = asyncio.create_task(write())
            await forward(scene)
            await asyncio.sleep(0.2)
            await scene.do(Action.VERIFY)
            await scene.do(Action.CUT_BACK)
            await asyncio.sleep(0.2)
            done.set()
            await writing
            assert await noting.has(promised)
        assert not noting.went_back
        assert max(promised.values()) > 5

    async def test_what_was_not_read_before_the_truth_moved_is_read_after_it(self, scene: Scene) -> None:
        """A follower that was stuck during the whole cut-over finishes the former truth's log."""
        noting, promised = Noting(), Seen()
        async with scene.working():
            await greet(scene, promised, range(10))
            async with following(reaction(scene, noting)):
                noting.gate.clear()
                await greet(scene, promised, range(10, 20))
                await forward(scene)
                await greet(scene, promised, range(15, 25))
                noting.gate.set()
                assert await noting.has(promised)

    async def test_a_follower_that_first_runs_after_a_move_reads_both_logs(self, scene: Scene) -> None:
        """What was written before anybody followed is in the former truth's log alone."""
        noting, promised = Noting(), Seen()
        async with scene.working():
            await greet(scene, promised, range(10))
            await forward(scene)
            await greet(scene, promised, range(10, 20))
            async with following(reaction(scene, noting)):
                assert await noting.has(promised)
        assert len(promised) == 20

    async def test_positions_lie_in_the_stores_whose_logs_they_are_of(self, scene: Scene) -> None:
        """One note a store, found by prefix, none of which ever goes back."""
        noting, promised = Noting(), Seen()
        async with scene.working(), following(reaction(scene, noting)):
            await greet(scene, promised, range(3))
            await forward(scene)
            await greet(scene, promised, range(3, 6))
            assert await noting.has(promised)
            for store in (scene.source, scene.target):
                names = [note.name for note in await store.notes("followers/")]
                assert position_name("teller", "people") in names


class TestMemory(ReactionContract):
    @pytest.fixture
    async def scene(self, tmp_path: Path) -> AsyncIterator[Scene]:
        async with memory_scene(tmp_path) as made:
            yield made


class TestSqliteAndPostgres(ReactionContract):
    @pytest.fixture
    async def scene(self, sample_database: str, tmp_path: Path) -> AsyncIterator[Scene]:
        await clear(sample_database)
        source, target = SqliteStore(tmp_path / "documents.db"), PostgresStore(sample_database, MAPPINGS)
        await source.open()
        await target.open()
        yield Scene(source, target, tmp_path)
        await source.close()
        await target.close()
