"""A move from its first step to its last and back, in memory, with writes going on."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from manystore.errors import StepRefusedError
from manystore.moves.tasks import Action
from manystore.placement import Phase, read_state
from manystore.records import Record
from manystore.testing.samples import PEOPLE
from tests.unit.moving import Scene, adopt, memory_scene, person
from tests.unit.witness import Witness, stop


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    async with memory_scene(tmp_path) as made:
        yield made


async def test_a_move_forward_back_and_forward_again_loses_nothing(scene: Scene) -> None:
    """Writers go on through every step; each acknowledged write is in the truth at the end."""
    await adopt(scene.source, 500)
    witnesses = [Witness(scene, f"node-{n}", n) for n in (2, 3)]
    async with scene.working():
        writing = [asyncio.create_task(each.write_on()) for each in witnesses]
        assert (await scene.do(Action.START))["queued"] == 0
        for _ in range(2):
            verified = await scene.do(Action.VERIFY)
            assert verified["differences"] == 0
            assert verified["certificate"]
            await scene.do(Action.CUT_OVER)
            assert (await read_state(scene.people)).phase is Phase.DUAL_WRITE_TARGET_READ
            await asyncio.sleep(0.1)
            await scene.do(Action.CUT_BACK)
            assert (await read_state(scene.people)).phase is Phase.DUAL_WRITE_SOURCE_READ
            await asyncio.sleep(0.05)
        await scene.do(Action.VERIFY)
        await scene.do(Action.CUT_OVER)
        await asyncio.sleep(0.05)
        await stop(writing)
        assert (await scene.do(Action.VERIFY))["differences"] == 0
    assert sum(len(witness.seen) for witness in witnesses) > 50
    for witness in witnesses:
        assert await witness.compare() == []
        assert witness.people.counters.fallback_reads == 0


async def test_unknown_fields_of_old_data_survive_a_change_on_either_side(scene: Scene) -> None:
    """What the model does not know is carried by copy, by change and by cut-over."""
    await adopt(scene.source, 3)
    people = scene.repository()
    async with scene.working():
        await scene.do(Action.START)
        await scene.do(Action.VERIFY)
        await scene.do(Action.CUT_OVER)
        await scene.leases.refresh("people")
        stored = await people.get(person(2).id)
        assert stored is not None
        changed = await people.change(stored, msgspec.structs.replace(stored.value, name="Renamed"))
        assert changed.record.content == {
            "id": person(2).id,
            "email": "p2@example.org",
            "name": "Renamed",
            "visits": 0,
            "shoeSize": 2,
        }


async def test_a_step_forward_without_a_certificate_is_refused_with_the_reason(scene: Scene) -> None:
    """The certificate is asked for, and asking for it says how to get one."""
    await adopt(scene.source, 3)
    await scene.do(Action.START)
    with pytest.raises(StepRefusedError) as refusal:
        await scene.do(Action.CUT_OVER)
    assert refusal.value.conditions == ("There is no certificate: verify first.",)
    assert (await read_state(scene.people)).phase is Phase.DUAL_WRITE_SOURCE_READ


async def test_a_changed_byte_after_the_certificate_is_named_and_refused(scene: Scene) -> None:
    """A rogue write at the copy after the certificate is found by the pass before the fence."""
    await adopt(scene.source, 5)
    async with scene.working():
        await scene.do(Action.START)
        await scene.do(Action.VERIFY)
        key = person(3).id
        rogue = msgspec.to_builtins(person(3)) | {"name": "Somebody else", "shoeSize": 3}
        await scene.target.apply(PEOPLE, [Record(key, 9, rogue)])
        verified = await scene.do(Action.VERIFY)
        assert verified["differences"] == 1
        assert verified["samples"] == [f"{key} ahead in name"]
        assert verified["certificate"] is None


async def test_a_parent_goes_first(scene: Scene) -> None:
    """A kind whose records point to another is not moved before that one is."""
    with pytest.raises(StepRefusedError, match="Its parent people is at SOURCE_ONLY: move that first"):
        await scene.do(Action.START, "letters")
