"""What the embedded servers have in common: a program, a port of their own, and a way to stop."""

import asyncio
import importlib.util
import signal
from pathlib import Path
from typing import Final, Protocol

from mystira.errors import StartError
from mystira.servers.folder import DataFolder, is_free
from mystira.servers.logs import Log
from mystira.servers.processes import Process, Program, start

ATTEMPTS: Final = 5
POLL_SECONDS: Final = 0.01


class Server(Protocol):
    """One product, in one data folder; one file beside this one each."""

    @property
    def name(self) -> str:
        """How logs, ports and messages call it."""

    @property
    def stopping(self) -> tuple[tuple[signal.Signals, float], ...]:
        """The signals that ask it to stop, the mildest first, each with the seconds to wait after it."""

    @property
    def start_seconds(self) -> float:
        """How long it may take to be ready, recovery after a crash included."""

    async def prepare(self, folder: DataFolder) -> None:
        """Make what it needs before it can be started. Idempotent, and safe to interrupt at any moment."""

    def program(self, folder: DataFolder, port: int) -> Program:
        """What to run."""

    async def is_ready(self, folder: DataFolder, port: int, pid: int) -> bool:
        """Whether the process takes requests by now."""

    def url(self, folder: DataFolder, port: int) -> str:
        """Where and with which password it is reached."""


class StartedServer:
    """A server that answers: its process, and where it is reached. It keeps its port if started again."""

    def __init__(self, server: Server, folder: DataFolder, port: int, process: Process) -> None:
        self.server, self.port, self.process = server, port, process
        self.name = server.name
        self.url = server.url(folder, port)
        self.address = f"127.0.0.1:{port}"
        self._folder = folder

    async def start_again(self) -> Process:
        """Start it once more at the same address, after it ended by itself. Raises StartError."""
        await self.server.prepare(self._folder)
        self.process = await _start_at(self.server, self._folder, self.port)
        return self.process

    async def stop(self) -> None:
        """Stop it, without losing anything that it acknowledged."""
        await self.process.stop(*self.server.stopping)


async def start_server(server: Server, folder: DataFolder) -> StartedServer:
    """Start a server and wait until it answers. Raises StartError, ProgramMissingError, FolderError."""
    await server.prepare(folder)
    for attempt in range(1, ATTEMPTS + 1):
        port = folder.port(server.name)
        try:
            return StartedServer(server, folder, port, await _start_at(server, folder, port))
        except StartError:
            # Between our look and the server's own, somebody else may have taken the port: try the next.
            if attempt == ATTEMPTS or is_free(port):
                raise
    raise AssertionError("unreachable")


async def _start_at(server: Server, folder: DataFolder, port: int) -> Process:
    log = Log(folder.log(server.name))
    process = await start(server.program(folder, port), log)
    try:
        async with asyncio.timeout(server.start_seconds):
            while not await server.is_ready(folder, port, process.pid):
                if process.returncode is not None:
                    log.wait_closed(1.0)
                    raise StartError(name=server.name, reason=log.last_words(), log=log.path)
                await asyncio.sleep(POLL_SECONDS)
    except TimeoutError as error:
        await process.stop(*server.stopping)
        reason = f"it was not ready after {server.start_seconds:.0f} s"
        raise StartError(name=server.name, reason=reason, log=log.path) from error
    except BaseException:
        await process.stop(*server.stopping)
        raise
    return process


def installed_folder(package: str) -> Path | None:
    """Where a wheel was installed, found without running anything of it; None if it was not."""
    found = importlib.util.find_spec(package)
    places = found.submodule_search_locations if found else None
    return Path(next(iter(places))) if places else None
