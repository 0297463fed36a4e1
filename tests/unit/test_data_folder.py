"""One folder, one platform: the lock, the ports, the passwords and the logs in it."""

import datetime as dt
import os
import signal
import socket
from pathlib import Path

import msgspec
import pytest

from mystira.errors import FolderError, FolderInUseError, ProgramMissingError
from mystira.servers.folder import DataFolder, in_use_by, is_alive
from mystira.servers.logs import Log
from mystira.servers.processes import Program, start
from mystira.supervisor import Roster, read_roster


async def test_the_folder_belongs_to_one_at_a_time(tmp_path: Path) -> None:
    """Who enters a folder in use is told by whom; once it is left, it is free."""
    async with DataFolder(tmp_path):
        assert in_use_by(tmp_path) == os.getpid()
        with pytest.raises(FolderInUseError, match=f"process {os.getpid()}"):
            async with DataFolder(tmp_path):
                pass
    assert in_use_by(tmp_path) is None
    async with DataFolder(tmp_path):
        assert in_use_by(tmp_path) == os.getpid()


async def test_the_folder_stays_locked_until_the_last_process_has_ended(tmp_path: Path) -> None:
    """A server that outlives its supervisor keeps the next one out of the files that it still writes."""
    async with DataFolder(tmp_path / "data") as folder:
        sleep = Program(name="sleep", command=("/bin/sleep", "0.3"), descriptors=(folder.lock,))
        process = await start(sleep, Log(tmp_path / "log"))
    assert process.returncode is None
    async with DataFolder(tmp_path / "data"):
        assert await process.ended() == 0


async def test_a_port_stays_while_it_is_free(tmp_path: Path) -> None:
    """A server has the same port at every start, unless somebody else took it in between."""
    async with DataFolder(tmp_path) as folder:
        port = folder.port("postgres")
        assert folder.port("postgres") == port
        assert folder.port("redis") != port
    async with DataFolder(tmp_path) as folder:
        assert folder.port("postgres") == port
        with socket.create_server(("127.0.0.1", port)):
            assert folder.port("postgres") != port


async def test_a_password_is_made_once(tmp_path: Path) -> None:
    """It is the same at every start, another in every folder, and nobody else may read it."""
    async with DataFolder(tmp_path / "a") as one, DataFolder(tmp_path / "b") as two:
        first = one.secret("postgres").read_text()
        assert one.secret("postgres").read_text() == first
        assert two.secret("postgres").read_text() != first
        assert len(first) == 32
        assert one.secret("postgres").stat().st_mode & 0o077 == 0


async def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    """The reason is the system's own."""
    (tmp_path / "file").write_text("")
    with pytest.raises(FolderError, match="Not a directory"):
        async with DataFolder(tmp_path / "file" / "data"):
            pass


def test_a_roster_counts_only_while_its_writer_lives(tmp_path: Path) -> None:
    """What a platform that was killed left behind is not taken for one that is up."""
    assert read_roster(tmp_path) is None
    (tmp_path / "lock").write_text(str(os.getpid()))
    roster = Roster(
        pid=os.getpid(),
        since=dt.datetime.now(dt.UTC),
        address="http://127.0.0.1:1",
        postgres_url="postgresql://127.0.0.1:2/mystira",
        redis_url="redis://127.0.0.1:3/0",
        processes=(),
    )
    (tmp_path / "platform.json").write_bytes(msgspec.json.encode(roster))
    assert read_roster(tmp_path) is None


async def test_a_process_that_ended_is_not_alive(tmp_path: Path) -> None:
    """Neither before nor after somebody asked how it ended."""
    process = await start(Program(name="true", command=("/bin/sleep", "60")), Log(tmp_path / "log"))
    assert is_alive(process.pid)
    assert await process.stop((signal.SIGTERM, 10.0)) == -signal.SIGTERM
    assert not is_alive(process.pid)


async def test_a_missing_program_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the tool that ties a process to its starter is missing, nothing is started without it."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ProgramMissingError, match="Program setpriv is missing: install util-linux"):
        await start(Program(name="true", command=("/bin/true",)), Log(tmp_path / "log"))


async def test_a_log_keeps_within_its_bounds(tmp_path: Path) -> None:
    """It is turned over by size, the oldest part is dropped, and no line is cut or lost before that."""
    log = Log(tmp_path / "log", limit=1000, kept=2)
    for number in range(100):
        log.write(b"line %06d and some more words to fill it\n" % number)
    files = [tmp_path / "log.2", tmp_path / "log.1", tmp_path / "log"]
    lines = "".join(file.read_text() for file in files).splitlines()
    assert lines == [f"line {n:06d} and some more words to fill it" for n in range(100 - len(lines), 100)]
    assert len(lines) > 40
    assert all(file.stat().st_size <= 1000 for file in files)
    assert not (tmp_path / "log.3").exists()
    assert log.last_words(1) == "line 000099 and some more words to fill it"


async def test_what_a_program_says_is_in_its_log(tmp_path: Path) -> None:
    """Both streams, to the last line before it ended."""
    log = Log(tmp_path / "log")
    process = await start(Program(name="sh", command=("/bin/sh", "-c", "echo one; echo two >&2")), log)
    assert await process.ended() == 0
    log.wait_closed(60.0)
    assert (tmp_path / "log").read_text() == "one\ntwo\n"
