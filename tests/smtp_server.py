"""A mail server for tests: takes what it is told to take, over plain or encrypted connections."""

import asyncio
import contextlib
import email
import email.policy
import ssl
from collections.abc import AsyncIterator
from email.message import EmailMessage

import msgspec


class Received(msgspec.Struct, frozen=True):
    """A letter that was taken: whom the envelope names, what it says, and how it came."""

    sender: str
    recipients: list[str]
    message: EmailMessage
    encrypted: bool
    login: str | None


class SmtpServer:
    """Speaks SMTP (RFC 5321) with AUTH PLAIN and STARTTLS, and refuses by `refusals`: verb → answer."""

    def __init__(self, tls: ssl.SSLContext | None = None, *, offers_tls: bool = False) -> None:
        self.received: list[Received] = []
        self.refusals: dict[str, bytes] = {}
        self.port = 0
        self.tls, self.offers_tls = tls, offers_tls

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator["SmtpServer"]:
        """Serve on a free port until the block ends."""
        at_once = None if self.offers_tls else self.tls
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=at_once)
        self.port = server.sockets[0].getsockname()[1]
        async with server:
            yield self

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # A client that does not trust us, or had its answer, is free to leave.
        with contextlib.suppress(ConnectionError, ssl.SSLError, asyncio.IncompleteReadError):
            try:
                await _Conversation(self, reader, writer).hold()
            finally:
                writer.close()
                await writer.wait_closed()


class _Conversation:
    def __init__(
        self, server: SmtpServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._server, self._reader, self._writer = server, reader, writer
        self._sender, self._recipients = "", list[str]()
        self._login: str | None = None

    async def hold(self) -> None:
        self._writer.write(b"220 test\r\n")
        while line := await self._reader.readline():
            verb, _, rest = line.decode().strip().partition(" ")
            self._writer.write(await self._answer(verb.upper(), rest) + b"\r\n")
            await self._writer.drain()
            if verb.upper() == "QUIT":
                return
            if verb.upper() == "STARTTLS":
                assert self._server.tls is not None
                await self._writer.start_tls(self._server.tls)

    async def _answer(self, verb: str, rest: str) -> bytes:
        if verb in self._server.refusals:
            return self._server.refusals[verb]
        if verb == "EHLO":
            return self._greeting()
        if verb == "DATA":
            return await self._take()
        if verb == "AUTH":
            self._login = rest.partition(" ")[2]
            return b"235 known"
        if verb == "STARTTLS":
            return b"220 go on"
        address = rest.partition("<")[2].partition(">")[0]
        if verb == "MAIL":
            self._sender = address
        elif verb == "RCPT":
            self._recipients.append(address)
        return b"250 ok"

    @property
    def _is_encrypted(self) -> bool:
        return self._writer.get_extra_info("sslcontext") is not None

    def _greeting(self) -> bytes:
        offers = ["STARTTLS"] if self._server.offers_tls and not self._is_encrypted else []
        return "\r\n".join(["250-test", *(f"250-{each}" for each in offers), "250 AUTH PLAIN"]).encode()

    async def _take(self) -> bytes:
        self._writer.write(b"354 go on\r\n")
        text = (await self._reader.readuntil(b"\r\n.\r\n"))[:-3].replace(b"\r\n..", b"\r\n.")
        message = email.message_from_bytes(text, policy=email.policy.default)
        assert isinstance(message, EmailMessage)
        received = Received(self._sender, self._recipients, message, self._is_encrypted, self._login)
        self._server.received.append(received)
        return b"250 taken"
