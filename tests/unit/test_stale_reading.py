"""What was read before one knew of it: a truth that moved meanwhile, a run of a step that is over."""

import asyncio
from collections.abc import Awaitable, Callable

import msgspec
import pytest

from manystore.errors import UnavailableError, VersionConflictError
from manystore.moves.ranges import Outline, RunOverError, outlined, read_outline
from manystore.placement import Leases, Phase, Placement, announce, commit, read_state
from manystore.records import Content, Kind, Record
from manystore.repository import Repository
from manystore.stores.memory import MemoryStore
from manystore.testing.samples import PEOPLE
from manystore.testing.simulation import LeaseFencedMemory
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


class SlowDocuments(LeaseFencedMemory):
    """Leases are its only fence; each write takes longer than one lasts, and something happens meanwhile."""

    def __init__(self, clock: ManualClock) -> None:
        super().__init__("documents", looks=False)
        self._clock = clock
        self.meanwhile: Callable[[], Awaitable[object]] = _nothing

    async def put(
        self, kind: Kind, key: str, content: Content, *, expected: int | None, epoch: int, above: int = 0
    ) -> Record:
        record = await super().put(kind, key, content, expected=expected, epoch=epoch, above=above)
        self._clock.advance(1.5 * LEASE)
        await self.meanwhile()
        return record


async def _nothing() -> None:
    return None


async def test_a_write_that_outlasted_its_lease_is_acknowledged_only_if_its_epoch_stands() -> None:
    """Whoever drains the truth waits no longer for such a write: it may be in the new truth, or in none."""
    clock = ManualClock()
    source, target = SlowDocuments(clock), MemoryStore("tables")
    await asyncio.gather(source.open(), target.open())
    people = Placement(kind=PEOPLE, source=source, target=target, initial=Phase.DUAL_WRITE_SOURCE_READ)
    repository = Repository(
        Person, PEOPLE, Leases([people], node="slow", clock=clock, lease=LEASE), clock, patience=LEASE
    )
    found = await repository.create(ANN)

    async def drain() -> None:
        assert await announce(people, await read_state(people), Phase.DUAL_WRITE_TARGET_READ) is not None

    source.meanwhile = drain
    with pytest.raises(UnavailableError, match="under way for longer than the lease"):
        await repository.change(found, msgspec.structs.replace(ANN, visits=1))


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
