"""Rogue writes and differences are settled by a decision, and what was given up can still be read."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import cast

import msgspec
import pytest

from manystore.conflicts import ByFunction, VectorClocks, lower_of
from manystore.errors import StepRefusedError
from manystore.followers.queue import Audited
from manystore.followers.settling import Decision, Keep, Repaired, repair, settle_rogue_write
from manystore.followers.sync import Track
from manystore.moves.tasks import Action
from manystore.moves.verify import Verifier
from manystore.placement import State, read_state
from manystore.records import Content, Record, canonical
from manystore.stores.memory import MemoryStore
from manystore.stores.store import RogueWrite, Store
from manystore.testing.samples import PEOPLE
from tests.unit.moving import Scene, adopt, memory_scene, person

KEY = person(3).id


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    async with memory_scene(tmp_path) as made:
        await adopt(made.source, 6)
        await made.do(Action.START)
        yield made


def rogue_content(**changes: object) -> Content:
    content: Content = msgspec.to_builtins(person(3)) | {"shoeSize": 3} | changes
    return content


def go_behind(store: Store, key: str, content: Content | None) -> None:
    cast(MemoryStore, store).write_behind(PEOPLE, key, content)


async def audited(*stores: Store) -> list[Audited]:
    notes = [note for store in stores for note in await store.notes("audit/")]
    return [msgspec.json.decode(note.value, type=Audited) for note in notes]


async def the_rogue(scene: Scene) -> tuple[Track, State, RogueWrite]:
    [rogue] = await scene.target.rogue_writes(PEOPLE)
    return await scene.track(), await read_state(scene.people), rogue


def deciding(keep: Keep) -> Decision:
    return Decision(keep=keep, actor="kim", reason="the portal was open by mistake")


async def test_the_truth_s_word_is_repeated_above_a_rogue_write(scene: Scene) -> None:
    """Kept as evidence, replaced in the copy by the ordinary road, and both sides agree again."""
    go_behind(scene.target, KEY, rogue_content(name="Rogue"))
    assert (await scene.do(Action.VERIFY))["samples"] == [f"{KEY} ahead in name"]
    track, state, rogue = await the_rogue(scene)
    await settle_rogue_write(track, state, scene.target, rogue, deciding("truth"), clock=scene.clock)
    await track.reach(await scene.source.head(PEOPLE))
    assert (await scene.do(Action.VERIFY))["differences"] == 0
    record = await scene.target.get(PEOPLE, KEY)
    assert record is not None
    assert record.content == rogue_content()
    assert await scene.target.rogue_writes(PEOPLE) == []
    [written] = await audited(scene.target)
    assert written.action == "rogue.keep-truth"
    assert "Rogue" in written.subject


async def test_what_was_written_behind_the_back_can_become_the_truth(scene: Scene) -> None:
    """The other decision: the rogue content is written at the truth, above it."""
    go_behind(scene.target, KEY, rogue_content(name="Right after all"))
    track, state, rogue = await the_rogue(scene)
    await settle_rogue_write(track, state, scene.target, rogue, deciding("rogue"), clock=scene.clock)
    await track.reach(await scene.source.head(PEOPLE))
    assert (await scene.do(Action.VERIFY))["differences"] == 0
    truth = await scene.source.get(PEOPLE, KEY)
    assert truth is not None
    assert truth.content == rogue_content(name="Right after all")


@pytest.mark.parametrize("keep", ["truth", "rogue"])
async def test_a_rogue_deletion_is_settled_as_well(scene: Scene, keep: Keep) -> None:
    """A record deleted behind the engine's back comes back, or goes everywhere."""
    go_behind(scene.target, KEY, None)
    track, state, rogue = await the_rogue(scene)
    await settle_rogue_write(track, state, scene.target, rogue, deciding(keep), clock=scene.clock)
    await track.reach(await scene.source.head(PEOPLE))
    assert (await scene.do(Action.VERIFY))["differences"] == 0
    truth = await scene.source.get(PEOPLE, KEY)
    assert truth is not None
    assert truth.is_deleted == (keep == "rogue")


async def test_a_rogue_record_that_the_truth_never_had_goes(scene: Scene) -> None:
    """An extra record leaves tombstones on both sides, so that it cannot come back."""
    stray = person(99).id
    go_behind(scene.target, stray, msgspec.to_builtins(person(99)))
    track, state, rogue = await the_rogue(scene)
    await settle_rogue_write(track, state, scene.target, rogue, deciding("truth"), clock=scene.clock)
    await track.reach(await scene.source.head(PEOPLE))
    assert (await scene.do(Action.VERIFY))["differences"] == 0
    for store in (scene.source, scene.target):
        record = await store.get(PEOPLE, stray)
        assert record is not None
        assert record.is_deleted


async def test_rogue_content_that_was_replaced_meanwhile_is_not_made_up(scene: Scene) -> None:
    """What no longer stands cannot be adopted; the evidence stays until somebody decides."""
    go_behind(scene.target, KEY, rogue_content(name="Rogue"))
    track, state, rogue = await the_rogue(scene)
    newer = Record(KEY, rogue.version + 1, rogue_content(name="Newer"))
    await scene.target.apply(PEOPLE, [newer])
    with pytest.raises(StepRefusedError, match="has been replaced since"):
        await settle_rogue_write(track, state, scene.target, rogue, deciding("rogue"), clock=scene.clock)
    assert await scene.target.rogue_writes(PEOPLE) == [rogue]


async def repaired(scene: Scene, resolver: VectorClocks | ByFunction | None = None) -> Repaired:
    track, state = await scene.track(), await read_state(scene.people)
    keys = sorted(person(number).id for number in [*range(6), 99])
    settled = await Verifier(track, clock=scene.clock).settle(keys)
    differences = [each.difference for each in settled.values() if each.difference is not None]
    return await repair(track, state, differences, clock=scene.clock, actor="kim", resolver=resolver)


async def test_repair_mends_every_sort_of_difference(scene: Scene) -> None:
    """Missing, stale, differing, ahead and extra, in one go; then both sides agree."""
    target = cast(MemoryStore, scene.target)
    drawer = target._drawer(PEOPLE)
    del drawer.held[person(0).id]
    held = drawer.held[person(1).id]
    flipped = canonical(msgspec.to_builtins(person(1)) | {"shoeSize": 1, "name": "Flipped"})
    drawer.held[person(1).id] = msgspec.structs.replace(held, body=flipped)
    go_behind(target, person(2).id, msgspec.to_builtins(person(2)) | {"name": "Ahead"})
    go_behind(target, person(99).id, msgspec.to_builtins(person(99)))
    result = await repaired(scene)
    assert (result.copied, result.repeated, result.left) == (1, 3, ())
    assert (await scene.do(Action.VERIFY))["differences"] == 0
    kept = [each for each in await audited(scene.source) if each.action == "repair.replaced"]
    assert any("Flipped" in each.reason for each in kept)
    assert any("Ahead" in each.reason for each in kept)


async def test_a_rule_of_the_kind_decides_between_two_sides_that_took_writes(scene: Scene) -> None:
    """With a resolver, what stands is what the rule says, on both sides."""
    go_behind(scene.target, KEY, rogue_content(visits=-5))
    result = await repaired(scene, ByFunction(lower_of("visits")))
    assert result.resolved == 1
    assert (await scene.do(Action.VERIFY))["differences"] == 0
    truth = await scene.source.get(PEOPLE, KEY)
    assert truth is not None
    assert truth.content is not None
    assert truth.content["visits"] == -5


async def test_siblings_are_left_to_a_person(scene: Scene) -> None:
    """Where the rule does not decide, nothing is written and the record is named."""
    go_behind(scene.target, KEY, rogue_content(name="Apart"))
    result = await repaired(scene, VectorClocks())
    assert result.left == (KEY,)
    assert (await scene.do(Action.VERIFY))["differences"] == 1


async def test_a_rogue_write_blocks_the_flip_until_somebody_decides(scene: Scene) -> None:
    """The refusal says where and which; once decided, the way is free."""
    await scene.do(Action.VERIFY)
    go_behind(scene.target, KEY, rogue_content(name="Rogue"))
    go_behind(scene.target, KEY, rogue_content())
    with pytest.raises(StepRefusedError, match="2 writes were made behind the engine's back in tables"):
        await scene.do(Action.CUT_OVER)
    track, state = await scene.track(), await read_state(scene.people)
    for rogue in await scene.target.rogue_writes(PEOPLE):
        await settle_rogue_write(track, state, scene.target, rogue, deciding("truth"), clock=scene.clock)
    await scene.do(Action.CUT_OVER)
    assert (await scene.do(Action.VERIFY))["differences"] == 0
