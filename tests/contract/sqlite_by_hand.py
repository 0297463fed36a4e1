"""What a person with SQLite's command line does to the file: plain statements, no function of ours."""

import contextlib
import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from manystore.records import Content, Kind


@contextlib.contextmanager
def by_hand(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection as the command line has it; each statement is its own transaction."""
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        yield connection


def write_by_hand(connection: sqlite3.Connection, kind: Kind, key: str, content: Content | None) -> None:
    """Change the row if there is one, else insert it; or, without content, delete it."""
    row = (kind.name, key)
    if content is None:
        connection.execute("delete from documents where kind = ? and key = ?", row)
        return
    body = json.dumps(content, indent=2)
    query = "update documents set body = ? where kind = ? and key = ?"
    if connection.execute(query, (body, *row)).rowcount == 0:
        connection.execute(
            "insert into documents (kind, key, version, body, escaped) values (?, ?, 0, ?, 0)", (*row, body)
        )
