"""A session is the fold of what happened in it, whatever happens, and can be read as of any moment."""

import asyncio
import datetime as dt
from collections.abc import Awaitable, Callable

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mystira.domain.errors import DomainError, InvalidValueError, NotFoundError
from mystira.domain.sessions.events import EchoRevealed, SessionPaused, SessionStarted
from mystira.domain.sessions.fold import COMPASS_BOUND, extend, fold
from mystira.domain.sessions.kind import GAME_SESSIONS
from mystira.domain.sessions.model import Choose, GameSession, ReadOn, Roll
from mystira.domain.sessions.play import anybody
from mystira.domain.sessions.reading import session_after, session_as_of
from mystira.domain.sessions.use_cases import abandon, choose, complete, pause, read_on, resume, roll
from tests.unit.playroom import LANTERN, Playroom, open_playroom

Deed = Callable[[Playroom, str, str, int], Awaitable[object]]

DEEDS: dict[str, Deed] = {
    "choose": lambda room, key, at, number: choose(room.play, key, Choose(scene_id=at, branch=number % 3)),
    "choose elsewhere": lambda room, key, at, number: choose(
        room.play, key, Choose(scene_id="fork", branch=number % 3)
    ),
    "read on": lambda room, key, at, number: read_on(room.play, key, ReadOn(scene_id=at)),
    "roll": lambda room, key, at, number: roll(room.play, key, Roll(scene_id=at)),
    "pause": lambda room, key, at, number: pause(room.play, key),
    "resume": lambda room, key, at, number: resume(room.play, key, may_join=anybody),
    "abandon": lambda room, key, at, number: abandon(room.play, key),
    "complete": lambda room, key, at, number: complete(room.play, key),
}
USUAL = ["choose", "choose", "read on", "roll", "choose elsewhere", "pause", "resume", "resume"]

deeds = st.lists(
    st.tuples(
        st.sampled_from([*USUAL * 3, "abandon", "complete"]),
        st.integers(0, 5),
        st.integers(1, 20),
        st.floats(-50.0, 500.0),
    ),
    max_size=25,
)


def _check(session: GameSession) -> None:
    """What holds of every session, however it came about."""
    assert fold(session.events) == session
    for value in session.compass_values.values():
        assert abs(value.current) <= COMPASS_BOUND
        assert all(abs(step.value) <= COMPASS_BOUND for step in value.history)
    fired = [(each.declared_in, each.number) for each in session.reveal_history]
    assert len(fired) == len(set(fired))
    times = [event.at for event in session.events]
    assert times == sorted(times)
    assert (session.live_key is not None) == session.status.is_live
    assert session.accumulated_pause >= 0


@settings(max_examples=150, deadline=None)
@given(deeds)
def test_whatever_is_done_the_session_is_the_fold_of_its_events(
    steps: list[tuple[str, int, int, float]],
) -> None:
    """After each step, refused or taken, on a clock that is put back as well."""

    async def play() -> None:
        room = await open_playroom()
        key = (await room.start(players=[{"name": "A", "characterId": "fox"}, {"name": "B"}])).stored.key
        for name, number, thrown, seconds in steps:
            room.clock.seconds += seconds
            room.dice.load(thrown)
            before = await room.stored(key)
            try:
                await DEEDS[name](room, key, before.value.current_scene_id or "", number)
            except DomainError:
                assert (await room.stored(key)).version == before.version
            after = await room.session(key)
            assert after.events[: len(before.value.events)] == before.value.events
            _check(after)
        record = await room.store.get(GAME_SESSIONS, key)
        assert record is not None
        assert msgspec.convert(record.content, GameSession) == fold((await room.session(key)).events)

    asyncio.run(play())


@settings(max_examples=150, deadline=None)
@given(deeds)
def test_a_session_as_of_a_moment_is_what_was_stored_then(
    steps: list[tuple[str, int, int, float]],
) -> None:
    """By the number of events, and by the instant after which the clock moved on."""

    async def play() -> None:
        room = await open_playroom()
        key = (await room.start()).stored.key
        stood = {len((await room.session(key)).events): (room.clock.now(), await room.session(key))}
        for name, number, thrown, seconds in steps:
            room.clock.seconds += abs(seconds) + 1.0
            room.dice.load(thrown)
            at = (await room.session(key)).current_scene_id or ""
            try:
                await DEEDS[name](room, key, at, number)
            except DomainError:
                continue
            session = await room.session(key)
            stood.setdefault(len(session.events), (room.clock.now(), session))
        last = await room.session(key)
        for number, (instant, session) in stood.items():
            assert session_after(last, number) == session
            assert session_as_of(last, instant) == session

    asyncio.run(play())


async def test_moments_before_the_start_and_numbers_beyond_the_end_are_refused() -> None:
    """Before it began there was no session; more has not happened than has happened."""
    room = await open_playroom()
    session = (await room.start()).stored.value
    assert session.start_time is not None
    with pytest.raises(NotFoundError):
        session_as_of(session, session.start_time - dt.timedelta(microseconds=1))
    for number in (0, 2):
        with pytest.raises(InvalidValueError):
            session_after(session, number)
    assert session_as_of(session, room.clock.now() + dt.timedelta(days=1)) == session


async def test_an_event_says_what_was_decided_without_the_story() -> None:
    """Told again after the story was rewritten from end to end, the session is what it was."""
    room = await open_playroom()
    key = (await room.start()).stored.key
    await room.walk(key, "on", 0, "roll", 0)
    before = await room.session(key)
    assert any(isinstance(event, EchoRevealed) for event in before.events)
    await room.change_story("lantern", scenes=[], core_axes=["Something else"])
    assert fold(before.events) == before == await room.session(key)


async def test_events_are_written_small() -> None:
    """A choice without echo and movement says no word of them; a whole play stays within a few kilobytes."""
    room = await open_playroom()
    key = (await room.start()).stored.key
    await room.walk(key, "on", *([2] * 30), 1, "roll", 1)
    record = await room.store.get(GAME_SESSIONS, key)
    assert record is not None
    assert record.content is not None
    left = record.content["events"][1]
    assert set(left) == {"type", "at", "sceneId", "nextSceneId"}
    assert len(msgspec.json.encode(record.content)) / len(record.content["events"]) < 700


def test_a_session_begins_with_its_start() -> None:
    """A stream that begins with anything else is none, and none starts twice."""
    at = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    with pytest.raises(ValueError, match="begins with its start"):
        fold([SessionPaused(at=at)])
    start = SessionStarted(
        at=at,
        session_id="s",
        scenario_id=str(LANTERN["id"]),
        account_id="a",
        profile_id="p",
        players=[],
        first_scene_id="gate",
        target_age_group="6-9",
    )
    with pytest.raises(TypeError, match="SessionStarted"):
        extend(fold([start]), [start])
