"""What the end of a session brings: scores and badges, each exactly once, whoever dies or races."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator

import msgspec
import pytest

from manystore.errors import UnavailableError
from manystore.followers.reaction import Reaction
from manystore.records import Kind, Record
from mystira.domain.badges.kind import BADGES
from mystira.domain.compass.kind import COMPASS_TRACKINGS
from mystira.domain.profiles.kind import USER_PROFILES
from mystira.domain.profiles.use_cases import delete_profile
from mystira.domain.scores.kind import PLAYER_SCENARIO_SCORES
from mystira.domain.scores.model import ScoreSearch, score_key
from mystira.domain.scores.use_cases import list_scores
from mystira.domain.sessions.ending import ENDED, follow_session
from mystira.domain.sessions.events import BadgeEarned
from mystira.domain.sessions.kind import GAME_SESSIONS
from mystira.domain.sessions.model import SessionStatus
from mystira.domain.sessions.reading import read_progress
from mystira.domain.sessions.use_cases import abandon, complete
from tests.unit.playroom import (
    ADA,
    CALM,
    CURIOUS,
    LANTERN,
    MIA,
    NOA,
    STRANGER,
    Playroom,
    open_playroom,
)


@pytest.fixture
async def room() -> Playroom:
    return await open_playroom()


async def finish(room: Playroom, *, scenario: str = "lantern", **more: object) -> str:
    """Play the lantern's story to its end: calm 1.0, curious 1.6."""
    key = (await room.start(scenario=scenario, **more)).stored.key  # type: ignore[arg-type]
    await room.walk(key, "on", 0, "roll", 0)
    return key


@contextlib.asynccontextmanager
async def following(room: Playroom) -> AsyncIterator[None]:
    """The follower of sessions, as the worker runs it."""

    async def handle(record: Record) -> None:
        await follow_session(room.play, record)

    reaction = Reaction(
        "endings",
        room.placements["game_sessions"],
        handle,
        room.leases,
        owner="worker",
        clock=room.clock,
        randomness=random.Random(1),
        where=ENDED,
    )
    task = asyncio.create_task(reaction.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def settled(room: Playroom) -> None:
    """Let the follower look a few times."""
    since = room.clock.seconds
    while room.clock.seconds < since + 10:
        await asyncio.sleep(0)


async def test_a_completed_play_is_scored_and_brings_its_badges_at_once(room: Playroom) -> None:
    """The step that ends the story carries the badges, in order of tier; score and profile have them too."""
    key = (await room.start()).stored.key
    await room.walk(key, "on", 0, "roll")
    step = await room.walk(key, 0)
    earned = [event.badge_id for event in step.events if isinstance(event, BadgeEarned)]
    assert earned == ["curiosity-bronze", "self-regulation-bronze", "curiosity-silver"]
    assert await room.badges_of(MIA) == earned
    assert [each.badge_id for each in step.stored.value.achievements] == earned
    (score,) = await room.records(PLAYER_SCENARIO_SCORES)
    assert score.key == score_key(MIA, "lantern")
    assert score.content is not None
    assert score.content["axisScores"] == {CALM: 1.0, CURIOUS: 1.6}
    assert score.content["gameSessionId"] == key
    account = await room.play.accounts.get(ADA)
    assert account is not None
    assert account.value.completed_scenario_ids == ["lantern"]


async def test_a_badge_says_by_what_it_was_earned(room: Playroom) -> None:
    """Total, threshold, session and story go with it, under the id of the badge that is content."""
    key = await finish(room)
    profile = await room.play.profiles.get(MIA)
    assert profile is not None
    silver = profile.value.earned_badges[2]
    assert (silver.badge_configuration_id, silver.trigger_value, silver.threshold) == (
        "curiosity-silver",
        1.6,
        1.5,
    )
    assert (silver.game_session_id, silver.scenario_id) == (key, "lantern")


async def test_the_first_completed_play_counts(room: Playroom) -> None:
    """Played again to another end, the score stays as it was."""
    first = await finish(room)
    key = (await room.start()).stored.key
    await room.walk(key, "on", 1, "roll", 1)
    (score,) = await room.records(PLAYER_SCENARIO_SCORES)
    assert score.content is not None
    assert (score.version, score.content["gameSessionId"]) == (1, first)


async def test_owner_and_assigned_profiles_are_scored_each_for_themselves(room: Playroom) -> None:
    """Guests are not: they have no profile that could hold anything."""
    await finish(
        room,
        players=[
            {"profileId": MIA, "characterId": "fox"},
            {"profileId": NOA, "characterId": "owl"},
            {"name": "Grandma"},
        ],
    )
    contents = [each.content or {} for each in await room.records(PLAYER_SCENARIO_SCORES)]
    scores = {content["profileId"]: content["axisScores"] for content in contents}
    assert scores == {MIA: {CALM: 1.0, CURIOUS: 1.0}, NOA: {CURIOUS: 0.6}}
    assert await room.badges_of(MIA) == ["curiosity-bronze", "self-regulation-bronze"]
    assert await room.badges_of(NOA) == ["curiosity-bronze"]
    assert await room.badges_of(STRANGER) == []


async def test_an_owner_who_has_no_seat_is_scored_too(room: Playroom) -> None:
    """With what counted for nobody else; and the play is the owner's first one of the story."""
    players = [{"profileId": NOA, "characterId": "fox"}, {"name": "B", "characterId": "owl"}]
    await finish(room, players=players)
    found = await list_scores(room.play.scores, MIA, ScoreSearch())
    assert [stored.value.axis_scores for stored in found.items] == [{CURIOUS: 1.0}]


async def test_totals_grow_over_stories(room: Playroom) -> None:
    """Gold takes two stories; what was earned before is not given again."""
    await finish(room)
    await room.tell(LANTERN | {"id": "second"})
    key = await finish(room, scenario="second")
    assert await room.badges_of(MIA) == [
        "curiosity-bronze",
        "self-regulation-bronze",
        "curiosity-silver",
        "curiosity-gold",
    ]
    assert [each.badge_id for each in (await room.session(key)).achievements] == ["curiosity-gold"]
    found = await list_scores(room.play.scores, MIA, ScoreSearch(scenario_id="second"))
    assert [stored.value.scenario_id for stored in found.items] == ["second"]


async def test_an_abandoned_play_counts_for_nothing(room: Playroom) -> None:
    """No score, no badge, and the story can be played for a score later."""
    key = (await room.start()).stored.key
    await room.walk(key, "on", 0, "roll")
    await abandon(room.play, key)
    assert await room.records(PLAYER_SCENARIO_SCORES) == []
    assert await room.badges_of(MIA) == []


async def test_a_play_that_is_ended_by_hand_counts_as_far_as_it_went(room: Playroom) -> None:
    """Whoever asks for the end gets what was played until then."""
    key = (await room.start()).stored.key
    await room.walk(key, "on", 0)
    step = await complete(room.play, key)
    assert step.stored.value.status is SessionStatus.COMPLETED
    assert await room.badges_of(MIA) == ["self-regulation-bronze"]


async def test_racing_completions_bring_one_score_and_each_badge_once(room: Playroom) -> None:
    """However many ask for the end at once, with a follower that does the same beside them."""
    key = (await room.start()).stored.key
    await room.walk(key, "on", 0, "roll")
    async with following(room):
        steps = await asyncio.gather(*(complete(room.play, key) for _ in range(100)))
        await settled(room)
    assert [bool(step.events) for step in steps].count(True) == 1
    assert len(await room.records(PLAYER_SCENARIO_SCORES)) == 1
    badges = await room.badges_of(MIA)
    assert sorted(badges) == sorted(set(badges)) == ["curiosity-bronze", "self-regulation-bronze"]
    session = await room.session(key)
    assert [each.badge_id for each in session.achievements] == badges


class DeathError(BaseException):
    """A process ends here: nothing that handles errors may take it for one."""


async def test_a_process_that_dies_before_it_awards_is_made_up_for(room: Playroom) -> None:
    """At every write after the end of the session: the follower brings all that is missing, once."""
    for deaths in range(1, 6):
        room = await open_playroom()
        key = (await room.start()).stored.key
        await room.walk(key, "on", 0, "roll")

        async def live(kind: Kind) -> None:
            return None

        async def die(kind: Kind) -> None:
            raise DeathError

        room.store.interruptions = [*[live] * deaths, die]
        with contextlib.suppress(DeathError):
            await room.walk(key, 0)
        room.store.interruptions = []
        assert (await room.session(key)).status is SessionStatus.COMPLETED
        async with following(room):
            await settled(room)
        badges = ["curiosity-bronze", "self-regulation-bronze", "curiosity-silver"]
        assert await room.badges_of(MIA) == badges, deaths
        assert [each.badge_id for each in (await room.session(key)).achievements] == badges
        assert len(await room.records(PLAYER_SCENARIO_SCORES)) == 1


async def test_badges_that_cannot_be_given_at_once_follow(room: Playroom) -> None:
    """The session is complete all the same, and the answer says that something is still to come."""
    key = (await room.start()).stored.key
    await room.walk(key, "on", 0, "roll")

    async def live(kind: Kind) -> None:
        return None

    async def fail(kind: Kind) -> None:
        raise UnavailableError(subject=kind.name, reason="gone")

    room.store.interruptions = [live, fail]
    step = await room.walk(key, 0)
    assert step.are_badges_pending
    assert step.stored.value.status is SessionStatus.COMPLETED
    assert await room.badges_of(MIA) == []
    async with following(room):
        await settled(room)
    assert len(await room.badges_of(MIA)) == 3


async def test_the_follower_does_nothing_before_the_end(room: Playroom) -> None:
    """A session that goes on leaves no score and no tracking, however often it changes."""
    async with following(room):
        key = (await room.start()).stored.key
        await room.walk(key, "on", 0, "roll")
        await settled(room)
    assert await room.records(PLAYER_SCENARIO_SCORES) == []
    assert await room.records(COMPASS_TRACKINGS) == []


async def test_each_movement_is_tracked_once(room: Playroom) -> None:
    """Of completed and of abandoned sessions, guests without a profile, however often it is looked at."""
    async with following(room):
        done = await finish(room, players=[{"profileId": MIA}, {"name": "B", "characterId": "owl"}])
        left = (await room.start(profile=NOA)).stored.key
        await room.walk(left, "on", 1)
        await abandon(room.play, left)
        await settled(room)
    tracked = {each.key: each.content for each in await room.records(COMPASS_TRACKINGS)}
    summary = {
        key: (content["axis"], content["delta"], content["profileId"])
        for key, content in tracked.items()
        if content is not None
    }
    assert summary == {
        f"{done}:00002": (CALM, 1.0, MIA),
        f"{done}:00003": (CURIOUS, 0.6, None),
        f"{done}:00005": (CURIOUS, 1.0, MIA),
        f"{left}:00002": (CALM, -1.0, NOA),
    }
    assert {record.version for record in await room.records(COMPASS_TRACKINGS)} == {1}


async def test_a_profile_that_is_deleted_meanwhile_earns_nothing(room: Playroom) -> None:
    """Its score stays with the session; the other players have their badges."""
    players = [{"profileId": MIA}, {"profileId": NOA, "characterId": "fox"}]
    key = (await room.start(players=players)).stored.key
    await room.walk(key, "on", 0, "roll")
    await delete_profile(room.play.profiles, MIA)
    step = await room.walk(key, 0)
    assert not step.are_badges_pending
    assert await room.badges_of(NOA) == ["self-regulation-bronze"]
    assert len(await room.records(USER_PROFILES)) == 2


async def test_another_age_group_s_badges_are_not_given(room: Playroom) -> None:
    """A profile earns those of its own group alone."""
    stored = await room.play.profiles.get(MIA)
    assert stored is not None
    older = msgspec.structs.replace(stored.value, age_group="10-12")
    await room.play.profiles.change(stored, older)
    await finish(room)
    assert await room.badges_of(MIA) == ["for-others"]


async def test_a_badge_that_content_brings_later_is_earned_by_the_next_play(room: Playroom) -> None:
    """Totals are kept, so what they reach is given when somebody looks."""
    await finish(room)
    template = await room.badges.get("curiosity-bronze")
    assert template is not None
    late = msgspec.structs.replace(template.value, id="late", tier="diamond", required_score=1.0)
    await room.badges.create(late)
    key = (await room.start()).stored.key
    await complete(room.play, key)
    assert (await room.badges_of(MIA))[-1] == "late"
    assert await room.store.count(BADGES) == 6


async def test_progress_counts_what_is_being_played(room: Playroom) -> None:
    """The way from one badge to the next, with what live sessions moved so far and have not brought yet."""
    await finish(room)
    profile = await room.play.profiles.get(MIA)
    assert profile is not None
    before = {each.axis: each for each in await read_progress(room.play, profile.value)}
    curious = before[CURIOUS]
    assert (curious.total, curious.live_total) == (1.6, 1.6)
    assert curious.earned == ["curiosity-bronze", "curiosity-silver"]
    assert curious.next is not None
    assert (curious.next.badge_id, curious.next.missing) == ("curiosity-gold", 1.4)
    assert curious.share == round(0.1 / 1.5, 4)
    assert (before[CALM].next, before[CALM].share) == (None, 1.0)
    await room.tell(LANTERN | {"id": "second"})
    live = (await room.start(scenario="second")).stored.key
    await room.walk(live, "on", 2, 2)
    again = (await room.start()).stored.key
    await room.walk(again, "on", 2)
    after = {each.axis: each for each in await read_progress(room.play, profile.value)}[CURIOUS]
    assert (after.total, after.live_total) == (1.6, 2.6)
    assert after.next is not None
    assert after.next.missing == 0.4


async def test_a_former_system_s_score_counts_as_the_first(room: Playroom) -> None:
    """It has a key of its own; no second one is kept beside it, and its axes count for badges."""
    document = {
        "id": "01941f29-7c00-7aaa-9aaa-00000000f0f0",
        "ProfileId": MIA,
        "ScenarioId": "lantern",
        "AxisScores": {CURIOUS: 5.0},
        "CreatedAt": "2024-05-06T07:08:09Z",
    }
    await room.store.apply(PLAYER_SCENARIO_SCORES, [Record(str(document["id"]), 0, document)])
    await finish(room)
    assert await room.store.count(PLAYER_SCENARIO_SCORES) == 1
    assert "curiosity-gold" in await room.badges_of(MIA)
    assert await room.store.count(GAME_SESSIONS) == 1
