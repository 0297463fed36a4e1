"""The server that holds both the tables and the workflows dies in the middle of a move."""

import asyncio
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from manystore.moves.tasks import Action
from tests.faults.moving import STOP_SECONDS, Watched, differing, over, reached, stage
from tests.postgres_server import postgres_server

COUNT = 12_000

pytestmark = pytest.mark.slow


class Server:
    """A server of one's own, which may be killed and started again at the same place."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._again: subprocess.Popen[bytes] | None = None
        self._command: list[str] = []

    async def kill(self) -> None:
        """End it at once, as a crash would."""
        connection = await asyncpg.connect(self.url)
        folder = Path(await connection.fetchval("show data_directory"))
        await connection.close()
        pid = int((folder / "postmaster.pid").read_text().splitlines()[0])
        self._command = Path(f"/proc/{pid}/cmdline").read_text().split("\0")[:-1]
        os.kill(pid, signal.SIGQUIT)
        while (folder / "postmaster.pid").exists():
            await asyncio.sleep(0.02)
        (folder / "postmaster.opts").unlink(missing_ok=True)

    def start(self) -> None:
        """Start it again."""
        owner = Path(self._command[self._command.index("-D") + 1]).stat().st_uid
        as_owner = [f"--reuid={owner}", "--clear-groups"] if os.geteuid() == 0 else []
        command = ["setpriv", *as_owner, "--pdeathsig=INT", *self._command]
        self._again = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/")

    def end(self) -> None:
        """End what was started again."""
        if self._again is not None:
            self._again.send_signal(signal.SIGINT)
            self._again.wait(60)


@pytest.fixture
def server() -> Iterator[Server]:
    with postgres_server() as url:
        made = Server(url)
        yield made
        made.end()


async def test_a_move_goes_on_when_its_database_is_back(server: Server, tmp_path: Path) -> None:
    """Two workers wait for as long as it takes, and nothing that had been copied is lost or repeated."""
    async with stage(tmp_path, server.url) as scene:
        await scene.seed(COUNT)
        await scene.workers.start_two()
        await scene.ask(Action.START)
        watched = Watched()
        await scene.ended(watched, reached(COUNT // 5))
        await server.kill()
        await asyncio.sleep(1.0)
        server.start()
        task = await scene.ended(watched, over)
        assert task.state == "done", task.reasons
        assert task.result is not None
        assert (task.result["records"], task.result["refused"]) == (COUNT, 0)
        assert watched.never_went_back, watched.done
        assert await differing(scene) == []


async def test_a_worker_told_to_stop_does_not_wait_for_its_database(server: Server, tmp_path: Path) -> None:
    """While all its threads wait for a server that is gone, it still ends in time, and by itself."""
    async with stage(tmp_path, server.url) as scene:
        await scene.seed(COUNT)
        name = await scene.workers.start()
        await scene.ask(Action.START)
        await scene.ended(Watched(), reached(COUNT // 5))
        await server.kill()
        await asyncio.sleep(1.0)
        assert await scene.workers.stop(name) == 0, f"it took longer than {STOP_SECONDS} s"
        server.start()
        await _answers(server.url)


async def _answers(url: str) -> None:
    async with asyncio.timeout(120):
        while True:
            try:
                await (await asyncpg.connect(url)).close()
            except (OSError, asyncpg.PostgresError):
                await asyncio.sleep(0.1)
            else:
                return
