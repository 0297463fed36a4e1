"""A line between a client and a server that a test makes slow, cuts, or lets swallow what is sent.

proxy.delay     seconds that each piece is under way, in each direction; none overtakes another
proxy.rate      bytes a second that the line carries in each direction, for all connections together
proxy.is_hole   nothing arrives any more and nobody is told: a black hole
proxy.cut()     all connections end at once with a reset
proxy.strike()  one connection ends at a chosen moment, which a listener finds in what the client says
"""

import asyncio
import contextlib
import socket
import struct
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Final, Literal, Protocol
from urllib.parse import urlsplit, urlunsplit

_PIECE: Final = 1 << 16
_TICK: Final = 0.01
_NO_LINGER: Final = struct.pack("ii", 1, 0)

Blow = Literal["before", "after"]
"""Whether the server never hears what was said, or does it all and its answer is lost."""


class Listener(Protocol):
    """Understands what one client says."""

    def hear(self, piece: bytes) -> Iterable[str]:
        """What the client asks for by this piece, in words."""


class _Deaf:
    def hear(self, piece: bytes) -> Iterable[str]:
        return ()


class Struck(asyncio.Event):
    """Set once a blow has fallen."""


class _Plan:
    def __init__(self, wanted: str, blow: Blow, on_struck: Callable[[], None] | None) -> None:
        self.wanted, self.blow, self.struck, self.on_struck = wanted, blow, Struck(), on_struck


class _Line:
    """One direction, with what is under way in it for all connections."""

    def __init__(self) -> None:
        self.free_at = 0.0


class _Connection:
    """A client's connection with the one behind it."""

    def __init__(self, proxy: "TcpProxy", client: asyncio.StreamWriter) -> None:
        self.proxy, self.client = proxy, client
        self.server: asyncio.StreamWriter | None = None
        self.listener = proxy.listening()
        self.loses_answer = False

    async def run(self, reader: asyncio.StreamReader) -> None:
        try:
            await self.proxy.while_hole()
            answers, self.server = await asyncio.open_connection(*self.proxy.target)
            _carry_at_once(self.server)
            there = self._carry(reader, self.server, self.proxy.there, self._hear)
            back = self._carry(answers, self.client, self.proxy.back, self._answer)
            ways = [asyncio.create_task(there), asyncio.create_task(back)]
            try:
                await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for way in ways:
                    way.cancel()
                await asyncio.gather(*ways, return_exceptions=True)
        except OSError:
            # A server that is gone refuses the proxy as it would refuse the client, who is reset for it.
            return
        finally:
            self.reset()

    def reset(self) -> None:
        """End both halves as a lost host would: by a reset, with nothing flushed."""
        for writer in (self.client, self.server):
            if writer is not None:
                with contextlib.suppress(OSError):
                    writer.get_extra_info("socket").setsockopt(
                        socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER
                    )
                writer.transport.abort()

    async def _carry(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        line: _Line,
        look: Callable[[bytes], bool],
    ) -> None:
        under_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(64)
        delivering = asyncio.create_task(self._deliver(under_way, writer))
        try:
            while (piece := await reader.read(_PIECE)) and look(piece):
                await under_way.put((self.proxy.due(line, len(piece)), piece))
            # What is under way when one side ends still arrives.
            await under_way.put((self.proxy.due(line, 0), b""))
            await delivering
        finally:
            delivering.cancel()
            await asyncio.gather(delivering, return_exceptions=True)

    async def _deliver(
        self, under_way: "asyncio.Queue[tuple[float, bytes]]", writer: asyncio.StreamWriter
    ) -> None:
        now = asyncio.get_running_loop().time
        while True:
            due, piece = await under_way.get()
            if (left := due - now()) > 0:
                await asyncio.sleep(left)
            await self.proxy.while_hole()
            if not piece:
                return
            with contextlib.suppress(OSError):
                writer.write(piece)
                await writer.drain()

    def _hear(self, piece: bytes) -> bool:
        """Whether the piece may go on."""
        for said in self.listener.hear(piece):
            plan = self.proxy.plan
            if plan is None or plan.wanted not in said:
                continue
            self.proxy.plan = None
            plan.struck.set()
            if plan.on_struck is not None:
                plan.on_struck()
                continue
            if plan.blow == "before":
                return False
            self.loses_answer = True
        return True

    def _answer(self, piece: bytes) -> bool:
        # Whoever answers has done what was asked for: now the client never hears of it.
        return not self.loses_answer


class TcpProxy:
    """A server in front of `target`. `listening` makes what understands the client of one connection."""

    def __init__(self, target: tuple[str, int], listening: Callable[[], Listener] = _Deaf) -> None:
        self.target, self.listening = target, listening
        self.there, self.back = _Line(), _Line()
        self.delay, self.rate = 0.0, float("inf")
        self.plan: _Plan | None = None
        self.port = 0
        self._is_hole = False
        self._open: dict[_Connection, asyncio.Task[None]] = {}
        self._server: asyncio.Server | None = None

    @property
    def is_hole(self) -> bool:
        """Whether nothing arrives just now."""
        return self._is_hole

    @is_hole.setter
    def is_hole(self, is_hole: bool) -> None:
        self._is_hole = is_hole

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
        tasks = [*self._open.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def cut(self) -> int:
        """End all connections; how many there were."""
        connections = [*self._open]
        for connection in connections:
            connection.reset()
        return len(connections)

    def strike(self, wanted: str, blow: Blow, on_struck: Callable[[], None] | None = None) -> Struck:
        """End the next connection whose client asks for something in whose words `wanted` is.

        With `on_struck`, that is called instead, and the connection goes on.
        """
        self.plan = _Plan(wanted, blow, on_struck)
        return self.plan.struck

    def due(self, line: _Line, size: int) -> float:
        """When a piece that sets out now arrives, on the loop's clock."""
        now = asyncio.get_running_loop().time()
        line.free_at = max(line.free_at, now) + size / self.rate
        return line.free_at + self.delay

    async def while_hole(self) -> None:
        """Wait until something arrives again."""
        while self._is_hole:
            await asyncio.sleep(_TICK)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        _carry_at_once(writer)
        connection = _Connection(self, writer)
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a connection is served by a task")
        self._open[connection] = task
        try:
            await connection.run(reader)
        except asyncio.CancelledError:
            # By `stop`; streams would tell the loop of it as of a mistake.
            return
        finally:
            del self._open[connection]


@contextlib.asynccontextmanager
async def tcp_proxy(
    url: str, listening: Callable[[], Listener] = _Deaf
) -> AsyncIterator[tuple[TcpProxy, str]]:
    """A proxy in front of the server at a URL, and the URL that leads by way of it."""
    parts = urlsplit(url)
    if parts.hostname is None or parts.port is None:
        raise ValueError(f"no host and port in {url}")
    proxy = TcpProxy((parts.hostname, parts.port), listening)
    await proxy.start()
    user = f"{parts.username}@" if parts.username else ""
    try:
        yield proxy, urlunsplit(parts._replace(netloc=f"{user}127.0.0.1:{proxy.port}"))
    finally:
        await proxy.stop()


def _carry_at_once(writer: asyncio.StreamWriter) -> None:
    writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
