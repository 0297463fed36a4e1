"""One request of a client is one attempt, and what came of it is what its caller hears."""

import asyncio

import pytest

from mystira.clients.errors import UnreachableError
from mystira.clients.service import Service

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
async def test_a_lost_answer_is_told_and_not_asked_for_again(method: str) -> None:
    """Where the connection ends without an answer, nobody has sent the request a second time."""
    heard: list[bytes] = []

    async def answer_once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(ANSWER)
        # The connection is kept, and it is on this one that the second request is lost.
        heard.append(await reader.readuntil(b"\r\n\r\n"))
        writer.close()

    server = await asyncio.start_server(answer_once, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, Service.at(f"http://127.0.0.1:{port}") as service:
        await service.ask("GET", "/")
        with pytest.raises(UnreachableError) as lost:
            await service.ask(method, "/things/1", query={"secret": "no"})
    assert [request.split(b" ", 1)[0].decode() for request in heard] == ["GET", method]
    assert "/things/1 gave no answer" in str(lost.value)
    assert "secret" not in str(lost.value)
