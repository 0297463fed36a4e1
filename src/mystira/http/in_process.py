"""How a service asks another one that runs in the same process: as over a socket, without the socket.

The request takes the whole way through the application, token, route and all, so that nothing is different
once the two run apart.
"""

import contextlib
from collections.abc import AsyncIterator, Mapping
from typing import Any
from urllib.parse import urlencode

import msgspec

from mystira.clients.errors import ProblemError, UnreachableError
from mystira.clients.service import Answer
from mystira.clients.service_tokens import Credentials
from mystira.http.entrance import Application, Message
from mystira.http.operations import header_of


class Neighbour:
    """The application of this process, once it is put together (`move_in`)."""

    def __init__(self, credentials: Credentials) -> None:
        self._credentials = credentials
        self._application: Application | None = None

    def move_in(self, application: Application) -> None:
        """Be the application that is asked from now on."""
        self._application = application

    @contextlib.asynccontextmanager
    async def reach(self) -> AsyncIterator["Neighbour"]:
        """Itself, for as long as a block (`mystira.clients.app_api.Reach`)."""
        yield self

    async def ask(
        self,
        method: str,
        path: str,
        *,
        content: object = None,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """See `mystira.clients.service.Service.ask`."""
        if self._application is None:
            raise UnreachableError(url=path, reason="nothing is served here yet")
        body = b"" if content is None else msgspec.json.encode(content)
        sent = {"content-type": "application/json", "content-length": str(len(body)), **(headers or {})}
        if (shown := self._credentials.header(path)) is not None:
            sent["authorization"] = shown
        answered: list[Message] = []
        requests = iter([{"type": "http.request", "body": body, "more_body": False}])

        async def receive() -> Message:
            return next(requests, {"type": "http.disconnect"})

        async def send(message: Message) -> None:
            answered.append(message)

        await self._application(_scope(method, path, query or {}, sent), receive, send)
        return _answer(answered)


def _scope(method: str, path: str, query: Mapping[str, str], headers: Mapping[str, str]) -> dict[str, Any]:
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": urlencode(query).encode(),
        "headers": [
            (b"host", b"localhost"),
            *((name.lower().encode(), value.encode()) for name, value in headers.items()),
        ],
        "client": ("127.0.0.1", 0),
        "server": ("127.0.0.1", 0),
        "state": {},
    }


def _answer(answered: list[Message]) -> Answer:
    """Raises ProblemError for every answer that is not a success."""
    start, parts = answered[0], answered[1:]
    text = b"".join(each.get("body", b"") for each in parts)
    body = msgspec.json.decode(text) if text else None
    status = int(start["status"])
    if status >= 400:
        problem = body if isinstance(body, dict) else {}
        raise ProblemError(
            status=status,
            code=str(problem.get("code", "")),
            detail=str(problem.get("detail", "")),
            findings=tuple(problem.get("findings", ())),
        )
    return Answer(status=status, body=body, etag=header_of(start["headers"], b"etag"))
