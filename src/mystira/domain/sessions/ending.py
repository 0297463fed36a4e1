"""What the end of a session brings: scores, badges, a note in the account, and trackings; each exactly once.

It is done at once by whoever ends the session, so that the players see it, and again by a follower of the
change log, so that it is done although the process died in between. Each part may be repeated, by any number
at a time, and then changes nothing.
"""

import asyncio
import contextlib
from typing import Final

import msgspec

from manystore.errors import VersionConflictError
from manystore.records import Record
from manystore.repository import Stored
from manystore.specifications import field
from mystira.domain.accounts.use_cases import complete_scenario
from mystira.domain.badges.model import Badge
from mystira.domain.badges.use_cases import award_reached
from mystira.domain.compass.model import CompassTracking, tracking_key
from mystira.domain.compass.use_cases import keep_trackings
from mystira.domain.errors import ContendedError, NotFoundError
from mystira.domain.profiles.use_cases import read_profile
from mystira.domain.records import ATTEMPTS, read_record
from mystira.domain.scores.use_cases import all_scores, keep_score, totals
from mystira.domain.sessions.events import BadgeEarned, ChoiceMade, DiceRolled
from mystira.domain.sessions.fold import extend
from mystira.domain.sessions.model import GameSession, SessionStatus
from mystira.domain.sessions.play import Play

ENDED: Final = field("status").is_in([SessionStatus.COMPLETED.value, SessionStatus.ABANDONED.value])
"""The sessions from which anything follows: nearly all changes are steps of one that goes on."""


async def follow_session(play: Play, record: Record) -> None:
    """What follows from a session that has ended, for a follower of the change log."""
    if record.content is None or not record.content.get("events"):
        # Deleted, or of a former system, whose sessions were settled there.
        return
    session = msgspec.convert(record.content, GameSession)
    if session.status.is_live:
        return
    if session.status is SessionStatus.COMPLETED:
        await settle_end(play, Stored(record.key, record.version, session, record))
    await keep_trackings(play.trackings, await _allowed(play, trackings_of(session)))


async def settle_end(play: Play, stored: Stored[GameSession]) -> Stored[GameSession]:
    """Give a completed session's players their scores and badges; the session, which names the badges.

    Raises ContendedError, and UnavailableError (manystore.errors); done again, it goes on where it ended.
    """
    # Side by side, for somebody waits: neither needs the other, and each may be repeated.
    brought, _ = await asyncio.gather(
        _settle_profiles(play, stored.value), _note_in_account(play, stored.value)
    )
    return await _name_badges(play, stored, brought)


async def _note_in_account(play: Play, session: GameSession) -> None:
    # An account that has gone has nothing to note it in.
    with contextlib.suppress(NotFoundError):
        await complete_scenario(play.accounts, session.account_id, session.scenario_id, clock=play.clock)


async def _settle_profiles(play: Play, session: GameSession) -> list[tuple[str, Badge]]:
    """The badges that the session brought, each with whose it is."""
    brought: list[tuple[str, Badge]] = []
    for profile_id in session.profile_ids:
        brought += [(profile_id, badge) for badge in await _settle_profile(play, session, profile_id)]
    return brought


async def _settle_profile(play: Play, session: GameSession, profile_id: str) -> list[Badge]:
    """Keep a profile's score, and give it what all its scores reach; the badges that this session brought."""
    own = session.player_compass_totals.get(profile_id, {})
    scores = await all_scores(play.scores, profile_id)
    if all(score.scenario_id != session.scenario_id for score in scores):
        await keep_score(
            play.scores,
            profile_id,
            session.scenario_id,
            own,
            session_id=session.id,
            account_id=session.account_id,
            now=play.clock.now(),
        )
        # Read after our own was kept: of two stories that end at once, the later one sees both.
        scores = await all_scores(play.scores, profile_id)
    try:
        profile = (await read_profile(play.profiles, profile_id)).value
        return await award_reached(
            play.badges,
            play.profiles,
            profile,
            totals(score.axis_scores for score in scores),
            session_id=session.id,
            scenario_id=session.scenario_id,
            clock=play.clock,
            maker=play.maker,
        )
    except NotFoundError:
        # A profile that was deleted earns nothing any more.
        return []


async def _name_badges(
    play: Play, stored: Stored[GameSession], brought: list[tuple[str, Badge]]
) -> Stored[GameSession]:
    """Write into the session which badges it brought, each once."""
    for _ in range(ATTEMPTS):
        session = stored.value
        named = {(each.profile_id, each.badge_id) for each in session.achievements}
        at = max(play.clock.now(), session.events[-1].at)
        events = [
            BadgeEarned(
                at=at,
                profile_id=profile_id,
                badge_id=badge.id,
                axis=badge.axis,
                tier=badge.tier,
                title=badge.title,
                image_id=badge.image_id,
            )
            for profile_id, badge in brought
            if (profile_id, badge.id) not in named
        ]
        if not events:
            return stored
        try:
            return await play.sessions.change(stored, extend(session, events))
        except VersionConflictError:
            stored = await read_record(play.sessions, stored.key)
    raise ContendedError(kind=play.sessions.kind.name, key=stored.key, attempts=ATTEMPTS)


async def _allowed(play: Play, movements: list[CompassTracking]) -> list[CompassTracking]:
    """Those that may be kept: of guests, who are nobody to us, and of profiles that may be tracked."""
    ids = {each.profile_id for each in movements if each.profile_id is not None}
    tracked = {profile_id for profile_id in ids if await play.may_track(profile_id)}
    return [each for each in movements if each.profile_id is None or each.profile_id in tracked]


def trackings_of(session: GameSession) -> list[CompassTracking]:
    """The movements in a session, in order, each under a key of its own."""
    profiles = {player.id: player.profile_id for player in session.players}
    profiles[session.profile_id] = session.profile_id
    return [
        CompassTracking(
            id=tracking_key(session.id, number),
            created_at=event.at,
            updated_at=event.at,
            axis=event.movement.axis,
            profile_id=profiles.get(event.player_id),
            game_session_id=session.id,
            scenario_id=session.scenario_id,
            delta=event.movement.delta,
            at=event.at,
        )
        for number, event in enumerate(session.events)
        if isinstance(event, (ChoiceMade, DiceRolled)) and event.movement is not None
    ]
