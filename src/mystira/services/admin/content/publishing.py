"""Publishing a story: judged here, where it is kept, and let loose by the App API, which serves families."""

from collections.abc import Awaitable, Callable
from typing import Final

import structlog

from manystore.errors import UnavailableError
from manystore.repository import Stored
from mystira.clients.app_api import AppApiClient
from mystira.clients.errors import ProblemError as Refused
from mystira.clients.errors import UnreachableError
from mystira.domain.errors import ContendedError, VersionMismatchError
from mystira.domain.records import ATTEMPTS
from mystira.domain.scenarios.model import Scenario
from mystira.domain.scenarios.use_cases import require_sound
from mystira.http.problems import CODES, ProblemError

_SUBJECT: Final = "appApi"
_KIND: Final = "scenarios"
_OURS: Final = ("not_signed_in", "not_allowed")

Read = Callable[[], Awaitable[Stored[Scenario]]]


async def publish_story(app: AppApiClient, read: Read, *, expected: int | None) -> None:
    """Judge a story and have the App API publish it, at the `expected` version; a published one stays so.

    Raises InvalidContentError, NotFoundError, VersionMismatchError, ContendedError, UnavailableError.
    """
    for _ in range(ATTEMPTS):
        stored = await read()
        if expected is not None and stored.version != expected:
            raise VersionMismatchError(kind=_KIND, key=stored.key, expected=expected, actual=stored.version)
        if stored.value.is_active:
            return
        require_sound(stored.value)
        if await _is_published(app, stored):
            return
        # It was changed after it was judged: judged anew, or refused above where that version was meant.
    raise ContendedError(kind=_KIND, key=stored.key, attempts=ATTEMPTS)


async def _is_published(app: AppApiClient, stored: Stored[Scenario]) -> bool:
    """Whether the App API published this very version; False where there is another one by now."""
    known = structlog.contextvars.get_contextvars()
    try:
        await app.publish(
            stored.key, stored.version, correlation_id=str(known.get("correlation_id", "unknown"))
        )
    except UnreachableError as lost:
        # Whether it was done is not known; asked again, it is done once.
        raise UnavailableError(subject=_SUBJECT, reason=lost.reason, retry_after=1.0) from lost
    except Refused as refused:
        if refused.code == "version_mismatch":
            return False
        # Keys that differ are a matter of whoever runs the platform, and none of whoever publishes.
        if refused.status >= 429 or refused.code in _OURS or refused.code not in CODES:
            reason = f"it answered {refused.status} {refused.code}"
            wait = refused.retry_after or 1.0
            raise UnavailableError(subject=_SUBJECT, reason=reason, retry_after=wait) from refused
        raise ProblemError(refused.code, refused.detail) from refused
    return True
