"""PgBouncer in front of a test run's PostgreSQL, lending sessions by transaction, gone with the run."""

import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from tests.postgres_server import as_nobody, free_port, give_to_nobody

_PROGRAM = Path("/usr/sbin/pgbouncer")
_SETTINGS = """
[databases]
* = host={host} port={port} user={user}

[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {listens}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = {sessions}
max_client_conn = 500
"""


@contextmanager
def postgres_pooler(url: str, *, sessions: int) -> Iterator[str]:
    """Lend that many sessions of the server at `url`; yields the same URL with the pooler's port."""
    if not _PROGRAM.exists():
        raise RuntimeError(f"{_PROGRAM} is not there: run `make install`, or tests/debian.sh as root")
    server, listens = urlsplit(url), free_port()
    folder = Path(tempfile.mkdtemp(prefix="pooler-"))
    settings = folder / "pgbouncer.ini"
    text = _SETTINGS.format(
        host=server.hostname, port=server.port, user=server.username, listens=listens, sessions=sessions
    )
    settings.write_text(text, encoding="utf-8")
    give_to_nobody(folder, settings)
    command = [*as_nobody("--pdeathsig=KILL"), str(_PROGRAM), "--quiet", str(settings)]
    pooler = subprocess.Popen(command, stderr=subprocess.DEVNULL, cwd="/")
    try:
        _wait(listens, pooler)
        yield url.replace(f":{server.port}/", f":{listens}/")
    finally:
        pooler.kill()
        pooler.wait(10)
        shutil.rmtree(folder, ignore_errors=True)


def _wait(port: int, pooler: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            if pooler.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("the pooler for the tests did not start") from None
            time.sleep(0.02)
        else:
            return
