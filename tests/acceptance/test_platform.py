"""What somebody who types `mystira up` may rely on."""

import asyncio
import os
import signal
import socket
from pathlib import Path

import asyncpg
import pytest
from redis.asyncio import Redis

from mystira.settings import load_settings
from mystira.supervisor import Roster, reach, read_roster
from tests.platform_process import ask, gone, platform, processes_of


async def _write(roster: Roster) -> None:
    connection = await asyncpg.connect(roster.postgres_url)
    await connection.execute("CREATE TABLE kept (line text)")
    await connection.execute("INSERT INTO kept VALUES ('in PostgreSQL')")
    await connection.close()
    async with Redis.from_url(roster.redis_url) as redis:
        await redis.set("kept", "in Redis")


async def _read(roster: Roster) -> list[object]:
    connection = await asyncpg.connect(roster.postgres_url)
    line = await connection.fetchval("SELECT line FROM kept")
    await connection.close()
    async with Redis.from_url(roster.redis_url, decode_responses=True) as redis:
        return [line, await redis.get("kept")]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_stopped_platform_starts_again_with_its_data(tmp_path: Path, number: signal.Signals) -> None:
    """Stopped by Ctrl-C or SIGTERM it ends with 0, leaves no process, and starts again as it was."""
    folder = tmp_path / "data of ours"
    async with platform(folder, tmp_path / "first.log") as first:
        roster = await first.up()
        await _write(roster)
        assert await first.stop(number) == 0, first.output
        assert processes_of(folder) == set()
        assert read_roster(folder) is None
        assert not (folder / "platform.json").exists()
    async with platform(folder, tmp_path / "second.log") as second:
        again = await second.up()
        assert await _read(again) == ["in PostgreSQL", "in Redis"]
        assert (again.postgres_url, again.redis_url) == (roster.postgres_url, roster.redis_url)


async def test_two_platforms_run_side_by_side(tmp_path: Path) -> None:
    """Two data folders are two platforms: no port, no process and no data in common."""
    async with (
        platform(tmp_path / "a", tmp_path / "a.log") as first,
        platform(tmp_path / "b", tmp_path / "b.log") as second,
    ):
        one, two = await first.up(), await second.up()
        assert len({one.address, two.address, one.postgres_url, two.postgres_url}) == 4
        assert await ask(one) in {process.pid for process in one.processes}
        assert await ask(two) in {process.pid for process in two.processes}
        await first.stop()
        assert await ask(two) in {process.pid for process in two.processes}


async def test_a_folder_in_use_is_refused_in_one_sentence(tmp_path: Path) -> None:
    """A second platform in the same folder says who is there, and the first does not notice."""
    async with platform(tmp_path / "data", tmp_path / "first.log") as first:
        roster = await first.up()
        async with platform(tmp_path / "data", tmp_path / "second.log") as second:
            assert await second.ended() == 2
            assert second.output.count("\n") == 1
            assert f"in use by another platform (process {roster.pid})" in second.output
        assert await ask(roster)


async def test_a_busy_port_is_refused_in_one_sentence(tmp_path: Path) -> None:
    """A port that somebody else has is named together with how to choose another; nothing was started."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        async with platform(tmp_path / "data", tmp_path / "log", port=port) as refused:
            assert await refused.ended() == 2
            assert refused.output == (
                f"Cannot listen on 127.0.0.1:{port} (Address already in use): choose another address by "
                "--host and --port, or by MYSTIRA_HOST and MYSTIRA_PORT.\n"
            )
        assert not (tmp_path / "data" / "postgres").exists()


async def test_an_unusable_folder_is_refused_in_one_sentence(tmp_path: Path) -> None:
    """A folder that cannot be made is named with the reason and how to choose another."""
    (tmp_path / "file").write_text("no folder")
    async with platform(tmp_path / "file" / "data", tmp_path / "log") as refused:
        assert await refused.ended() == 2
        assert refused.output == (
            f"Data folder {tmp_path}/file/data cannot be used (Not a directory): choose another by "
            "--data-folder or MYSTIRA_DATA_FOLDER.\n"
        )


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
async def test_a_read_only_folder_is_refused_in_one_sentence(tmp_path: Path) -> None:
    """A folder without the permission to write is refused before anything is started."""
    (tmp_path / "data").mkdir(mode=0o500)
    async with platform(tmp_path / "data", tmp_path / "log") as refused:
        assert await refused.ended() == 2
        assert "cannot be used (Permission denied)" in refused.output


async def test_a_wrong_setting_is_refused_in_one_sentence(tmp_path: Path) -> None:
    """A wrong value stops the start with its variable's name and what is allowed."""
    async with platform(tmp_path / "data", tmp_path / "log", port="many") as refused:
        assert await refused.ended() == 2
        assert refused.output == (
            "MYSTIRA_PORT is 'many', and must be a whole number from 0 to 65535 (0 takes a free port).\n"
        )
    assert not (tmp_path / "data").exists()


async def test_callers_wait_while_the_api_starts_again(tmp_path: Path) -> None:
    """The port stays open while the API's process is replaced: a caller waits, and is not refused."""
    async with platform(tmp_path / "data", tmp_path / "log") as running:
        roster = await running.up()
        killed = next(process.pid for process in roster.processes if process.name == "api")
        os.kill(killed, signal.SIGKILL)
        await gone_pid(killed)
        assert await ask(roster) != killed


async def test_other_commands_find_the_platform_that_is_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Settings that name no server get the addresses of the one that runs in their data folder."""
    monkeypatch.setenv("MYSTIRA_DATA_FOLDER", str(tmp_path / "data"))
    async with platform(tmp_path / "data", tmp_path / "log") as running:
        roster = await running.up()
        assert reach(load_settings()).postgres_url == roster.postgres_url
        await running.stop()
    await gone(tmp_path / "data")


async def gone_pid(pid: int) -> None:
    """Wait until the process has ended and its supervisor knows."""
    async with asyncio.timeout(120):
        while Path(f"/proc/{pid}").exists():
            await asyncio.sleep(0.01)
