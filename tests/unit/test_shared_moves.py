"""Ranges that any worker can do: cut, copied and compared from their checkpoints on, added up, and told."""

import asyncio
import hashlib
import itertools
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest

from manystore.clock import SystemClock
from manystore.errors import NotRepresentableError
from manystore.followers.sync import Track
from manystore.moves.certificate import CertificateFolder
from manystore.moves.comparing import RangeComparison, chain
from manystore.moves.conduct import MOST_ATTEMPTS
from manystore.moves.copy import copy_range
from manystore.moves.pace import Pace
from manystore.moves.procedures import Order
from manystore.moves.ranges import BATCH, MOST_RANGES, SIZE, range_count
from manystore.moves.tasks import Action, Task, TaskBoard
from manystore.moves.worker import MoveWorker
from manystore.placement import Placement, read_state
from manystore.records import Record
from manystore.stores.memory import MemoryStore
from manystore.stores.store import KeyRange, Store
from manystore.testing.samples import PEOPLE
from tests.unit.faults import Died, FaultPlan, FaultyStore
from tests.unit.moving import Scene, adopt, memory_scene, person

EVERYTHING = KeyRange()


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    async with memory_scene(tmp_path) as made:
        yield made


async def direction(scene: Scene, source: Store | None = None, target: Store | None = None) -> Track:
    """The people's way from the source to the target, or to what stands before them."""
    placement = Placement(kind=PEOPLE, source=source or scene.source, target=target or scene.target)
    state = await read_state(scene.people)
    return Track(placement, state, clock=scene.clock, randomness=scene.random)


# -- cutting -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("records", "ranges"),
    [(0, 1), (1, 1), (999, 1), (2_500, 2), (20_000, 4), (100_000, 4), (100_001, 5), (1_000_000, 40)],
)
def test_the_number_of_ranges_follows_the_size(records: int, ranges: int) -> None:
    """Few records are not worth sharing; many are cut into pieces of some seconds of work."""
    assert range_count(records) == ranges


def test_there_are_never_too_many_ranges() -> None:
    """Beyond a size the ranges grow instead of their number."""
    assert range_count(1_000 * SIZE) == range_count(10_000 * SIZE) == MOST_RANGES


# -- copying a range ---------------------------------------------------------------------------------


async def carried(scene: Scene) -> list[Record]:
    return await scene.target.scan(PEOPLE, EVERYTHING, 99_999)


async def test_a_range_whose_worker_dies_at_any_call_is_finished_by_the_next(tmp_path: Path) -> None:
    """Wherever it dies, the next one ends with all records, each counted once, and each refusal once."""
    count, twins = 2 * BATCH + 3, 2
    for number, when in itertools.product(range(30), ("before", "after")):
        async with memory_scene(tmp_path / f"{number}{when}") as scene:
            await adopt(scene.source, count)
            for twin in range(twins):
                stranger = msgspec.to_builtins(person(90_000 + twin)) | {"email": person(twin).email}
                await scene.target.apply(PEOPLE, [Record(stranger["id"], 1, stranger)])
            plan = FaultPlan(number, cast(Any, when), dies=True)
            dying = await direction(scene, target=cast(Store, FaultyStore(scene.target, plan)))
            copy = partial(copy_range, name="range", key_range=EVERYTHING, pace=Pace(scene.clock))
            try:
                await copy(dying)
            except Died:
                pass
            else:
                assert number > 8, "it was to die at each of its calls"
                return
            copied = await copy(await direction(scene))
            assert (copied.records, copied.refused) == (count, twins), plan.calls[-1]
            assert len(await carried(scene)) == count, plan.calls[-1]
            queued = await (await direction(scene)).queue.entries()
            assert {entry.key for entry in queued} == {person(twin).id for twin in range(twins)}
    pytest.fail("it makes more calls than were tried")


async def test_a_finished_range_is_not_read_again(scene: Scene) -> None:
    """Whoever is handed a range that another one finished says what that one found."""
    await adopt(scene.source, 5)
    track, pace = await direction(scene), Pace(scene.clock)
    first = await copy_range(track, "range", EVERYTHING, pace=pace)
    plan = FaultPlan(None)
    again = await direction(scene, source=cast(Store, FaultyStore(scene.source, plan)))
    assert await copy_range(again, "range", EVERYTHING, pace=pace) == first
    assert plan.calls == []


async def test_ranges_end_where_the_next_begins(scene: Scene) -> None:
    """Of neighbouring ranges each record is in one."""
    records = await adopt(scene.source, 10)
    middle = sorted(record.key for record in records)[4]
    track, pace = await direction(scene), Pace(scene.clock)
    low = await copy_range(track, "low", KeyRange(None, middle), pace=pace)
    high = await copy_range(track, "high", KeyRange(middle, None), pace=pace)
    assert (low.records, high.records) == (5, 5)


# -- comparing a range -------------------------------------------------------------------------------


async def compared(scene: Scene, name: str, target: Store | None = None) -> Any:
    track = await direction(scene, target=target)
    clock = EagerClock()
    return await RangeComparison(track, name, EVERYTHING, clock=clock, pace=Pace(clock)).run()


class EagerClock(SystemClock):
    """A clock by which every page takes a second, so that each has its checkpoint."""

    def __init__(self) -> None:
        self._seconds = itertools.count()

    def monotonic(self) -> float:
        return float(next(self._seconds))


async def test_a_comparison_whose_worker_dies_at_any_call_comes_to_the_same(tmp_path: Path) -> None:
    """Digests, counts and differences are those of a comparison that nobody disturbed."""
    count = 3 * BATCH + 7

    async def prepare(scene: Scene) -> None:
        records = await adopt(scene.source, count)
        others = [record for record in records if record.key != person(1500).id]
        changed = person(2500)
        changed.name = "Another"
        others = [
            Record(each.key, 0, msgspec.to_builtins(changed)) if each.key == changed.id else each
            for each in others
        ]
        await scene.target.apply(PEOPLE, others)
        await (await direction(scene)).begin_at_head()

    async with memory_scene(tmp_path / "whole") as scene:
        await prepare(scene)
        whole = await compared(scene, "range")
    assert (whole.compared, whole.difference_count) == (count, 2)
    assert [each.sort for each in whole.differences] == ["missing", "differing"]
    for number in range(60):
        async with memory_scene(tmp_path / f"{number}") as scene:
            await prepare(scene)
            plan = FaultPlan(number, dies=True)
            try:
                await compared(scene, "range", cast(Store, FaultyStore(scene.target, plan)))
            except Died:
                pass
            else:
                assert number > 12, "it was to die at each of its calls"
                return
            assert await compared(scene, "range") == whole, plan.calls[-1]
    pytest.fail("it makes more calls than were tried")


def test_a_digest_tells_keys_versions_contents_and_order() -> None:
    """Each of these changes it; nothing at all does not."""
    start = bytes(32)
    one, other = Record("a", 1, {"x": 1}), Record("b", 1, {"x": 1})
    digests = {
        chain(start, one),
        chain(start, other),
        chain(start, Record("a", 2, {"x": 1})),
        chain(start, Record("a", 1, {"x": 2})),
        chain(start, Record("a", 1, None)),
        chain(chain(start, one), other),
        chain(chain(start, other), one),
    }
    assert len(digests) == 7
    assert chain(start, None) == start
    assert chain(start, one) == hashlib.sha256(start + b"a\x001\x00" + one.digest).digest()


# -- whole actions in several ranges -----------------------------------------------------------------


async def test_a_verification_adds_up_its_ranges_in_key_order(scene: Scene) -> None:
    """Differences at both ends and across the ranges are named in order; the certificate has all ranges."""
    count = 5 * BATCH
    records = await adopt(scene.source, count)
    await scene.do(Action.START)
    clean = await scene.do(Action.VERIFY)
    certificate = CertificateFolder(scene.folder.folder).newest("people")
    assert certificate is not None
    assert (clean["compared"], len(certificate.ranges), certificate.records) == (count, 4, count)
    assert (await scene.do(Action.RECHECK))["holds"] is True
    keys = sorted(record.key for record in records)
    ends = sorted({keys[0], keys[-1], *(proof.upto for proof in certificate.ranges if proof.upto)})
    assert isinstance(scene.target, MemoryStore)
    for key in ends:
        del scene.target._drawer(PEOPLE).held[key]
    found = await scene.do(Action.VERIFY)
    assert found["samples"] == [f"{key} missing" for key in ends]
    assert (found["differences"], found["certificate"]) == (len(ends), None)
    again = await scene.do(Action.RECHECK)
    assert (again["holds"], again["changedRanges"]) == (False, 4)


async def test_a_verification_that_is_begun_again_keeps_its_basis(scene: Scene) -> None:
    """What was compared before a crash is only covered by the basis that was taken before it."""
    await adopt(scene.source, 3)
    await scene.do(Action.START)
    order = Order(action=Action.VERIFY, kind="people", run="task-1")
    track = await scene.track()
    await scene.mover.begin(order)
    before = await track.truth.head(PEOPLE)
    people = scene.repository()
    stored = await people.get(person(1).id)
    assert stored is not None
    await people.change(stored, person(1))
    assert await track.truth.head(PEOPLE) > before
    begun = await scene.mover.begin(order)
    async with asyncio.timeout(120):
        results = [await scene.mover.do_range(begun, number) for number in range(begun.ranges)]
        await scene.mover.end(begun, results)
    certificate = scene.folder.newest("people")
    assert certificate is not None
    assert certificate.basis.truth == before


async def test_what_was_compared_under_another_epoch_is_not_gone_on_with(scene: Scene) -> None:
    """The same task begun again after the truth has moved begins anew, and drops the notes of before."""
    await adopt(scene.source, 3)
    await scene.do(Action.START)
    order = Order(action=Action.VERIFY, kind="people", run="task-1")
    before = await scene.mover.begin(order)
    await scene.mover.do_range(before, 0)
    await scene.do(Action.VERIFY)
    async with scene.working():
        await scene.do(Action.CUT_OVER)
    after = await scene.mover.begin(order)
    assert after.run != before.run
    assert await scene.source.notes(after.run) != []
    await scene.mover.begin(Order(action=Action.VERIFY, kind="people", run="task-2"))
    assert await scene.source.notes(after.run) == []


async def test_a_copy_asked_for_again_goes_on_and_says_what_it_did_itself(scene: Scene) -> None:
    """The second time nothing is left to do; the sum is still of everything."""
    await adopt(scene.source, 20)
    assert (await scene.do(Action.START))["records"] == 20
    again = await scene.do(Action.START)
    assert (again["records"], again["rate"]) == (20, 0.0)


# -- who does the work -------------------------------------------------------------------------------


async def until(board: TaskBoard, is_so: Callable[[Task], bool]) -> Task:
    async with asyncio.timeout(120):
        while (task := await board.task()) is None or not is_so(task):
            await asyncio.sleep(0.01)
        return task


class SlowStore(MemoryStore):
    """A store that lets others run at each page."""

    async def scan(self, *arguments: Any, **named: Any) -> list[Record]:
        await asyncio.sleep(0.05)
        return await super().scan(*arguments, **named)


async def test_another_worker_goes_on_where_one_was_killed(tmp_path: Path) -> None:
    """The second process takes the claim when it has gone stale, and what was done stays done."""
    source, target = SlowStore("documents"), MemoryStore("tables")
    await source.open()
    await target.open()
    scene = Scene(source, target, tmp_path)
    await adopt(source, 12 * BATCH)
    placements = list(scene.family.values())
    board = TaskBoard(scene.people, scene.clock)
    await board.request(Action.START, task_id="1", actor="kim")
    plan = FaultPlan(None)
    dying = [
        Placement(
            kind=each.kind,
            source=cast(Store, FaultyStore(source, plan)),
            target=cast(Store, FaultyStore(target, plan)),
        )
        for each in placements
    ]
    mover = type(scene.mover)(
        {each.kind.name: each for each in dying},
        scene.folder,
        clock=scene.clock,
        randomness=random.Random(1),
        lease=1.0,
    )
    first = asyncio.create_task(MoveWorker(dying, mover, owner="one", clock=scene.clock).run())
    told = await until(board, lambda task: task.progress is not None and task.progress.done >= 2 * BATCH)
    plan.dead = True
    with pytest.raises(BaseExceptionGroup):
        await first
    second = asyncio.create_task(MoveWorker(placements, scene.mover, owner="two", clock=scene.clock).run())
    seen = [told.progress.done] if told.progress is not None else []

    def note(task: Task) -> bool:
        if task.progress is not None:
            seen.append(task.progress.done)
        return not task.is_open

    task = await until(board, note)
    second.cancel()
    await asyncio.gather(second, return_exceptions=True)
    assert (task.state, task.attempts) == ("done", 2)
    assert task.result is not None
    assert task.result["records"] == 12 * BATCH
    assert seen == sorted(seen)
    assert len(await target.scan(PEOPLE, EVERYTHING, 99_999)) == 12 * BATCH


async def test_kinds_are_worked_on_side_by_side(scene: Scene) -> None:
    """A task of one kind does not wait for that of another."""
    await adopt(scene.source, 10)
    boards = [TaskBoard(placement, scene.clock) for placement in scene.family.values()]
    async with scene.working():
        for board in boards:
            await board.request(Action.PLAN, task_id="1", actor="kim")
        for board in boards:
            assert (await until(board, lambda task: not task.is_open)).state == "done"


async def test_a_range_that_is_given_up_fails_the_task_and_says_why(scene: Scene) -> None:
    """The other ranges are done all the same; asked for again, only the rest is left."""
    count = 5 * BATCH
    await adopt(scene.source, count)
    cutter = sorted(record.key for record in await scene.source.scan(PEOPLE, EVERYTHING, count))[-1]

    class Picky(FaultPlan):
        picks = True

        async def run(self, name: str, call: Callable[[], Awaitable[Any]]) -> Any:
            if name == "documents.scan" and self.picks:
                page = await call()
                if page and page[-1].key == cutter:
                    raise NotRepresentableError(
                        store="documents", kind="people", key=cutter, field="$", reason="planted"
                    )
                return page
            return await call()

    plan = Picky(None)
    people = Placement(kind=PEOPLE, source=cast(Store, FaultyStore(scene.source, plan)), target=scene.target)
    scene.family["people"] = people
    board = TaskBoard(people, scene.clock)
    async with scene.working():
        await board.request(Action.START, task_id="1", actor="kim")
        task = await until(board, lambda task: not task.is_open)
        assert task.state == "failed"
        assert "planted" in task.reasons[0]
        plan.picks = False
        await board.request(Action.START, task_id="2", actor="kim")
        task = await until(board, lambda task: not task.is_open)
    assert (task.state, task.result["records"] if task.result else 0) == ("done", count)


async def test_a_task_over_which_workers_keep_dying_is_given_up(scene: Scene) -> None:
    """At some point it is the task, not the workers."""
    board = TaskBoard(scene.people, scene.clock)
    task = await board.request(Action.PLAN, task_id="1", actor="kim")
    await board.update(msgspec.structs.replace(task, state="running", attempts=MOST_ATTEMPTS))
    async with scene.working():
        ended = await until(board, lambda task: not task.is_open)
    assert ended.state == "failed"
    assert ended.reasons == (
        f"Workers died over it {MOST_ATTEMPTS} times: look at their logs, then ask again.",
    )
