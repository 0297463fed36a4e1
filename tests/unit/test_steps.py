"""The steps around the flip: finishing, opening again, and answering for what is not met."""

from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from manystore.errors import DeclarationError, StepRefusedError
from manystore.followers.queue import Audited
from manystore.moves.archive import restore_archive
from manystore.moves.tasks import Action, Override, TaskBoard
from manystore.placement import Phase, announce, read_state, step
from manystore.records import Record
from manystore.stores.memory import MemoryStore
from manystore.stores.store import KeyRange
from manystore.testing.samples import PEOPLE
from tests.unit.moving import Scene, adopt, memory_scene, person

ANSWERING = Override(actor="kim", reason="the launch cannot wait")


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    async with memory_scene(tmp_path) as made:
        await adopt(made.source, 20)
        await made.do(Action.START)
        yield made


async def moved(scene: Scene) -> None:
    """The target is the truth, and a certificate says that the source agrees."""
    await scene.do(Action.VERIFY)
    await scene.do(Action.CUT_OVER)
    await scene.do(Action.VERIFY)


async def test_finish_archives_the_source_and_stops_following(scene: Scene) -> None:
    """After the finish a write stays in the target alone, and the archive is the source as it was."""
    await moved(scene)
    finished = await scene.do(Action.FINISH)
    assert (finished["phase"], finished["records"]) == ("TARGET_ONLY", 20)
    people = scene.repository(scene.node("node-2"))
    stored = await people.get(person(1).id)
    assert stored is not None
    await people.change(stored, msgspec.structs.replace(stored.value, name="After"))
    rested = await scene.source.get(PEOPLE, person(1).id)
    assert rested is not None
    assert rested.version == stored.version
    empty = MemoryStore("restored")
    await empty.open()
    await restore_archive(scene.objects, finished["archive"], empty, PEOPLE)
    assert await empty.scan(PEOPLE, KeyRange(), 99) == await scene.source.scan(PEOPLE, KeyRange(), 99)


async def test_what_was_finished_can_be_opened_and_cut_back(scene: Scene) -> None:
    """The source catches up with all that happened while it rested, and becomes the truth again."""
    await moved(scene)
    await scene.do(Action.FINISH)
    people = scene.repository(scene.node("node-2"))
    stored = await people.get(person(1).id)
    assert stored is not None
    await people.change(stored, msgspec.structs.replace(stored.value, name="While it rested"))
    await scene.do(Action.REOPEN)
    await scene.do(Action.CUT_BACK)
    state = await read_state(scene.people)
    assert state.phase is Phase.DUAL_WRITE_SOURCE_READ
    back = await scene.source.get(PEOPLE, person(1).id)
    assert back is not None
    assert back.content is not None
    assert back.content["name"] == "While it rested"
    assert (await scene.do(Action.VERIFY))["differences"] == 0


async def test_the_soak_is_waited_for_unless_somebody_answers(scene: Scene) -> None:
    """Finishing too early is refused with the time that is left."""
    scene.mover._soak = 3600.0
    await moved(scene)
    with pytest.raises(StepRefusedError, match="let it soak for 3600 s"):
        await scene.do(Action.FINISH)
    await scene.do(Action.FINISH, override=ANSWERING)
    assert (await read_state(scene.people)).phase is Phase.TARGET_ONLY


async def test_an_override_moves_on_and_is_written_down(scene: Scene) -> None:
    """Without a certificate and with a dead letter a person may still go on; who and why can be read."""
    stranger = msgspec.to_builtins(person(77)) | {"email": "taken@example.org"}
    await scene.target.apply(PEOPLE, [Record(stranger["id"], 1, stranger)])
    people = scene.repository()
    stored = await people.get(person(3).id)
    assert stored is not None
    await people.change(stored, msgspec.structs.replace(stored.value, email="taken@example.org"))
    with pytest.raises(StepRefusedError) as refusal:
        await scene.do(Action.CUT_OVER)
    assert refusal.value.conditions == ("There is no certificate: verify first.",)
    result = await scene.do(Action.CUT_OVER, override=ANSWERING)
    assert result["overridden"]
    assert (await read_state(scene.people)).phase is Phase.DUAL_WRITE_TARGET_READ
    notes = [*await scene.source.notes("audit/"), *await scene.target.notes("audit/")]
    audited = [msgspec.json.decode(note.value, type=Audited) for note in notes]
    assert {each.actor for each in audited} == {"kim"}
    assert {each.reason for each in audited} == {"the launch cannot wait"}
    assert any("There is no certificate" in each.subject for each in audited)
    assert any("1 changes are retrying" in each.subject for each in audited)


async def test_nobody_can_answer_for_a_step_that_makes_no_sense(scene: Scene) -> None:
    """Skipping a phase is refused, override or not."""
    with pytest.raises(StepRefusedError, match="finish leads on from DUAL_WRITE_TARGET_READ"):
        await scene.do(Action.FINISH, override=ANSWERING)


@pytest.mark.parametrize("answering", [None, ANSWERING], ids=["refused", "answered for"])
async def test_no_action_moves_the_truth_from_a_phase_it_does_not_lead_from(
    scene: Scene, answering: Override | None
) -> None:
    """Reopening is no cut-over, and what no copy follows cannot be cut over or back."""
    await scene.do(Action.VERIFY)
    with pytest.raises(StepRefusedError, match="reopen leads on from"):
        await scene.do(Action.REOPEN, override=answering)
    await scene.do(Action.CUT_OVER)
    await scene.do(Action.VERIFY)
    await scene.do(Action.FINISH)
    for action in (Action.CUT_OVER, Action.CUT_BACK):
        with pytest.raises(StepRefusedError, match="leads on from"):
            await scene.do(action, override=answering)
    assert (await read_state(scene.people)).phase is Phase.TARGET_ONLY


async def test_the_truth_changes_by_a_drain_alone(scene: Scene) -> None:
    """A plain step to a phase with another truth is a mistake of the code, and told as one."""
    state = await read_state(scene.people)
    with pytest.raises(DeclarationError, match="another truth"):
        await step(scene.people, state, Phase.DUAL_WRITE_TARGET_READ)
    with pytest.raises(DeclarationError, match="no cut-over leads from"):
        await announce(scene.people, state, Phase.TARGET_ONLY)


async def test_one_task_at_a_time(scene: Scene) -> None:
    """A second request is refused while the first is open, and says which it is."""
    board = TaskBoard(scene.people, scene.clock)
    task = await board.request(Action.VERIFY, task_id="1", actor="kim")
    with pytest.raises(StepRefusedError, match="verify is requested"):
        await board.request(Action.CUT_OVER, task_id="2", actor="kim")
    assert await board.update(msgspec.structs.replace(task, state="done"))
    assert not await board.update(msgspec.structs.replace(task, state="running"))
    await board.request(Action.CUT_OVER, task_id="2", actor="kim")
    last = await board.last(Action.VERIFY)
    assert last is not None
    assert last.id == "1"
