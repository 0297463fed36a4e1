"""What a tracking is: one movement of one player along one axis, kept for those who study them."""

import datetime as dt

from mystira.domain.records import Entity


class CompassTracking(Entity, frozen=True, kw_only=True, rename="camel"):
    """One movement. Guests have no profile. `id` names the session and the number of the event there."""

    axis: str
    game_session_id: str
    scenario_id: str
    delta: float
    at: dt.datetime
    profile_id: str | None = None


def tracking_key(session_id: str, number: int) -> str:
    """The one key under which the movement by the event of that number can be."""
    return f"{session_id}:{number:05}"
