"""What the page to play tells of a session, and how it draws the compass."""

import math
import re
from collections.abc import Sequence

import pytest

from mystira.services.play.drawing.compass import CENTRE, NEUTRAL, petals
from mystira.services.play.drawing.covers import cover_name, draw_cover
from mystira.services.play.happenings import Moved, Throw, compass, happened, way_so_far
from tests.unit.playroom import CALM, CURIOUS, Playroom, open_playroom


@pytest.fixture
async def room() -> Playroom:
    return await open_playroom()


async def test_at_the_beginning_nothing_has_happened(room: Playroom) -> None:
    """The compass stands at zero, on the axes that the story names."""
    begun = await room.start()
    told = happened(begun.stored.value, begun.story)
    assert not told.is_something
    assert [(each.axis, each.value, each.has_moved) for each in compass(begun.stored.value)] == [
        (CALM, 0.0, False)
    ]
    assert way_so_far(begun.stored.value) == []


async def test_a_move_is_told_with_the_value_before(room: Playroom) -> None:
    """Of the last step alone, also on an axis that moved before."""
    key = (await room.start()).stored.key
    for before, after in ((0.0, 0.5), (0.5, 1.0)):
        step = await room.walk(key, *(["on"] if before == 0.0 else []), 2)
        told = happened(step.stored.value, step.story)
        assert told.moved == Moved(axis=CURIOUS, before=before, after=after, delta=0.5, player=None)
        moved = [each for each in compass(step.stored.value) if each.has_moved]
        assert [(each.axis, each.before, each.value) for each in moved] == [(CURIOUS, before, after)]


async def test_a_throw_is_told_until_the_next_step(room: Playroom) -> None:
    """What fell, what was needed, and where it led; a page that is loaded later tells only what is new."""
    key = (await room.start()).stored.key
    room.dice.load(11)
    await room.walk(key, "on", 0)
    thrown = await room.walk(key, "roll")
    told = happened(thrown.stored.value, thrown.story)
    assert told.throw == Throw(value=11, needed=12, has_succeeded=False)
    assert told.choice == "through the water"
    after = await room.walk(key, "on")
    assert happened(after.stored.value, after.story).throw is None
    assert way_so_far(after.stored.value) == ["wait", "through the water"]


async def test_an_echo_says_where_it_was_left(room: Playroom) -> None:
    """By the title of the scene, and in words that fit how it comes back."""
    key = (await room.start()).stored.key
    step = await room.walk(key, "on", 0, "roll")
    (echo,) = happened(step.stored.value, step.story).echoes
    assert (echo.introduction, echo.description, echo.scene_title) == (
        "In the mirror you see it again:",
        "patience 0.8",
        "Fork",
    )
    # Where the story has gone, what happened in it can still be told.
    (told,) = happened(step.stored.value, None).echoes
    assert told.scene_title is None


async def test_of_several_players_it_is_said_whose_move_it_was(room: Playroom) -> None:
    """It is the one who holds the character, not the one whose device it is."""
    players = [
        {"profileId": "00000000-0000-7000-8000-0000000000b1"},
        {"name": "Grandma", "characterId": "fox"},
    ]
    key = (await room.start(players=players)).stored.key
    step = await room.walk(key, "on", 1)
    moved = happened(step.stored.value, step.story).moved
    assert moved is not None
    assert (moved.player, moved.word) == ("Grandma", "shrinks")


def _furthest(outline: str) -> float:
    numbers = [float(each) for each in re.findall(r"-?\d+\.\d", outline)]
    points: Sequence[tuple[float, float]] = list(zip(numbers[::2], numbers[1::2], strict=True))
    return max(math.dist(point, (CENTRE, CENTRE)) for point in points)


def test_petals_grow_with_their_values() -> None:
    """One that stands at zero ends at the ring; none leaves the picture, however far the value is."""
    lengths = [_furthest(each.outline) for each in petals([-2.0, -1.0, 0.0, 1.0, 2.0])]
    assert lengths == sorted(lengths)
    assert len(set(lengths)) == 5
    assert lengths[2] == pytest.approx(NEUTRAL, abs=0.2)
    assert 0 < lengths[0] < lengths[4] < CENTRE
    assert _furthest(petals([9.0])[0].outline) == pytest.approx(lengths[4], abs=0.2)


def test_a_drawn_cover_is_always_the_same() -> None:
    """It follows from the story's id; what is no name of a cover has none."""
    one, other = cover_name("the-lost-lantern"), cover_name("the-found-lantern")
    drawn = draw_cover(one)
    assert drawn is not None
    assert drawn.startswith(b"<svg ")
    draw_cover.cache_clear()
    assert draw_cover(one) == drawn != draw_cover(other)
    assert draw_cover("../../etc") is None
