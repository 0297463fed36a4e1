"""Where a follower stands in the log: written down as seldom as is safe."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

import pytest
from msgspec import structs

from manystore.changes import ChangeBatch, Position
from manystore.followers.sync import NOTE_IDLE, Track
from manystore.moves.tasks import Action
from manystore.placement import Placement, read_state
from manystore.records import Kind
from manystore.stores.store import Store
from manystore.testing.samples import PEOPLE
from tests.unit.clocks import ManualClock
from tests.unit.moving import Scene, adopt, memory_scene, person


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    async with memory_scene(tmp_path) as made:
        await adopt(made.source, 3)
        await made.do(Action.START)
        yield made


class Restless:
    """A truth in which nothing of a kind happens, while its log moves on at each look for what others do."""

    def __init__(self, store: Store) -> None:
        self._store, self._at = store, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def changes(self, kind: Kind, after: Position, limit: int) -> ChangeBatch:
        self._at += 1
        return ChangeBatch((), (1_000_000, self._at))


async def test_the_place_in_a_silent_log_is_noted_now_and_then(scene: Scene) -> None:
    """However often it is looked at, the copy is written to once in a while; who waits for it gets there."""
    clock, truth = ManualClock(), cast(Store, Restless(scene.source))
    placement = Placement(kind=PEOPLE, source=truth, target=scene.target)
    track = Track(placement, await read_state(scene.people), clock=clock, randomness=scene.random)
    for _ in range(5):
        await track.advance()
    assert await track.position() == (1_000_000, 1)
    clock.advance(NOTE_IDLE)
    await track.advance()
    assert await track.position() == (1_000_000, 6)
    await track.reach((1_000_000, 9))


async def test_a_follower_goes_on_where_another_has_left_the_place(scene: Scene) -> None:
    """What one remembers of the place is worth nothing once another has moved it."""
    first, second = await scene.track(), await scene.track()
    for number, track in enumerate((first, second, first, second)):
        people = scene.repository()
        stored = await people.get(person(1).id)
        assert stored is not None
        await people.change(stored, structs.replace(stored.value, name=f"Name {number}"))
        await track.advance()
    await first.advance()
    await first.advance()
    assert await first.position() == await scene.source.head(PEOPLE)
