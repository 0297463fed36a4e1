"""How sessions are looked at: as they stand, as they stood, all of an account's; and what they lead to."""

import datetime as dt

from manystore.clock import Clock
from manystore.repository import Found, Stored
from manystore.specifications import EVERYTHING, Predicate, Specification, field
from mystira.domain.accounts.use_cases import Release
from mystira.domain.badges.use_cases import AxisProgress, badges_for, earned_ids, progress
from mystira.domain.errors import InvalidValueError, NotFoundError
from mystira.domain.profiles.model import UserProfile
from mystira.domain.records import delete_record, order_by, read_record
from mystira.domain.scores.use_cases import Scores, all_scores, release_scores, totals
from mystira.domain.sessions.errors import NotPlayableError
from mystira.domain.sessions.events import Event
from mystira.domain.sessions.fold import fold, until
from mystira.domain.sessions.model import GameSession, SessionSearch, SessionStatus
from mystira.domain.sessions.play import Play, Sessions

_LIVE = (SessionStatus.IN_PROGRESS.value, SessionStatus.PAUSED.value)


async def read_session(sessions: Sessions, session_id: str) -> Stored[GameSession]:
    """The session as it stands. Raises NotFoundError."""
    return await read_record(sessions, session_id)


def session_as_of(session: GameSession, instant: dt.datetime) -> GameSession:
    """The session as it stood at an instant.

    Raises NotFoundError where it had not begun, NotPlayableError where its events are not known.
    """
    events = until(_events(session), instant)
    if not events:
        raise NotFoundError(kind="game_sessions", key=session.id)
    return fold(events)


def session_after(session: GameSession, number: int) -> GameSession:
    """The session as it stood after so many events, of which the first is its start.

    Raises InvalidValueError for a number that it has not come to, NotPlayableError as `session_as_of`.
    """
    events = _events(session)
    if not 1 <= number <= len(events):
        raise InvalidValueError(field="at", reason=f"the session has {len(events)} events so far")
    return fold(events[:number])


def _events(session: GameSession) -> list[Event]:
    if not session.events:
        raise NotPlayableError(key=session.id)
    return session.events


async def list_sessions(sessions: Sessions, search: SessionSearch) -> Found[GameSession]:
    """One page of the sessions that satisfy the search.

    Raises InvalidSpecificationError (manystore.errors) for a continuation of another search.
    """
    where: Predicate = EVERYTHING
    if search.account_id is not None:
        where &= field("accountId") == search.account_id
    if search.profile_id is not None:
        where &= field("profileId") == search.profile_id
    if search.scenario_id is not None:
        where &= field("scenarioId") == search.scenario_id
    if search.status is not None:
        where &= field("status") == search.status.value
    if search.is_live is not None:
        live = field("status").is_in(_LIVE)
        where &= live if search.is_live else ~live
    return await sessions.find(
        Specification(
            where=where,
            order=(order_by(search.order),),
            limit=search.limit,
            continuation=search.continuation,
        )
    )


async def read_progress(play: Play, profile: UserProfile) -> list[AxisProgress]:
    """How far a profile is to its next badges, what is being played just now included."""
    scores = await all_scores(play.scores, profile.id)
    counted = {score.scenario_id for score in scores}
    summed = totals(score.axis_scores for score in scores)
    moved = [
        session.player_compass_totals.get(profile.id, {})
        for session in await _live_sessions(play.sessions, profile.account_id)
        # A story that counts already brings nothing when it is played again.
        if session.scenario_id not in counted
    ]
    return progress(
        await badges_for(play.badges, profile.age_group),
        summed,
        totals([summed, *moved]),
        earned_ids(profile.earned_badges),
    )


async def _live_sessions(sessions: Sessions, account_id: str | None) -> list[GameSession]:
    """What an account plays just now: the latest, of which a family has a few."""
    if account_id is None:
        return []
    search = SessionSearch(account_id=account_id, is_live=True, limit=50)
    return [stored.value for stored in (await list_sessions(sessions, search)).items]


def sessions_release(sessions: Sessions, scores: Scores, *, clock: Clock) -> Release:
    """What deletes an account's sessions before the account itself goes; their scores stay without them."""

    async def release(account_id: str) -> int:
        released = 0
        own = Specification(where=field("accountId") == account_id, limit=100)
        while items := (await sessions.find(own)).items:
            for stored in items:
                await release_scores(scores, stored.key, now=clock.now())
                try:
                    await delete_record(sessions, stored.key)
                except NotFoundError:
                    continue
                released += 1
        return released

    return release
