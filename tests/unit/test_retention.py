"""Change logs are cut where nobody needs them any more, and nowhere else."""

import datetime as dt
from collections.abc import AsyncIterator
from pathlib import Path
from typing import cast

import msgspec
import pytest

from manystore.changes import START, Position
from manystore.errors import LogCutError, StepRefusedError
from manystore.followers import reaction
from manystore.followers.sync import position_name
from manystore.moves import retention
from manystore.moves.ranges import Outline
from manystore.moves.retention import Retention
from manystore.moves.tasks import Action
from manystore.moves.verify import Basis
from manystore.placement import Phase, Placement, read_state
from manystore.stores.memory import MemoryStore
from manystore.stores.store import Store
from manystore.testing.samples import PEOPLE
from tests.unit.clocks import ManualClock
from tests.unit.moving import Scene, adopt, memory_scene, person

KEEP = dt.timedelta(days=7)
DAY = 86_400.0


class Worker:
    """Retention in one worker, whose days pass as the test says."""

    def __init__(self, scene: Scene) -> None:
        self.scene, self.clock = scene, ManualClock()
        self.retention = Retention([scene.people], scene.folder, owner="w", clock=self.clock, keep=KEEP)

    async def live(self, days: float) -> int:
        """Look every six hours; how many entries were cut."""
        cut = 0
        for _ in range(int(days * 4)):
            self.clock.advance(DAY / 4)
            cut += await self.retention.cut(self.scene.people)
        return cut


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    async with memory_scene(tmp_path) as made:
        await adopt(made.source, 5)
        yield made


@pytest.fixture
def worker(scene: Scene) -> Worker:
    return Worker(scene)


async def write(scene: Scene, times: int, number: int = 0) -> None:
    people = scene.repository(scene.node(f"node-{number}"))
    for _ in range(times):
        stored = await people.get(person(number).id)
        assert stored is not None
        visited = msgspec.structs.replace(stored.value, visits=stored.value.visits + 1)
        await people.change(stored, visited)


async def follow(scene: Scene) -> None:
    track = await scene.track()
    await track.reach(await track.truth.head(PEOPLE))


def entries(store: Store) -> int:
    """How many entries the people's log has."""
    return len(cast(MemoryStore, store)._drawer(PEOPLE).log)


async def test_what_is_old_goes_and_what_is_young_stays(scene: Scene, worker: Worker) -> None:
    """Where nobody follows, an entry stays for the time that was promised, and goes at the next look."""
    await write(scene, 30)
    assert await worker.live(6.5) == 0
    await write(scene, 10)
    assert await worker.live(1) == 29 + 1
    assert entries(scene.source) == 10
    assert await worker.live(6) == 0
    assert await worker.live(2) == 9
    # The newest of all stays, so that the head does not go back.
    assert entries(scene.source) == 1
    assert await worker.live(30) == 0


async def test_it_goes_in_batches(scene: Scene, worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    """Many entries take many statements, with a pause in between, in one look."""
    monkeypatch.setattr(retention, "BATCH", 7)
    await write(scene, 40)
    await worker.live(6)
    before = worker.clock.monotonic()
    assert await worker.live(2) == 39
    assert 2 * DAY + 5 * retention.PAUSE <= worker.clock.monotonic() - before < 2 * DAY + 1


async def verified(scene: Scene) -> None:
    await scene.do(Action.START)
    await write(scene, 10)
    assert (await scene.do(Action.VERIFY))["certificate"]


async def test_a_slow_follower_s_entries_stay(scene: Scene, worker: Worker) -> None:
    """The copy that is behind holds the log, for however long, and loses nothing."""
    await verified(scene)
    await write(scene, 20)
    assert (await scene.do(Action.VERIFY, "people"))["certificate"]
    await write(scene, 20)
    assert await worker.live(60) == 30
    track = await scene.track()
    changes = (await scene.source.changes(PEOPLE, await track.position(), 100)).changes
    assert len(changes) == 20
    await follow(scene)
    assert (await scene.do(Action.VERIFY))["certificate"]
    assert await worker.live(1) == 19


async def test_a_copy_restored_from_a_backup_in_time_holds_what_it_has_not_seen(
    scene: Scene, worker: Worker
) -> None:
    """It stands where the backup stood, before the certificate that holds: it reads on from there."""
    await verified(scene)
    await write(scene, 20)
    assert (await scene.do(Action.VERIFY))["certificate"]
    await set_back(scene, (12,))
    assert await worker.live(30) == 12
    track = await scene.track()
    assert len((await track.advance()).changes) == 18


async def test_a_slow_reader_of_another_sort_holds_the_log_too(scene: Scene, worker: Worker) -> None:
    """Whoever keeps a position beside the log is waited for."""
    await write(scene, 20)
    slow: Position = ((await scene.source.head(PEOPLE))[0] - 8,)
    name = reaction.position_name("awards", "people")
    await scene.source.write_note(name, msgspec.json.encode(slow), expected=0)
    assert await worker.live(30) == 12
    assert len((await scene.source.changes(PEOPLE, slow, 100)).changes) == 8


async def test_the_certificate_that_holds_keeps_what_was_written_since(scene: Scene, worker: Worker) -> None:
    """After weeks, passes since it find all they look for, and the truth moves by it."""
    await verified(scene)
    await write(scene, 6, number=1)
    await write(scene, 3, number=2)
    await follow(scene)
    assert await worker.live(30) == 10
    found = await scene.mover.carry_out(Action.VERIFY, "people", depth="since")
    assert (found["compared"], found["differences"]) == (2, 0)
    assert (await scene.do(Action.CUT_OVER))["phase"] == Phase.DUAL_WRITE_TARGET_READ.value


async def test_without_a_certificate_a_copy_s_time_keeps_everything(scene: Scene, worker: Worker) -> None:
    """Soaking, nobody verified: all that the new truth accepted stays, and is compared on the way back."""
    await verified(scene)
    await scene.do(Action.CUT_OVER)
    for number in range(5):
        await write(scene, 2, number=number)
    await follow(scene)
    await worker.live(30)
    assert entries(scene.target) == 10
    back = await scene.do(Action.CUT_BACK)
    assert back["checked"] >= 5


async def test_a_comparison_under_way_keeps_what_it_needs(scene: Scene, worker: Worker) -> None:
    """A verification that began three weeks ago and goes on: what was written since its basis stays."""
    await scene.do(Action.START)
    await write(scene, 10)
    outline = Outline(ranges=(), total=5, basis=Basis((4,), START))
    name = "moves/people/comparisons/2-abc/outline"
    await follow(scene)
    assert (await scene.do(Action.VERIFY))["certificate"]
    await scene.target.write_note(name, msgspec.json.encode(outline), expected=0)
    assert await worker.live(30) == 4


async def finished(scene: Scene) -> None:
    await verified(scene)
    await scene.do(Action.CUT_OVER)
    await follow(scene)
    await scene.do(Action.VERIFY)
    await scene.do(Action.FINISH)


async def test_a_store_that_rests_holds_nothing_and_is_copied_anew(scene: Scene, worker: Worker) -> None:
    """A month after the end the source may follow again: its log is cut, so all it lacks is copied."""
    await finished(scene)
    people = scene.repository(scene.node("later"))
    gone = await people.get(person(3).id)
    assert gone is not None
    await people.delete(gone)
    await write(scene, 20)
    await write(scene, 1, number=1)
    assert await worker.live(30) > 20
    reopened = await scene.do(Action.REOPEN)
    assert (reopened["phase"], reopened["records"]) == (Phase.DUAL_WRITE_TARGET_READ.value, 5)
    found = await scene.do(Action.VERIFY)
    assert (found["differences"], found["certificate"] is None) == (0, False)
    await scene.do(Action.CUT_BACK)
    assert (await read_state(scene.people)).phase is Phase.DUAL_WRITE_SOURCE_READ


async def test_a_store_that_rested_for_a_day_only_catches_up(scene: Scene, worker: Worker) -> None:
    """Its log has all that it missed: nothing is copied."""
    await finished(scene)
    await write(scene, 20)
    await worker.live(1)
    assert "records" not in await scene.do(Action.REOPEN)
    assert (await scene.do(Action.VERIFY))["differences"] == 0


async def set_back(scene: Scene, position: Position) -> None:
    """Let the copy stand where a backup of it stood."""
    note = await scene.target.note(position_name("people"))
    await scene.target.write_note(note.name, msgspec.json.encode(position), expected=note.revision)


async def test_a_copy_restored_from_too_old_a_backup_is_told_and_copied_anew(
    scene: Scene, worker: Worker
) -> None:
    """The follower passes over nothing; starting again copies all, and no former certificate speaks of it."""
    await verified(scene)
    await write(scene, 20)
    await scene.do(Action.VERIFY)
    assert await worker.live(30) == 29
    drawer = cast(MemoryStore, scene.target)._drawer(PEOPLE)
    drawer.held.pop(person(0).id)
    drawer.claims = {claim: key for claim, key in drawer.claims.items() if key != person(0).id}
    await set_back(scene, (2,))
    track = await scene.track()
    with pytest.raises(LogCutError, match=r"documents has been cut beyond \(2,\)"):
        await track.advance()
    started = await scene.do(Action.START)
    assert started["records"] == 5
    with pytest.raises(StepRefusedError, match="the phase has changed since"):
        await scene.do(Action.CUT_OVER)
    found = await scene.do(Action.VERIFY)
    assert (found["differences"], found["certificate"] is None) == (0, False)


async def test_a_kind_that_never_moves_has_its_log_cut_as_well(scene: Scene) -> None:
    """It has one store, and whoever keeps a position there is its only follower."""
    store = MemoryStore("documents")
    await store.open()
    placement = Placement.settled(PEOPLE, store)
    clock = ManualClock()
    kept = Retention([placement], scene.folder, owner="w", clock=clock, keep=KEEP)
    state = await read_state(placement)
    for number in range(9):
        content = msgspec.to_builtins(person(number))
        await store.put(PEOPLE, content["id"], content, expected=None, epoch=state.epoch)
    assert await kept.cut(placement) == 0
    clock.advance(8 * DAY)
    assert await kept.cut(placement) == 8
    assert await store.count(PEOPLE) == 9


async def test_of_two_workers_one_cuts(scene: Scene) -> None:
    """Who does not hold the claim leaves it to the other."""
    await write(scene, 5)
    clock = ManualClock()
    first, second = (
        Retention([scene.people], scene.folder, owner=owner, clock=clock, keep=KEEP) for owner in "ab"
    )
    await first.cut(scene.people)
    clock.advance(8 * DAY)
    assert await first._claims["people"].hold()
    assert await second.cut(scene.people) == 0
    assert await first.cut(scene.people) == 4
    assert await second.cut(scene.people) == 0
