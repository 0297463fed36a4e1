"""HTTP requests at the least cost to whoever asks, so that what is measured is who answers.

A client of the usual kind takes as long over a request as a service does. This one keeps some connections
open, sends requests that were spelled beforehand, and looks at no more of an answer than where it ends.
"""

import asyncio
import functools
from collections.abc import Iterator, Sequence
from typing import Any, cast

_SECONDS = 120.0
_END = b"\r\n\r\n"
_LENGTH = b"content-length:"
_GOOD = b"HTTP/1.1 200 "


class _Connection(asyncio.Protocol):
    """Asks one request after the other, from an iterator that all connections share."""

    def __init__(self, requests: Iterator[bytes], ended: asyncio.Future[None]) -> None:
        self._requests, self._ended = requests, ended
        self._transport: asyncio.WriteTransport | None = None
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask the first."""
        # That of uvloop has the methods, and not the class.
        self._transport = cast(asyncio.WriteTransport, transport)
        self._ask()

    def data_received(self, data: bytes) -> None:
        """Ask the next one once an answer is complete."""
        self._received += data
        end = self._received.find(_END)
        if end < 0:
            return
        head = self._received[:end].lower()
        at = head.find(_LENGTH)
        if not self._received.startswith(_GOOD) or at < 0:
            self._fail(RuntimeError(f"The answer is none: {self._received[:400]!r}"))
            return
        length = int(head[at + len(_LENGTH) :].split(b"\r\n", 1)[0])
        if len(self._received) >= end + len(_END) + length:
            self._received = b""
            self._ask()

    def connection_lost(self, error: Exception | None) -> None:
        """No service closes these by itself."""
        self._fail(error or ConnectionResetError("The service closed the connection"))

    def _ask(self) -> None:
        assert self._transport is not None
        request = next(self._requests, None)
        if request is not None:
            self._transport.write(request)
        elif not self._ended.done():
            self._ended.set_result(None)
            self._transport.close()

    def _fail(self, error: Exception) -> None:
        if not self._ended.done():
            self._ended.set_exception(error)


def spell(path: str, **headers: str) -> bytes:
    """A GET request."""
    lines = [
        f"GET {path} HTTP/1.1",
        "Host: localhost",
        *(f"{name}: {value}" for name, value in headers.items()),
    ]
    return ("\r\n".join(lines)).encode() + _END


async def ask_all(port: int, requests: Sequence[bytes], *, connections: int) -> None:
    """Have all requests answered with 200, so many at a time.

    Raises RuntimeError for any other answer, and TimeoutError where some do not come.
    """
    loop, remaining = asyncio.get_running_loop(), iter(requests)
    transports, ended = list[asyncio.BaseTransport](), [loop.create_future() for _ in range(connections)]
    try:
        for each in ended:
            make = functools.partial(_Connection, remaining, each)
            transport, _ = await loop.create_connection(make, "127.0.0.1", port)
            transports.append(transport)
        async with asyncio.timeout(_SECONDS):
            await asyncio.gather(*ended)
    finally:
        for opened in transports:
            opened.close()
        # Those that are asked of still, where one has failed, end without anybody who would hear of it.
        for each in ended:
            each.cancel()


async def call(application: Any, method: str, path: str, *, authorization: str, content: bytes = b"") -> None:
    """Have an ASGI application answer here, as a server would ask it. Raises RuntimeError unless with 200."""
    headers = {"host": "localhost", "authorization": authorization}
    if content:
        headers |= {"content-type": "application/json", "content-length": str(len(content))}
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
    }
    sent = iter([{"type": "http.request", "body": content, "more_body": False}])
    said: list[Any] = []

    async def receive() -> Any:
        return next(sent, {"type": "http.disconnect"})

    async def send(message: Any) -> None:
        said.append(message)

    await application(scope, receive, send)
    if not said or said[0]["status"] != 200:
        raise RuntimeError(f"The answer is none: {said}")
