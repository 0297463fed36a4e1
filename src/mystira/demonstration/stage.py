"""A platform of its own for a demonstration: started as anybody would start it, and hurt on purpose."""

import asyncio
import contextlib
import json
import os
import random
import signal
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from mystira.clients.service_key import find_service_key
from mystira.errors import StartError
from mystira.servers.logs import Log
from mystira.servers.processes import Process, Program, start
from mystira.settings import FILE_NAME, PREFIX, Settings, load_settings
from mystira.supervisor import Roster, RunningProcess, reach, read_roster

START_SECONDS: Final = 60.0
_STOPPING: Final = ((signal.SIGTERM, 30.0),)
_POLL: Final = 0.02

WORKER: Final = "worker"
SUPERVISOR: Final = "supervisor"


class Stage:
    """A platform that runs in a data folder of its own."""

    def __init__(self, folder: Path, workers: int, process: Process) -> None:
        self.folder = folder
        self._workers, self._process = workers, process
        self._port = 0
        self._former_restarts = 0

    async def up(self) -> Roster:
        """Wait until it is up. Raises StartError."""
        try:
            async with asyncio.timeout(START_SECONDS):
                while (roster := read_roster(self.folder)) is None or roster.pid != self._process.pid:
                    if self._process.returncode is not None:
                        raise self._failed(self._process.log.last_words())
                    await asyncio.sleep(_POLL)
        except TimeoutError:
            raise self._failed(f"it was not up after {START_SECONDS:.0f} s") from None
        self._port = urlsplit(roster.address).port or 0
        return roster

    def _failed(self, reason: str) -> StartError:
        return StartError(name="the platform", reason=reason, log=self._process.log.path)

    @property
    def roster(self) -> Roster:
        """What runs. Raises StartError once the platform is gone."""
        roster = read_roster(self.folder)
        if roster is None:
            raise self._failed("it is gone: " + self._process.log.last_words())
        return roster

    @property
    def settings(self) -> Settings:
        """Settings that reach its servers from this process."""
        with _without_settings():
            return reach(load_settings(data_folder=self.folder))

    @property
    def service_key(self) -> str:
        """The key by which its services know each other."""
        return find_service_key(self.settings)

    def find(self, name: str) -> RunningProcess | None:
        """One of its processes, by the name or the beginning of the name; None while there is none."""
        roster = read_roster(self.folder)
        running = () if roster is None else roster.processes
        return next((each for each in running if each.name.startswith(name)), None)

    def find_worker(self, node: str) -> RunningProcess | None:
        """The worker that calls itself so; None where it is gone already."""
        roster = read_roster(self.folder)
        for process in () if roster is None else roster.processes:
            # The platform knows processes by their numbers, and a node has its own in its name.
            if process.name.startswith(WORKER) and f"-{process.pid}-" in node:
                return process
        return None

    def any_worker(self, randomness: random.Random) -> RunningProcess | None:
        """One of the workers by chance; None while there is none."""
        roster = read_roster(self.folder)
        running = () if roster is None else roster.processes
        workers = [each for each in running if each.name.startswith(WORKER)]
        return randomness.choice(workers) if workers else None

    def kill(self, name: str) -> int:
        """SIGKILL one of its processes, by the number that the platform itself knows it by; returns that."""
        pid = next(process.pid for process in self.roster.processes if process.name == name)
        os.kill(pid, signal.SIGKILL)
        return pid

    def kill_supervisor(self) -> int:
        """SIGKILL whoever keeps the platform up, and thereby all of it; `start_again` brings it back."""
        self._former_restarts = self.all_restarts()
        self._process.send(signal.SIGKILL)
        return self._process.pid

    async def start_again(self) -> Roster:
        """Start it at the same address after its supervisor ended, as whoever keeps services up would.

        Raises StartError.
        """
        await self._process.ended()
        self._former_restarts += 1
        self._process = await _start(self.folder, self._workers, self._port)
        return await self.up()

    def all_restarts(self) -> int:
        """How often processes were started again, all of them together."""
        roster = read_roster(self.folder)
        running = () if roster is None else roster.processes
        return self._former_restarts + sum(process.restarts for process in running)

    def restarts(self, name: str) -> int:
        """How often one of its processes was started again since the supervisor started."""
        return next(process.restarts for process in self.roster.processes if process.name == name)

    async def stop(self) -> None:
        """Stop it as Ctrl-C would."""
        await self._process.stop(*_STOPPING)


@contextlib.asynccontextmanager
async def stage(
    folder: Path, *, workers: int = 1, settings: Mapping[str, str] | None = None
) -> AsyncIterator[Stage]:
    """Start a platform in a folder, on a free port; it is gone when the block ends, and with this process.

    `settings` are written to the folder's own file, where any command that is pointed there finds them.
    """
    _prepare(folder, settings or {})
    started = Stage(folder, workers, await _start(folder, workers, 0))
    try:
        yield started
    finally:
        await asyncio.shield(started.stop())


def _prepare(folder: Path, settings: Mapping[str, str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    if settings:
        # A text in quotes of JSON is one of TOML, whatever is in it.
        lines = (f"{name} = {json.dumps(value)}\n" for name, value in settings.items())
        (folder / FILE_NAME).write_text("".join(lines), encoding="utf-8")


async def _start(folder: Path, workers: int, port: int) -> Process:
    words = ("--port", str(port), "--worker-processes", str(workers), "--data-folder", str(folder))
    program = Program(
        name="the platform",
        command=(sys.executable, "-m", "mystira", "up", "--json", *words),
        # Asked and not killed when we die, so that it stops its servers in their order.
        dies_by=signal.SIGTERM,
        # Nobody plays on a stage, and what is measured there is to have the machine for itself.
        environment={**dict.fromkeys(_settings_variables(), ""), "MYSTIRA_SEED_STORIES": "false"},
    )
    return await start(program, Log(folder / "up.log"))


def _settings_variables() -> list[str]:
    """Settings of whoever calls: a demonstration must not reach the servers that they may name."""
    return [name for name in os.environ if name.startswith(PREFIX)]


@contextlib.contextmanager
def _without_settings() -> Iterator[None]:
    kept = {name: os.environ.pop(name) for name in _settings_variables()}
    try:
        yield
    finally:
        os.environ.update(kept)
