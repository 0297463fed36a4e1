"""One request and its answer; whoever wants to try again does so on top of this."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from typing import Any, Final, Self

import aiohttp
import msgspec

from mystira.clients.errors import ProblemError, UnreachableError
from mystira.clients.service_tokens import Credentials

ANSWER_SECONDS: Final = 30.0
CONNECTIONS: Final = 200


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What a service answered. `body` is the JSON of it, None where there was none."""

    status: int
    body: Any
    etag: str | None


class _Problem(msgspec.Struct, frozen=True, kw_only=True):
    """The members of a problem document that are looked at; all may be missing."""

    code: str = ""
    title: str = ""
    detail: str = ""
    reasons: tuple[str, ...] = ()


class Service:
    """A service at an address, such as `http://127.0.0.1:8080`, asked by whom the credentials show."""

    def __init__(
        self, session: aiohttp.ClientSession, url: str, credentials: Credentials | None = None
    ) -> None:
        self.url: Final = url.rstrip("/")
        self._session, self._credentials = session, credentials

    @classmethod
    @contextlib.asynccontextmanager
    async def at(
        cls, url: str, credentials: Credentials | None = None, *, seconds: float = ANSWER_SECONDS
    ) -> AsyncIterator[Self]:
        """The service there, each answer of which is waited for so long; connections end with the block."""
        timeout = aiohttp.ClientTimeout(total=seconds, connect=min(seconds, 10.0))
        connector = aiohttp.TCPConnector(limit=CONNECTIONS)
        async with aiohttp.ClientSession(timeout=timeout, connector=connector) as session:
            yield cls(session, url, credentials)

    async def ask(
        self,
        method: str,
        path: str,
        *,
        content: object = None,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Ask once. Raises ProblemError for every answer that is not a success, and UnreachableError."""
        sent = dict(headers or {})
        shown = None if self._credentials is None else self._credentials.header(path)
        if shown is not None:
            sent.setdefault("Authorization", shown)
        data = None
        if content is not None:
            data, sent["Content-Type"] = msgspec.json.encode(content), "application/json"
        url = self.url + path
        try:
            async with self._session.request(method, url, data=data, params=query, headers=sent) as response:
                text = await response.read()
        except (aiohttp.ClientError, TimeoutError, asyncio.IncompleteReadError, OSError) as error:
            reason = "it took too long" if isinstance(error, TimeoutError) else _reason(error)
            raise UnreachableError(url=url, reason=reason) from error
        if response.status >= 400:
            raise _problem(response, text)
        try:
            body = msgspec.json.decode(text) if text else None
        except msgspec.DecodeError as error:
            raise UnreachableError(url=url, reason="what answers there speaks no JSON") from error
        return Answer(status=response.status, body=body, etag=response.headers.get("ETag"))


def _reason(error: BaseException) -> str:
    # What lies below says it in fewer words: "Connection refused" rather than the host twice.
    below = error.__cause__ if isinstance(error.__cause__, OSError) else error
    return getattr(below, "strerror", None) or str(below) or type(below).__name__


def _problem(response: aiohttp.ClientResponse, text: bytes) -> ProblemError:
    try:
        problem = msgspec.json.decode(text, type=_Problem)
    except msgspec.MsgspecError:
        problem = _Problem()
    return ProblemError(
        status=response.status,
        code=problem.code or f"http_{response.status}",
        detail=problem.detail or problem.title or f"{response.url} answered {response.status}",
        title=problem.title,
        reasons=problem.reasons,
        retry_after=_seconds(response.headers.get("Retry-After")),
    )


def _seconds(text: str | None) -> float | None:
    """Seconds to wait; a date, which the header may also give, counts as not said."""
    try:
        return None if text is None else max(float(text), 0.0)
    except ValueError:
        return None
