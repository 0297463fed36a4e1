"""Plays of a story by the real rules: all there are, or one that was told in advance."""

import datetime as dt
from collections.abc import Iterator, Mapping

from manystore.records import Record
from manystore.repository import Stored
from mystira.cli.shipped import SCENARIOS, read_stories
from mystira.domain.scenarios.model import Scenario
from mystira.domain.sessions import rules
from mystira.domain.sessions.events import Event, Player, SessionStarted
from mystira.domain.sessions.fold import extend
from mystira.domain.sessions.model import Choose, GameSession, ReadOn, Roll, SessionStatus
from mystira.domain.sessions.stories import Story

NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
PLAYER = "player"
STORIES: dict[str, Scenario] = {story.id: story for story in read_stories(SCENARIOS)}


def story_of(scenario: Scenario) -> Story:
    """A story as the rules take it."""
    record = Record(key=scenario.id, version=1, content={})
    return Story(Stored(key=scenario.id, version=1, value=scenario, record=record))


def begin(story: Story) -> GameSession:
    """A play at its first scene, by one player."""
    started = SessionStarted(
        at=NOW,
        session_id="play",
        scenario_id=story.id,
        account_id="account",
        profile_id=PLAYER,
        players=[Player(id=PLAYER, name="Player", profile_id=PLAYER)],
        first_scene_id=story.scenario.first_scene.id,
        target_age_group=story.scenario.age_group,
    )
    return rules.begin(story, started)


def every_play(story: Story) -> Iterator[GameSession]:
    """Every play from the beginning to an end; there must be no loop."""
    under_way = [begin(story)]
    while under_way:
        session = under_way.pop()
        if session.status is SessionStatus.COMPLETED:
            yield session
        else:
            under_way += [extend(session, events) for events in ways(session, story)]


def told_play(story: Story, branches: Mapping[str, int]) -> GameSession:
    """The play that takes the branch of each scene that is told, dice included."""
    session = begin(story)
    while session.status is not SessionStatus.COMPLETED:
        taken = list(ways(session, story))
        session = extend(session, taken[branches.get(session.current_scene_id or "", 0)])
    return session


def ways(session: GameSession, story: Story) -> Iterator[list[Event]]:
    """All that can happen next, branch by branch."""
    scene = story.scene(session.current_scene_id)
    assert scene is not None
    if not scene.branches:
        yield rules.read_on(session, story, ReadOn(scene_id=scene.id), NOW)
    elif scene.type == "roll":
        # At the difficulty it succeeds, one below it fails.
        difficulty = int(scene.difficulty or 1)
        for value in (difficulty, difficulty - 1):
            yield rules.roll(session, story, Roll(scene_id=scene.id), value, NOW)
    else:
        for branch in range(len(scene.branches)):
            yield rules.choose(session, story, Choose(scene_id=scene.id, branch=branch), NOW)
