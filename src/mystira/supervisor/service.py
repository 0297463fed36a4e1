"""One service as a process of its own, and how it says that it is ready."""

import asyncio
import os
import signal
import socket
from collections.abc import Sequence
from typing import Final

import msgspec

from mystira.errors import StartError
from mystira.servers import DataFolder
from mystira.servers.logs import Log
from mystira.servers.processes import Process, Program, start
from mystira.settings import Settings
from mystira.supervisor.handover import READY, READY_VARIABLE, SOCKET_VARIABLE

START_SECONDS: Final = 60.0
STOPPING: Final = ((signal.SIGTERM, 5.0),)


class Service(msgspec.Struct, frozen=True, kw_only=True):
    """What to run beside the servers. With `listens`, it is handed the platform's listening socket.

    The command has to call `announce_ready` once it takes work.
    """

    name: str
    command: Sequence[str]
    listens: bool = False


class StartedService:
    """A service that said that it is ready."""

    def __init__(
        self, service: Service, settings: Settings, folder: DataFolder, shared: socket.socket
    ) -> None:
        self.name = service.name
        self.address = None
        self._service, self._settings, self._folder, self._shared = service, settings, folder, shared
        self._process: Process | None = None

    @property
    def process(self) -> Process:
        """The process that runs, or ran last."""
        if self._process is None:
            raise RuntimeError(f"Service {self.name} was never started")
        return self._process

    async def start_again(self) -> Process:
        """Start it, for the first time or once more. Raises StartError."""
        log = Log(self._folder.log(self.name))
        reading, writing = os.pipe()
        try:
            process = self._process = await start(self._program(writing), log)
        finally:
            os.close(writing)
        try:
            async with asyncio.timeout(START_SECONDS):
                ready = await _read_line(reading) == READY
        except TimeoutError:
            ready = False
        except BaseException:
            await self.stop()
            raise
        if not ready:
            ended = await _ends_soon(process)
            await self.stop()
            why = log.last_words() if ended else f"it was not ready after {START_SECONDS:.0f} s"
            raise StartError(name=self.name, reason=why, log=log.path)
        return process

    def _program(self, writing: int) -> Program:
        service, descriptors = self._service, [self._folder.lock, writing]
        environment = {**self._settings.as_environment(), READY_VARIABLE: str(writing)}
        if service.listens:
            environment[SOCKET_VARIABLE] = str(self._shared.fileno())
            descriptors.append(self._shared.fileno())
        return Program(
            name=service.name,
            command=service.command,
            # Killed rather than asked: whoever acknowledges writes while nobody supervises it any more only
            # delays the next start, and every service here survives this signal by design.
            dies_by=signal.SIGKILL,
            environment=environment,
            descriptors=tuple(descriptors),
        )

    async def stop(self) -> None:
        """Let it finish the requests that it is at, for a few seconds."""
        if self._process is not None:
            await self._process.stop(*STOPPING)


async def _ends_soon(process: Process) -> bool:
    try:
        async with asyncio.timeout(1.0):
            await process.ended()
    except TimeoutError:
        return False
    return True


async def _read_line(descriptor: int) -> bytes:
    """A line of a pipe; less than a line if the other side closed it before."""
    reader = asyncio.StreamReader()
    pipe = os.fdopen(descriptor, "rb", buffering=0)  # closed by its transport
    protocol = asyncio.StreamReaderProtocol(reader)
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, pipe)
    try:
        return await reader.readline()
    finally:
        transport.close()
