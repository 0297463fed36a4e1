"""A whole platform in a process of its own, with stand-ins for the services, to be stopped and killed.

Run as a program it is one of the two: `up` calls `supervise` as the command does, `serve` is a service that
answers each line that it is sent with its process number.
"""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

from mystira.errors import PlatformError
from mystira.servers.logs import Log
from mystira.servers.processes import Process, Program, start
from mystira.settings import Settings, load_settings
from mystira.supervisor import Roster, Service, announce_ready, inherited_socket, read_roster, supervise

ROOT = Path(__file__).parent.parent
SERVICE_VARIABLE = "STAND_IN"
"""How the worker's stand-in behaves: empty, `dies` before it is ready, or `deaf` to SIGTERM."""


class PlatformProcess:
    """A platform that runs, and what it printed."""

    def __init__(self, process: Process, folder: Path) -> None:
        self.process, self.folder = process, folder

    @property
    def output(self) -> str:
        """Everything that it printed, on either stream."""
        self.process.log.wait_closed(30.0 if self.process.returncode is not None else 0.0)
        path = self.process.log.path
        return path.read_text(encoding="utf-8") if path.exists() else ""

    async def up(self, seconds: float = 120.0) -> Roster:
        """Wait until it is up; fails the test with its output if it ends before."""
        async with asyncio.timeout(seconds):
            while (roster := read_roster(self.folder)) is None or roster.pid != self.process.pid:
                assert self.process.returncode is None, self.output
                await asyncio.sleep(0.02)
        return roster

    async def ended(self, seconds: float = 120.0) -> int:
        """Wait until it ends; returns how."""
        async with asyncio.timeout(seconds):
            return await self.process.ended()

    async def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal and wait for the end."""
        self.process.send(number)
        return await self.ended()


@contextlib.asynccontextmanager
async def platform(
    folder: Path, log: Path, *, port: int | str = 0, stand_in: str = ""
) -> AsyncIterator[PlatformProcess]:
    """Start a platform; it is gone when the context is left."""
    environment = {
        "MYSTIRA_DATA_FOLDER": str(folder),
        "MYSTIRA_PORT": str(port),
        SERVICE_VARIABLE: stand_in,
        "PYTHONPATH": os.pathsep.join((str(ROOT), str(ROOT / "src"))),
    }
    command = (sys.executable, "-m", "tests.platform_process", "up")
    program = Program(name="platform", command=command, environment=environment)
    running = PlatformProcess(await start(program, Log(log)), folder)
    try:
        yield running
    finally:
        await running.process.stop((signal.SIGTERM, 30.0))


def processes_of(folder: Path) -> set[int]:
    """Every process of the machine, whoever owns it, that was started for a platform in the folder."""
    mark = f"MYSTIRA_DATA_FOLDER={folder}".encode()
    found = set()
    for process in Path("/proc").glob("[0-9]*"):
        # Servers overwrite their environment to show what they do, but stay in their own folder.
        with contextlib.suppress(OSError):
            started_for = mark in (process / "environ").read_bytes().split(b"\0")
            if started_for or (process / "cwd").readlink().is_relative_to(folder):
                found.add(int(process.name))
    return found


async def gone(folder: Path, seconds: float = 120.0) -> None:
    """Wait until no process of the folder's platform is left."""
    async with asyncio.timeout(seconds):
        while processes_of(folder):
            await asyncio.sleep(0.02)


async def ask(roster: Roster) -> int:
    """The number of the process that serves the platform's port."""
    host, _, port = roster.address.removeprefix("http://").rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        writer.write(b"who?\n")
        return int(await reader.readline())
    finally:
        writer.close()


async def _serve() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.write(b"%d\n" % os.getpid())
        await writer.drain()
        writer.close()

    shared = inherited_socket()
    if shared is not None:
        await asyncio.start_server(answer, sock=shared)
    else:
        _behave(os.environ.get(SERVICE_VARIABLE, ""))
    announce_ready()
    await asyncio.Event().wait()


def _behave(how: str) -> None:
    if how == "dies":
        sys.exit("the stand-in gives up")
    if how == "deaf":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)


async def _up() -> None:
    async def upgrade(settings: Settings) -> None:
        assert settings.postgres_url is not None

    command = (sys.executable, "-m", "tests.platform_process", "serve")
    services = [Service(name="api", command=command, listens=True), Service(name="worker", command=command)]
    await supervise(load_settings(), services=services, upgrade=upgrade, tell=print)


if __name__ == "__main__":
    try:
        asyncio.run(_serve() if sys.argv[1] == "serve" else _up())
    except PlatformError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)
