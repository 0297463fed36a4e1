"""The rules of play, as pure functions: from a session, its story and what is asked, to what happens.

A scene with branches is left by a choice, a roll scene by a throw; one without branches is read on from. A
scene with neither branches nor a scene that follows is an end, and reaching it completes the session: its
text is shown, and nothing has to be asked any more.
"""

import datetime as dt
from collections.abc import Sequence
from typing import Final

from mystira.domain.errors import InvalidValueError
from mystira.domain.scenarios.model import Branch, Scenario, Scene
from mystira.domain.sessions.errors import (
    NotInProgressError,
    NotPausedError,
    NotPlayableError,
    SceneNotCurrentError,
    SessionEndedError,
    StoryChangedError,
    TooYoungError,
    WrongStepError,
)
from mystira.domain.sessions.events import (
    ChoiceMade,
    DiceRolled,
    Echo,
    EchoRevealed,
    Event,
    Movement,
    Player,
    SceneLeft,
    SessionAbandoned,
    SessionCompleted,
    SessionPaused,
    SessionResumed,
    SessionStarted,
)
from mystira.domain.sessions.fold import extend, fold
from mystira.domain.sessions.model import (
    Choose,
    EchoLeft,
    GameSession,
    NewPlayer,
    ReadOn,
    Roll,
    SessionStatus,
)
from mystira.domain.sessions.stories import Story

D20: Final = 20


def begin(story: Story, started: SessionStarted) -> GameSession:
    """The session as it stands once the first scene is entered."""
    session = fold([started])
    return extend(session, _entering(session, story, started.at))


def check_age(scenario: Scenario, age_group: str) -> None:
    """Raise TooYoungError where the group's youngest may not play, InvalidValueError for what is no group."""
    youngest, _, oldest = age_group.partition("-")
    if not (youngest.isdigit() and oldest.isdigit() and int(youngest) <= int(oldest)):
        reason = f"{age_group!r} is no group of ages, such as 6-9"
        raise InvalidValueError(field="targetAgeGroup", reason=reason)
    if scenario.minimum_age > int(youngest):
        raise TooYoungError(minimum_age=scenario.minimum_age, age_group=age_group, youngest=int(youngest))


def seat(players: Sequence[NewPlayer], names: dict[str, str], scenario: Scenario) -> list[Player]:
    """The players at the table. `names` are those of the profiles that may play, by id.

    A profile's player has the profile's id; guests are numbered. Raises InvalidValueError, with the path of
    what is wrong: an unknown profile or character, a player or a character that comes twice, a guest without
    a name.
    """
    characters = {character.id for character in scenario.characters}
    seated: list[Player] = []
    for index, each in enumerate(players):
        where = f"players[{index}]"
        player_id = each.profile_id or f"guest-{index + 1}"
        if each.profile_id is not None and each.profile_id not in names:
            _refuse(f"{where}.profileId", "the account has no such profile")
        if each.profile_id is None and each.name is None:
            _refuse(f"{where}.name", "a guest has a name")
        if each.character_id is not None and each.character_id not in characters:
            _refuse(f"{where}.characterId", "the story has no such character")
        if any(player_id == other.id for other in seated):
            _refuse(f"{where}.profileId", "this profile plays already")
        if each.character_id is not None and any(each.character_id == other.character_id for other in seated):
            _refuse(f"{where}.characterId", "another player is this character")
        name = each.name or names.get(player_id, "")
        seated.append(
            Player(id=player_id, name=name, profile_id=each.profile_id, character_id=each.character_id)
        )
    return seated


def _refuse(field: str, reason: str) -> None:
    raise InvalidValueError(field=field, reason=reason)


def choose(session: GameSession, story: Story, asked: Choose, at: dt.datetime) -> list[Event]:
    """What a choice leads to."""
    scene = _scene_to_leave(session, story, asked)
    _require_way(scene, "a choice")
    if asked.branch >= len(scene.branches):
        _refuse("branch", f"the scene has {len(scene.branches)} branches, counted from 0")
    branch = scene.branches[asked.branch]
    made = ChoiceMade(
        at=at,
        scene_id=scene.id,
        branch=asked.branch,
        choice=branch.choice,
        next_scene_id=branch.next_scene,
        player_id=_player_of(session, scene, asked.player_id),
        echo=_echo(branch),
        movement=_movement(branch),
    )
    return _followed(session, story, made)


def roll(session: GameSession, story: Story, asked: Roll, value: int, at: dt.datetime) -> list[Event]:
    """What a throw of `value` leads to: at or above the difficulty the first branch, else the second."""
    scene = _scene_to_leave(session, story, asked)
    _require_way(scene, "a roll")
    # The content rules ask for a difficulty and for two branches. A story that slipped by is still left by
    # the one way that it has.
    difficulty = 1.0 if scene.difficulty is None else scene.difficulty
    has_succeeded = value >= difficulty
    branch = scene.branches[0 if has_succeeded or len(scene.branches) == 1 else 1]
    thrown = DiceRolled(
        at=at,
        scene_id=scene.id,
        value=value,
        difficulty=difficulty,
        has_succeeded=has_succeeded,
        choice=branch.choice,
        next_scene_id=branch.next_scene,
        player_id=_player_of(session, scene, asked.player_id),
        echo=_echo(branch),
        movement=_movement(branch),
    )
    return _followed(session, story, thrown)


def read_on(session: GameSession, story: Story, asked: ReadOn, at: dt.datetime) -> list[Event]:
    """What follows a scene that asks nothing."""
    scene = _scene_to_leave(session, story, asked)
    _require_way(scene, "reading on")
    # An end completes its session when it is reached, and then no scene is left any more.
    left = SceneLeft(at=at, scene_id=scene.id, next_scene_id=scene.next_scene or "")
    return _followed(session, story, left)


def way_of(scene: Scene) -> str:
    """How a scene is left, in words: an end is not."""
    if scene.branches:
        return "a roll" if scene.type == "roll" else "a choice"
    return "nothing: it is an end" if scene.is_end else "reading on"


def _require_way(scene: Scene, way: str) -> None:
    if way_of(scene) != way:
        raise WrongStepError(scene=scene.id, step=way_of(scene))


def _scene_to_leave(session: GameSession, story: Story, asked: Choose | Roll | ReadOn) -> Scene:
    _require_in_progress(session)
    is_current = asked.scene_id == session.current_scene_id
    if not is_current or asked.scene_count not in (None, session.scene_count):
        raise SceneNotCurrentError(key=session.id, scene=asked.scene_id, current=session.current_scene_id)
    scene = story.scene(session.current_scene_id)
    if scene is None:
        raise StoryChangedError(scenario=story.id, scene=session.current_scene_id)
    return scene


def _require_in_progress(session: GameSession) -> None:
    if session.status is not SessionStatus.IN_PROGRESS:
        raise NotInProgressError(key=session.id, status=session.status.value)
    _require_events(session)


def _require_events(session: GameSession) -> None:
    if not session.events:
        raise NotPlayableError(key=session.id)


def _player_of(session: GameSession, scene: Scene, named: str | None) -> str:
    """For whom a step counts: who holds the active character, else who was named, else the owner."""
    if named is not None and named not in (session.profile_id, *(each.id for each in session.players)):
        _refuse("playerId", "nobody of this id plays")
    holders = (each.id for each in session.players if each.character_id == scene.active_character)
    holder = next(holders, None) if scene.active_character is not None else None
    return holder or named or session.profile_id


def _echo(branch: Branch) -> Echo | None:
    log = branch.echo_log
    if log is None:
        return None
    return Echo(echo_type=log.echo_type, description=log.description, strength=log.strength)


def _movement(branch: Branch) -> Movement | None:
    change = branch.compass_change
    if change is None:
        return None
    return Movement(axis=change.axis, delta=change.delta, developmental_link=change.developmental_link)


def _followed(session: GameSession, story: Story, step: ChoiceMade | DiceRolled | SceneLeft) -> list[Event]:
    return [step, *_entering(extend(session, [step]), story, step.at)]


def _entering(session: GameSession, story: Story, at: dt.datetime) -> list[Event]:
    """What entering the present scene brings with it: reveals, and the end where it is one."""
    scene = story.scene(session.current_scene_id)
    if scene is None:
        raise StoryChangedError(scenario=story.id, scene=session.current_scene_id)
    events: list[Event] = [*_reveals(session, story, scene.id, at)]
    if scene.is_end:
        events.append(SessionCompleted(at=at))
    return events


def _reveals(session: GameSession, story: Story, scene_id: str, at: dt.datetime) -> list[EchoRevealed]:
    made = {(each.declared_in, each.number) for each in session.reveal_history}
    revealed = []
    for declared_in, number, reveal in story.reveals(scene_id):
        echo = _newest(session, reveal.echo_type, reveal.min_strength, reveal.max_age_scenes)
        if echo is None or (declared_in, number) in made:
            continue
        shown = Echo(echo_type=echo.echo_type, description=echo.description, strength=echo.strength)
        revealed.append(
            EchoRevealed(
                at=at,
                scene_id=scene_id,
                declared_in=declared_in,
                number=number,
                echo=shown,
                echo_scene_id=echo.scene_id,
                mechanic=reveal.reveal_mechanic,
                is_required=reveal.required,
            )
        )
    return revealed


def _newest(session: GameSession, echo_type: str, strength: float, max_age: int) -> EchoLeft | None:
    """The latest echo that is strong enough and was left at most `max_age` scenes before the present one."""
    for echo in reversed(session.echo_history):
        if session.scene_count - echo.scene_number > max_age:
            return None
        if echo.echo_type == echo_type and echo.strength >= strength:
            return echo
    return None


def pause(session: GameSession, at: dt.datetime) -> list[Event]:
    """The session is laid aside."""
    _require_in_progress(session)
    return [SessionPaused(at=at)]


def resume(session: GameSession, at: dt.datetime) -> list[Event]:
    """The session is taken up again."""
    if session.status is not SessionStatus.PAUSED:
        raise NotPausedError(key=session.id, status=session.status.value)
    _require_events(session)
    return [SessionResumed(at=at)]


def complete(session: GameSession, at: dt.datetime) -> list[Event]:
    """The players end the story where they are, and what they played counts; once complete, nothing more."""
    if session.status is SessionStatus.COMPLETED:
        return []
    _require_live(session)
    return [SessionCompleted(at=at, was_asked_for=True)]


def abandon(session: GameSession, at: dt.datetime) -> list[Event]:
    """The players give the story up, and nothing counts; nothing more once it is abandoned."""
    if session.status is SessionStatus.ABANDONED:
        return []
    _require_live(session)
    return [SessionAbandoned(at=at)]


def _require_live(session: GameSession) -> None:
    if not session.status.is_live:
        raise SessionEndedError(key=session.id, status=session.status.value)
    _require_events(session)
