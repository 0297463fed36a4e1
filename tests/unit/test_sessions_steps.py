"""The steps of a play: what each leads to, when it is refused, and who wins where two come at once."""

import asyncio
from typing import Any

import pytest

from manystore.records import Kind
from mystira.domain.errors import ContendedError, InvalidValueError
from mystira.domain.sessions.errors import (
    NotInProgressError,
    SceneNotCurrentError,
    WrongStepError,
)
from mystira.domain.sessions.kind import GAME_SESSIONS
from mystira.domain.sessions.model import Choose, ReadOn, Roll, SessionStatus
from mystira.domain.sessions.play import anybody
from mystira.domain.sessions.use_cases import choose, pause, read_on, resume, roll
from tests.unit.playroom import (
    CALM,
    CURIOUS,
    LANTERN,
    MIA,
    NOA,
    Playroom,
    branch,
    echoing,
    moving,
    open_playroom,
    reveal,
    scene,
)

GROUP = [
    {"profileId": MIA},
    {"profileId": NOA, "characterId": "fox"},
    {"name": "Grandma", "characterId": "owl"},
]


@pytest.fixture
async def room() -> Playroom:
    return await open_playroom()


async def at_fork(room: Playroom, **more: Any) -> str:
    key = (await room.start(**more)).stored.key
    await room.walk(key, "on")
    return key


async def test_the_server_decides_where_a_choice_leads(room: Playroom) -> None:
    """The caller names scene and branch; the scene that follows, echo and movement are the story's."""
    key = await at_fork(room)
    step = await choose(room.play, key, Choose(scene_id="fork", branch=0))
    session = step.stored.value
    assert session.current_scene_id == "river"
    (taken,) = session.choice_history
    assert (taken.scene_id, taken.branch, taken.choice, taken.next_scene_id) == ("fork", 0, "wait", "river")
    (echo,) = session.echo_history
    assert (echo.echo_type, echo.strength, echo.scene_id, echo.scene_number) == ("patience", 0.8, "fork", 2)
    assert session.compass_values[CALM].current == 1.0
    assert session.compass_values[CALM].history[0].player_id == MIA
    assert session.scene_count == 3


async def test_a_scene_that_is_not_current_is_refused(room: Playroom) -> None:
    """The refusal names where the players are, and nothing is written."""
    key = await at_fork(room)
    with pytest.raises(SceneNotCurrentError) as refused:
        await choose(room.play, key, Choose(scene_id="hill", branch=0))
    assert (refused.value.code, refused.value.current) == ("scene_not_current", "fork")
    assert (await room.stored(key)).version == 2


async def test_a_branch_that_the_scene_does_not_have_is_refused(room: Playroom) -> None:
    """Branches are counted from zero."""
    key = await at_fork(room)
    with pytest.raises(InvalidValueError) as refused:
        await choose(room.play, key, Choose(scene_id="fork", branch=3))
    assert refused.value.field == "branch"


@pytest.mark.parametrize(
    ("steps", "asked", "way"),
    [
        ((), Choose(scene_id="gate", branch=0), "reading on"),
        ((), Roll(scene_id="gate"), "reading on"),
        (("on",), Roll(scene_id="fork"), "a choice"),
        (("on",), ReadOn(scene_id="fork"), "a choice"),
        (("on", 0), Choose(scene_id="river", branch=0), "a roll"),
        (("on", 0), ReadOn(scene_id="river"), "a roll"),
    ],
)
async def test_each_scene_is_left_in_its_own_way(
    room: Playroom, steps: tuple[Any, ...], asked: Choose | Roll | ReadOn, way: str
) -> None:
    """A roll cannot be chosen around, a choice cannot be read over."""
    key = (await room.start()).stored.key
    if steps:
        await room.walk(key, *steps)
    deed = {Choose: choose, Roll: roll, ReadOn: read_on}[type(asked)]
    with pytest.raises(WrongStepError) as refused:
        await deed(room.play, key, asked)  # type: ignore[operator]
    assert refused.value.step == way


@pytest.mark.parametrize(
    ("players", "named", "counts_for"),
    [
        (GROUP, None, NOA),
        (GROUP, MIA, NOA),
        ([{"profileId": MIA}, {"name": "Grandma"}], "guest-2", "guest-2"),
        ([{"profileId": MIA}, {"profileId": NOA, "characterId": "owl"}], NOA, NOA),
        ([{"profileId": MIA}, {"name": "Grandma"}], None, MIA),
        ([{"name": "Grandma"}], None, MIA),
    ],
)
async def test_a_movement_counts_for_one_player(
    room: Playroom, players: object, named: str | None, counts_for: str
) -> None:
    """Who holds the scene's active character, else who is named, else the owner."""
    key = await at_fork(room, players=players)
    step = await choose(room.play, key, Choose(scene_id="fork", branch=1, player_id=named))
    assert step.stored.value.player_compass_totals == {counts_for: {CALM: -1.0}}


async def test_a_player_who_is_not_there_is_refused(room: Playroom) -> None:
    """Whoever is named sits at the table."""
    key = await at_fork(room)
    with pytest.raises(InvalidValueError) as refused:
        await choose(room.play, key, Choose(scene_id="fork", branch=0, player_id=NOA))
    assert refused.value.field == "playerId"


@pytest.mark.parametrize(("value", "leads_to", "succeeds"), [(12, "hill", True), (11, "mud", False)])
async def test_a_throw_at_the_difficulty_succeeds(
    room: Playroom, value: int, leads_to: str, succeeds: bool
) -> None:
    """At or above it the first branch is taken, below it the second; the throw is recorded."""
    key = await at_fork(room, players=GROUP)
    room.dice.load(value)
    step = await room.walk(key, 0, "roll")
    session = step.stored.value
    assert session.current_scene_id == leads_to
    (thrown,) = session.roll_history
    assert (thrown.value, thrown.difficulty, thrown.has_succeeded) == (value, 12, succeeds)
    assert thrown.player_id == "guest-3"


async def test_a_roll_with_one_way_takes_it(room: Playroom) -> None:
    """A story that slipped by the content rules is left by the way that it has, without a difficulty too."""
    scenes = [scene("a", "roll", branches=[branch("on", "b")]), scene("b", "special")]
    await room.tell(LANTERN | {"id": "narrow", "scenes": scenes})
    room.dice.load(1)
    key = (await room.start(scenario="narrow")).stored.key
    assert (await room.walk(key, "roll")).stored.value.current_scene_id == "b"


async def test_a_throw_is_made_once_however_often_the_step_is_decided(room: Playroom) -> None:
    """Somebody else's write in between brings no second chance."""
    key = await at_fork(room)
    await room.walk(key, 0)
    room.dice.load(3, 20)

    async def lay_aside(kind: Kind) -> None:
        await pause(room.play, key)
        await resume(room.play, key, may_join=anybody)

    room.store.interruptions = [lay_aside]
    step = await roll(room.play, key, Roll(scene_id="river"))
    assert step.stored.value.roll_history[0].value == 3
    assert step.stored.value.current_scene_id == "mud"


async def test_two_choices_at_once_one_is_made(room: Playroom) -> None:
    """The one that is written second is refused, since its scene is not current any more."""
    key = await at_fork(room)
    made = await asyncio.gather(
        *(choose(room.play, key, Choose(scene_id="fork", branch=number % 2)) for number in range(10)),
        return_exceptions=True,
    )
    refused = [each for each in made if isinstance(each, SceneNotCurrentError)]
    assert len(refused) == 9
    assert len((await room.session(key)).choice_history) == 1


async def test_a_choice_that_leads_back_to_its_scene_lets_no_second_one_through(room: Playroom) -> None:
    """The scene is current again, but it is another visit: whoever was read before is refused."""
    key = await at_fork(room)

    async def look_around(kind: Kind) -> None:
        await choose(room.play, key, Choose(scene_id="fork", branch=2))

    room.store.interruptions = [look_around]
    with pytest.raises(SceneNotCurrentError):
        await choose(room.play, key, Choose(scene_id="fork", branch=2))
    session = await room.session(key)
    assert (session.current_scene_id, len(session.choice_history)) == ("fork", 1)


async def test_a_repeated_request_can_say_which_visit_it_means(room: Playroom) -> None:
    """Sent again after its answer was lost, it is refused rather than done twice."""
    key = await at_fork(room)
    asked = Choose(scene_id="fork", branch=2, scene_count=2)
    await choose(room.play, key, asked)
    with pytest.raises(SceneNotCurrentError):
        await choose(room.play, key, asked)


async def test_a_session_that_was_read_before_is_enough_and_never_a_reason_to_refuse(room: Playroom) -> None:
    """Handed over, it spares a reading; where it is old, the step is decided on what stands by now."""
    key = (await room.start()).stored.key
    old = await room.stored(key)
    await room.walk(key, "on")
    asked = Choose(scene_id="fork", branch=2)
    assert (await choose(room.play, key, asked, known=old)).stored.version == 3
    fresh = await room.stored(key)
    assert (await choose(room.play, key, asked, known=fresh)).stored.version == 4
    with pytest.raises(SceneNotCurrentError):
        await choose(room.play, key, asked, known=fresh)
    with pytest.raises(SceneNotCurrentError):
        await choose(room.play, key, Choose(scene_id="gate", branch=0), known=old)


async def test_others_who_keep_writing_end_our_patience(room: Playroom) -> None:
    """A step that never gets its turn says so, and has changed nothing."""
    key = await at_fork(room)

    async def touch(kind: Kind) -> None:
        stored = await room.stored(key)
        content = dict(stored.record.content or {})
        await room.store.put(GAME_SESSIONS, key, content, expected=stored.version, epoch=1)

    # Each of them is a write as well, and is let through.
    async def nothing(kind: Kind) -> None:
        return None

    room.store.interruptions = [touch, nothing] * 8
    with pytest.raises(ContendedError):
        await choose(room.play, key, Choose(scene_id="fork", branch=0))
    assert (await room.session(key)).choice_history == []


async def test_an_end_completes_its_session_when_it_is_reached(room: Playroom) -> None:
    """The end's own text is what the players see then; there is nothing left to ask for."""
    key = await at_fork(room)
    step = await room.walk(key, 0, "roll", 0)
    session = step.stored.value
    assert session.status is SessionStatus.COMPLETED
    assert session.current_scene_id == "home"
    assert session.end_time == room.clock.now()
    assert session.live_key is None
    with pytest.raises(NotInProgressError):
        await read_on(room.play, key, ReadOn(scene_id="home"))


async def test_a_story_of_one_scene_is_over_as_it_begins(room: Playroom) -> None:
    """Its only scene is an end."""
    await room.tell(LANTERN | {"id": "short", "scenes": [scene("all", "special")]})
    session = (await room.start(scenario="short")).stored.value
    assert session.status is SessionStatus.COMPLETED


async def test_a_reveal_fires_once_on_entering_its_scene(room: Playroom) -> None:
    """Strong and recent enough, recorded with what it goes back to; a reveal of another type stays hidden."""
    key = await at_fork(room)
    step = await room.walk(key, 0, "roll")
    (made,) = step.stored.value.reveal_history
    assert (made.scene_id, made.declared_in, made.number) == ("hill", "hill", 0)
    assert (made.echo_type, made.mechanic, made.is_required) == ("patience", "mirror", True)
    assert made.echo_scene_id == "fork"


async def test_an_echo_grows_too_old(room: Playroom) -> None:
    """By the mud it is one scene more: then the reveal that takes two scenes at most does not fire."""
    room.dice.load(1)
    key = await at_fork(room)
    step = await room.walk(key, 0, "roll", "on")
    assert step.stored.value.current_scene_id == "hill"
    assert step.stored.value.reveal_history == []


async def test_an_echo_may_be_too_weak(room: Playroom) -> None:
    """Haste of 0.4 is below the 0.5 that the reveal in the dark asks for."""
    key = await at_fork(room)
    step = await room.walk(key, 1, "roll", 1)
    assert step.stored.value.current_scene_id == "dark"
    assert step.stored.value.reveal_history == []


async def test_a_reveal_fires_at_most_once_in_a_session(room: Playroom) -> None:
    """Though the story leads by its scene again and again; of several echoes the latest strong one counts."""
    scenes = [
        scene(
            "well",
            "choice",
            branches=[
                branch("shout", "well", **echoing("shout", 0.9)),
                branch("whisper", "well", **echoing("shout", 0.2)),
                branch("go", "end"),
            ],
            echoReveals=[reveal("shout", "well", 0.5, 5)],
        ),
        scene("end", "special"),
    ]
    await room.tell(LANTERN | {"id": "well", "scenes": scenes})
    key = (await room.start(scenario="well")).stored.key
    await room.walk(key, 1)
    assert (await room.session(key)).reveal_history == []
    await room.walk(key, 0, 0, 0)
    (made,) = (await room.session(key)).reveal_history
    assert made.strength == 0.9


async def test_a_value_stays_between_minus_two_and_two_and_the_sum_does_not(room: Playroom) -> None:
    """The session's compass has bounds; what counts for a player has none."""
    scenes = [
        scene("top", "choice", branches=[branch("more", "top", **moving(CALM, 0.9)), branch("end", "end")]),
        scene("end", "special"),
    ]
    await room.tell(LANTERN | {"id": "steep", "scenes": scenes})
    key = (await room.start(scenario="steep")).stored.key
    session = (await room.walk(key, 0, 0, 0, 0)).stored.value
    value = session.compass_values[CALM]
    assert (value.current, value.starting) == (2.0, 0.0)
    assert [step.value for step in value.history] == [0.9, 1.8, 2.0, 2.0]
    assert session.player_compass_totals[MIA][CALM] == 3.6


async def test_an_axis_that_the_story_does_not_list_begins_at_its_first_movement(room: Playroom) -> None:
    """Content may bring axes of its own."""
    key = await at_fork(room)
    step = await choose(room.play, key, Choose(scene_id="fork", branch=2))
    assert step.stored.value.compass_values[CURIOUS].current == 0.5
