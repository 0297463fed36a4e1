"""Processes that share one SQLite document store: killed at any moment, nothing acknowledged is lost."""

import asyncio
import contextlib
import itertools
import sqlite3
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from pathlib import Path

from manystore.changes import START
from manystore.records import Record
from manystore.specifications import Specification, field
from manystore.stores.sqlite import SqliteStore
from manystore.testing.contract.terms import admit, fill, newest, read_log, scan_all
from manystore.testing.samples import PEOPLE, WORDS, key_of, person

CHILD = Path(__file__).with_name("sqlite_child.py")
LIMIT = "2000"
"""More than a child writes before it is killed, and few enough to end by itself."""


@contextlib.asynccontextmanager
async def child(path: Path, deed: str, run: str, number: str) -> AsyncIterator[Process]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(CHILD), str(path), deed, run, number, stdout=PIPE
    )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.communicate()


async def read_until_killed(process: Process, lines: int) -> list[tuple[str, int]]:
    """What a child acknowledged until it had said so many lines, and in the moment between."""
    assert process.stdout is not None
    told = [await process.stdout.readline() for _ in range(lines)]
    process.kill()
    told += (await process.stdout.read()).splitlines(keepends=True)
    # The last line may be torn: what was not told in full was not acknowledged.
    whole = (line.split() for line in told if line.endswith(b"\n"))
    return [(key.decode(), int(version)) for key, version in whole]


async def open_store(path: Path) -> SqliteStore:
    store = SqliteStore(path)
    await store.open()
    return store


async def test_killed_writer_loses_nothing_acknowledged(tmp_path: Path) -> None:
    """Writers are killed with SIGKILL, one at work beside another: each acknowledged write is there."""
    path = tmp_path / "documents.db"
    store = await open_store(path)
    await admit(store, WORDS)
    acknowledged: dict[str, int] = {}
    for round_ in range(3):
        async with (
            child(path, "write", f"a{round_}", LIMIT) as one,
            child(path, "write", f"b{round_}", LIMIT) as two,
        ):
            first = await read_until_killed(one, 150 + 70 * round_)
            second = await read_until_killed(two, 300)
        assert len(first) >= 150
        for key, version in itertools.chain(first, second):
            acknowledged[key] = max(version, acknowledged.get(key, 0))

        held = {record.key: record for record in await scan_all(store, WORDS)}
        lost = {
            key for key, version in acknowledged.items() if key not in held or held[key].version < version
        }
        assert not lost
        assert all(record.is_deleted == (record.version == 3) for record in held.values())
        # The log tells of exactly what is held: a write and its entry are one step, even when cut short.
        changes, _ = await read_log(store, WORDS, START, limit=1_000)
        assert newest(changes) == {key: record.version for key, record in held.items()}
    await store.close()
    with contextlib.closing(sqlite3.connect(path)) as connection:
        assert connection.execute("pragma integrity_check").fetchall() == [("ok",)]


async def test_processes_lose_no_update_to_each_other(tmp_path: Path) -> None:
    """Three processes that raise the same counters by compare-and-set raise them by all that they did."""
    path = tmp_path / "documents.db"
    store = await open_store(path)
    await admit(store, PEOPLE)
    await fill(store, PEOPLE, (person(number, visits=0) for number in range(3)))
    async with contextlib.AsyncExitStack() as stack:
        children = [await stack.enter_async_context(child(path, "increment", str(n), "25")) for n in range(3)]
        outputs = [(await process.communicate())[0] for process in children]
        assert [process.returncode for process in children] == [0, 0, 0]
    told = [line.split() for output in outputs for line in output.splitlines()]
    assert len(told) == len({tuple(each) for each in told}) == 300
    records = await store.get_many(PEOPLE, [key_of(number) for number in range(3)])
    visits = {key: (record.content or {})["visits"] for key, record in records.items()}
    assert sum(visits.values()) == 300
    assert {key: record.version for key, record in records.items()} == {
        key: visited + 1 for key, visited in visits.items()
    }
    await store.close()


async def test_killed_writer_leaves_no_lock_and_no_claim(tmp_path: Path) -> None:
    """After a writer was killed, the next one writes at once, and unique values are held by records alone."""
    path = tmp_path / "documents.db"
    store = await open_store(path)
    await admit(store, PEOPLE, WORDS)
    async with child(path, "write", "k", LIMIT) as process:
        await read_until_killed(process, 100)
        written = await store.put(PEOPLE, key_of(1), person(1), expected=None, epoch=1)
    assert written == Record(key_of(1), 1, person(1))
    page = await store.find(PEOPLE, Specification(where=field("email") == person(1)["email"]))
    assert [record.key for record in page.records] == [key_of(1)]
    await store.close()
