"""Servers, former accounts and workers for a benchmark that moves the truth under load."""

import asyncio
import contextlib
import signal
import sys
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from random import Random
from typing import Any

from manystore.moves.tasks import Action
from manystore.stores.sqlite import SqliteStore
from mystira.domain.accounts.kind import ACCOUNTS
from mystira.platform import Platform, open_platform
from mystira.schema.upgrades import upgrade
from mystira.servers import embedded_servers
from mystira.servers.logs import Log
from mystira.servers.processes import Process, Program, start
from mystira.settings import Settings
from mystira.simulation.people import make_former_accounts


@contextlib.asynccontextmanager
async def moving_accounts(
    folder: Path, size: int, *, workers: int
) -> AsyncIterator[tuple[Settings, Platform, list[Process]]]:
    """So many former accounts as documents beside an empty PostgreSQL, and workers that move them."""
    async with embedded_servers(Settings(data_folder=folder / "data")) as running:
        assert running.postgres_url is not None
        await upgrade(running.postgres_url)
        running.documents_path.parent.mkdir(parents=True, exist_ok=True)
        documents = SqliteStore(running.documents_path)
        await documents.open()
        await documents.adopt(ACCOUNTS, make_former_accounts(Random(1), size))
        await documents.close()
        async with (
            worker_processes(running, folder, workers) as processes,
            open_platform(running, role="benchmark") as platform,
        ):
            # Until the workers have read where everything stands.
            await asyncio.sleep(3.0)
            yield running, platform, processes


@contextlib.asynccontextmanager
async def worker_processes(settings: Settings, folder: Path, count: int) -> AsyncIterator[list[Process]]:
    """Processes as `mystira serve worker` runs them."""
    running: list[Process] = []
    try:
        for number in range(count):
            program = Program(
                name=f"worker-{number}",
                command=(sys.executable, "-m", "mystira", "serve", "worker"),
                environment=settings.as_environment(),
            )
            running.append(await start(program, Log(folder / f"{program.name}.log")))
        yield running
    finally:
        for process in running:
            await process.stop((signal.SIGTERM, 5.0))


async def take(platform: Platform, action: Action) -> dict[str, Any]:
    """Ask for a step of the accounts' move, as the Admin API does, and wait for what came of it."""
    board = platform.board("accounts")
    await board.request(action, task_id=uuid.uuid4().hex, actor="benchmark")
    while True:
        task = await board.task()
        assert task is not None
        if not task.is_open:
            assert task.state == "done", f"{action.value} ended as {task.state}: {task.reasons}"
            return task.result or {}
        await asyncio.sleep(0.05)
