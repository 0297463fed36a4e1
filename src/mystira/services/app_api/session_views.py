"""How a play is shown: to those who play, who see what to do next and not what will come of it.

A summary is enough for a list. A view has the current scene as well, so that a page needs no second call. The
whole of a session, with all that happened, is shown where one session is read.
"""

import datetime as dt
from collections.abc import Sequence
from typing import Any, Literal

from msgspec import Struct

from manystore.repository import Stored
from mystira.domain.scenarios.model import Scene, SceneMedia
from mystira.domain.sessions.events import (
    BadgeEarned,
    ChoiceMade,
    DiceRolled,
    EchoRevealed,
    Event,
    Player,
)
from mystira.domain.sessions.model import (
    Achievement,
    CharacterAssignment,
    ChoiceTaken,
    CompassValue,
    EchoLeft,
    GameSession,
    RevealMade,
    RollThrown,
    SessionStatus,
)
from mystira.domain.sessions.rules import way_of
from mystira.domain.sessions.stories import Story
from mystira.domain.sessions.use_cases import Step
from mystira.http.etags import etag

Way = Literal["choose", "roll", "readOn", "end"]
_WAYS: dict[str, Way] = {"a choice": "choose", "a roll": "roll", "reading on": "readOn"}


class CompassView(Struct, frozen=True, kw_only=True, rename="camel"):
    """Where a session stands on an axis, from -2 to 2, and where it began."""

    current: float
    starting: float


class SessionSummary(Struct, frozen=True, kw_only=True, rename="camel"):
    """A session at a glance. `elapsed_seconds` leaves pauses out; `event_count` is how much has happened."""

    id: str
    etag: str
    scenario_id: str
    account_id: str
    profile_id: str
    status: SessionStatus
    players: list[Player]
    player_names: list[str]
    character_assignments: list[CharacterAssignment]
    current_scene_id: str | None
    scene_count: int
    event_count: int
    compass: dict[str, CompassView]
    player_compass_totals: dict[str, dict[str, float]]
    achievements: list[Achievement]
    start_time: dt.datetime | None
    end_time: dt.datetime | None
    paused_at: dt.datetime | None
    accumulated_pause: float
    elapsed_seconds: float
    target_age_group: str
    selected_character_id: str | None
    created_at: dt.datetime
    updated_at: dt.datetime | None


class ChoiceView(Struct, frozen=True, kw_only=True, rename="camel"):
    """What can be chosen; `branch` is sent back."""

    branch: int
    choice: str


class SceneView(Struct, frozen=True, kw_only=True, rename="camel"):
    """The scene in which the players are. `step` is how it is left; an end is not.

    `active_player_id` is who holds the active character, if anybody does. `difficulty` is what a d20 must
    reach.
    """

    id: str
    title: str
    type: str
    description: str
    step: Way
    choices: list[ChoiceView]
    difficulty: float | None
    active_character: str | None
    active_player_id: str | None
    media: SceneMedia | None
    music: dict[str, Any] | None
    sound_effects: list[dict[str, Any]]


class SessionView(SessionSummary, frozen=True, kw_only=True, rename="camel"):
    """A session with its current scene; without one where the story has gone, or no longer has the scene."""

    scenario_title: str | None
    current_scene: SceneView | None


class SessionDetail(SessionView, frozen=True, kw_only=True, rename="camel"):
    """A session with all that happened in it."""

    choice_history: list[ChoiceTaken]
    roll_history: list[RollThrown]
    echo_history: list[EchoLeft]
    reveal_history: list[RevealMade]
    compass_values: dict[str, CompassValue]
    events: list[Event]


class RollView(Struct, frozen=True, kw_only=True, rename="camel"):
    """How the d20 fell, against what it had to reach."""

    value: int
    difficulty: float
    has_succeeded: bool


class MovementView(Struct, frozen=True, kw_only=True, rename="camel"):
    """For whom a step counted, how far, the value that the session has by now, and the player's sum."""

    player_id: str
    axis: str
    delta: float
    value: float
    total: float


class RevealView(Struct, frozen=True, kw_only=True, rename="camel"):
    """An earlier choice that came back."""

    echo_type: str
    description: str
    strength: float
    mechanic: str
    is_required: bool
    echo_scene_id: str


class StepView(Struct, frozen=True, kw_only=True, rename="camel"):
    """A step that was taken, and all that came of it.

    `are_badges_pending`: the story is complete, and its badges follow in a moment.
    """

    session: SessionView
    choice: str | None
    roll: RollView | None
    movement: MovementView | None
    revealed: list[RevealView]
    badges: list[Achievement]
    are_badges_pending: bool


def summary_of(stored: Stored[GameSession], now: dt.datetime) -> SessionSummary:
    """A session for a list."""
    return SessionSummary(**_summary(stored.value, stored.version, now))


def view_of(session: GameSession, version: int, story: Story | None, now: dt.datetime) -> SessionView:
    """A session for those who play it."""
    return SessionView(**_summary(session, version, now), **_scene_of(session, story))


def detail_of(session: GameSession, version: int, story: Story | None, now: dt.datetime) -> SessionDetail:
    """The whole of a session."""
    return SessionDetail(
        **_summary(session, version, now),
        **_scene_of(session, story),
        choice_history=session.choice_history,
        roll_history=session.roll_history,
        echo_history=session.echo_history,
        reveal_history=session.reveal_history,
        compass_values=session.compass_values,
        events=session.events,
    )


def step_of(step: Step, now: dt.datetime) -> StepView:
    """A step with what came of it."""
    session, events = step.stored.value, step.events
    return StepView(
        session=view_of(session, step.stored.version, step.story, now),
        choice=next((each.choice for each in events if isinstance(each, (ChoiceMade, DiceRolled))), None),
        roll=next((_roll(each) for each in events if isinstance(each, DiceRolled)), None),
        movement=_movement(session, events),
        revealed=[_reveal(each) for each in events if isinstance(each, EchoRevealed)],
        badges=session.achievements[-_count(events) :] if _count(events) else [],
        are_badges_pending=step.are_badges_pending,
    )


def _count(events: Sequence[Event]) -> int:
    return sum(isinstance(each, BadgeEarned) for each in events)


def _summary(session: GameSession, version: int, now: dt.datetime) -> dict[str, Any]:
    return {
        "id": session.id,
        "etag": etag(version),
        "scenario_id": session.scenario_id,
        "account_id": session.account_id,
        "profile_id": session.profile_id,
        "status": session.status,
        "players": session.players,
        "player_names": session.player_names,
        "character_assignments": session.character_assignments,
        "current_scene_id": session.current_scene_id,
        "scene_count": session.scene_count,
        "event_count": len(session.events),
        "compass": {
            axis: CompassView(current=value.current, starting=value.starting)
            for axis, value in session.compass_values.items()
        },
        "player_compass_totals": session.player_compass_totals,
        "achievements": session.achievements,
        "start_time": session.start_time,
        "end_time": session.end_time,
        "paused_at": session.paused_at,
        "accumulated_pause": session.accumulated_pause,
        "elapsed_seconds": session.elapsed(now),
        "target_age_group": session.target_age_group,
        "selected_character_id": session.selected_character_id,
        "created_at": session.created_at,
        "updated_at": session.updated_at,
    }


def _scene_of(session: GameSession, story: Story | None) -> dict[str, Any]:
    scene = None if story is None else story.scene(session.current_scene_id)
    return {
        "scenario_title": None if story is None else story.scenario.title,
        "current_scene": None if scene is None else _scene(session, scene),
    }


def _scene(session: GameSession, scene: Scene) -> SceneView:
    way = _WAYS.get(way_of(scene), "end")
    holders = {each.character_id: each.player_id for each in session.character_assignments}
    choices = [
        ChoiceView(branch=number, choice=branch.choice) for number, branch in enumerate(scene.branches)
    ]
    return SceneView(
        id=scene.id,
        title=scene.title,
        type=scene.type,
        description=scene.description,
        step=way,
        # What a throw decides is not to be chosen from.
        choices=choices if way == "choose" else [],
        difficulty=scene.difficulty,
        active_character=scene.active_character,
        active_player_id=holders.get(scene.active_character or ""),
        media=scene.media,
        music=scene.music,
        sound_effects=scene.sound_effects,
    )


def _roll(event: DiceRolled) -> RollView:
    return RollView(value=event.value, difficulty=event.difficulty, has_succeeded=event.has_succeeded)


def _movement(session: GameSession, events: Sequence[Event]) -> MovementView | None:
    for event in events:
        if isinstance(event, (ChoiceMade, DiceRolled)) and event.movement is not None:
            axis = event.movement.axis
            return MovementView(
                player_id=event.player_id,
                axis=axis,
                delta=event.movement.delta,
                value=session.compass_values[axis].current,
                total=session.player_compass_totals[event.player_id][axis],
            )
    return None


def _reveal(event: EchoRevealed) -> RevealView:
    return RevealView(
        echo_type=event.echo.echo_type,
        description=event.echo.description,
        strength=event.echo.strength,
        mechanic=event.mechanic,
        is_required=event.is_required,
        echo_scene_id=event.echo_scene_id,
    )
