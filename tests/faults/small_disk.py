"""A disk of a few megabytes, which only the processes in it see, and which ends with them.

It is a file system in memory, mounted in a namespace of its own: as root, or as anybody where the machine
lets users have namespaces. A holder keeps it while nobody else is in it, so that a server on it may die.
"""

import asyncio
import contextlib
import os
import subprocess
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import asyncpg

from tests.faults.moving import ROOT
from tests.postgres_server import NEWEST, as_nobody, free_port

_HOLD: Final = 'mount -t tmpfs -o size="$2",mode=777 tmpfs "$1" && echo held && exec sleep infinity'
_IS_ROOT: Final = os.geteuid() == 0
_NAMESPACES: Final = ["--mount"] if _IS_ROOT else ["--mount", "--user", "--map-current-user", "--keep-caps"]
_INTO: Final = ["--mount"] if _IS_ROOT else ["--mount", "--user", "--preserve-credentials"]
_PIECE: Final = b"\0" * 4096
_SERVER: Final = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "shared_buffers": "16MB",
    "fsync": "off",
    "max_connections": "30",
    "min_wal_size": "2MB",
    "max_wal_size": "8MB",
    "log_min_messages": "panic",
}


def can_mount() -> bool:
    """Whether this machine lets us have a disk of our own."""
    trial = ["unshare", *_NAMESPACES, "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
    return subprocess.run(trial, capture_output=True, check=False).returncode == 0


class SmallDisk:
    """The disk at `folder`, as those see it who are started by `into`."""

    def __init__(self, folder: Path, holder: Process) -> None:
        self.folder, self._holder = folder, holder
        self._ballast = Path(f"/proc/{holder.pid}/root{folder}/ballast")

    def into(self, *command: str) -> list[str]:
        """The command, run where the disk is."""
        return ["nsenter", f"--target={self._holder.pid}", *_INTO, f"--wdns={ROOT}", *command]

    def fill(self) -> None:
        """Leave no room for another page."""
        fill(self._ballast)

    def make_room(self) -> None:
        """Take the ballast away."""
        self._ballast.unlink()


def fill(ballast: Path) -> None:
    """Write to a file until its disk is full."""
    with contextlib.suppress(OSError), ballast.open("ab", buffering=0) as file:
        while file.write(_PIECE):
            pass


@contextlib.asynccontextmanager
async def small_disk(folder: Path, size: str) -> AsyncIterator[SmallDisk]:
    """A disk of a size such as `8m`, for the length of the block."""
    folder.mkdir(exist_ok=True)
    holder = await asyncio.create_subprocess_exec(
        *("setpriv", "--pdeathsig=KILL", "unshare", *_NAMESPACES, "sh", "-c", _HOLD, "sh", str(folder), size),
        stdout=PIPE,
    )
    assert holder.stdout is not None
    try:
        assert await holder.stdout.readline() == b"held\n"
        yield SmallDisk(folder, holder)
    finally:
        holder.kill()
        await holder.communicate()


@contextlib.asynccontextmanager
async def server_on(disk: SmallDisk) -> AsyncIterator[str]:
    """A PostgreSQL server whose data lie there, started again whenever it ends by itself; its URL."""
    port, data = free_port(), str(disk.folder / "data")
    await _run(disk, str(NEWEST / "initdb"), "-D", data, "-U", "mystira", "-A", "trust", "-E", "UTF8")
    command = [str(NEWEST / "postgres"), "-D", data, "-p", str(port)]
    command += [part for name, value in _SERVER.items() for part in ("-c", f"{name}={value}")]
    running = asyncio.create_task(_keep_running(disk, command))
    url = f"postgresql://mystira@127.0.0.1:{port}/postgres"
    try:
        await _answers(url)
        yield url
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def _run(disk: SmallDisk, *command: str) -> None:
    initdb = await asyncio.create_subprocess_exec(
        *disk.into(*as_nobody(), *command, "--no-sync", "--wal-segsize=1"), stdout=DEVNULL
    )
    assert await initdb.wait() == 0


async def _keep_running(disk: SmallDisk, command: list[str]) -> None:
    while True:
        server = await asyncio.create_subprocess_exec(
            *disk.into(*as_nobody("--pdeathsig=INT"), *command), stdout=DEVNULL, stderr=DEVNULL
        )
        try:
            await server.wait()
        except asyncio.CancelledError:
            server.send_signal(2)
            await server.wait()
            raise
        await asyncio.sleep(0.1)


async def _answers(url: str) -> None:
    async with asyncio.timeout(120):
        while True:
            try:
                await (await asyncpg.connect(url)).close()
            except (OSError, asyncpg.PostgresError):
                await asyncio.sleep(0.05)
            else:
                return


async def run_in(disk: SmallDisk, module: str, *arguments: str) -> bytes:
    """What a module of ours says that is run where the disk is."""
    process = await asyncio.create_subprocess_exec(
        *disk.into("setpriv", "--pdeathsig=KILL", sys.executable, "-m", module, *arguments),
        cwd=ROOT,
        stdout=PIPE,
    )
    try:
        said, _ = await process.communicate()
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
    assert process.returncode == 0
    return said
