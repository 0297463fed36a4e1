"""A process that writes to a SQLite document store, and says on its output what was acknowledged.

It ends with its parent: whoever stops reading its output ends it by the next line that it writes.
"""

import asyncio
import sys
from pathlib import Path

from manystore.errors import VersionConflictError
from manystore.stores.sqlite import SqliteStore
from manystore.testing.samples import PEOPLE, WORDS, key_of, word

TASKS = 8


async def write_many(store: SqliteStore, run: str, limit: int) -> None:
    """New words, changed and partly deleted again, each step told as `key version` once acknowledged."""

    async def write(task: int) -> None:
        for number in range(limit):
            key = f"{run}-{task}-{number}"
            await store.put(WORDS, key, word(key), expected=None, epoch=1)
            print(key, 1, flush=True)
            await store.put(WORDS, key, word(key, meaning="changed"), expected=1, epoch=1)
            print(key, 2, flush=True)
            if number % 5 == 0:
                await store.delete(WORDS, key, expected=2, epoch=1)
                print(key, 3, flush=True)

    await asyncio.gather(*(write(task) for task in range(TASKS)))


async def increment(store: SqliteStore, times: int) -> None:
    """Raise the visits of three people, `times` in all by each of a few tasks, by compare-and-set."""

    async def visit(task: int) -> None:
        done = 0
        while done < times:
            now = await store.get(PEOPLE, key_of((task + done) % 3))
            assert now is not None
            assert now.content is not None
            raised = now.content | {"visits": now.content["visits"] + 1}
            try:
                await store.put(PEOPLE, now.key, raised, expected=now.version, epoch=1)
            except VersionConflictError:
                continue
            done += 1
            print(now.key, now.version + 1, flush=True)

    await asyncio.gather(*(visit(task) for task in range(4)))


async def main(path: str, deed: str, run: str, number: str) -> None:
    """Open the store, do the deed, close it."""
    store = SqliteStore(Path(path))
    await store.open()
    if deed == "write":
        await write_many(store, run, int(number))
    else:
        await increment(store, int(number))
    await store.close()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
