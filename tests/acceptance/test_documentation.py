"""What pages show of a running platform is what a running platform shows."""

import asyncio
import contextlib
import signal
import sys
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mystira.servers.logs import Log
from mystira.servers.processes import Program, start
from mystira.supervisor import Roster, read_roster
from tests.documents import ROOT, Step, all_fences, run_steps, steps


def _rooms() -> dict[str, list[list[Step]]]:
    """The commands of the pages of each room that need a platform, with all that stand between them."""
    wanted = {fence.page for fence in all_fences("console", "platform")}
    found: dict[str, list[list[Step]]] = {}
    for page in sorted(wanted):
        fences = [fence for fence in all_fences("console", "run") if fence.page == page]
        room = str(page.parent.relative_to(ROOT))
        found.setdefault(room, []).append([step for fence in fences for step in steps(fence)])
    return found


ROOMS = _rooms()


@contextlib.asynccontextmanager
async def _platform(folder: Path, log: Path) -> AsyncIterator[Roster]:
    """A platform as `make up` starts it, in a data folder of its own and on a free port."""
    command = (sys.executable, "-m", "mystira", "up", "--data-folder", str(folder), "--port", "0")
    process = await start(Program(name="up", command=command), Log(log))
    try:
        async with asyncio.timeout(180):
            while (roster := read_roster(folder)) is None:
                assert process.returncode is None, log.read_text(encoding="utf-8")
                await asyncio.sleep(0.05)
        yield roster
    finally:
        process.send(signal.SIGTERM)
        async with asyncio.timeout(120):
            await process.ended()


@pytest.mark.slow
@pytest.mark.parametrize("room", list(ROOMS))
async def test_commands_do_what_the_pages_show(room: str) -> None:
    """Each page of a room is typed from top to bottom; they share a platform that is new at the first."""
    # Not a folder of pytest's, whose long name would be cut off where a table shows paths.
    with tempfile.TemporaryDirectory(prefix="docs-", ignore_cleanup_errors=True) as home:
        data = Path(home) / "data"
        async with _platform(data, Path(home) / "up.log") as roster:
            for page in ROOMS[room]:
                await asyncio.to_thread(
                    run_steps,
                    page,
                    folder=Path(home),
                    environment={"MYSTIRA_DATA_FOLDER": str(data)},
                    address=roster.address.removeprefix("http://"),
                )
