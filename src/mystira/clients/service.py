"""One request and its answer; whoever wants to try again does so on top of this."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import IO, Any, Final, Self

import aiohttp
import msgspec

from mystira.clients.errors import ProblemError, UnreachableError
from mystira.clients.service_tokens import Credentials

ANSWER_SECONDS: Final = 30.0
CONNECTIONS: Final = 200
_CHUNK: Final = 1024 * 1024
_LOST: Final = (aiohttp.ClientError, TimeoutError, asyncio.IncompleteReadError, OSError)
"""How a connection ends without an answer."""


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What a service answered. `body` is the JSON of it, None where there was none.

    `replayed`: nothing was created, for it was there already.
    """

    status: int
    body: Any
    etag: str | None
    replayed: bool = False


class _Problem(msgspec.Struct, frozen=True, kw_only=True):
    """The members of a problem document that are looked at; all may be missing."""

    code: str = ""
    title: str = ""
    detail: str = ""
    reasons: tuple[str, ...] = ()
    findings: tuple[dict[str, Any], ...] = ()


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
        cls,
        url: str,
        credentials: Credentials | None = None,
        *,
        seconds: float = ANSWER_SECONDS,
        headers: Mapping[str, str] | None = None,
    ) -> AsyncIterator[Self]:
        """The service there, each answer of which is waited for so long; connections end with the block.

        `headers` go with every request that has none of that name.
        """
        timeout = aiohttp.ClientTimeout(total=seconds, connect=min(seconds, 10.0))
        connector = aiohttp.TCPConnector(limit=CONNECTIONS)
        async with aiohttp.ClientSession(
            timeout=timeout, connector=connector, middlewares=(_once,), headers=headers
        ) as session:
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
        if content is None:
            return await self._ask(method, path, None, query, dict(headers or {}))
        sent = {**(headers or {}), "Content-Type": "application/json"}
        return await self._ask(method, path, msgspec.json.encode(content), query, sent)

    async def send(
        self,
        method: str,
        path: str,
        data: bytes | Path,
        *,
        media_type: str,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send bytes, from memory or from a file. Raises as `ask`."""
        sent = {**(headers or {}), "Content-Type": media_type}
        if isinstance(data, bytes):
            return await self._ask(method, path, data, query, sent)
        with await asyncio.to_thread(data.open, "rb") as file:
            return await self._ask(method, path, file, query, sent)

    async def save(self, path: str, to: IO[bytes], *, query: Mapping[str, str] | None = None) -> int:
        """Write the bytes that are answered to a file. Returns how many there were. Raises as `ask`."""
        size = 0
        async with self._answered("GET", path, None, query, {}) as response:
            try:
                async for chunk in response.content.iter_chunked(_CHUNK):
                    await asyncio.to_thread(to.write, chunk)
                    size += len(chunk)
            except _LOST as error:
                raise UnreachableError(url=self.url + path, reason=_reason(error)) from error
        return size

    async def _ask(
        self, method: str, path: str, data: Any, query: Mapping[str, str] | None, sent: dict[str, str]
    ) -> Answer:
        async with self._answered(method, path, data, query, sent) as response:
            try:
                text = await response.read()
                body = msgspec.json.decode(text) if text else None
            except msgspec.DecodeError as error:
                raise UnreachableError(
                    url=self.url + path, reason="what answers there speaks no JSON"
                ) from error
            except _LOST as error:
                raise UnreachableError(url=self.url + path, reason=_reason(error)) from error
        return Answer(
            status=response.status,
            body=body,
            etag=response.headers.get("ETag"),
            replayed="Idempotency-Replayed" in response.headers,
        )

    @contextlib.asynccontextmanager
    async def _answered(
        self, method: str, path: str, data: Any, query: Mapping[str, str] | None, sent: dict[str, str]
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """The answer to one request, once it is known to be a success."""
        shown = None if self._credentials is None else self._credentials.header(path)
        if shown is not None:
            sent.setdefault("Authorization", shown)
        url = self.url + path
        try:
            response = await self._session.request(method, url, data=data, params=query, headers=sent)
        except _LOST as error:
            raise UnreachableError(url=url, reason=_reason(error)) from error
        async with response:
            if response.status >= 400:
                raise _problem(response, await _text(response, url))
            yield response


async def _once(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Keep aiohttp from sending a GET, PUT or DELETE again by itself when its connection was lost.

    The first one may have had its effect, and whoever asked would be told of the second alone: a deletion
    that happened is then refused as not found, with nothing to show that it is one's own. Raises
    UnreachableError, which is none of those that aiohttp looks out for.
    """
    try:
        return await handler(request)
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise UnreachableError(url=str(request.url.with_query(None)), reason=_reason(error)) from error


async def _text(response: aiohttp.ClientResponse, url: str) -> bytes:
    try:
        return await response.read()
    except _LOST as error:
        raise UnreachableError(url=url, reason=_reason(error)) from error


def _reason(error: BaseException) -> str:
    if isinstance(error, TimeoutError):
        return "it took too long"
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
        findings=problem.findings,
        retry_after=_seconds(response.headers.get("Retry-After")),
    )


def _seconds(text: str | None) -> float | None:
    """Seconds to wait; a date, which the header may also give, counts as not said."""
    try:
        return None if text is None else max(float(text), 0.0)
    except ValueError:
        return None
