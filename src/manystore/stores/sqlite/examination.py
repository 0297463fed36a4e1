"""Looks for records that share unique values, in a temporary database, so that memory stays flat."""

import sqlite3
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Final

from manystore.records import Kind, Record
from manystore.stores.sqlite.lanes import Lane
from manystore.stores.sqlite.rows import claims_of
from manystore.stores.sqlite.schema import unavailable
from manystore.stores.sqlite.transactions import committing_together
from manystore.stores.store import Examination, Twins

_SAMPLE: Final = 100
_PLACE: Final = Path("temporary database")

_TABLE = """
create table seen (name text, value blob, key text, primary key (name, value, key)) without rowid
"""
_SHARED = "select name, value, count(*) from seen group by name, value having count(*) > 1"
_SAMPLED = f"{_SHARED} order by min(key), name limit {_SAMPLE}"
_HOLDERS = "select key from seen where name = ? and value = ? order by key"


async def examine(store: str, kind: Kind, batches: AsyncIterator[Sequence[Record]]) -> Examination:
    """See Store.examine; nothing is unfit for documents, so only shared values are looked for."""
    examined = 0
    lane = Lane(store, "examiner", lambda: _connect(store), committing_together(_PLACE, store))
    await lane.start()
    try:
        async for batch in batches:
            living = [record for record in batch if record.content is not None]
            examined += len(living)
            rows = [
                (claim.unique.name, claim.value, record.key)
                for record in living
                for claim in claims_of(kind, record.content or {})
            ]
            await lane.do(lambda connection, rows=rows: _remember(connection, rows))  # type: ignore[misc]
        count, twins = await lane.do(lambda connection: _find_twins(connection, kind))
    finally:
        await lane.stop()
    return Examination(examined=examined, unfit_count=0, unfit=(), twins_count=count, twins=twins)


def _connect(store: str) -> sqlite3.Connection:
    try:
        # Without a name: SQLite keeps it in a file of its own once it outgrows the cache, and removes it.
        connection = sqlite3.connect("", isolation_level=None)
        connection.execute(_TABLE)
    except sqlite3.Error as error:
        raise unavailable(store, _PLACE, error) from error
    return connection


def _remember(connection: sqlite3.Connection, rows: Sequence[tuple[str, bytes, str]]) -> None:
    connection.executemany("insert or ignore into seen (name, value, key) values (?, ?, ?)", rows)


def _find_twins(connection: sqlite3.Connection, kind: Kind) -> tuple[int, tuple[Twins, ...]]:
    (count,) = connection.execute(f"select count(*) from ({_SHARED})").fetchone()
    fields = {unique.name: unique.field for unique in kind.uniques}
    twins = tuple(
        Twins(
            unique=name,
            field=fields[name],
            value=value.decode("utf-8", "surrogatepass"),
            keys=tuple(key for (key,) in connection.execute(_HOLDERS, (name, value))),
        )
        for name, value, _ in connection.execute(_SAMPLED).fetchall()
    )
    return count, twins
