"""What pages show of a running platform is what a running platform shows."""

import asyncio
import contextlib
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mystira.servers.logs import Log
from mystira.servers.processes import Program, start
from mystira.supervisor import Roster, read_roster
from tests.documents import ROOT, Step, all_fences, run_steps, steps


def _pages() -> dict[Path, list[Step]]:
    """The commands of each page that need a platform, and those before, between and after them."""
    pages = {fence.page for fence in all_fences("console", "platform")}
    found: dict[Path, list[Step]] = {}
    for fence in all_fences("console", "run"):
        if fence.page in pages:
            found.setdefault(fence.page, []).extend(steps(fence))
    return found


PAGES = _pages()


@contextlib.asynccontextmanager
async def _platform(folder: Path, log: Path) -> AsyncIterator[Roster]:
    """A platform as `make up` starts it, in a data folder of its own and on a free port."""
    command = (sys.executable, "-m", "mystira", "up", "--data-folder", str(folder), "--port", "0")
    process = await start(Program(name="up", command=command), Log(log))
    try:
        async with asyncio.timeout(60):
            while (roster := read_roster(folder)) is None:
                assert process.returncode is None, log.read_text(encoding="utf-8")
                await asyncio.sleep(0.05)
        yield roster
    finally:
        process.send(signal.SIGTERM)
        async with asyncio.timeout(30):
            await process.ended()


@pytest.mark.slow
@pytest.mark.parametrize("page", list(PAGES), ids=lambda page: str(page.relative_to(ROOT)))
async def test_commands_do_what_the_page_shows(page: Path, tmp_path: Path) -> None:
    """Each page is typed from top to bottom against a fresh platform."""
    folder = tmp_path / "data"
    async with _platform(folder, tmp_path / "up.log") as roster:
        address = roster.address.removeprefix("http://")
        environment = {"MYSTIRA_DATA_FOLDER": str(folder)}
        await asyncio.to_thread(
            run_steps, PAGES[page], folder=tmp_path, environment=environment, address=address
        )
