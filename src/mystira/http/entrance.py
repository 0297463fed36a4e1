"""The door through which every request comes: gives it a correlation id, and notes what went wrong or slowly.

Logs name the operation and never what was asked for: no path with its ids, no query string, no body, and of
an error only where it arose, since its text may quote what a person sent.
"""

import contextvars
import re
import time
import traceback
import uuid
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from typing import Any, Final

import msgspec
import structlog
from litestar import Request, Response

from manystore.errors import DrainingError, UnavailableError
from mystira.http.operations import NOT_KEPT, header_of
from mystira.http.problems import MEDIA_TYPE, ProblemError
from mystira.http.refusals import refusal

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

SLOW_SECONDS: Final = 0.5
_ACCEPTED: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")
_FRAMES: Final = 30

log = structlog.get_logger(__name__)
_correlation_id: contextvars.ContextVar[str] = contextvars.ContextVar("correlation_id")


class Entrance:
    """Wraps the whole application, so that nothing is answered without a correlation id."""

    def __init__(self, application: Application) -> None:
        self._application = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._application(scope, receive, send)
            return
        given = header_of(scope["headers"], b"x-correlation-id")
        known = given if given is not None and _ACCEPTED.fullmatch(given) else uuid.uuid4().hex
        _correlation_id.set(known)
        structlog.contextvars.bind_contextvars(correlation_id=known)
        began, status = time.perf_counter(), 0
        added = [(b"x-correlation-id", known.encode()), (b"x-content-type-options", b"nosniff")]

        async def send_named(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], *added]
            await send(message)

        try:
            await self._application(scope, receive, send_named)
        except Exception as error:  # noqa: BLE001 - the last place where anything can be answered
            note_failure(error)
            if not status:
                await _send_plainly(scope, send_named, error)
        seconds = time.perf_counter() - began
        if status >= 500 or seconds > SLOW_SECONDS:
            _note_request(scope, status, seconds)


def answer_problem(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """The answer to a request that ended in an error."""
    refused = refusal(error)
    if refused.code.status == 500:
        note_failure(error)
    elif isinstance(error, UnavailableError) and not isinstance(error, DrainingError):
        log.warning("request.unavailable", subject=error.subject, reason=error.reason)
    headers = {"Cache-Control": NOT_KEPT, **refused.headers}
    return Response(
        content=_body(refused, request.scope["path"]),
        status_code=refused.code.status,
        media_type=MEDIA_TYPE,
        headers=headers,
    )


def note_failure(error: BaseException) -> None:
    """Write down which error arose and where, without its text."""
    log.error("request.error", error=list(_chain(error)))


def _chain(error: BaseException | None) -> Iterator[dict[str, Any]]:
    while error is not None:
        frames = traceback.extract_tb(error.__traceback__)[-_FRAMES:]
        where = [f"{frame.filename}:{frame.lineno} in {frame.name}" for frame in frames]
        yield {"type": f"{type(error).__module__}.{type(error).__qualname__}", "where": where}
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def _body(refused: ProblemError, path: str) -> bytes:
    # What cannot be written as UTF-8 was percent-encoded, and is so again.
    instance = path.encode("utf-8", "backslashreplace").decode()[:500]
    problem = refused.problem(instance=instance, correlation_id=_correlation_id.get(""))
    return msgspec.json.encode(problem)


async def _send_plainly(scope: Scope, send: Send, error: Exception) -> None:
    """The answer where the framework itself failed."""
    refused = refusal(error)
    body, headers = plain_refusal(refused, path=scope["path"])
    await send({"type": "http.response.start", "status": refused.code.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def plain_refusal(refused: ProblemError, *, path: str) -> tuple[bytes, list[tuple[bytes, bytes]]]:
    """The body and the headers of a refusal, for where there is no framework to write them."""
    body = _body(refused, path)
    headers = [
        (b"content-type", MEDIA_TYPE.encode()),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", NOT_KEPT.encode()),
    ]
    return body, headers


def _note_request(scope: Scope, status: int, seconds: float) -> None:
    route = scope.get("path_template") or "unknown"
    told = log.error if status == 500 else log.warning if status > 500 else log.info
    told("request", method=scope["method"], route=route, status=status, milliseconds=round(seconds * 1000))
