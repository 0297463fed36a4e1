"""A cut-over that fails or dies at any call of any store leaves one truth, and loses nothing."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, cast

import pytest

from manystore.errors import ManystoreError, StepRefusedError, UnavailableError
from manystore.moves.actions import Mover
from manystore.moves.cut_over import CutOver, cut_over
from manystore.moves.tasks import Action
from manystore.moves.verify import Basis
from manystore.placement import Phase, Placement, Side, State, announce, read_state
from manystore.stores.store import Store
from manystore.testing.samples import PEOPLE
from tests.unit.faults import Died, FaultPlan, FaultyStore, When
from tests.unit.moving import LEASE, Scene, adopt, memory_scene, person


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    async with memory_scene(tmp_path) as made:
        yield made


def faulty(scene: Scene, plan: FaultPlan) -> Placement:
    """The people's placement as the process under test sees it."""
    source = cast(Store, FaultyStore(scene.source, plan))
    target = cast(Store, FaultyStore(scene.target, plan))
    return Placement(kind=PEOPLE, source=source, target=target)


async def attempt(scene: Scene, plan: FaultPlan, state: State, phase: Phase) -> CutOver | None:
    """Cut over with a fault planted; None where the process died or was told to try again."""
    with contextlib.suppress(ManystoreError, Died):
        return await cut_over(
            faulty(scene, plan),
            state,
            phase,
            Basis(),
            clock=scene.clock,
            randomness=random.Random(1),
            lease=LEASE,
            drain_limit=1.0,
        )
    return None


async def self_named_truths(scene: Scene) -> list[Side]:
    """The sides whose own fence names them the truth."""
    named = []
    for side in Side:
        fence = await scene.people.store(side).fence(PEOPLE)
        if fence is not None and State.of(fence).truth is side:
            named.append(side)
    return named


async def write_everywhere(scene: Scene, state: State, key: str) -> list[str]:
    """Try a write under every recent epoch at both stores; the names of those that took one."""
    took = []
    for store in (scene.source, scene.target):
        record = await store.get(PEOPLE, key)
        assert record is not None
        for epoch in range(max(1, state.epoch - 3), state.epoch + 4):
            with contextlib.suppress(ManystoreError):
                content = (record.content or {}) | {"visits": epoch}
                record = await store.put(PEOPLE, key, content, expected=record.version, epoch=epoch)
                took.append(store.name)
                break
    return took


async def count_calls(scene: Scene, state: State, phase: Phase) -> int:
    plan = FaultPlan(None)
    assert await attempt(scene, plan, state, phase) is not None
    return len(plan.calls)


async def started(scene: Scene) -> State:
    """Everything up to where a cut-over may begin, with one write that the copy does not have yet."""
    await adopt(scene.source, 3)
    people = scene.repository()
    await scene.do(Action.START)
    await scene.do(Action.VERIFY)
    stored = await people.get(person(0).id)
    assert stored is not None
    await people.change(stored, person(0))
    changed = person(0)
    changed.visits = 41
    found = await people.get(person(0).id)
    assert found is not None
    await people.change(found, changed)
    return await read_state(scene.people)


@pytest.mark.parametrize("dies", [False, True], ids=["fails", "dies"])
@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_fault_at_any_call_leaves_one_truth_and_the_write(
    scene: Scene, when: When, dies: bool, tmp_path: Path
) -> None:
    """Whatever call it is, afterwards one store admits writes, none under an old epoch, nothing is lost."""
    total = None
    number = 0
    while total is None or number < total:
        async with memory_scene(tmp_path / f"{number}") as fresh:
            state = await started(fresh)
            plan = FaultPlan(number, when, dies=dies)
            await attempt(fresh, plan, state, Phase.DUAL_WRITE_TARGET_READ)
            if total is None:
                total = await _length(tmp_path / "length")
            assert len(await self_named_truths(fresh)) <= 1, plan.calls[-1]
            await settle(fresh)
            after = await read_state(fresh.people)
            truth = fresh.people.truth(after)
            assert after.takes_writes, plan.calls[-1]
            assert len(await self_named_truths(fresh)) == 1, plan.calls[-1]
            record = await truth.get(PEOPLE, person(0).id)
            assert record is not None
            assert cast(dict[str, Any], record.content)["visits"] == 41, plan.calls[-1]
            assert await write_everywhere(fresh, after, person(1).id) == [truth.name], plan.calls[-1]
        number += 1
    assert total > 15


async def _length(folder: Path) -> int:
    async with memory_scene(folder) as fresh:
        state = await started(fresh)
        return await count_calls(fresh, state, Phase.DUAL_WRITE_TARGET_READ)


async def settle(scene: Scene) -> None:
    """Let another node look at the kind until it takes writes again, as any node does."""
    node = scene.node("node-9", drain_limit=0.0)
    for _ in range(5):
        if (await node.refresh("people")).takes_writes:
            return
        await asyncio.sleep(0)


async def test_who_takes_over_from_the_dead_undoes_their_drain_and_moves_the_truth(scene: Scene) -> None:
    """A worker died in the drain; asked again, the step is taken by the certificate that was there before."""
    state = await started(scene)
    assert await announce(scene.people, state, Phase.DUAL_WRITE_TARGET_READ) is not None
    result = await scene.do(Action.CUT_OVER)
    assert result["phase"] == Phase.DUAL_WRITE_TARGET_READ.value
    after = await read_state(scene.people)
    assert (after.phase, after.takes_writes) == (Phase.DUAL_WRITE_TARGET_READ, True)


async def test_a_drain_on_the_way_to_another_phase_is_nobody_s_to_undo(scene: Scene) -> None:
    """A cut-back finds the drain of a cut-over: it is refused, and the drain stands."""
    state = await started(scene)
    draining = await announce(scene.people, state, Phase.DUAL_WRITE_TARGET_READ)
    with pytest.raises(StepRefusedError):
        await scene.do(Action.CUT_BACK)
    assert await read_state(scene.people) == draining


async def test_two_coordinators_at_once_move_the_truth_once(scene: Scene) -> None:
    """Of two simultaneous cut-overs one wins; the other is refused and undoes nothing."""
    state = await started(scene)
    results = await asyncio.gather(
        *(attempt(scene, FaultPlan(None), state, Phase.DUAL_WRITE_TARGET_READ) for _ in range(2))
    )
    assert [result is not None for result in results].count(True) == 1
    after = await read_state(scene.people)
    assert after.phase is Phase.DUAL_WRITE_TARGET_READ
    assert after.takes_writes


class CopyGoneOnceDraining(FaultPlan):
    """The copy cannot be reached from the moment at which writes are stopped."""

    async def run(self, name: str, call: Callable[[], Awaitable[Any]]) -> Any:
        if name.startswith("tables.") and "documents.raise_fence" in self.calls:
            raise UnavailableError(subject="tables", reason="planted", retry_after=0.01)
        return await super().run(name, call)


async def test_a_drain_that_cannot_end_lets_the_old_truth_go_on_at_once(scene: Scene) -> None:
    """Where the copy goes away while writes wait, the coordinator itself opens the old truth again."""
    state = await started(scene)
    assert await attempt(scene, CopyGoneOnceDraining(None), state, Phase.DUAL_WRITE_TARGET_READ) is None
    after = await read_state(scene.people)
    assert (after.phase, after.takes_writes) == (Phase.DUAL_WRITE_SOURCE_READ, True)
    assert after.epoch == state.epoch + 2


def test_the_mover_knows_every_action() -> None:
    """Each word of the commands has something that carries it out."""
    mover = Mover({}, None, clock=None, randomness=random.Random(1), lease=1.0)  # type: ignore[arg-type]
    assert set(mover._actions) == set(Action)
