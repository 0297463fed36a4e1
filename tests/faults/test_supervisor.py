"""What a platform does when its processes, or it itself, are killed."""

import asyncio
import os
import shutil
import signal
import stat
from pathlib import Path

import asyncpg
import pytest

from mystira.servers.logs import Log
from mystira.servers.processes import Program, start
from mystira.supervisor import Roster, read_roster
from tests.platform_process import ask, gone, platform, processes_of


async def _count_up(roster: Roster) -> int:
    """Commit one more row; returns how many there are."""
    connection = await asyncpg.connect(roster.postgres_url)
    try:
        await connection.execute("CREATE TABLE IF NOT EXISTS starts (at timestamptz DEFAULT now())")
        await connection.execute("INSERT INTO starts DEFAULT VALUES")
        count: int = await connection.fetchval("SELECT count(*) FROM starts")
        return count
    finally:
        await connection.close()


async def _restarted(folder: Path, before: Roster) -> Roster:
    """The roster once every process of the former one has been replaced."""
    former = {process.pid for process in before.processes}
    async with asyncio.timeout(120):
        while True:
            roster = read_roster(folder)
            if roster and former.isdisjoint(process.pid for process in roster.processes):
                return roster
            await asyncio.sleep(0.02)


async def test_a_killed_platform_leaves_no_process_and_starts_again(tmp_path: Path) -> None:
    """SIGKILL of the supervisor ends every server and service; what was committed is there afterwards.

    It starts again at once, while the servers of the former one may still be ending.
    """
    folder = tmp_path / "data"
    for starts in (1, 2, 3):
        async with platform(folder, tmp_path / f"{starts}.log") as running:
            roster = await running.up()
            assert await _count_up(roster) == starts
            assert {process.pid for process in roster.processes} < processes_of(folder)
            assert await running.stop(signal.SIGKILL) == -signal.SIGKILL
    await gone(folder)
    assert read_roster(folder) is None


async def test_no_folder_is_opened_to_others(tmp_path: Path) -> None:
    """Servers reach their files below a folder that is its owner's alone, and it stays so."""
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    async with platform(private / "data", tmp_path / "log") as running:
        roster = await running.up()
        assert await _count_up(roster) == 1
        for folder in (private, private / "data", private / "data" / "postgres"):
            assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        for secret in (private / "data" / "secrets").iterdir():
            assert stat.S_IMODE(secret.stat().st_mode) == 0o600


@pytest.mark.parametrize("seconds", [0.15, 0.3, 0.45, 0.6])
async def test_a_first_start_may_be_interrupted_anywhere(tmp_path: Path, seconds: float) -> None:
    """Whenever the very first start is killed, also while the cluster is made, the next one succeeds."""
    folder = tmp_path / "data"
    async with platform(folder, tmp_path / "first.log") as first:
        await asyncio.sleep(seconds)
        first.process.send(signal.SIGKILL)
        await first.ended()
        async with platform(folder, tmp_path / "second.log") as second:
            assert await _count_up(await second.up()) == 1


async def test_a_cluster_that_was_never_finished_is_made_again(tmp_path: Path) -> None:
    """What an interrupted making of the cluster left behind is thrown away, not started."""
    folder = tmp_path / "data"
    (folder / "postgres.new" / "base").mkdir(parents=True)
    (folder / "postgres.new" / "PG_VERSION").write_text("18\n")
    async with platform(folder, tmp_path / "log") as running:
        assert await _count_up(await running.up()) == 1
    assert not (folder / "postgres.new").exists()


async def test_killed_servers_and_services_are_started_again(tmp_path: Path) -> None:
    """Each process that is killed comes back at the same address, and is counted."""
    folder = tmp_path / "data"
    async with platform(folder, tmp_path / "log") as running:
        before = await running.up()
        assert await _count_up(before) == 1
        for process in before.processes:
            os.kill(process.pid, signal.SIGKILL)
        after = await _restarted(folder, before)
        assert {process.name: process.restarts for process in after.processes} == {
            "postgres": 1,
            "redis": 1,
            "api": 1,
            "worker": 1,
        }
        assert (after.postgres_url, after.address) == (before.postgres_url, before.address)
        assert await _count_up(after) == 2
        assert await ask(after) in {process.pid for process in after.processes}


async def test_a_mark_of_a_dead_server_does_not_hold_up_the_start(tmp_path: Path) -> None:
    """A postmaster.pid whose number some other process has by now is forgotten."""
    folder = tmp_path / "data"
    async with platform(folder, tmp_path / "first.log") as first:
        await first.up()
        mark = folder / "postgres" / "postmaster.pid"
        shutil.copy2(mark, tmp_path / "mark")
        await first.stop()
    # The very user that the server runs as: of others' processes PostgreSQL knows that they are none of its.
    sleep = Program(name="other", command=("/bin/sleep", "60"), as_nobody=True)
    other = await start(sleep, Log(tmp_path / "other.log"))
    lines = (tmp_path / "mark").read_text().splitlines()
    mark.write_text("\n".join([str(other.pid), *lines[1:]]) + "\n")
    os.chown(mark, (folder / "postgres").stat().st_uid, -1)
    try:
        async with platform(folder, tmp_path / "second.log") as second:
            assert await _count_up(await second.up()) == 1
    finally:
        await other.stop()


async def test_a_service_that_does_not_start_ends_the_start(tmp_path: Path) -> None:
    """The sentence names the service, its last words and its log; nothing is left running."""
    folder = tmp_path / "data"
    async with platform(folder, tmp_path / "log", stand_in="dies") as running:
        assert await running.ended() == 1
        sentence = running.output.splitlines()[-1]
        assert sentence == (
            f"worker did not start: the stand-in gives up; its log is {folder}/logs/worker.log."
        )
    assert processes_of(folder) == set()


@pytest.mark.slow
async def test_a_service_that_does_not_hear_is_killed(tmp_path: Path) -> None:
    """A service that ignores SIGTERM holds up the stop for some seconds, not for ever."""
    folder = tmp_path / "data"
    async with platform(folder, tmp_path / "log", stand_in="deaf") as running:
        await running.up()
        assert await running.stop() == 0
    assert processes_of(folder) == set()
