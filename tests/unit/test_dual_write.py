"""Inline copies: fresher, bounded, and never what a write depends on."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest

from manystore.dual_write import Breaker, CopyFailedError, CopyWriter, DualWrite
from manystore.errors import UnavailableError
from manystore.moves.tasks import Action
from manystore.placement import Placement, read_state
from manystore.records import Record
from manystore.repository import Repository
from manystore.shadow import ShadowReader
from manystore.stores.memory import MemoryStore
from manystore.stores.store import Outcome, Store
from manystore.testing.samples import PEOPLE
from tests.unit.clocks import ManualClock
from tests.unit.moving import Person, Scene, adopt, memory_scene, person


class Moody(MemoryStore):
    """A store that can be told to fail, or to hang, when it is written as a copy."""

    mood = "well"
    asked = 0

    async def apply(self, kind: Any, records: Sequence[Record], *, note: Any = None) -> list[Outcome]:
        self.asked += 1
        if self.mood == "failing":
            raise UnavailableError(subject=self.name, reason="planted", retry_after=0.0)
        if self.mood == "hanging":
            await asyncio.sleep(60)
        return await super().apply(kind, records, note=note)


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    async with memory_scene(tmp_path) as made:
        moody = Moody("tables")
        await moody.open()
        made.target = moody
        made.people = made.family["people"] = Placement(kind=PEOPLE, source=made.source, target=moody)
        made.leases = made.node("node-1")
        await adopt(made.source, 2)
        await made.do(Action.START)
        moody.asked = 0
        yield made


def writer(scene: Scene, config: DualWrite) -> tuple[Repository[Person], CopyWriter]:
    """People whose writes are brought to the copy as `config` says."""
    copying = CopyWriter(scene.people, config, clock=scene.clock, randomness=random.Random(1))
    return Repository(Person, PEOPLE, scene.leases, scene.clock, copying=copying), copying


QUICK = DualWrite(secondary="inline", timeout=0.2, retries=2, first_delay=0.001)


async def held(store: Store, number: int) -> Record | None:
    return await store.get(PEOPLE, person(number).id)


async def test_an_inline_copy_is_there_when_the_write_returns(scene: Scene) -> None:
    """No follower runs, and the copy holds the write."""
    people, copying = writer(scene, QUICK)
    await people.create(person(7))
    assert await held(scene.target, 7) == await held(scene.source, 7)
    assert copying.counters.applied == 1


async def test_a_deferred_copy_is_left_to_the_follower(scene: Scene) -> None:
    """The writer does not wait for the copy, which is not even asked."""
    people, _ = writer(scene, DualWrite(secondary="deferred"))
    await people.create(person(7))
    assert await held(scene.target, 7) is None
    assert cast(Moody, scene.target).asked == 0
    await (await scene.track()).advance()
    assert await held(scene.target, 7) == await held(scene.source, 7)


@pytest.mark.parametrize("mood", ["failing", "hanging"])
async def test_a_copy_that_fails_does_not_fail_the_write_and_catches_up(scene: Scene, mood: str) -> None:
    """The write is acknowledged within the time-out, and the log brings the copy up to date."""
    people, copying = writer(scene, QUICK)
    cast(Moody, scene.target).mood = mood
    stored = await people.create(person(7))
    assert copying.counters.failed == 1
    cast(Moody, scene.target).mood = "well"
    await (await scene.track()).advance()
    assert await held(scene.target, 7) == stored.record


async def test_retries_are_bounded(scene: Scene) -> None:
    """One attempt and two retries, then the write is left to the follower."""
    people, _ = writer(scene, QUICK)
    cast(Moody, scene.target).mood = "failing"
    await people.create(person(7))
    assert cast(Moody, scene.target).asked == 3


@pytest.mark.parametrize("change", ["create", "change", "delete"])
async def test_compensation_takes_the_write_back_as_a_new_version(scene: Scene, change: str) -> None:
    """With compensation, a failed copy is the caller's error and the truth holds what it held before."""
    people, copying = writer(scene, msgspec.structs.replace(QUICK, compensation=True))
    before = await people.get(person(0).id)
    assert before is not None
    cast(Moody, scene.target).mood = "failing"
    attempts: dict[str, Callable[[], Awaitable[object]]] = {
        "create": lambda: people.create(person(7)),
        "change": lambda: people.change(before, msgspec.structs.replace(before.value, name="Other")),
        "delete": lambda: people.delete(before),
    }
    with pytest.raises(CopyFailedError):
        await attempts[change]()
    after = await people.get(person(0).id)
    assert after is not None
    assert after.record.content == before.record.content
    assert await people.get(person(7).id) is None
    assert copying.counters.compensated == 1
    cast(Moody, scene.target).mood = "well"
    await (await scene.track()).advance()
    assert (await scene.do(Action.VERIFY))["differences"] == 0


def test_the_breaker_opens_after_failures_in_a_row_and_lets_one_probe_through() -> None:
    """Five failures close the way for thirty seconds; of fifty callers after that one may try."""
    clock = ManualClock()
    breaker = Breaker(failures=5, seconds=30.0, clock=clock)
    for _ in range(5):
        assert breaker.allows()
        breaker.failed()
    assert not breaker.allows()
    clock.advance(30.0)
    assert [breaker.allows() for _ in range(50)].count(True) == 1
    breaker.failed()
    clock.advance(29.0)
    assert not breaker.allows()
    clock.advance(1.0)
    assert breaker.allows()
    breaker.succeeded()
    assert all(breaker.allows() for _ in range(50))


async def test_an_open_breaker_keeps_writers_from_waiting(scene: Scene) -> None:
    """Once the copy is known to fail, writes no longer ask it."""
    people, copying = writer(scene, msgspec.structs.replace(QUICK, breaker_failures=2))
    cast(Moody, scene.target).mood = "failing"
    for number in range(10, 15):
        await people.create(person(number))
    assert copying.counters.failed == 2
    assert copying.counters.turned_away == 3


async def test_shadow_reads_tell_late_from_wrong(scene: Scene) -> None:
    """A copy that lags is counted as behind; one with other bytes is kept with the field's name."""
    shadow = ShadowReader(scene.people, share=1.0, randomness=random.Random(1))
    people = Repository(Person, PEOPLE, scene.leases, scene.clock, shadow=shadow)
    stored = await people.get(person(0).id)
    assert stored is not None
    await people.change(stored, msgspec.structs.replace(stored.value, visits=1))
    await people.get(person(0).id)
    await shadow.settle()
    assert (shadow.counters.agreed, shadow.counters.behind) == (1, 1)
    wrong = msgspec.to_builtins(person(0)) | {"shoeSize": 0, "visits": 1, "name": "Wrong"}
    await scene.target.apply(PEOPLE, [Record(person(0).id, 1, wrong)])
    await people.get(person(0).id)
    await shadow.settle()
    assert shadow.counters.mismatched == 1
    assert [each.fields for each in shadow.mismatches] == [("name",)]
    assert (await read_state(scene.people)).phase.has_copy
