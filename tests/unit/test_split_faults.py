"""Each version of a split record is whole, whichever call of a write fails."""

import contextlib
from typing import Final

import pytest

from manystore.errors import ManystoreError, StaleEpochError, UnavailableError, VersionConflictError
from manystore.records import Record
from manystore.stores.store import Diverged, Refused
from manystore.testing.samples import PEOPLE, key_of, person
from tests.unit.faults import Died, FaultPlan, When
from tests.unit.splitting import KEY, Pair, Step, opened, pair, stamped

__all__ = ["pair"]

STEPS: Final[dict[str, tuple[Step, Record | None]]] = {
    "create": (
        lambda store: store.put(PEOPLE, key_of(2), stamped(9, 2), expected=None, epoch=1),
        Record(key_of(2), 1, stamped(9, 2)),
    ),
    "change": (
        lambda store: store.put(PEOPLE, KEY, stamped(9), expected=2, epoch=1),
        Record(KEY, 3, stamped(9)),
    ),
    "change of the core": (
        lambda store: store.put(PEOPLE, KEY, person(1, name="stamp 2", visits=9), expected=2, epoch=1),
        Record(KEY, 3, person(1, name="stamp 2", visits=9)),
    ),
    "loss of the rest": (
        lambda store: store.put(PEOPLE, KEY, {"id": KEY}, expected=2, epoch=1),
        Record(KEY, 3, {"id": KEY}),
    ),
    "delete": (
        lambda store: store.delete(PEOPLE, KEY, expected=2, epoch=1),
        Record(KEY, 3, None),
    ),
    "apply": (
        lambda store: store.apply(PEOPLE, [Record(KEY, 7, stamped(9))]),
        Record(KEY, 7, stamped(9)),
    ),
    "apply a tombstone": (
        lambda store: store.apply(PEOPLE, [Record(KEY, 7, None)]),
        Record(KEY, 7, None),
    ),
}


async def _prepared() -> Pair:
    pair = await opened()
    store = pair.store()
    await store.put(PEOPLE, KEY, stamped(1), expected=None, epoch=1)
    await store.put(PEOPLE, KEY, stamped(2), expected=1, epoch=1)
    return pair


async def _count_calls(step: Step) -> int:
    plan = FaultPlan(None)
    await step((await _prepared()).store(plan))
    return len(plan.calls)


@pytest.mark.parametrize("dies", [True, False])
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("name", list(STEPS))
async def test_fault_at_any_call_leaves_a_whole_version(name: str, when: When, dies: bool) -> None:
    """Former or new, never halves; what is left over goes with the next version above its own."""
    step, after = STEPS[name]
    assert after is not None
    for at in range(await _count_calls(step)):
        pair = await _prepared()
        before = await pair.store().get(PEOPLE, after.key)
        plan, acknowledged = FaultPlan(at, when, dies=dies), False
        with contextlib.suppress(UnavailableError, Died):
            await step(pair.store(plan))
            acknowledged = True
        fresh = pair.store(seed=1)
        left = await fresh.get(PEOPLE, after.key)
        assert left in ([after] if acknowledged else [before, after]), plan.calls[at]
        pair.clock.seconds += 4_000
        swept = await fresh.sweep(PEOPLE)
        assert (swept.lost_count, swept.altered_count) == (0, 0)
        assert await fresh.get(PEOPLE, after.key) == left
        expected = left.version if left is not None and not left.is_deleted else None
        if left == after or expected is None:
            # Nothing can become of a part that was written for a former version, so it is gone.
            has_part = left is not None and left.content is not None and "name" in left.content
            assert len(await pair.parts(after.key)) == has_part
        last = person(7, id=after.key, name="last")
        await fresh.put(PEOPLE, after.key, last, expected=expected, epoch=1, above=7)
        (part,) = await pair.parts(after.key)
        assert part["content"]["name"] == "last"
        assert fresh.counters.lost_parts == 0


async def test_fault_in_cleaning_up_is_no_fault_of_the_write(pair: Pair) -> None:
    """A write that happened is acknowledged, though the former part could not be taken off; it is counted."""
    await pair.store().put(PEOPLE, KEY, stamped(1), expected=None, epoch=1)
    plan = FaultPlan(None)
    await pair.store(plan).put(PEOPLE, KEY, stamped(2), expected=1, epoch=1)
    committed = plan.calls.index("core.put")
    assert committed < len(plan.calls) - 1
    store = pair.store(FaultPlan(committed + 1, "before"))
    written = await store.put(PEOPLE, KEY, stamped(3), expected=2, epoch=1)
    assert written == await pair.store().get(PEOPLE, KEY)
    assert store.counters.left_to_sweep == 1
    assert len(await pair.parts()) == 2
    assert (await pair.store().sweep(PEOPLE)).pruned == 1
    assert len(await pair.parts()) == 1


async def test_refused_writes_leave_nothing(pair: Pair) -> None:
    """After a conflict, a stale epoch, a taken value, a divergence, each sheet is as it was before."""
    store = pair.store()
    await store.put(PEOPLE, KEY, stamped(1), expected=None, epoch=1)
    with pytest.raises(VersionConflictError):
        await store.put(PEOPLE, KEY, stamped(2), expected=None, epoch=1)
    with pytest.raises(StaleEpochError) as stale:
        await store.put(PEOPLE, KEY, stamped(2), expected=1, epoch=9)
    assert (stale.value.store, stale.value.kind) == ("split", "people")
    taken = person(2, email=person(1)["email"])
    with pytest.raises(ManystoreError):
        await store.put(PEOPLE, key_of(2), taken, expected=None, epoch=1)
    outcomes = await store.apply(PEOPLE, [Record(key_of(2), 4, taken), Record(KEY, 1, stamped(5))])
    assert isinstance(outcomes[0], Refused)
    assert outcomes[1] == Diverged(1)
    assert await pair.parts(key_of(2)) == []
    (part,) = await pair.parts()
    assert part["content"]["name"] == "stamp 1"
