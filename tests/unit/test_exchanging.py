"""Values that change hands at the truth change hands at the copy, whatever part of it a follower sees."""

import contextlib
import itertools
import random
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import cast

import pytest
from msgspec import structs

from manystore.errors import UniqueError
from manystore.followers import exchanging
from manystore.followers.queue import MAX_ATTEMPTS
from manystore.followers.settling import repair
from manystore.followers.sync import Track
from manystore.moves.tasks import Action
from manystore.moves.verify import Verifier
from manystore.placement import Placement, read_state
from manystore.records import Record, Unique
from manystore.stores.store import KeyRange, Store
from manystore.testing.samples import PEOPLE, key_of
from tests.unit.faults import Died, FaultPlan, FaultyStore, When
from tests.unit.moving import Scene, memory_scene


def email(number: int) -> str:
    return f"e{number}@example.org"


def holding(number: int, value: int | None) -> dict[str, object]:
    """Person `number` with an e-mail address."""
    return {"id": key_of(number), "email": None if value is None else email(value)}


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    async with memory_scene(tmp_path) as made:
        for number in range(6):
            await made.source.apply(PEOPLE, [Record(key_of(number), 0, holding(number, number))])
        await made.do(Action.START)
        yield made


async def give(scene: Scene, values: dict[int, int | None]) -> None:
    """Let people have these addresses at the truth, one after the other, each by way of none."""
    epoch = (await read_state(scene.people)).epoch
    for step in (dict.fromkeys(values), values):
        for number, value in step.items():
            held = await scene.source.get(PEOPLE, key_of(number))
            expected = None if held is None or held.is_deleted else held.version
            await scene.source.put(
                PEOPLE, key_of(number), holding(number, value), expected=expected, epoch=epoch
            )


async def everything(store: Store) -> list[Record]:
    return await store.scan(PEOPLE, KeyRange(), 1000)


async def assert_agrees(scene: Scene) -> None:
    """Nothing is queued, and both stores hold the same."""
    assert await (await scene.track()).queue.entries() == []
    assert await everything(scene.target) == await everything(scene.source)


@pytest.mark.parametrize("length", [2, 3, 6])
async def test_a_circle_of_values_is_followed(scene: Scene, length: int) -> None:
    """However many hand their values on in a circle, the follower brings them over at once."""
    await give(scene, {number: (number + 1) % length for number in range(length)})
    await (await scene.track()).advance()
    await assert_agrees(scene)


async def test_it_is_followed_in_batches_that_tear_it(scene: Scene) -> None:
    """Where the changes of an exchange come one at a time, the first of them brings the others along."""
    await give(scene, {0: 1, 1: 2, 2: 0})
    track = await scene.track()
    # The last change of the three alone, as if the log had collapsed the others into later ones.
    await track.carry({key_of(0): 2})
    assert await everything(scene.target) == await everything(scene.source)
    await track.advance()
    await assert_agrees(scene)


async def test_one_who_was_deleted_and_one_who_is_new_take_part(scene: Scene) -> None:
    """A value goes from a deleted record to another, and that one's to a new record."""
    state = await read_state(scene.people)
    await scene.source.delete(PEOPLE, key_of(0), expected=0, epoch=state.epoch)
    await give(scene, {1: 0, 9: 1})
    track = await scene.track()
    await track.carry({key_of(9): 2})
    await track.advance()
    await assert_agrees(scene)


async def dead(track: Track, numbers: Sequence[int]) -> None:
    """Leave dead letters about these people, as a follower did that knew of no exchanges."""
    for number in numbers:
        record = await track.truth.get(PEOPLE, key_of(number))
        assert record is not None
        problem = UniqueError(kind="people", key=record.key, constraint="people_email", field="email")
        for _ in range(MAX_ATTEMPTS):
            entry = await track.queue.hold(record, problem)
        assert entry.state == "dead"
    head = await track.truth.head(PEOPLE)
    while await track.position() < head:
        await track.advance()


async def test_dead_letters_of_an_exchange_are_settled_by_replaying_one(scene: Scene) -> None:
    """Both have been given up: replayed, the one takes the other off the queue as well."""
    await give(scene, {0: 1, 1: 0})
    track = await scene.track()
    await dead(track, [0, 1])
    assert {entry.state for entry in await track.queue.entries()} == {"dead"}
    assert await track.queue.replay(key_of(1)) == 1
    assert await track.retry() == 1
    await assert_agrees(scene)


async def test_a_repair_settles_an_exchange(scene: Scene) -> None:
    """Dropped dead letters of an exchange are mended by copying both again."""
    await give(scene, {0: 1, 1: 0})
    track = await scene.track()
    await dead(track, [0, 1])
    for number in (0, 1):
        await track.queue.drop(key_of(number), actor="kim", reason="by mistake")
    settled = await Verifier(track, clock=scene.clock).settle([key_of(0), key_of(1)])
    differences = [each.difference for each in settled.values() if each.difference is not None]
    assert len(differences) == 2
    done = await repair(track, await read_state(scene.people), differences, clock=scene.clock, actor="kim")
    assert (done.copied, done.left) == (2, ())
    await assert_agrees(scene)


async def test_what_the_truth_itself_says_is_another_s_stays_refused(scene: Scene) -> None:
    """Of those who depend on a value that is really taken none is let through; others are not held up."""
    stranger = Record(key_of(77), 3, holding(77, 5))
    await scene.target.apply(PEOPLE, [Record(key_of(5), 1, holding(5, None)), stranger])
    await give(scene, {0: 1, 1: 0, 2: 3, 3: 5, 5: 2})
    track = await scene.track()
    await track.advance()
    entries = {entry.key: entry.error for entry in await track.queue.entries()}
    assert entries == {key_of(number): "UniqueError" for number in (2, 3, 5)}
    found = await scene.target.get_many(PEOPLE, [key_of(number) for number in range(6)])
    assert {
        number: cast(dict[str, object], found[key_of(number)].content)["email"] for number in range(6)
    } == {
        0: email(1),
        1: email(0),
        2: email(2),
        3: email(3),
        4: email(4),
        5: None,
    }


async def test_who_wants_a_second_value_that_is_taken_holds_up_nobody_else(scene: Scene) -> None:
    """Two exchange their names; a third takes the address that one of them gives up, and a name that the
    copy says is another's: the two go over without it.
    """
    named = structs.replace(PEOPLE, uniques=(*PEOPLE.uniques, Unique(name="people_name", field="name")))
    people = structs.replace(scene.people, kind=named)
    state = await read_state(people)
    track = Track(people, state, clock=scene.clock, randomness=scene.random)

    async def be(number: int, value: int, name: str) -> None:
        held = await scene.source.get(named, key_of(number))
        assert held is not None
        content = holding(number, value) | {"name": name}
        await scene.source.put(named, key_of(number), content, expected=held.version, epoch=state.epoch)

    await scene.target.apply(named, [Record(key_of(77), 3, holding(77, None) | {"name": "taken"})])
    for number, value, name in ((0, 0, "n0"), (1, 1, "n1")):
        await be(number, value, name)
    await track.advance()
    for number, value, name in ((0, 7, "n"), (1, 1, "n0"), (0, 7, "n1"), (2, 0, "taken")):
        await be(number, value, name)
    await track.advance()
    assert [entry.key for entry in await track.queue.entries()] == [key_of(2)]
    pair = [key_of(0), key_of(1)]
    assert await scene.target.get_many(named, pair) == await scene.source.get_many(named, pair)


async def test_a_chain_longer_than_one_look_is_brought_over_piece_by_piece(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where an exchange leads beyond what is looked at, its end goes first, and a retry brings the rest."""
    monkeypatch.setattr(exchanging, "MOST", 3)
    await give(scene, {number: number + 1 for number in range(6)})
    track = await scene.track()
    await track.carry({key_of(0): 2})
    assert [entry.key for entry in await track.queue.entries()] == [key_of(0)]
    await track.reach(await scene.source.head(PEOPLE))
    for _ in range(3):
        await track.retry(whatever_is_due=False)
    await assert_agrees(scene)


async def test_a_fault_at_any_call_of_an_exchange_is_mended_by_the_next_look(tmp_path: Path) -> None:
    """Whichever call the follower dies in, before or after its effect: the next one brings all over."""
    plan = FaultPlan(None)
    await follow_and_die(tmp_path / "length", plan)
    assert "tables.apply_together" in plan.calls
    whens: tuple[When, ...] = ("before", "after")
    for number, when in itertools.product(range(len(plan.calls)), whens):
        await follow_and_die(tmp_path / f"{number}-{when}", FaultPlan(number, when, dies=True))


async def follow_and_die(folder: Path, plan: FaultPlan) -> None:
    async with memory_scene(folder) as scene:
        for number in range(3):
            await scene.source.apply(PEOPLE, [Record(key_of(number), 0, holding(number, number))])
        await scene.do(Action.START)
        await give(scene, {0: 1, 1: 2, 2: 0})
        source, target = (cast(Store, FaultyStore(each, plan)) for each in (scene.source, scene.target))
        placement = Placement(kind=PEOPLE, source=source, target=target)
        state = await read_state(scene.people)
        track = Track(placement, state, clock=scene.clock, randomness=scene.random)
        with contextlib.suppress(Died):
            await track.advance()
        assert plan.dead == (plan.at is not None)
        await (await scene.track()).reach(await scene.source.head(PEOPLE))
        await assert_agrees(scene)


async def test_whatever_is_handed_on_and_however_little_is_seen_of_it(scene: Scene) -> None:
    """Random circles, deletions and returns, followed now and then: in the end both sides agree."""
    randomness = random.Random(11)
    for _ in range(60):
        people = randomness.sample(range(8), randomness.randint(2, 6))
        held = await scene.source.get_many(PEOPLE, [key_of(number) for number in people])
        values = [cast(dict[str, object], r.content)["email"] for r in held.values() if r.content is not None]
        free = [int(str(value)[1:].partition("@")[0]) for value in values if value is not None]
        randomness.shuffle(free)
        await give(scene, {number: free.pop() if free else None for number in people})
        if randomness.random() < 0.3:
            state, gone = await read_state(scene.people), await scene.source.get(PEOPLE, key_of(people[0]))
            assert gone is not None
            await scene.source.delete(PEOPLE, gone.key, expected=gone.version, epoch=state.epoch)
        if randomness.random() < 0.4:
            await (await scene.track()).advance(limit=randomness.randint(1, 9))
    await (await scene.track()).reach(await scene.source.head(PEOPLE))
    await assert_agrees(scene)
