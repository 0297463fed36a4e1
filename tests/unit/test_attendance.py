"""Workers see of each other who is alive, without comparing clocks."""

from collections.abc import AsyncIterator

import pytest

from manystore.moves.attendance import GONE_AFTER, Attendance
from manystore.stores.memory import MemoryStore
from tests.unit.clocks import ManualClock


@pytest.fixture
async def store() -> AsyncIterator[MemoryStore]:
    made = MemoryStore("tables")
    await made.open()
    yield made
    await made.close()


async def look_on(clock: ManualClock, watcher: Attendance, seconds: float) -> None:
    """Look every now and then for so long."""
    for _ in range(int(seconds / 0.4)):
        clock.advance(0.4)
        await watcher.look()


async def test_a_worker_whose_beats_stop_is_gone_after_a_while(store: MemoryStore) -> None:
    """Not before, and not for as long as it beats."""
    clock = ManualClock()
    one, two = (Attendance(store, name, clock) for name in ("one", "two"))
    await one.beat()
    await two.beat()
    await one.look()
    await look_on(clock, one, GONE_AFTER - 0.4)
    assert one.living() == {"one", "two"}
    await two.beat()
    await look_on(clock, one, GONE_AFTER - 0.4)
    assert one.living() == {"one", "two"}
    await look_on(clock, one, GONE_AFTER + 0.4)
    assert one.living() == {"one"}
    await one.bury()
    assert [note.name for note in await store.notes("workers/")] == ["workers/one"]


async def test_who_could_not_look_does_not_judge(store: MemoryStore) -> None:
    """After a time in which the store was away for everybody, everybody gets the time again."""
    clock = ManualClock()
    one, two = (Attendance(store, name, clock) for name in ("one", "two"))
    await two.beat()
    await one.look()
    clock.advance(60.0)
    await one.look()
    assert one.living() == {"one", "two"}
    await look_on(clock, one, GONE_AFTER + 0.4)
    assert one.living() == {"one"}


async def test_a_worker_that_leaves_is_gone_at_once(store: MemoryStore) -> None:
    """And one that was taken for gone is back with its next beat."""
    clock = ManualClock()
    one, two = (Attendance(store, name, clock) for name in ("one", "two"))
    await two.beat()
    await one.look()
    await two.leave()
    await one.look()
    assert one.living() == {"one"}
    await two.beat()
    await one.look()
    assert one.living() == {"one", "two"}


async def test_who_is_known_to_be_dead_is_not_waited_for(store: MemoryStore) -> None:
    """Its silence need not be heard; whoever is not known to be dead is waited for all the same."""
    clock, dead = ManualClock(), set[str]()
    one = Attendance(store, "one", clock, dead.__contains__)
    for name in ("two", "three"):
        await Attendance(store, name, clock).beat()
    await one.look()
    assert one.living() == {"one", "two", "three"}
    dead |= {"two"}
    await one.look()
    assert one.living() == {"one", "three"}
    await one.bury()
    assert [note.name for note in await store.notes("workers/")] == ["workers/three"]
