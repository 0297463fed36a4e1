"""The data folder: everything that a platform keeps on this machine, and who may use it just now.

    lock             held by the platform that runs here, and by every process that it started
    platform.json    what runs, and where (roster.py)
    ports.json       the ports that the embedded servers took last, so that they stay
    secrets/         passwords of the embedded servers, readable by the owner alone
    postgres/  redis/  documents/  objects/  logs/

The lock is the kernel's (`flock`) and is *inherited* by every process that the platform starts. So it is free
exactly when the last of them is gone: a platform that was killed leaves servers that need a moment to end,
and the next one cannot open their files before they have. No process number is compared, none can be
mistaken for another.
"""

import asyncio
import fcntl
import os
import secrets
import socket
from pathlib import Path
from typing import Final, Self

import msgspec

from mystira.errors import FolderError, FolderInUseError

ENDING_SECONDS: Final = 20.0
"""How long the servers of a platform that was killed are given to end before a new one gives up."""


class DataFolder:
    """One platform's folder; `async with` it to use it alone.

    Raises FolderError if it cannot be written, and FolderInUseError if another platform runs in it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock: int | None = None

    @property
    def lock(self) -> int:
        """The file descriptor of the lock, to be inherited by every process that uses the folder."""
        if self._lock is None:
            raise RuntimeError("The data folder is used before it was entered")
        return self._lock

    async def __aenter__(self) -> Self:
        try:
            for folder in (
                self.path,
                *(self.path / name for name in ("secrets", "documents", "objects", "logs")),
            ):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise FolderError(folder=self.path, reason=error.strerror or str(error)) from error
        try:
            await self._take(descriptor)
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        except OSError as error:
            os.close(descriptor)
            raise FolderError(folder=self.path, reason=error.strerror or str(error)) from error
        except BaseException:
            os.close(descriptor)
            raise
        self._lock = descriptor
        return self

    async def __aexit__(self, *_: object) -> None:
        descriptor, self._lock = self.lock, None
        os.ftruncate(descriptor, 0)
        os.close(descriptor)

    async def _take(self, descriptor: int) -> None:
        deadline = asyncio.get_running_loop().time() + ENDING_SECONDS
        while not _try_lock(descriptor):
            holder = _holder(descriptor)
            if holder is not None and is_alive(holder):
                raise FolderInUseError(folder=self.path, holder=f"another platform (process {holder})")
            if asyncio.get_running_loop().time() > deadline:
                raise FolderInUseError(folder=self.path, holder="servers of a platform that is gone")
            await asyncio.sleep(0.02)

    def log(self, name: str) -> Path:
        """Where the output of a server or service goes."""
        return self.path / "logs" / f"{name}.log"

    def secret(self, name: str) -> Path:
        """The file that holds a password of 192 random bits, made at first use."""
        path = self.path / "secrets" / name
        if not path.exists():
            self.write(path, secrets.token_urlsafe(24).encode())
        return path

    def port(self, name: str) -> int:
        """The port that the server took last if it is still free, else a free one, to be kept from now on."""
        ports = self._ports()
        port = ports.get(name)
        if port is None or not is_free(port):
            ports[name] = port = _free_port()
            self.write(self.path / "ports.json", msgspec.json.encode(ports))
        return port

    def write(self, path: Path, content: bytes) -> None:
        """Replace a file of the folder, readable by its owner alone, so that nobody ever sees half of it."""
        draft = path.with_name(f".{path.name}.new")
        try:
            with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(path)
        except OSError as error:
            raise FolderError(folder=self.path, reason=error.strerror or str(error)) from error

    def _ports(self) -> dict[str, int]:
        # The file only saves people from learning new ports: one that cannot be read is as good as none.
        try:
            return msgspec.json.decode((self.path / "ports.json").read_bytes(), type=dict[str, int])
        except (FileNotFoundError, msgspec.DecodeError):
            return {}


def in_use_by(path: Path) -> int | None:
    """The process number of the platform that runs in a data folder, or None if none does."""
    try:
        descriptor = os.open(path / "lock", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        holder = None if _try_lock(descriptor, fcntl.LOCK_SH) else _holder(descriptor)
        return holder if holder is not None and is_alive(holder) else None
    finally:
        os.close(descriptor)


def is_free(port: int, host: str = "127.0.0.1") -> bool:
    """Whether a server could listen there at this moment."""
    with socket.socket() as probe:
        # As servers do: a port whose former connections are still winding down counts as free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
        return True


def is_alive(pid: int) -> bool:
    """Whether a process of that number runs, whoever owns it."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return False
    # The state follows the name, which is in brackets and may hold any. One that has ended but that its
    # parent has not asked after (Z) still has its number, and holds nothing any more.
    return status.rpartition(")")[2].split()[0] not in "ZX"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _try_lock(descriptor: int, kind: int = fcntl.LOCK_EX) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _holder(descriptor: int) -> int | None:
    text = os.pread(descriptor, 32, 0)
    return int(text) if text.isdigit() else None
