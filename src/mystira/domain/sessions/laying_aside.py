"""Pausing what somebody plays who may not play any more, until it is allowed again."""

from manystore.specifications import Specification, field
from mystira.domain.errors import NotFoundError
from mystira.domain.sessions.errors import NotInProgressError, NotPlayableError
from mystira.domain.sessions.model import SessionStatus
from mystira.domain.sessions.play import Play
from mystira.domain.sessions.use_cases import pause

_PAGE = 100


async def lay_aside(play: Play, account_id: str, profile_id: str) -> int:
    """Pause each session in progress of the account in which the profile plays, whoever owns it.

    Returns how many were paused. Raises ContendedError; done again, it goes on where it ended.
    """
    paused, continuation = 0, None
    where = (field("accountId") == account_id) & (field("status") == SessionStatus.IN_PROGRESS.value)
    while True:
        found = await play.sessions.find(Specification(where=where, limit=_PAGE, continuation=continuation))
        for stored in found.items:
            if profile_id.lower() not in {each.lower() for each in stored.value.profile_ids}:
                continue
            try:
                await pause(play, stored.key)
            except (NotFoundError, NotInProgressError, NotPlayableError):
                # It ended meanwhile, or comes from a former system and cannot be played on as it is.
                continue
            paused += 1
        continuation = found.continuation
        if continuation is None:
            return paused
