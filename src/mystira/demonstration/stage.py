"""A platform of its own for a demonstration: started as anybody would start it, and hurt on purpose."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Final

from mystira.clients.service_key import find_service_key
from mystira.errors import StartError
from mystira.servers.logs import Log
from mystira.servers.processes import Process, Program, start
from mystira.settings import PREFIX, Settings, load_settings
from mystira.supervisor import Roster, reach, read_roster

START_SECONDS: Final = 60.0
_STOPPING: Final = ((signal.SIGTERM, 30.0),)
_POLL: Final = 0.02


class Stage:
    """A platform that runs in a data folder of its own."""

    def __init__(self, folder: Path, process: Process) -> None:
        self.folder = folder
        self._process = process

    async def up(self) -> Roster:
        """Wait until it is up. Raises StartError."""
        try:
            async with asyncio.timeout(START_SECONDS):
                while (roster := read_roster(self.folder)) is None:
                    if self._process.returncode is not None:
                        raise self._failed(self._process.log.last_words())
                    await asyncio.sleep(_POLL)
        except TimeoutError:
            raise self._failed(f"it was not up after {START_SECONDS:.0f} s") from None
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

    def kill(self, name: str) -> int:
        """SIGKILL one of its processes, by the number that the platform itself knows it by; returns that."""
        pid = next(process.pid for process in self.roster.processes if process.name == name)
        os.kill(pid, signal.SIGKILL)
        return pid

    def kill_worker(self, node: str) -> int | None:
        """SIGKILL the worker that calls itself so; returns its number, None where it is gone already."""
        for process in self.roster.processes:
            # The platform knows processes by their numbers, and a node has its own in its name.
            if process.name.startswith("worker") and f"-{process.pid}-" in node:
                try:
                    os.kill(process.pid, signal.SIGKILL)
                except ProcessLookupError:
                    return None
                return process.pid
        return None

    def all_restarts(self) -> int:
        """How often processes were started again, all of them together."""
        return sum(process.restarts for process in self.roster.processes)

    def restarts(self, name: str) -> int:
        """How often one of its processes was started again."""
        return next(process.restarts for process in self.roster.processes if process.name == name)

    async def stop(self) -> None:
        """Stop it as Ctrl-C would."""
        await self._process.stop(*_STOPPING)


@contextlib.asynccontextmanager
async def stage(folder: Path, *, workers: int = 1) -> AsyncIterator[Stage]:
    """Start a platform in a folder, on a free port; it is gone when the block ends, and with this process."""
    words = ("up", "--json", "--port", "0", "--worker-processes", str(workers), "--data-folder", str(folder))
    command = (sys.executable, "-m", "mystira", *words)
    program = Program(
        name="the platform",
        command=command,
        # Asked and not killed when we die, so that it stops its servers in their order.
        dies_by=signal.SIGTERM,
        # Nobody plays on a stage, and what is measured there is to have the machine for itself.
        environment={**dict.fromkeys(_settings_variables(), ""), "MYSTIRA_SEED_STORIES": "false"},
    )
    started = Stage(folder, await start(program, _log(folder)))
    try:
        yield started
    finally:
        await asyncio.shield(started.stop())


def _settings_variables() -> list[str]:
    """Settings of whoever calls: a demonstration must not reach the servers that they may name."""
    return [name for name in os.environ if name.startswith(PREFIX)]


def _log(folder: Path) -> Log:
    folder.mkdir(parents=True, exist_ok=True)
    return Log(folder / "up.log")


@contextlib.contextmanager
def _without_settings() -> Iterator[None]:
    kept = {name: os.environ.pop(name) for name in _settings_variables()}
    try:
        yield
    finally:
        os.environ.update(kept)
