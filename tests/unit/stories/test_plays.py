"""The shipped stories as they are played: everything in them happens in some play, and every play ends."""

import functools

import pytest

from mystira.domain.scenarios.model import Scenario
from mystira.domain.sessions.events import ChoiceMade, DiceRolled, EchoRevealed
from mystira.domain.sessions.model import GameSession
from tests.unit.stories.plays import PLAYER, STORIES, every_play, story_of

SHIPPED = pytest.mark.parametrize("name", sorted(STORIES))


@functools.cache
def plays_of(name: str) -> tuple[GameSession, ...]:
    return tuple(every_play(story_of(STORIES[name])))


def _entered(play: GameSession) -> set[str]:
    steps = {getattr(event, "next_scene_id", None) for event in play.events}
    return {each for each in steps if each} | {play.events[0].first_scene_id}  # type: ignore[union-attr]


@SHIPPED
def test_every_play_ends_and_every_scene_is_in_one(name: str) -> None:
    """By the real rules, and in at least six scenes: nobody is through after two clicks."""
    plays = plays_of(name)
    assert set().union(*map(_entered, plays)) == {scene.id for scene in STORIES[name].scenes}
    assert min(play.scene_count for play in plays) >= 6


@SHIPPED
def test_every_branch_is_taken_and_every_roll_falls_both_ways(name: str) -> None:
    """No choice is only there to be read."""
    taken = set().union(*map(_taken, plays_of(name)))
    assert taken == {
        (scene.id, number) for scene in STORIES[name].scenes for number in range(len(scene.branches))
    }


@SHIPPED
def test_every_echo_comes_back_in_some_play_and_not_in_all(name: str) -> None:
    """A reveal that always fires tells nobody anything of what they did."""
    story, plays = STORIES[name], plays_of(name)
    declared = {(scene.id, number) for scene in story.scenes for number in range(len(scene.echo_reveals))}
    assert declared
    fired = [
        {(event.declared_in, event.number) for event in play.events if isinstance(event, EchoRevealed)}
        for play in plays
    ]
    assert set().union(*fired) == declared
    assert set.intersection(*fired) == set()


@SHIPPED
def test_what_is_chosen_decides_how_it_ends(name: str) -> None:
    """Several endings, and what a play comes to on an axis differs with the choices."""
    plays = plays_of(name)
    assert len({play.current_scene_id for play in plays}) >= 2
    sums = {tuple(sorted(play.player_compass_totals.get(PLAYER, {}).items())) for play in plays}
    assert len(sums) > len(plays) / 10


@SHIPPED
def test_no_choice_is_merely_wrong(name: str) -> None:
    """Whatever a player takes, none of the ways of a choice costs more than a little, and none leads only
    downward: from each, some play comes to more than zero.
    """
    story = STORIES[name]
    for scene in story.scenes:
        for number, branch in enumerate(scene.branches):
            change = branch.compass_change
            assert change is None or change.delta >= -0.3, (scene.id, number)
            assert _some_good_comes(story, scene.id, number), (scene.id, number)


def _some_good_comes(story: Scenario, scene_id: str, number: int) -> bool:
    return any(
        sum(play.player_compass_totals[PLAYER].values()) > 0
        for play in plays_of(story.id)
        if (scene_id, number) in _taken(play)
    )


def _taken(play: GameSession) -> set[tuple[str, int]]:
    """The branches that a play took, by scene and number; of a roll that succeeded the first."""
    chosen = {(each.scene_id, each.branch) for each in play.events if isinstance(each, ChoiceMade)}
    rolls = [each for each in play.events if isinstance(each, DiceRolled)]
    return chosen | {(each.scene_id, 0 if each.has_succeeded else 1) for each in rolls}
