"""What somebody who looks after a document store's file wants to know of it; reads only, alters nothing."""

import asyncio
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Final
from urllib.parse import quote

import msgspec

from manystore.errors import UnavailableError

_PATIENCE: Final = 5.0
_TOO_MUCH: Final = 10
"""Problems after which SQLite need not look for more."""


class Inspection(msgspec.Struct, frozen=True, kw_only=True):
    """A file as it is just now. `problems` is what SQLite finds damaged; nothing, where all is well."""

    version: str
    journal_mode: str
    size: int
    records: int
    problems: tuple[str, ...]


async def inspect(path: Path) -> Inspection:
    """Check the whole file. Takes about a second per gigabyte; writers go on. Raises UnavailableError."""
    return await asyncio.to_thread(_inspect, path)


def _inspect(path: Path) -> Inspection:
    try:
        size = path.stat().st_size
        connection = sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True, timeout=_PATIENCE)
        try:
            one = _asker(connection)
            lines = [str(row[0]) for row in connection.execute(f"pragma quick_check({_TOO_MUCH})")]
            return Inspection(
                version=sqlite3.sqlite_version,
                journal_mode=str(one("pragma journal_mode")),
                size=size,
                records=int(str(one("select count(*) from documents where body is not null"))),
                problems=tuple(line for line in lines if line != "ok"),
            )
        finally:
            connection.close()
    except (OSError, sqlite3.Error) as error:
        raise UnavailableError(subject=f"Document store {path}", reason=str(error)) from error


def _asker(connection: sqlite3.Connection) -> Callable[[str], object]:
    return lambda statement: connection.execute(statement).fetchone()[0]
