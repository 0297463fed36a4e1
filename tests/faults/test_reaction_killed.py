"""A reaction's process killed with SIGKILL again and again: every change is carried out in the end."""

import asyncio
import sys
from asyncio.subprocess import PIPE
from pathlib import Path

from manystore.placement import Placement, read_state
from manystore.stores.sqlite import SqliteStore
from manystore.testing.samples import WORDS, word

ROOT = Path(__file__).parents[2]
WORDS_WRITTEN = 300
DEATHS = 2


async def _told_until_killed(path: Path, owner: str, lines: int) -> set[str]:
    """What a child said until it had said so much, and in the moment until its death."""
    process = await asyncio.create_subprocess_exec(
        *("setpriv", "--pdeathsig=KILL", sys.executable, "-m", "tests.faults.reaction_child"),
        *(str(path), owner),
        cwd=ROOT,
        stdout=PIPE,
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(120):
            told = [await process.stdout.readline() for _ in range(lines)]
    finally:
        process.kill()
        rest = await process.stdout.read()
        await process.wait()
    told += rest.splitlines(keepends=True)
    return {line.split()[0].decode() for line in told if line.endswith(b"\n")}


async def test_a_change_is_carried_out_whoever_dies(tmp_path: Path) -> None:
    """Each child dies in the midst of its work and holding the claim; the next one goes on from there."""
    path = tmp_path / "documents.db"
    store = SqliteStore(path)
    await store.open()
    placement = Placement.settled(WORDS, store)
    state = await read_state(placement)
    words = [f"word-{number:04}" for number in range(WORDS_WRITTEN)]
    for each in words:
        await store.put(WORDS, each, word(each), expected=None, epoch=state.epoch)
    told: set[str] = set()
    for death in range(DEATHS):
        told |= await _told_until_killed(path, f"child-{death}", 30)
        # Each repeats what the one before it told, and had no time to note.
        assert len(told) < WORDS_WRITTEN
    told |= await _told_until_killed(path, "last", WORDS_WRITTEN)
    assert told == set(words)
    await store.close()
