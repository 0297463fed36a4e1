"""The sync follower and its queue: nothing is passed over, nothing is hidden."""

import asyncio
import collections
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest
from msgspec import structs

from manystore.errors import (
    MissingParentError,
    NotRepresentableError,
    StepRefusedError,
    UnavailableError,
    UniqueError,
)
from manystore.followers.queue import MAX_ATTEMPTS, Audited, SyncQueue
from manystore.followers.runner import SyncRunner
from manystore.followers.sync import BATCH, ORPHANS, Track
from manystore.moves.tasks import Action
from manystore.placement import Leases, Placement, read_state
from manystore.records import Kind, Parent, Record
from manystore.stores.store import Note, Outcome, Refused, Store
from manystore.testing.samples import LETTERS, PEOPLE, WORDS, key_of, letter, word
from tests.unit.clocks import ManualClock
from tests.unit.faults import FaultPlan, FaultyStore
from tests.unit.moving import LEASE, Person, Scene, adopt, memory_scene, person


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    async with memory_scene(tmp_path) as made:
        await adopt(made.source, 3)
        await made.do(Action.START)
        yield made


class ParentChecking:
    """A copy that refuses letters to people whom it does not have, as foreign keys do."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def apply(
        self, kind: Kind, records: Sequence[Record], *, note: Note | None = None
    ) -> list[Outcome]:
        parents = await self._store.get_many(PEOPLE, [_person_of(record) for record in records])
        there = [record for record in records if _person_of(record) in parents]
        applied = dict(
            zip(
                [record.key for record in there],
                await self._store.apply(kind, there, note=note),
                strict=True,
            )
        )
        return [
            applied.get(record.key)
            or Refused(
                MissingParentError(
                    kind=kind.name,
                    key=record.key,
                    field="personId",
                    parent_kind="people",
                    parent_key=_person_of(record),
                )
            )
            for record in records
        ]


def _person_of(record: Record) -> str:
    return str((record.content or {})["personId"])


async def rename(scene: Scene, number: int, **changes: object) -> Person:
    """Change a person through the repository, as a use case would."""
    people = scene.repository()
    stored = await people.get(person(number).id)
    assert stored is not None
    return (await people.change(stored, msgspec.structs.replace(stored.value, **changes))).value


async def twin(scene: Scene) -> str:
    """Make person 0 hold in the copy alone what person 1 then takes in the truth."""
    stranger = msgspec.to_builtins(person(77)) | {"email": "taken@example.org"}
    await scene.target.apply(PEOPLE, [Record(stranger["id"], 1, stranger)])
    await rename(scene, 1, email="taken@example.org")
    return str(stranger["id"])


async def test_what_the_copy_refuses_is_queued_and_then_dead_and_blocks_the_flip(scene: Scene) -> None:
    """A duplicate e-mail planted in the copy ends as a dead letter, named, and the cut-over is refused."""
    await scene.do(Action.VERIFY)
    await twin(scene)
    track = await scene.track()
    await track.advance()
    for _ in range(MAX_ATTEMPTS):
        await track.retry(whatever_is_due=False)
    entry = await track.queue.entry(person(1).id)
    assert entry is not None
    assert (entry.state, entry.error, entry.attempts) == ("dead", "UniqueError", MAX_ATTEMPTS)
    assert entry.record.content is not None
    assert entry.record.content["email"] == "taken@example.org"
    with pytest.raises(StepRefusedError, match="1 changes are dead: look at each"):
        await scene.do(Action.CUT_OVER)


async def test_a_dead_letter_is_replayed_once_its_cause_is_mended(scene: Scene) -> None:
    """After the other holder is gone, replaying brings the change over and empties the queue."""
    stranger = await twin(scene)
    track = await scene.track()
    await track.advance()
    for _ in range(MAX_ATTEMPTS):
        await track.retry(whatever_is_due=False)
    await scene.target.apply(PEOPLE, [Record(stranger, 2, None)])
    assert await track.queue.replay() == 1
    assert await track.retry() == 1
    assert await track.queue.entries() == []
    record = await scene.target.get(PEOPLE, person(1).id)
    assert record is not None
    assert record.content is not None
    assert record.content["email"] == "taken@example.org"


async def test_dropping_a_dead_letter_is_written_down(scene: Scene) -> None:
    """Who gave a change up, and why, can be read afterwards."""
    await twin(scene)
    track = await scene.track()
    await track.advance()
    assert await track.queue.drop(person(1).id, actor="kim", reason="test account")
    [note] = await scene.target.notes("audit/")
    audited = msgspec.json.decode(note.value, type=Audited)
    assert (audited.actor, audited.action, audited.reason) == ("kim", "queue.drop", "test account")
    assert await track.queue.entries() == []
    assert (await scene.do(Action.VERIFY))["differences"] == 2


class Overtaken:
    """A copy in whose queue something else is written just before what it is told to write next."""

    def __init__(self, store: Store, meanwhile: Callable[[], Awaitable[object]]) -> None:
        self._store, self._meanwhile = store, [meanwhile]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def write_notes(self, notes: Sequence[Note]) -> list[bool]:
        await self._overtake()
        return await self._store.write_notes(notes)

    async def drop_notes(self, notes: Sequence[Note]) -> list[bool]:
        await self._overtake()
        return await self._store.drop_notes(notes)

    async def _overtake(self) -> None:
        if self._meanwhile:
            await self._meanwhile.pop()()


async def overtaken_queue(scene: Scene) -> SyncQueue:
    """A queue with one entry, behind which a newer version is put while it is first written to."""
    await twin(scene)
    track = await scene.track()
    await track.advance()

    async def overtake() -> None:
        await rename(scene, 1, visits=9)
        await track.advance()

    copy = cast("Store", Overtaken(scene.target, overtake))
    return SyncQueue(copy, PEOPLE, clock=scene.clock, randomness=scene.random)


async def test_replaying_is_not_lost_on_an_entry_that_a_follower_writes_meanwhile(scene: Scene) -> None:
    """What a person asks for is done, though a newer version was put behind the entry after it was read."""
    queue = await overtaken_queue(scene)
    assert await queue.replay(person(1).id) == 1
    entry = await queue.entry(person(1).id)
    assert entry is not None
    assert (entry.state, entry.attempts, entry.version) == ("retrying", 0, 2)


async def test_dropping_is_not_lost_on_an_entry_that_a_follower_writes_meanwhile(scene: Scene) -> None:
    """Both versions that are given up are written down."""
    queue = await overtaken_queue(scene)
    assert await queue.drop(person(1).id, actor="kim", reason="test account")
    assert await queue.entries() == []
    audited = [msgspec.json.decode(note.value, type=Audited) for note in await scene.target.notes("audit/")]
    assert [each.subject.rsplit(" ", 1)[1] for each in audited] == ["1", "2"]


async def test_a_newer_version_waits_behind_a_queued_one_and_is_not_lost(scene: Scene) -> None:
    """A retry that carried the older version cannot take off an entry behind which a newer one waits."""
    stranger = await twin(scene)
    track = await scene.track()
    await track.advance()
    await scene.target.apply(PEOPLE, [Record(stranger, 2, None)])
    before = await track.queue.entry(person(1).id)
    assert before is not None
    # Another follower reads the log meanwhile, finds the record queued, and moves its position past it.
    newer = await rename(scene, 1, name="Newest")
    await track.advance()
    assert await track.position() == await scene.source.head(PEOPLE)
    assert not await track.queue.release(before)
    await track.retry(whatever_is_due=False)
    assert await track.queue.entries() == []
    record = await scene.target.get(PEOPLE, person(1).id)
    assert record is not None
    assert record.content is not None
    assert record.content["name"] == newer.name


async def test_the_position_does_not_pass_what_could_not_be_applied(scene: Scene) -> None:
    """While the copy is away the position stays, and everything arrives afterwards."""
    await rename(scene, 2, name="Later")
    track = await scene.track()
    position = await track.position()
    plan = FaultPlan(None)
    target = cast(Store, FaultyStore(scene.target, plan))
    state = await read_state(scene.people)
    placement = Placement(kind=PEOPLE, source=scene.source, target=target)
    broken = Track(placement, state, clock=scene.clock, randomness=scene.random)
    plan.at = 2  # after the position and the queue were read: the call that applies
    with pytest.raises(UnavailableError, match=r"tables\.apply"):
        await broken.advance()
    assert await track.position() == position
    await track.advance()
    record = await scene.target.get(PEOPLE, person(2).id)
    assert record is not None
    assert record.content is not None
    assert record.content["name"] == "Later"


async def test_an_unfit_value_is_dead_at_once_and_others_pass(scene: Scene) -> None:
    """What can never be held is not tried again; its neighbours are not held up."""
    track = await scene.track()
    records = [Record(person(n).id, 5, msgspec.to_builtins(person(n))) for n in (0, 1)]
    problem = NotRepresentableError(
        store="tables", kind="people", key=records[0].key, field="visits", reason="planted"
    )
    await track.queue.hold(records[0], problem)
    entry = await track.queue.entry(records[0].key)
    assert entry is not None
    assert (entry.state, entry.attempts) == ("dead", 1)


async def test_retries_wait_longer_each_time_and_not_for_ever() -> None:
    """The next attempt is due later after each failure, until the entry is a dead letter."""
    clock = ManualClock()
    async with memory_scene(Path()) as scene:
        queue = SyncQueue(scene.target, PEOPLE, clock=clock, randomness=random.Random(1))
        record = Record(person(0).id, 1, msgspec.to_builtins(person(0)))
        problem = UniqueError(kind="people", key=record.key, constraint="people_email", field="email")
        waits = []
        for _ in range(MAX_ATTEMPTS):
            entry = await queue.hold(record, problem)
            waits.append((entry.next_at - clock.now()).total_seconds())
        assert waits == sorted(waits)
        assert waits[0] < 0.2
        assert entry.state == "dead"


async def test_a_worker_that_stands_by_follows_once_the_one_before_it_is_dead(scene: Scene) -> None:
    """A claim that nobody renews is taken over, though it was never let go."""
    claim = await scene.target.note("sync/people/claim")
    dead = msgspec.json.encode({"owner": "killed", "beat": 7})
    await scene.target.write_note(claim.name, dead, expected=claim.revision)
    await rename(scene, 0, name="Renamed")
    clock = ManualClock()
    leases = Leases(list(scene.family.values()), node="standby", clock=clock, lease=LEASE)
    runner = SyncRunner([scene.people], leases, owner="standby", clock=clock, randomness=scene.random)
    following = asyncio.create_task(runner.run())
    track = await scene.track()
    async with asyncio.timeout(120):
        while await track.position() < await scene.source.head(PEOPLE):
            await asyncio.sleep(0)
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)
    copied = await scene.target.get(PEOPLE, person(0).id)
    assert copied is not None
    assert cast(dict[str, object], copied.content)["name"] == "Renamed"


async def test_a_child_that_let_go_of_the_parent_it_waited_for_waits_no_more(scene: Scene) -> None:
    """Parked for a parent that is deleted before it ever arrives: the next version is tried all the same."""
    await scene.do(Action.START, "letters")
    state = await read_state(scene.letters)
    track = Track(scene.letters, state, clock=scene.clock, randomness=scene.random)
    written = await scene.source.put(LETTERS, key_of(11), letter(11, 1), expected=None, epoch=state.epoch)
    missing = MissingParentError(
        kind="letters", key=key_of(11), field="personId", parent_kind="people", parent_key=key_of(99)
    )
    await track.queue.hold(written, missing)
    await track.advance()
    assert await track.retry(whatever_is_due=False) == 0
    alone = letter(11, 1, personId=None)
    await scene.source.put(LETTERS, key_of(11), alone, expected=written.version, epoch=state.epoch)
    await track.advance()
    assert await track.retry(whatever_is_due=False) == 1
    assert await track.queue.entries() == []
    assert await scene.target.get(LETTERS, key_of(11)) == Record(key_of(11), written.version + 1, alone)


async def test_thousands_of_parked_children_follow_in_batches_once_their_parents_are_there(
    scene: Scene,
) -> None:
    """Queued, deferred and brought over by the hundred: the calls of the stores do not grow with them."""
    count, parents = 2_000, 3 * BATCH
    await scene.do(Action.START, "letters")
    state = await read_state(scene.letters)
    for number in range(count):
        content = letter(number, number % parents)
        await scene.source.put(LETTERS, key_of(number), content, expected=None, epoch=state.epoch)
    plan = FaultPlan(None)
    target = ParentChecking(scene.target)
    source, copy = (cast(Store, FaultyStore(cast(Store, each), plan)) for each in (scene.source, target))
    placement = Placement(kind=LETTERS, source=source, target=copy, parents=(PEOPLE,))
    track = Track(placement, state, clock=ManualClock(), randomness=scene.random)
    await track.reach(await scene.source.head(LETTERS))
    entries = await track.queue.entries()
    assert len(entries) == count
    assert {(entry.state, entry.attempts) for entry in entries} == {("parked", 1)}
    assert await track.retry(whatever_is_due=False) == 0
    for number in range(count):
        content = letter(number, number % parents, text="newer")
        await scene.source.put(LETTERS, key_of(number), content, expected=1, epoch=state.epoch)
    await track.reach(await scene.source.head(LETTERS))
    assert {entry.version for entry in await track.queue.entries()} == {2}
    people = [Record(key_of(number), 1, {"id": key_of(number)}) for number in range(parents)]
    await scene.target.apply(PEOPLE, people[1:])
    assert await track.retry(whatever_is_due=False) == count - 2
    await scene.target.apply(PEOPLE, people[:1])
    assert await track.retry(whatever_is_due=False) == 2
    assert await track.queue.entries() == []
    assert {
        (record.version, record.content == letter(number, number % parents, text="newer"))
        for number in range(count)
        if (record := await scene.target.get(LETTERS, key_of(number))) is not None
    } == {(2, True)}
    assert len(plan.calls) < count / 10, collections.Counter(plan.calls)


async def test_in_a_kind_that_points_to_itself_parents_go_first(scene: Scene) -> None:
    """A child is tried after the parent that came in the same round, whatever their keys."""
    family = structs.replace(WORDS, parents=(Parent(field="meaning", kind="words"),))
    words = Placement(kind=family, source=scene.source, target=scene.target, parents=(family,))
    state = await read_state(words)
    track = Track(words, state, clock=scene.clock, randomness=scene.random)
    for number in range(5):
        content = word(f"w{number}", meaning=f"w{number + 1}" if number < 4 else "")
        written = await scene.source.put(family, f"w{number}", content, expected=None, epoch=state.epoch)
        missing = MissingParentError(
            kind="words",
            key=f"w{number}",
            field="meaning",
            parent_kind="words",
            parent_key=content["meaning"],
        )
        problem = missing if number < 4 else UniqueError(kind="words", key="w4", constraint="c", field="id")
        await track.queue.hold(written, problem)
    assert await track.retry(whatever_is_due=False) == 5
    assert await scene.target.count(family) == 5


async def test_a_parked_change_that_a_newer_one_overtook_does_not_wait_for_ever(scene: Scene) -> None:
    """A copy queued what it had read before the follower brought the next version, which is no orphan."""
    await scene.do(Action.START, "letters")
    state, clock = await read_state(scene.letters), ManualClock()
    track = Track(scene.letters, state, clock=clock, randomness=scene.random)
    old = await scene.source.put(LETTERS, key_of(1), letter(1, 777), expected=None, epoch=state.epoch)
    await scene.source.put(LETTERS, key_of(1), letter(1, 1), expected=1, epoch=state.epoch)
    await track.reach(await scene.source.head(LETTERS))
    missing = MissingParentError(
        kind="letters", key=old.key, field="personId", parent_kind="people", parent_key=key_of(777)
    )
    assert (await track.queue.hold(old, missing)).state == "parked"
    clock.advance(ORPHANS)
    assert await track.retry() == 1
    assert await track.queue.entries() == []
    assert await scene.target.get(LETTERS, old.key) == await scene.source.get(LETTERS, old.key)
