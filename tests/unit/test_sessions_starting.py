"""Who may begin which story, and with whom."""

import asyncio
import datetime as dt
from typing import Any

import msgspec
import pytest

from manystore.records import Kind
from mystira.domain.accounts.model import Account
from mystira.domain.accounts.use_cases import delete_account
from mystira.domain.errors import InvalidValueError, MissingParentError
from mystira.domain.scenarios.model import Scenario
from mystira.domain.sessions.errors import NotEntitledError, TooYoungError
from mystira.domain.sessions.kind import GAME_SESSIONS
from mystira.domain.sessions.model import NewSession, SessionStatus
from mystira.domain.sessions.play import anybody
from mystira.domain.sessions.reading import sessions_release
from mystira.domain.sessions.starting import start_session
from mystira.domain.sessions.use_cases import abandon, pause
from tests.unit.playroom import (
    ABSENT,
    ADA,
    CALM,
    LANTERN,
    MIA,
    NOA,
    STRANGER,
    Playroom,
    branch,
    everybody,
    open_playroom,
    scene,
)


@pytest.fixture
async def room() -> Playroom:
    return await open_playroom()


async def test_a_session_begins_at_the_scene_that_nothing_points_to(room: Playroom) -> None:
    """Its axes stand at zero, its clock runs, and it has a number of scenes entered: one."""
    begun = await room.start()
    session = begun.stored.value
    assert begun.is_new
    assert session.current_scene_id == "gate"
    assert (session.status, session.scene_count) == (SessionStatus.IN_PROGRESS, 1)
    assert session.start_time == session.created_at == room.clock.now()
    assert {axis: value.current for axis, value in session.compass_values.items()} == {CALM: 0.0}
    assert session.live_key == f"{ADA}:lantern:{MIA}"
    assert (session.target_age_group, session.player_names) == ("6-9", ["Mia"])


async def test_where_something_points_to_every_scene_the_first_listed_begins(room: Playroom) -> None:
    """A story that comes back to its beginning still has one."""
    circle = [
        scene("a", "choice", branches=[branch("on", "b"), branch("end", "c")]),
        scene("b", nextScene="a"),
        scene("c", "special"),
    ]
    await room.tell(LANTERN | {"id": "circle", "scenes": circle})
    assert (await room.start(scenario="circle")).stored.value.current_scene_id == "a"


async def test_guests_are_named_and_have_no_account(room: Playroom) -> None:
    """They are players like others, known by a number, and belong to no profile."""
    players = [{"profileId": MIA, "characterId": "fox"}, {"name": "Grandma", "characterId": "owl"}]
    session = (await room.start(players=players)).stored.value
    assert session.player_names == ["Mia", "Grandma"]
    assert [(each.id, each.profile_id) for each in session.players] == [(MIA, MIA), ("guest-2", None)]
    assert [(each.character_id, each.player_id) for each in session.character_assignments] == [
        ("fox", MIA),
        ("owl", "guest-2"),
    ]
    assert session.selected_character_id == "fox"
    assert len(await room.records(room.play.accounts.kind)) == 2


@pytest.mark.parametrize(
    ("players", "field"),
    [
        ([{"profileId": MIA, "characterId": "wolf"}], "players[0].characterId"),
        (
            [{"profileId": MIA, "characterId": "fox"}, {"profileId": MIA, "characterId": "owl"}],
            "players[1].profileId",
        ),
        (
            [{"profileId": MIA, "characterId": "fox"}, {"name": "Sam", "characterId": "fox"}],
            "players[1].characterId",
        ),
        ([{"profileId": MIA}, {"characterId": "fox"}], "players[1].name"),
        ([{"profileId": MIA}, {"profileId": STRANGER}], "players[1].profileId"),
        ([{"profileId": MIA}, {"profileId": ABSENT}], "players[1].profileId"),
    ],
)
async def test_players_and_characters_must_fit(room: Playroom, players: object, field: str) -> None:
    """Existing characters, each player and each character once, guests named, profiles of one's own."""
    with pytest.raises(InvalidValueError) as refused:
        await room.start(players=players)
    assert refused.value.field == field
    assert await room.records(GAME_SESSIONS) == []


def test_at_least_one_player_is_asked_for() -> None:
    """An empty table is refused as input."""
    with pytest.raises(msgspec.ValidationError, match="players"):
        msgspec.convert({"scenarioId": "lantern", "profileId": MIA, "players": []}, NewSession)


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"scenario": "absent"}, "scenarioId"),
        ({"profile": ABSENT, "players": [{"name": "A"}]}, "profileId"),
        ({"profile": STRANGER, "players": [{"name": "A"}]}, "profileId"),
    ],
)
async def test_what_is_named_must_be_there(room: Playroom, asked: dict[str, Any], field: str) -> None:
    """An absent story, an absent profile, somebody else's profile: all are refused alike."""
    with pytest.raises(MissingParentError) as refused:
        await room.start(**asked)
    assert refused.value.field == field


async def test_an_account_is_needed(room: Playroom) -> None:
    """Nobody plays for an account that is not there."""
    new = msgspec.convert({"scenarioId": "lantern", "profileId": MIA, "players": [{"name": "A"}]}, NewSession)
    with pytest.raises(MissingParentError) as refused:
        await start_session(room.play, new, ABSENT, may_play=everybody, may_join=anybody)
    assert refused.value.field == "accountId"


async def test_a_withdrawn_story_cannot_be_begun_but_played_on(room: Playroom) -> None:
    """To whoever would begin it, it is not there; whoever is in it goes on."""
    begun = await room.start()
    await room.change_story("lantern", is_active=False)
    with pytest.raises(MissingParentError):
        await room.start(profile=NOA)
    assert (await room.walk(begun.stored.key, "on")).stored.value.current_scene_id == "fork"


@pytest.mark.parametrize(("group", "fits"), [("6-9", True), ("10-12", True), ("3-5", False), ("5-9", False)])
async def test_the_youngest_of_the_group_may_play_the_story(room: Playroom, group: str, fits: bool) -> None:
    """The story's minimum age must not be above the age with which the group begins."""
    if fits:
        session = (await room.start(targetAgeGroup=group)).stored.value
        assert session.target_age_group == group
    else:
        with pytest.raises(TooYoungError):
            await room.start(targetAgeGroup=group)


async def test_a_group_of_ages_goes_upwards(room: Playroom) -> None:
    """`9-6` has the form of a group, and is none."""
    with pytest.raises(InvalidValueError) as refused:
        await room.start(targetAgeGroup="9-6")
    assert refused.value.field == "targetAgeGroup"


async def test_the_owner_s_group_counts_where_none_is_given(room: Playroom) -> None:
    """A profile of the little ones does not begin a story for older ones."""
    stored = await room.play.profiles.get(MIA)
    assert stored is not None
    await room.play.profiles.change(stored, msgspec.structs.replace(stored.value, age_group="3-5"))
    with pytest.raises(TooYoungError):
        await room.start()


async def test_access_is_asked_for_and_refused(room: Playroom) -> None:
    """Whoever decides is given the account and the story; a session that is live goes on all the same."""
    asked: list[tuple[str, str]] = []

    async def nobody(account: Account, scenario: Scenario) -> bool:
        asked.append((account.id, scenario.id))
        return False

    new = msgspec.convert({"scenarioId": "lantern", "profileId": MIA, "players": [{"name": "A"}]}, NewSession)
    with pytest.raises(NotEntitledError):
        await start_session(room.play, new, ADA, may_play=nobody, may_join=anybody)
    assert asked == [(ADA, "lantern")]
    begun = await start_session(room.play, new, ADA, may_play=everybody, may_join=anybody)
    again = await start_session(room.play, new, ADA, may_play=nobody, may_join=anybody)
    assert (again.stored.key, again.is_new) == (begun.stored.key, False)


async def test_starting_again_returns_the_live_session(room: Playroom) -> None:
    """Also while it is paused; once it has ended, and for another profile, there is a new one."""
    first = (await room.start()).stored.key
    assert (await room.start()).stored.key == first
    await pause(room.play, first)
    again = await room.start()
    assert (again.stored.key, again.is_new) == (first, False)
    assert (await room.start(profile=NOA)).stored.key != first
    await abandon(room.play, first)
    fresh = await room.start()
    assert fresh.is_new
    assert fresh.stored.key != first


async def test_racing_starts_make_one_session(room: Playroom) -> None:
    """All of them are given the same one, and one alone made it."""
    begun = await asyncio.gather(*(room.start() for _ in range(20)))
    assert len({each.stored.key for each in begun}) == 1
    assert [each.is_new for each in begun].count(True) == 1
    assert len(await room.records(GAME_SESSIONS)) == 1


async def test_a_start_that_comes_second_by_a_hair_returns_the_first(room: Playroom) -> None:
    """Another start comes between the look for a live session and the write."""
    others: list[str] = []

    async def begin(kind: Kind) -> None:
        others.append((await room.start()).stored.key)

    room.store.interruptions = [begin]
    begun = await room.start()
    assert [begun.stored.key] == others
    assert not begun.is_new


async def test_an_account_deleted_while_a_session_begins_leaves_none(room: Playroom) -> None:
    """The account goes between our look and our write: the start is refused and its session gone."""
    release = sessions_release(room.play.sessions, room.play.scores, clock=room.clock)

    async def delete(kind: Kind) -> None:
        await delete_account(room.play.accounts, ADA, releases=(release,))

    room.store.interruptions = [delete]
    with pytest.raises(MissingParentError):
        await room.start()
    assert await room.records(GAME_SESSIONS) == []


async def test_an_account_takes_its_sessions_along(room: Playroom) -> None:
    """Before it goes they go, in whatever state, and the scores that they left stay without them."""
    key = (await room.start()).stored.key
    await room.walk(key, "on", 0, "roll", 0)
    await room.start()
    release = sessions_release(room.play.sessions, room.play.scores, clock=room.clock)
    await delete_account(room.play.accounts, ADA, releases=(release,))
    assert await room.records(GAME_SESSIONS) == []
    (score,) = await room.records(room.play.scores.kind)
    assert score.content is not None
    assert score.content["gameSessionId"] is None


async def test_a_story_is_read_once_and_again_after_a_while(room: Playroom) -> None:
    """For a moment its authors' changes are not seen; then they are, without a reading at each step."""
    story = await room.play.stories.story("lantern")
    assert await room.play.stories.story("lantern") is story
    stored = await room.scenarios.get("lantern")
    assert stored is not None
    room.clock.advance(5.0)
    assert await room.play.stories.story("lantern") is story
    await room.scenarios.change(stored, msgspec.structs.replace(stored.value, title="Found"))
    assert (await room.play.stories.story("lantern")).scenario.title == "The Lost Lantern"
    room.clock.advance(5.0)
    assert (await room.play.stories.story("lantern")).scenario.title == "Found"


async def test_the_start_is_the_first_event(room: Playroom) -> None:
    """And it alone says who plays, where, and since when."""
    session = (await room.start()).stored.value
    (event,) = session.events
    assert event.at == session.start_time
    assert isinstance(event.at, dt.datetime)
