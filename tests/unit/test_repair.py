"""A repair settles all that differs and names what it cannot; verifications can look less deeply."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest

from manystore.conflicts import ByFunction, Resolver, VectorClocks, lower_of
from manystore.errors import NotRepresentableError, StaleEpochError, StepRefusedError
from manystore.followers.queue import DIVERGED_ATTEMPTS, Audited
from manystore.followers.settling import Decision, keep_truth, reassert, settle_rogue_write
from manystore.moves.procedures import Result
from manystore.moves.tasks import Action, Depth, Task, TaskBoard
from manystore.placement import read_state
from manystore.records import Content, Kind, Record, canonical
from manystore.stores.memory import MemoryStore
from manystore.stores.store import KeyRange, Outcome, Refused, Store
from manystore.testing.samples import PEOPLE
from tests.unit.moving import Scene, adopt, memory_scene, person

MANY = 2_300
"""More than two pages, and more than the samples that a verification keeps."""


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    async with memory_scene(tmp_path) as made:
        await adopt(made.source, 6)
        await made.do(Action.START)
        yield made


def memory(store: Store) -> MemoryStore:
    return cast(MemoryStore, store)


def lose(scene: Scene, *numbers: int) -> None:
    """Let the copy lose records, as a fault on its disk would."""
    for number in numbers:
        del memory(scene.target)._drawer(PEOPLE).held[person(number).id]


def alter(scene: Scene, number: int, **changes: object) -> None:
    """Change what the copy holds under the same version."""
    drawer, key = memory(scene.target)._drawer(PEOPLE), person(number).id
    body = canonical(content_of(number, **changes))
    drawer.held[key] = msgspec.structs.replace(drawer.held[key], body=body)


def content_of(number: int, **changes: object) -> Content:
    content: Content = msgspec.to_builtins(person(number))
    return content | {"shoeSize": number % 50} | changes


def go_behind(store: Store, number: int, content: Content | None) -> None:
    memory(store).write_behind(PEOPLE, person(number).id, content)


async def repair(scene: Scene) -> Result:
    return await scene.mover.carry_out(
        Action.REPAIR, "people", actor="kim", reason="Ticket 4711, a lost disk"
    )


async def verify(scene: Scene, depth: Depth = "full") -> Result:
    return await scene.mover.carry_out(Action.VERIFY, "people", depth=depth)


async def audited(*stores: Store) -> list[Audited]:
    notes = [note for store in stores for note in await store.notes("audit/")]
    return [msgspec.json.decode(note.value, type=Audited) for note in notes]


def counts(result: Result) -> tuple[int, ...]:
    return tuple(result[name] for name in ("differences", "copied", "repeated", "resolved", "left"))


async def test_a_repair_mends_every_sort_of_difference(scene: Scene) -> None:
    """Missing, differing, ahead and extra; then both agree, and it is written down who wanted it and why."""
    lose(scene, 0)
    alter(scene, 1, name="Flipped")
    go_behind(scene.target, 2, content_of(2, name="Ahead"))
    go_behind(scene.target, 99, content_of(99))
    assert counts(await repair(scene)) == (4, 1, 3, 0, 0)
    assert (await verify(scene))["certificate"]
    notes = {(each.actor, each.action): each.reason for each in await audited(scene.source)}
    assert notes["kim", "move.repair"] == "Ticket 4711, a lost disk"


async def test_a_repair_mends_more_than_any_sample_holds(tmp_path: Path) -> None:
    """Every difference is mended, not only those of which a verification would tell."""
    async with memory_scene(tmp_path) as scene:
        await adopt(scene.source, MANY)
        await scene.do(Action.START)
        lose(scene, *range(MANY))
        result = await repair(scene)
        assert counts(result) == (MANY, MANY, 0, 0, 0)
        assert result["compared"] == MANY
        assert (await verify(scene))["differences"] == 0


async def test_a_repair_of_what_agrees_changes_nothing(scene: Scene) -> None:
    """No record gets a new version by it."""
    before = await scene.source.versions(PEOPLE, KeyRange(), 100)
    assert counts(await repair(scene)) == (0, 0, 0, 0, 0)
    assert await scene.source.versions(PEOPLE, KeyRange(), 100) == before


async def test_a_repair_needs_a_copy_and_a_reason(tmp_path: Path) -> None:
    """Without either it is refused, and nothing is written down."""
    async with memory_scene(tmp_path) as scene:
        await adopt(scene.source, 1)
        with pytest.raises(StepRefusedError, match="there is no copy to compare with") as refused:
            await scene.do(Action.REPAIR)
        assert "give a reason" in refused.value.conditions[-1]
        await scene.do(Action.START)
        with pytest.raises(StepRefusedError, match="give a reason"):
            await scene.do(Action.REPAIR)
        assert await audited(scene.source, scene.target) == []


async def test_a_record_that_the_copy_refuses_is_left_and_named(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What cannot be copied is no success; once the cause is gone, a repair replays the dead letter."""
    lose(scene, 3)
    apply, key = scene.target.apply, person(3).id

    async def refuse(kind: Kind, records: list[Record], **more: Any) -> list[Outcome]:
        reason = NotRepresentableError(
            store="tables", kind="people", key=key, field="name", reason="too long"
        )
        outcomes = await apply(kind, [each for each in records if each.key != key], **more)
        return [Refused(reason) if each.key == key else outcomes.pop(0) for each in records]

    monkeypatch.setattr(scene.target, "apply", refuse)
    result = await repair(scene)
    assert counts(result) == (1, 0, 0, 0, 1)
    assert result["samples"] == [f"{key}: Store tables cannot hold people/{key} exactly: name: too long."]
    assert result["queued"] == 1
    monkeypatch.undo()
    assert counts(await repair(scene)) == (1, 1, 0, 0, 0)
    assert (await verify(scene))["certificate"]


async def test_a_divergence_that_is_a_dead_letter_is_repaired(scene: Scene) -> None:
    """The newer version passes the dead one, and the queue is empty again."""
    alter(scene, 4, name="Flipped")
    track = await scene.track()
    truth = await scene.source.get(PEOPLE, person(4).id)
    assert truth is not None
    await track.carry({truth.key: truth.version})
    for _ in range(DIVERGED_ATTEMPTS - 1):
        assert [entry.state for entry in await track.queue.entries()] == ["retrying"]
        await track.retry(whatever_is_due=False)
    assert [entry.state for entry in await track.queue.entries()] == ["dead"]
    assert counts(await repair(scene)) == (1, 0, 1, 0, 0)
    assert await track.queue.entries() == []
    assert (await verify(scene))["certificate"]


async def test_a_copy_that_is_ahead_within_a_version_needs_no_repair(scene: Scene) -> None:
    """What a foreign key of the copy did before the truth's next version says it passes with that one."""
    alter(scene, 4, name="Let go")
    track, state = await scene.track(), await read_state(scene.people)
    truth = await scene.source.get(PEOPLE, person(4).id)
    assert truth is not None
    await track.carry({truth.key: truth.version})
    assert [entry.state for entry in await track.queue.entries()] == ["retrying"]
    content = content_of(4, name="Let go")
    await scene.source.put(PEOPLE, truth.key, content, expected=truth.version, epoch=state.epoch)
    await track.reach(await scene.source.head(PEOPLE))
    assert await track.queue.entries() == []
    assert (await verify(scene))["certificate"]


def ruled_by(scene: Scene, resolver: Resolver) -> None:
    """Give the kind a rule of its own."""
    scene.family["people"] = scene.people = msgspec.structs.replace(scene.people, resolver=resolver)


async def test_the_rule_of_a_kind_decides_and_both_losers_are_kept(scene: Scene) -> None:
    """Where the rule gives up what the truth held, that is kept as well."""
    ruled_by(scene, ByFunction(lower_of("visits")))
    go_behind(scene.target, 2, content_of(2, visits=-5))
    go_behind(scene.target, 3, content_of(3, visits=7))
    go_behind(scene.target, 99, content_of(99))
    assert counts(await repair(scene)) == (3, 0, 0, 3, 0)
    assert (await verify(scene))["differences"] == 0
    visits = {}
    for number in (2, 3, 99):
        record = await scene.source.get(PEOPLE, person(number).id)
        assert record is not None
        assert record.content is not None
        visits[number] = record.content["visits"]
    assert visits == {2: -5, 3: 0, 99: 0}
    kept = [each.reason for each in await audited(scene.source) if each.action == "repair.replaced"]
    assert sorted('"visits":7' in each for each in kept) == [False, True]
    assert any(person(2).id in each and '"visits":0' in each for each in kept)


async def test_siblings_are_left_and_counted(scene: Scene) -> None:
    """What the rule does not decide stays as it is on both sides."""
    ruled_by(scene, VectorClocks())
    go_behind(scene.target, 2, content_of(2, name="Apart"))
    result = await repair(scene)
    assert (counts(result), result["samples"]) == ((1, 0, 0, 0, 1), [person(2).id])
    assert (await verify(scene))["differences"] == 1


async def test_a_write_that_comes_in_between_is_not_undone(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A decision that was made before it is made anew: what a user was promised stands."""
    alter(scene, 2, name="Flipped")
    get, state, key = scene.source.get, await read_state(scene.people), person(2).id
    promised = content_of(2, name="Promised")
    waiting = [promised]

    async def get_then_write(kind: Kind, wanted: str) -> Record | None:
        record = await get(kind, wanted)
        if waiting:
            await scene.source.put(kind, key, waiting.pop(), expected=0, epoch=state.epoch)
        return record

    monkeypatch.setattr(scene.source, "get", get_then_write)
    await reassert(await scene.track(), state, key, keep_truth)
    monkeypatch.undo()
    track = await scene.track()
    await track.reach(await scene.source.head(PEOPLE))
    for store in (scene.source, scene.target):
        record = await store.get(PEOPLE, key)
        assert record is not None
        assert record.content == promised


async def test_a_record_made_and_removed_behind_the_back_is_settled(scene: Scene) -> None:
    """The truth has nothing to repeat, and yet its next record of that key must pass the tombstone."""
    go_behind(scene.target, 99, content_of(99))
    go_behind(scene.target, 99, None)
    track, state = await scene.track(), await read_state(scene.people)
    decision = Decision(keep="truth", actor="kim", reason="an experiment")
    for rogue in await scene.target.rogue_writes(PEOPLE):
        await settle_rogue_write(track, state, scene.target, rogue, decision, clock=scene.clock)
    await track.reach(await scene.source.head(PEOPLE))
    assert await scene.target.rogue_writes(PEOPLE) == []
    assert (await verify(scene))["certificate"]


async def test_a_settled_rogue_write_replays_what_waits_behind_it(scene: Scene) -> None:
    """A change that became a dead letter because of the rogue write goes through by the decision."""
    truth = await scene.source.get(PEOPLE, person(2).id)
    assert truth is not None
    go_behind(scene.target, 2, content_of(2, name="Rogue"))
    state = await read_state(scene.people)
    await scene.source.put(PEOPLE, truth.key, content_of(2, name="Due"), expected=0, epoch=state.epoch)
    track = await scene.track()
    await track.reach(await scene.source.head(PEOPLE))
    assert [entry.error for entry in await track.queue.entries()] == ["Diverged"]
    [rogue] = await scene.target.rogue_writes(PEOPLE)
    decision = Decision(keep="truth", actor="kim", reason="written by mistake")
    assert await settle_rogue_write(track, state, scene.target, rogue, decision, clock=scene.clock)
    await track.reach(await scene.source.head(PEOPLE))
    assert (await verify(scene))["certificate"]


async def test_a_decision_by_an_old_state_is_refused(scene: Scene) -> None:
    """Once the truth has moved, the other store is the copy; who does not know that forgets nothing."""
    track, state = await scene.track(), await read_state(scene.people)
    await verify(scene)
    await scene.do(Action.CUT_OVER)
    go_behind(scene.source, 2, content_of(2, name="Rogue"))
    [rogue] = await scene.source.rogue_writes(PEOPLE)
    decision = Decision(keep="truth", actor="kim", reason="written by mistake")
    with pytest.raises(StaleEpochError):
        await settle_rogue_write(track, state, scene.source, rogue, decision, clock=scene.clock)
    assert await scene.source.rogue_writes(PEOPLE) == [rogue]


# -- depths --------------------------------------------------------------------------------------------


async def test_versions_name_what_is_missing_extra_or_ahead(scene: Scene) -> None:
    """And not what differs under one version, as a full comparison does; they give no certificate."""
    lose(scene, 0)
    alter(scene, 1, name="Flipped")
    go_behind(scene.target, 2, content_of(2, name="Ahead"))
    go_behind(scene.target, 3, None)
    go_behind(scene.target, 99, content_of(99))
    result = await verify(scene, "versions")
    assert (result["depth"], result["certificate"]) == ("versions", None)
    sorts = {sample.split()[0]: sample.split()[1] for sample in result["samples"]}
    assert sorts == {
        person(0).id: "missing",
        person(2).id: "ahead",
        person(3).id: "ahead",
        person(99).id: "extra",
    }
    assert (await verify(scene))["differences"] == 5


async def test_versions_name_what_is_stale(scene: Scene) -> None:
    """A copy that a follower brought past the truth's write, and that lost it again, is behind."""
    state, key = await read_state(scene.people), person(1).id
    held = memory(scene.target)._drawer(PEOPLE).held[key]
    await scene.source.put(PEOPLE, key, content_of(1, name="Newer"), expected=0, epoch=state.epoch)
    track = await scene.track()
    await track.reach(await scene.source.head(PEOPLE))
    memory(scene.target)._drawer(PEOPLE).held[key] = held
    assert (await verify(scene, "versions"))["samples"] == [f"{key} stale in name"]


async def test_versions_read_no_content_where_all_agrees(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither by scanning nor by key, on either side."""

    async def read(*_: object) -> Any:
        raise AssertionError("content was read")

    for store in (scene.source, scene.target):
        for name in ("scan", "get", "get_many"):
            monkeypatch.setattr(store, name, read)
    result = await verify(scene, "versions")
    assert (result["compared"], result["differences"], result["certificate"]) == (6, 0, None)


async def test_since_looks_at_what_was_touched_after_the_certificate(scene: Scene) -> None:
    """Refused without one; with it, a record that was written since is compared, and no other."""
    with pytest.raises(StepRefusedError, match="There is no certificate"):
        await verify(scene, "since")
    await verify(scene)
    assert (await verify(scene, "since"))["compared"] == 0
    go_behind(scene.target, 2, content_of(2, name="Ahead"))
    result = await verify(scene, "since")
    assert (result["compared"], result["samples"]) == (1, [f"{person(2).id} ahead in name"])
    assert result["certificate"] is None


async def ended(board: TaskBoard) -> Task:
    async with asyncio.timeout(120):
        while (task := await board.task()) is None or task.is_open:
            await asyncio.sleep(0.01)
    return task


@pytest.mark.parametrize("depth", ["full", "versions", "since"])
async def test_what_is_asked_for_is_done_by_a_worker(scene: Scene, depth: Depth) -> None:
    """The task carries depth and reason to whoever takes it up, and its result back."""
    await verify(scene)
    board = TaskBoard(scene.people, scene.clock)
    async with scene.working():
        await board.request(Action.VERIFY, task_id=f"v-{depth}", actor="kim", depth=depth)
        verified = await ended(board)
        await board.request(Action.REPAIR, task_id=f"r-{depth}", actor="kim", reason="to be sure")
        repaired = await ended(board)
    assert (verified.state, verified.depth) == ("done", depth)
    assert verified.result is not None
    assert verified.result["depth"] == depth
    assert (repaired.state, repaired.reason, repaired.depth) == ("done", "to be sure", None)
    assert ("kim", "to be sure") in [(each.actor, each.reason) for each in await audited(scene.source)]
