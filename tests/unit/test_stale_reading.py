"""What was read before one knew of it: a truth that moved meanwhile, a run of a step that is over."""

import asyncio

import msgspec
import pytest

from manystore.errors import VersionConflictError
from manystore.moves.ranges import Outline, RunOverError, outlined, read_outline
from manystore.placement import Leases, Phase, Placement, announce, commit, read_state
from manystore.repository import Repository
from manystore.stores.memory import MemoryStore
from manystore.testing.samples import PEOPLE
from tests.unit.clocks import ManualClock
from tests.unit.moving import Person

LEASE = 2.0
ANN = Person("0b1f0d9a-0000-4000-8000-000000000001", "ann@example.org", "Ann")


class Town:
    """A kind that has moved from the source to the target, of which one of two nodes has not heard."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.source, self.target = MemoryStore("documents"), MemoryStore("tables")
        self.people = Placement(
            kind=PEOPLE, source=self.source, target=self.target, initial=Phase.DUAL_WRITE_SOURCE_READ
        )
        self.behind, self.ahead = self.node("behind"), self.node("ahead")

    def node(self, name: str) -> Repository[Person]:
        leases = Leases([self.people], node=name, clock=self.clock, lease=LEASE)
        return Repository(Person, PEOPLE, leases, self.clock)

    async def move(self) -> None:
        """The copy has everything, and the truth moves."""
        await self.target.apply(
            PEOPLE, [record for record in [await self.source.get(PEOPLE, ANN.id)] if record]
        )
        draining = await announce(self.people, await read_state(self.people), Phase.DUAL_WRITE_TARGET_READ)
        assert draining is not None
        assert await commit(self.people, draining, Phase.DUAL_WRITE_TARGET_READ, self.clock.now()) is not None
        # What it held of its lease is over; until it asks, it reads where it read before.
        self.clock.advance(LEASE)


@pytest.fixture
async def town() -> Town:
    town = Town()
    await asyncio.gather(town.source.open(), town.target.open())
    await town.behind.create(ANN)
    await town.move()
    return town


async def test_a_write_is_not_made_over_another_of_the_same_version(town: Town) -> None:
    """Read by a node that is behind, from a former truth into which a stranger wrote: it is refused."""
    found = await town.ahead.get(ANN.id)
    assert found is not None
    await town.ahead.change(found, msgspec.structs.replace(found.value, visits=1))
    town.source.write_behind(PEOPLE, ANN.id, msgspec.to_builtins(msgspec.structs.replace(ANN, name="Nobody")))
    strange = await town.behind.get(ANN.id)
    assert strange is not None
    assert (strange.value.name, strange.version) == ("Nobody", 2)
    with pytest.raises(VersionConflictError):
        await town.behind.change(strange, msgspec.structs.replace(strange.value, visits=9))
    with pytest.raises(VersionConflictError):
        await town.behind.delete(strange)
    kept = await town.ahead.get(ANN.id)
    assert kept is not None
    assert (kept.value.name, kept.value.visits, kept.version) == ("Ann", 1, 2)


async def test_what_was_read_before_a_cut_over_may_be_changed_after_it(town: Town) -> None:
    """The new truth has what was read from the old one: the change goes on as if nothing had been."""
    found = await town.behind.get(ANN.id)
    assert found is not None
    changed = await town.behind.change(found, msgspec.structs.replace(found.value, visits=1))
    assert changed.version == found.version + 1
    held = await town.target.get(PEOPLE, ANN.id)
    assert held is not None
    assert held.version == changed.version


async def test_a_run_whose_notes_are_gone_is_over() -> None:
    """A worker that was frozen finds that another began the step anew, and is told so."""
    store = MemoryStore()
    await store.open()

    async def make() -> Outline:
        return Outline(ranges=(), total=3)

    assert (await outlined(store, "moves/people/verify/1/", make)).total == 3
    note = await store.note("moves/people/verify/1/outline")
    await store.drop_note(note.name, expected=note.revision)
    with pytest.raises(RunOverError, match="somebody else has begun this step anew"):
        await read_outline(store, "moves/people/verify/1/")
