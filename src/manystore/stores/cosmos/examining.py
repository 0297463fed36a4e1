"""Examining records before a move: what would not fit, and who shares a value that must be one's own.

Shared values can only be known once all records were seen, so they are collected in a temporary file that the
standard library's SQLite sorts: memory stays flat however many there are.
"""

import asyncio
import heapq
import sqlite3
import tempfile
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Final

from manystore.errors import NotRepresentableError
from manystore.records import Kind, Record, canonical, parse
from manystore.stores.cosmos.writes import unfit
from manystore.stores.store import Examination, Twins

_SAMPLES: Final = 100
_SHARED: Final = """
    SELECT name, value, min(key) AS first, count(*) OVER () FROM claims
    GROUP BY name, value HAVING count(*) > 1 ORDER BY first LIMIT ?
"""


async def examine(store: str, kind: Kind, batches: AsyncIterator[Sequence[Record]]) -> Examination:
    """See Store.examine."""
    examined, unfit_count = 0, 0
    samples: list[NotRepresentableError] = []
    with tempfile.TemporaryDirectory(prefix="manystore-") as folder:
        # One connection, handed from thread to thread, never used by two at once.
        file = sqlite3.connect(Path(folder) / "claims", check_same_thread=False)
        try:
            file.execute("PRAGMA journal_mode = OFF")
            file.execute("CREATE TABLE claims (name TEXT, value BLOB, key TEXT)")
            async for batch in batches:
                live = [record for record in batch if record.content is not None]
                found = await asyncio.to_thread(_unfit, store, kind, live)
                await asyncio.to_thread(_collect, file, kind, live)
                examined, unfit_count = examined + len(live), unfit_count + len(found)
                samples = heapq.nsmallest(_SAMPLES, [*samples, *found], key=lambda each: each.key)
            twins_count, twins = await asyncio.to_thread(_twins, file, kind)
        finally:
            file.close()
    return Examination(
        examined=examined,
        unfit_count=unfit_count,
        unfit=tuple(samples),
        twins_count=twins_count,
        twins=tuple(twins),
    )


def _unfit(store: str, kind: Kind, records: Sequence[Record]) -> list[NotRepresentableError]:
    return [found for record in records if (found := unfit(store, kind, record)) is not None]


def _collect(file: sqlite3.Connection, kind: Kind, records: Sequence[Record]) -> None:
    rows = [
        (unique.name, canonical(value), record.key)
        for record in records
        for unique in kind.uniques
        if (value := unique.value_of(record.content or {})) is not None
    ]
    file.executemany("INSERT INTO claims VALUES (?, ?, ?)", rows)


def _twins(file: sqlite3.Connection, kind: Kind) -> tuple[int, list[Twins]]:
    fields = {unique.name: unique.field for unique in kind.uniques}
    found = list[Twins]()
    file.execute("CREATE INDEX by_value ON claims (name, value)")
    shared = file.execute(_SHARED, (_SAMPLES,)).fetchall()
    for name, value, *_ in shared:
        keys = file.execute(
            "SELECT key FROM claims WHERE name = ? AND value = ? ORDER BY key LIMIT ?",
            (name, value, _SAMPLES),
        )
        found.append(
            Twins(unique=name, field=fields[name], value=parse(value), keys=tuple(key for (key,) in keys))
        )
    return shared[0][-1] if shared else 0, sorted(found, key=lambda twins: twins.keys)
