"""The course of a session: pauses, ends, time, and what cannot be played on."""

import datetime as dt
import functools

import pytest

from manystore.records import Record
from mystira.domain.errors import NotFoundError
from mystira.domain.sessions.errors import (
    NotInProgressError,
    NotPausedError,
    NotPlayableError,
    SessionEndedError,
    StoryChangedError,
)
from mystira.domain.sessions.kind import GAME_SESSIONS
from mystira.domain.sessions.model import Choose, ReadOn, SessionStatus
from mystira.domain.sessions.play import anybody
from mystira.domain.sessions.use_cases import abandon, choose, complete, pause, read_on, resume
from tests.unit.playroom import ABSENT, MIA, NOA, Playroom, open_playroom

resume_all = functools.partial(resume, may_join=anybody)


@pytest.fixture
async def room() -> Playroom:
    return await open_playroom()


async def test_pauses_are_not_played_time(room: Playroom) -> None:
    """Time stands still while a session is paused, also where it ends in a pause."""
    key = (await room.start()).stored.key
    room.clock.advance(60.0)
    paused = (await pause(room.play, key)).stored.value
    assert (paused.status, paused.paused_at) == (SessionStatus.PAUSED, room.clock.now())
    room.clock.advance(1000.0)
    assert paused.elapsed(room.clock.now()) == 60.0
    resumed = (await resume_all(room.play, key)).stored.value
    assert (resumed.paused_at, resumed.accumulated_pause) == (None, 1000.0)
    room.clock.advance(30.0)
    await pause(room.play, key)
    room.clock.advance(500.0)
    ended = (await complete(room.play, key)).stored.value
    assert (ended.accumulated_pause, ended.paused_at) == (1500.0, None)
    room.clock.advance(10_000.0)
    assert ended.elapsed(room.clock.now()) == 90.0


async def test_a_session_pauses_and_resumes_only_from_where_it_may(room: Playroom) -> None:
    """Pause only in progress, resume only paused, and no step while it is paused."""
    key = (await room.start()).stored.key
    with pytest.raises(NotPausedError):
        await resume_all(room.play, key)
    await pause(room.play, key)
    with pytest.raises(NotInProgressError):
        await pause(room.play, key)
    with pytest.raises(NotInProgressError):
        await read_on(room.play, key, ReadOn(scene_id="gate"))
    await resume_all(room.play, key)
    await abandon(room.play, key)
    for deed in (pause, resume_all):
        with pytest.raises((NotInProgressError, NotPausedError)):
            await deed(room.play, key)


async def test_a_session_ends_once(room: Playroom) -> None:
    """Asked for again, its end stands as it is; the other end is refused."""
    completed, abandoned = (await room.start()).stored.key, (await room.start(profile=NOA)).stored.key
    first = (await complete(room.play, completed)).stored
    assert first.value.status is SessionStatus.COMPLETED
    room.clock.advance(60.0)
    again = await complete(room.play, completed)
    assert again.events == []
    assert again.stored.value.end_time == first.value.end_time
    with pytest.raises(SessionEndedError):
        await abandon(room.play, completed)
    await abandon(room.play, abandoned)
    assert (await abandon(room.play, abandoned)).events == []
    with pytest.raises(SessionEndedError):
        await complete(room.play, abandoned)


async def test_a_session_that_is_not_there_is_not_found(room: Playroom) -> None:
    """Whatever is asked of it."""
    for deed in (pause, resume_all, complete, abandon):
        with pytest.raises(NotFoundError):
            await deed(room.play, ABSENT)


async def test_a_story_whose_authors_took_the_scene_away_can_only_be_ended(room: Playroom) -> None:
    """A scene that is gone, or a story that is: no step is possible, but the session can be given up."""
    key = (await room.start()).stored.key
    await room.walk(key, "on")
    (found,) = [each for each in await room.records(room.scenarios.kind) if each.key == "lantern"]
    story = await room.play.stories.story("lantern")
    kept = [each for each in story.scenario.scenes if each.id != "river"]
    await room.change_story("lantern", scenes=kept)
    with pytest.raises(StoryChangedError):
        await choose(room.play, key, Choose(scene_id="fork", branch=0))
    await room.change_story("lantern", scenes=[each for each in kept if each.id != "fork"])
    with pytest.raises(StoryChangedError):
        await choose(room.play, key, Choose(scene_id="fork", branch=0))
    await room.store.delete(room.scenarios.kind, "lantern", expected=found.version + 2, epoch=1)
    room.clock.advance(5.0)
    with pytest.raises(StoryChangedError):
        await choose(room.play, key, Choose(scene_id="fork", branch=0))
    assert (await abandon(room.play, key)).stored.value.status is SessionStatus.ABANDONED


async def test_time_never_goes_back_within_a_session(room: Playroom) -> None:
    """A machine whose clock is behind writes its step at the moment of the last one."""
    key = (await room.start()).stored.key
    room.clock.seconds -= 100.0
    session = (await room.walk(key, "on")).stored.value
    assert [event.at for event in session.events] == [session.start_time] * 2


async def test_a_former_system_s_session_is_read_and_not_played(room: Playroom) -> None:
    """It has no events, and its names begin with capitals; what is there is shown, whatever its parts say."""
    document = {
        "id": "01941f29-7c00-7aaa-9aaa-00000000f0f0",
        "ScenarioId": "lantern",
        "AccountId": "00000000-0000-7000-8000-0000000000a1",
        "ProfileId": MIA,
        "Status": "InProgress",
        "CurrentSceneId": "fork",
        "PlayerNames": ["Mia"],
        "ChoiceHistory": [{"SceneId": "gate", "ChoiceText": "on"}],
        "CompassValues": {"Calm": {"CurrentValue": 0.5}},
        "StartTime": "2024-05-06T07:08:09.1234567Z",
        "CreatedAt": "2024-05-06T07:08:09.1234567Z",
    }
    await room.store.apply(GAME_SESSIONS, [Record(str(document["id"]), 0, document)])
    key = str(document["id"])
    session = await room.session(key)
    assert (session.current_scene_id, session.player_names) == ("fork", ["Mia"])
    assert session.start_time == dt.datetime(2024, 5, 6, 7, 8, 9, 123456, tzinfo=dt.UTC)
    for asked in (choose(room.play, key, Choose(scene_id="fork", branch=0)), complete(room.play, key)):
        with pytest.raises(NotPlayableError):
            await asked
