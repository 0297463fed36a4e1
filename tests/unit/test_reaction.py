"""A follower that acts after each change: at least once, whoever dies, and one bad change stops no other."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Callable

import pytest

from manystore.errors import UnavailableError
from manystore.followers.failures import MAX_ATTEMPTS
from manystore.followers.reaction import Handler, Reaction, position_name
from manystore.placement import Leases, Placement, read_state
from manystore.records import Content, Record
from manystore.specifications import Predicate, field
from manystore.stores.memory import MemoryStore
from manystore.stores.store import Store
from manystore.testing.samples import WORDS, word
from tests.unit.clocks import ManualClock
from tests.unit.faults import Died, FaultPlan, FaultyStore


class Room:
    """One kind in one of two stores, and what its follower was given."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.source, self.target = MemoryStore("documents"), MemoryStore("tables")
        self.seen: list[tuple[str, int]] = []

    async def open(self) -> None:
        await self.source.open()
        await self.target.open()
        await read_state(self.placement())

    def placement(self, source: Store | None = None) -> Placement:
        return Placement(kind=WORDS, source=source or self.source, target=self.target)

    def reaction(
        self,
        handle: Handler | None = None,
        *,
        owner: str = "one",
        source: Store | None = None,
        where: Predicate | None = None,
    ) -> Reaction:
        placement = self.placement(source)
        leases = Leases([placement], node=owner, clock=self.clock, lease=3600.0)
        return Reaction(
            "teller",
            placement,
            handle or self.see,
            leases,
            owner=owner,
            clock=self.clock,
            randomness=random.Random(1),
            where=where,
        )

    async def see(self, record: Record) -> None:
        self.seen.append((record.key, record.version))

    async def say(self, key: str, **changed: object) -> Record:
        """Write a word, new or again."""
        state = await read_state(self.placement())
        store = self.placement().truth(state)
        held = await store.get(WORDS, key)
        content: Content = word(key, **changed)
        expected = None if held is None or held.is_deleted else held.version
        return await store.put(WORDS, key, content, expected=expected, epoch=state.epoch)

    async def until(self, is_so: Callable[[], bool]) -> None:
        """Let the tasks run until something is so."""
        for _ in range(20_000):
            if is_so():
                return
            await asyncio.sleep(0)
        pytest.fail(f"it never came to that: {self.seen}")


@pytest.fixture
async def room() -> Room:
    made = Room()
    await made.open()
    return made


@contextlib.asynccontextmanager
async def running(*reactions: Reaction) -> AsyncIterator[list[asyncio.Task[None]]]:
    tasks = [asyncio.create_task(reaction.run()) for reaction in reactions]
    try:
        yield tasks
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def test_every_change_reaches_the_handler(room: Room) -> None:
    """Writes before and after the start, and deletions, each with the record as it then is."""
    await room.say("early")
    async with running(room.reaction()):
        await room.until(lambda: room.seen == [("early", 1)])
        await room.say("late")
        await room.until(lambda: ("late", 1) in room.seen)
        await room.source.delete(WORDS, "early", expected=1, epoch=1)
        await room.until(lambda: room.seen[-1] == ("early", 2))


async def test_many_writes_of_one_record_are_one_look_at_the_newest(room: Room) -> None:
    """What is handed over is the record as it is now, so older versions are passed over."""
    for number in range(5):
        await room.say("word", meaning=str(number))
    async with running(room.reaction()):
        await room.until(lambda: bool(room.seen))
    assert room.seen == [("word", 5)]


async def test_the_position_is_found_by_prefix_before_anything_happens(room: Room) -> None:
    """Both stores have a note from the first look on, so whoever removes old entries waits for it."""
    async with running(room.reaction()):
        await room.say("word")
        await room.until(lambda: bool(room.seen))
    for store in (room.source, room.target):
        names = [note.name for note in await store.notes("followers/")]
        assert "followers/teller/words/position" in names
    assert position_name("teller", "words") == "followers/teller/words/position"
    note = await room.source.note(position_name("teller", "words"))
    assert note.value == b"[1]"


async def test_a_look_at_an_idle_log_writes_nothing(room: Room) -> None:
    """A note at each look would itself move PostgreSQL's log; one every few seconds is enough."""
    async with running(room.reaction()):
        await room.say("word")
        await room.until(lambda: bool(room.seen))
        before = (await room.source.note(position_name("teller", "words"))).revision
        since = room.clock.seconds
        await room.until(lambda: room.clock.seconds > since + 60)
    assert (await room.source.note(position_name("teller", "words"))).revision == before


async def test_a_failing_change_stops_no_other_and_can_be_replayed(room: Room) -> None:
    """It is tried later and later, then given up where people see it, and taken up again when they say so."""
    broken = True

    async def handle(record: Record) -> None:
        if record.key == "bad" and broken:
            raise ValueError("no such badge")
        await room.see(record)

    reaction = room.reaction(handle)
    await room.say("bad")
    async with running(reaction):
        for number in range(3):
            await room.say(f"good-{number}")
        await room.until(lambda: len(room.seen) == 3)
        (failure,) = await reaction.failures()
        assert (failure.key, failure.state, failure.error) == ("bad", "retrying", "ValueError")
        since = room.clock.seconds
        await room.until(lambda: room.clock.seconds > since + 600)
        (failure,) = await reaction.failures()
        assert (failure.state, failure.attempts, failure.reason) == ("dead", MAX_ATTEMPTS, "no such badge")
        broken = False
        assert await reaction.replay("bad") == 1
        await room.until(lambda: ("bad", 1) in room.seen)
    assert await reaction.failures() == []


async def test_a_newer_version_is_tried_although_the_older_one_was_given_up(room: Room) -> None:
    """Whatever was wrong may have been put right; then the failure is forgotten."""

    async def handle(record: Record) -> None:
        if record.version == 1:
            raise ValueError("not yet")
        await room.see(record)

    reaction = room.reaction(handle)
    await room.say("word")
    async with running(reaction):
        await room.until(lambda: room.clock.seconds > 2000)
        assert [failure.state for failure in await reaction.failures()] == ["dead"]
        await room.say("word", meaning="mended")
        await room.until(lambda: room.seen == [("word", 2)])
    assert await reaction.failures() == []


async def test_what_is_not_available_is_waited_for(room: Room) -> None:
    """While nothing can be done at all, the position stays; then all comes, in the order of the log."""
    away = True

    async def handle(record: Record) -> None:
        if away:
            raise UnavailableError(subject="tables", reason="gone")
        await room.see(record)

    reaction = room.reaction(handle)
    for number in range(3):
        await room.say(f"word-{number}")
    async with running(reaction):
        since = room.clock.seconds
        await room.until(lambda: room.clock.seconds > since + 2)
        assert await reaction.failures() == []
        assert (await room.source.note(position_name("teller", "words"))).value in (b"", b"[]")
        away = False
        await room.until(lambda: len(room.seen) == 3)
    assert room.seen == [("word-0", 1), ("word-1", 1), ("word-2", 1)]


async def test_one_record_that_always_meets_something_unavailable_stops_no_other(room: Room) -> None:
    """After some patience the others go on, and it is tried for ever, since nobody need do anything."""

    async def handle(record: Record) -> None:
        if record.key == "bad":
            raise UnavailableError(subject="mail", reason="throttled")
        await room.see(record)

    reaction = room.reaction(handle)
    await room.say("bad")
    await room.say("good")
    async with running(reaction):
        await room.until(lambda: ("good", 1) in room.seen)
        since = room.clock.seconds
        await room.until(lambda: room.clock.seconds > since + 3600)
    (failure,) = await reaction.failures()
    assert failure.state == "retrying"
    assert failure.attempts > MAX_ATTEMPTS


async def test_a_log_that_was_cut_under_a_reader_makes_it_look_at_everything(room: Room) -> None:
    """Nobody knows any more which records changed: each is handed over, and then it goes on at the head."""
    async with running(room.reaction()):
        await room.say("first")
        await room.until(lambda: room.seen == [("first", 1)])
        await _noted(room, b"[1]")
    for number in range(4):
        await room.say(f"word-{number}")
    assert await room.source.cut_log(WORDS, (4,), 10) == 4
    async with running(room.reaction()):
        await _noted(room, b"[5]")
        await room.say("last")
        await room.until(lambda: room.seen[-1] == ("last", 1))
    assert {key for key, _ in room.seen} == {"first", "last", *(f"word-{number}" for number in range(4))}


async def test_only_what_is_wanted_is_handed_over(room: Room) -> None:
    """Those records of which the predicate holds by now; a failure ends when it no longer does."""
    broken = True

    async def handle(record: Record) -> None:
        if broken:
            raise ValueError("not yet")
        await room.see(record)

    reaction = room.reaction(handle, where=field("meaning") == "done")
    for number in range(5):
        await room.say(f"word-{number}")
    await room.say("word-3", meaning="done")
    async with running(reaction):
        since = room.clock.seconds
        await room.until(lambda: room.clock.seconds > since + 5)
        assert [failure.key for failure in await reaction.failures()] == ["word-3"]
        await room.say("word-3", meaning="undone")
        since = room.clock.seconds
        await room.until(lambda: room.clock.seconds > since + 300)
        assert await reaction.failures() == []
        broken = False
        await room.say("word-4", meaning="done")
        await room.until(lambda: room.seen == [("word-4", 2)])


async def test_a_second_worker_stands_by_and_takes_over(room: Room) -> None:
    """While the first one lives only it works; after its death the other goes on."""
    by: list[str] = []

    def handler(owner: str) -> Handler:
        async def handle(_: Record) -> None:
            by.append(owner)

        return handle

    first = room.reaction(handler("one"), owner="one")
    second = room.reaction(handler("two"), owner="two")
    async with running(first) as (task,):
        await room.say("a")
        await room.until(lambda: by == ["one"])
        async with running(second):
            since = room.clock.seconds
            await room.say("b")
            await room.until(lambda: room.clock.seconds > since + 30)
            assert by == ["one", "one"]
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await room.say("c")
            await room.until(lambda: by == ["one", "one", "two"])


async def _noted(room: Room, position: bytes) -> None:
    for _ in range(20_000):
        if (await room.source.note(position_name("teller", "words"))).value == position:
            return
        await asyncio.sleep(0)
    pytest.fail(f"the position never was {position!r}")


async def _lives_until(room: Room, plan: FaultPlan) -> None:
    """A worker that carries out three words and a fourth, and dies at some call of its truth."""
    reaction = room.reaction(source=FaultyStore(room.source, plan))
    with contextlib.suppress(Died, TimeoutError):
        async with running(reaction) as (task,):
            for _ in range(2_000):
                if task.done() or plan.dead:
                    break
                await asyncio.sleep(0)


@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_death_at_any_call_loses_no_change(when: str) -> None:
    """At every single call to the truth, whether it had an effect or not, the next worker misses nothing."""
    told = []
    for at in range(45):
        room = Room()
        await room.open()
        words = [f"word-{number}" for number in range(3)]
        for each in words:
            await room.say(each)
        plan = FaultPlan(at, "before" if when == "before" else "after", dies=True)
        await _lives_until(room, plan)
        assert plan.dead
        told.append(len(room.seen))
        async with running(room.reaction(owner="two")):
            await _noted(room, b"[3]")
        assert {key for key, _ in room.seen} == set(words), (at, when)
    # It died before it had begun, and after all was done.
    assert (told[0], told[-1]) == (0, 3)


async def test_a_log_of_a_store_that_is_away_holds_up_only_itself(room: Room) -> None:
    """While the store that is not the truth cannot be asked, what the truth accepts is carried out."""
    async with running(room.reaction()):
        await room.say("before")
        await room.until(lambda: room.seen == [("before", 1)])
        await room.target.close()
        since = room.clock.seconds
        await room.until(lambda: room.clock.seconds > since + 10)
        await room.source.put(WORDS, "after", word("after"), expected=None, epoch=1)
        await room.until(lambda: room.seen[-1] == ("after", 1))
