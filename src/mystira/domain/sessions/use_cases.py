"""The steps of a play. Whoever writes the session first wins; whoever comes second is told where it stands.

A step is decided on the session as it was read (`rules`), and written only if nobody wrote in between. Else
it is decided anew, on the scene that it was asked for: so of two choices that are made at once, one is made.
Whoever has just read the session may hand it over as `known`, and spares a reading: were it old, the write
would not be made.
"""

import contextlib
import datetime as dt
from collections.abc import Callable

from msgspec import Struct

from manystore.errors import ManystoreError, VersionConflictError
from manystore.repository import Stored
from mystira.domain.errors import ContendedError, DomainError, NotFoundError
from mystira.domain.records import ATTEMPTS, read_record
from mystira.domain.sessions import rules
from mystira.domain.sessions.ending import settle_end
from mystira.domain.sessions.errors import SceneNotCurrentError, StoryChangedError
from mystira.domain.sessions.events import BadgeEarned, Event
from mystira.domain.sessions.fold import extend
from mystira.domain.sessions.model import Choose, GameSession, ReadOn, Roll, SessionStatus
from mystira.domain.sessions.play import MayJoin, Play
from mystira.domain.sessions.stories import Story

Decide = Callable[[GameSession, Story | None, dt.datetime], list[Event]]
"""What happens, seen from a session as it stands; without a story where that has gone."""
Known = Stored[GameSession] | None
DecideScene = Callable[[GameSession, Story, dt.datetime], list[Event]]


class Step(Struct, frozen=True, kw_only=True):
    """A step that was taken: the session after it, and what happened, in order.

    `are_badges_pending` where the session is complete and its badges could not be given at once: they follow.
    """

    stored: Stored[GameSession]
    story: Story | None
    events: list[Event]
    are_badges_pending: bool = False


async def choose(play: Play, session_id: str, asked: Choose, *, known: Known = None) -> Step:
    """Take a branch of the current scene.

    Raises NotFoundError, NotInProgressError, SceneNotCurrentError, WrongStepError, InvalidValueError,
    StoryChangedError, NotPlayableError, ContendedError; so do `read_on` and `roll`.
    """

    def decide(session: GameSession, story: Story, at: dt.datetime) -> list[Event]:
        return rules.choose(session, story, asked, at)

    return await _leave_scene(play, session_id, asked, decide, known)


async def read_on(play: Play, session_id: str, asked: ReadOn, *, known: Known = None) -> Step:
    """Leave a scene that asks nothing."""

    def decide(session: GameSession, story: Story, at: dt.datetime) -> list[Event]:
        return rules.read_on(session, story, asked, at)

    return await _leave_scene(play, session_id, asked, decide, known)


async def roll(play: Play, session_id: str, asked: Roll, *, known: Known = None) -> Step:
    """Throw the d20 for the current scene."""
    # Thrown once: a second look at the session is no second chance.
    value = play.dice.randint(1, rules.D20)

    def decide(session: GameSession, story: Story, at: dt.datetime) -> list[Event]:
        return rules.roll(session, story, asked, value, at)

    return await _leave_scene(play, session_id, asked, decide, known)


async def pause(play: Play, session_id: str) -> Step:
    """Lay the session aside. Raises NotFoundError, NotInProgressError, NotPlayableError, ContendedError."""
    return await _take(play, session_id, lambda session, _, at: rules.pause(session, at))


async def resume(play: Play, session_id: str, *, may_join: MayJoin) -> Step:
    """Take the session up again. Raises NotFoundError, NotPausedError, NotPlayableError, ContendedError, and
    what `may_join` raises of those who play.
    """
    await _require_players(play, session_id, may_join)
    step = await _take(play, session_id, lambda session, _, at: rules.resume(session, at))
    try:
        # Once more: what was taken back meanwhile found nothing to lay aside.
        await _require_players(play, session_id, may_join)
    except DomainError:
        await pause(play, session_id)
        raise
    return step


async def _require_players(play: Play, session_id: str, may_join: MayJoin) -> None:
    session = (await read_record(play.sessions, session_id)).value
    for key in session.profile_ids:
        stored = await play.profiles.get(key)
        if stored is not None:
            await may_join(stored.value)


async def complete(play: Play, session_id: str) -> Step:
    """End the story where the players are, so that it counts. Of a session that is complete, nothing changes.

    Raises NotFoundError, SessionEndedError, NotPlayableError, ContendedError.
    """
    return await _take(play, session_id, lambda session, _, at: rules.complete(session, at))


async def abandon(play: Play, session_id: str) -> Step:
    """Give the story up. Of a session that is abandoned, nothing changes.

    Raises NotFoundError, SessionEndedError, NotPlayableError, ContendedError.
    """
    return await _take(play, session_id, lambda session, _, at: rules.abandon(session, at))


async def _leave_scene(
    play: Play, session_id: str, asked: Choose | ReadOn | Roll, decide: DecideScene, known: Known
) -> Step:
    """Take a step out of the scene that is current now, and out of no later visit of the same scene."""
    visit = asked.scene_count

    def decide_once(session: GameSession, story: Story | None, at: dt.datetime) -> list[Event]:
        nonlocal visit
        if visit not in (None, session.scene_count):
            current = session.current_scene_id
            raise SceneNotCurrentError(key=session.id, scene=asked.scene_id, current=current)
        if story is None:
            raise StoryChangedError(scenario=session.scenario_id, scene=session.current_scene_id)
        events = decide(session, story, at)
        visit = session.scene_count
        return events

    return await _take(play, session_id, decide_once, known)


async def _take(play: Play, session_id: str, decide: Decide, known: Known = None) -> Step:
    if known is not None:
        # Refusals are left to a fresh reading.
        with contextlib.suppress(DomainError, VersionConflictError):
            return await _try(play, known, decide)
    for _ in range(ATTEMPTS):
        try:
            return await _try(play, await read_record(play.sessions, session_id), decide)
        except VersionConflictError:
            continue
    raise ContendedError(kind=play.sessions.kind.name, key=session_id, attempts=ATTEMPTS)


async def _try(play: Play, stored: Stored[GameSession], decide: Decide) -> Step:
    """Take a step from the session as it was read. Raises VersionConflictError where it is another by now."""
    session, story = stored.value, await story_of(play, stored.value)
    events = decide(session, story, _moment(play, session))
    if not events:
        return Step(stored=stored, story=story, events=[])
    changed = await play.sessions.change(stored, extend(session, events))
    return await _with_badges(play, Step(stored=changed, story=story, events=events))


async def story_of(play: Play, session: GameSession) -> Story | None:
    """The story that a session plays, or None where it has gone: even then the session can be ended."""
    try:
        return await play.stories.story(session.scenario_id)
    except NotFoundError:
        return None


def _moment(play: Play, session: GameSession) -> dt.datetime:
    """Now, but never before what happened last: clocks of different machines do not agree."""
    now = play.clock.now()
    return max(now, session.events[-1].at) if session.events else now


async def _with_badges(play: Play, step: Step) -> Step:
    """The step with what the end of the session brought, so that its players see it at once."""
    if step.stored.value.status is not SessionStatus.COMPLETED:
        return step
    try:
        stored = await settle_end(play, step.stored)
    except (ManystoreError, DomainError):
        # The session is complete, and the change log knows: what it brings follows by itself, or whoever
        # follows the log tells why not.
        return Step(stored=step.stored, story=step.story, events=step.events, are_badges_pending=True)
    known = len(step.stored.value.events)
    earned = [each for each in stored.value.events[known:] if isinstance(each, BadgeEarned)]
    return Step(stored=stored, story=step.story, events=[*step.events, *earned])
