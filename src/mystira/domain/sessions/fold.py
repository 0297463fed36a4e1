"""A session as the sum of what happened in it.

    fold(events)             the session as it stands
    fold(events[:n])         as it stood after n events
    extend(session, events)  the same session, some events later

Nothing here decides anything, nor looks at the story: that was done when the events were made (`rules`).
"""

import datetime as dt
import functools
from collections.abc import Iterable, Sequence
from typing import Any, Final

from msgspec.structs import replace

from mystira.domain.sessions.events import (
    BadgeEarned,
    ChoiceMade,
    DiceRolled,
    EchoRevealed,
    Event,
    Movement,
    SceneLeft,
    SessionAbandoned,
    SessionCompleted,
    SessionPaused,
    SessionResumed,
    SessionStarted,
)
from mystira.domain.sessions.model import (
    Achievement,
    CharacterAssignment,
    ChoiceTaken,
    CompassStep,
    CompassValue,
    EchoLeft,
    GameSession,
    RevealMade,
    RollThrown,
    SessionStatus,
    live_key,
)

COMPASS_BOUND: Final = 2.0
"""How far a session's value on an axis goes, either way."""
_DIGITS: Final = 6
"""Decimals to which sums are kept: 0.1 + 0.2 is to be 0.3."""


def fold(events: Iterable[Event]) -> GameSession:
    """The session of which these events are all, or the first. Raises ValueError where none is its start."""
    first, *rest = events
    if not isinstance(first, SessionStarted):
        raise ValueError(f"a session begins with its start, not with {type(first).__name__}")
    return extend(_started(first), rest)


def extend(session: GameSession, events: Sequence[Event]) -> GameSession:
    """The session after some more events."""
    for event in events:
        changed = _after(event, session)
        session = replace(session, events=[*session.events, event], updated_at=event.at, **changed)
    return session


def until(events: Sequence[Event], instant: dt.datetime) -> Sequence[Event]:
    """The events that had happened at an instant."""
    return [event for event in events if event.at <= instant]


def _started(event: SessionStarted) -> GameSession:
    characters = {each.id: each.character_id for each in event.players}
    return GameSession(
        id=event.session_id,
        created_at=event.at,
        updated_at=event.at,
        scenario_id=event.scenario_id,
        account_id=event.account_id,
        profile_id=event.profile_id,
        live_key=live_key(event.account_id, event.scenario_id, event.profile_id),
        player_names=[each.name for each in event.players],
        character_assignments=[
            CharacterAssignment(
                character_id=each.character_id,
                player_id=each.id,
                player_name=each.name,
                profile_id=each.profile_id,
            )
            for each in event.players
            if each.character_id is not None
        ],
        status=SessionStatus.IN_PROGRESS,
        current_scene_id=event.first_scene_id,
        events=[event],
        compass_values={axis: CompassValue(last_updated=event.at) for axis in event.axes},
        start_time=event.at,
        scene_count=1,
        target_age_group=event.target_age_group,
        selected_character_id=characters.get(event.profile_id),
    )


@functools.singledispatch
def _after(event: Event, session: GameSession) -> dict[str, Any]:
    """What an event changes, by the names of the fields."""
    raise TypeError(f"{type(event).__name__} happens only once, or is no event of a session")


@_after.register
def _(event: ChoiceMade, session: GameSession) -> dict[str, Any]:
    taken = ChoiceTaken(
        scene_id=event.scene_id,
        choice=event.choice,
        branch=event.branch,
        next_scene_id=event.next_scene_id,
        player_id=event.player_id,
        at=event.at,
    )
    return {"choice_history": [*session.choice_history, taken], **_moved_on(event, session)}


@_after.register
def _(event: DiceRolled, session: GameSession) -> dict[str, Any]:
    thrown = RollThrown(
        scene_id=event.scene_id,
        value=event.value,
        difficulty=event.difficulty,
        has_succeeded=event.has_succeeded,
        next_scene_id=event.next_scene_id,
        player_id=event.player_id,
        at=event.at,
    )
    return {"roll_history": [*session.roll_history, thrown], **_moved_on(event, session)}


@_after.register
def _(event: SceneLeft, session: GameSession) -> dict[str, Any]:
    return _entered(event.next_scene_id, session)


def _entered(scene_id: str, session: GameSession) -> dict[str, Any]:
    return {"current_scene_id": scene_id, "scene_count": session.scene_count + 1}


def _moved_on(event: ChoiceMade | DiceRolled, session: GameSession) -> dict[str, Any]:
    changed = _entered(event.next_scene_id, session)
    if event.echo is not None:
        left = EchoLeft(
            echo_type=event.echo.echo_type,
            description=event.echo.description,
            strength=event.echo.strength,
            scene_id=event.scene_id,
            scene_number=session.scene_count,
            at=event.at,
        )
        changed["echo_history"] = [*session.echo_history, left]
    if event.movement is not None:
        changed |= _moved(event.movement, event.player_id, event.at, session)
    return changed


def _moved(movement: Movement, player_id: str, at: dt.datetime, session: GameSession) -> dict[str, Any]:
    axis, delta = movement.axis, movement.delta
    before = session.compass_values.get(axis, CompassValue())
    value = _tidy(max(-COMPASS_BOUND, min(COMPASS_BOUND, before.current + delta)))
    step = CompassStep(delta=delta, value=value, player_id=player_id, at=at)
    after = replace(before, current=value, history=[*before.history, step], last_updated=at)
    totals = session.player_compass_totals.get(player_id, {})
    own = {**totals, axis: _tidy(totals.get(axis, 0.0) + delta)}
    return {
        "compass_values": {**session.compass_values, axis: after},
        "player_compass_totals": {**session.player_compass_totals, player_id: own},
    }


def _tidy(value: float) -> float:
    # Adding 0.0 turns -0.0, which jsonb cannot hold, into 0.0.
    return round(value, _DIGITS) + 0.0


@_after.register
def _(event: EchoRevealed, session: GameSession) -> dict[str, Any]:
    made = RevealMade(
        scene_id=event.scene_id,
        declared_in=event.declared_in,
        number=event.number,
        echo_type=event.echo.echo_type,
        description=event.echo.description,
        strength=event.echo.strength,
        echo_scene_id=event.echo_scene_id,
        mechanic=event.mechanic,
        is_required=event.is_required,
        at=event.at,
    )
    return {"reveal_history": [*session.reveal_history, made]}


@_after.register
def _(event: SessionPaused, session: GameSession) -> dict[str, Any]:
    return {"status": SessionStatus.PAUSED, "paused_at": event.at}


@_after.register
def _(event: SessionResumed, session: GameSession) -> dict[str, Any]:
    return {"status": SessionStatus.IN_PROGRESS, **_pause_over(event.at, session)}


@_after.register
def _(event: SessionCompleted, session: GameSession) -> dict[str, Any]:
    return {"status": SessionStatus.COMPLETED, **_ended(event.at, session)}


@_after.register
def _(event: SessionAbandoned, session: GameSession) -> dict[str, Any]:
    return {"status": SessionStatus.ABANDONED, **_ended(event.at, session)}


def _ended(at: dt.datetime, session: GameSession) -> dict[str, Any]:
    return {"end_time": at, "live_key": None, **_pause_over(at, session)}


def _pause_over(at: dt.datetime, session: GameSession) -> dict[str, Any]:
    if session.paused_at is None:
        return {}
    paused = (at - session.paused_at).total_seconds()
    return {"paused_at": None, "accumulated_pause": _tidy(session.accumulated_pause + paused)}


@_after.register
def _(event: BadgeEarned, session: GameSession) -> dict[str, Any]:
    earned = Achievement(
        profile_id=event.profile_id,
        badge_id=event.badge_id,
        axis=event.axis,
        tier=event.tier,
        title=event.title,
        image_id=event.image_id,
        at=event.at,
    )
    return {"achievements": [*session.achievements, earned]}
