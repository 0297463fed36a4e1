"""What is asked of the file outside any write; each function sees what is committed when it asks."""

import json
import sqlite3
from collections.abc import Sequence
from typing import Final

import msgspec

from manystore.changes import START, Change, ChangeBatch, Position, cut_name
from manystore.records import Kind, Record, is_plain_text
from manystore.stores.sqlite.rows import COLUMNS, declared, record_of
from manystore.stores.store import Fence, KeyRange, KeyVersion, Note


def get(connection: sqlite3.Connection, kind: Kind, key: str) -> Record | None:
    """The record or tombstone under a key."""
    if not is_plain_text(key):
        return None
    query = f"select {COLUMNS} from documents where kind = ? and key = ?"
    row = connection.execute(query, (kind.name, key)).fetchone()
    return None if row is None else record_of(kind, row)


def get_many(connection: sqlite3.Connection, kind: Kind, keys: Sequence[str]) -> dict[str, Record]:
    """Records and tombstones under keys, however many those are: one parameter holds them all."""
    query = f"""
        select {COLUMNS} from documents where kind = ? and key in (select value from json_each(?))
    """
    wanted = json.dumps([key for key in keys if is_plain_text(key)])
    return {record.key: record for record in _records(connection, kind, query, [kind.name, wanted])}


def scan(connection: sqlite3.Connection, kind: Kind, key_range: KeyRange, limit: int) -> list[Record]:
    """Records and tombstones of a range, by key; SQLite compares the bytes of UTF-8, so by code point."""
    return _records(connection, kind, *_range(COLUMNS, kind, key_range, limit))


def versions(connection: sqlite3.Connection, kind: Kind, key_range: KeyRange, limit: int) -> list[KeyVersion]:
    """The same without bodies, which SQLite leaves where they are."""
    query, facts = _range("key, version, body is null as is_deleted", kind, key_range, limit)
    together = f"{_TOGETHER}, json_group_array(is_deleted) from ({query})"
    keys, versions, deleted = map(_decode, connection.execute(together, facts).fetchone())
    return list(map(KeyVersion, keys, versions, map(bool, deleted)))


_decode: Final = msgspec.json.Decoder().decode

_TOGETHER: Final = "select json_group_array(key), json_group_array(version)"
"""Many rows are asked for as one. At each step from row to row a thread lets go of the interpreter, and where
others are busy it waits 5 ms to have it back: a page of 1000 records took 1.6 s beside one busy thread.
"""


def _records(connection: sqlite3.Connection, kind: Kind, query: str, facts: Sequence[object]) -> list[Record]:
    """The records of a query's rows (key, version, body), in their order."""
    together = f"{_TOGETHER}, group_concat(coalesce(body, 'null')) from ({query})"
    try:
        keys, versions, bodies = connection.execute(together, facts).fetchone()
        rows = zip(_decode(keys), _decode(versions), _decode(f"[{bodies or ''}]"), strict=True)
        return [Record(key, version, declared(kind, version, content)) for key, version, content in rows]
    except (sqlite3.DataError, msgspec.MsgspecError, ValueError):
        # Too much for one text, or among them is a body that only the standard library reads, or nobody.
        return [record_of(kind, row) for row in connection.execute(query, facts)]


def _range(columns: str, kind: Kind, key_range: KeyRange, limit: int) -> tuple[str, list[object]]:
    # No key is empty, so the empty text is before all of them.
    upto, facts = "", [kind.name, key_range.after or "", limit]
    if key_range.upto is not None:
        upto = "and key <= ?"
        facts.insert(2, key_range.upto)
    return f"select {columns} from documents where kind = ? and key > ? {upto} order by key limit ?", facts


def ranges(connection: sqlite3.Connection, kind: Kind, count: int) -> list[KeyRange]:
    """Cut the keys, as they are now, into `count` parts of one size, by one walk over the index."""
    query = "select count(*) from documents where kind = ?"
    (total,) = connection.execute(query, (kind.name,)).fetchone()
    step = max(1, -(-total // count))
    query = "select key from documents where kind = ? and key > ? order by key limit 1 offset ?"
    cuts: list[str | None] = [None]
    # The last part ends open, for keys that are yet to come.
    for _ in range(min(count, total) - 1):
        row = connection.execute(query, (kind.name, cuts[-1] or "", step - 1)).fetchone()
        if row is None:
            break
        cuts.append(row[0])
    return [KeyRange(after, upto) for after, upto in zip(cuts, [*cuts[1:], None], strict=True)]


def count(connection: sqlite3.Connection, kind: Kind) -> int:
    """Living records: all but the tombstones, each number from an index alone."""
    query = """
        select (select count(*) from documents where kind = ?1)
             - (select count(*) from documents where kind = ?1 and body is null)
    """
    (living,) = connection.execute(query, (kind.name,)).fetchone()
    return int(living)


def changes(connection: sqlite3.Connection, kind: Kind, after: Position, limit: int) -> ChangeBatch | None:
    """Entries of the log after a position, which is a sequence; None where some of them were removed."""
    query = """
        select sequence, key, version from log where kind = ? and sequence > ? order by sequence limit ?
    """
    start = after[0] if after != START else 0
    rows = connection.execute(query, (kind.name, start, limit)).fetchall()
    # Asked second: what is removed from now on was still among the rows.
    cut = note(connection, cut_name(kind.name)).value
    if after != START and start < int(cut or b"0"):
        return None
    position = (rows[-1][0],) if rows else after
    return ChangeBatch(tuple(Change(key, version) for _, key, version in rows), position)


def head(connection: sqlite3.Connection, kind: Kind) -> Position:
    """The last sequence of the kind."""
    query = "select max(sequence) from log where kind = ?"
    (sequence,) = connection.execute(query, (kind.name,)).fetchone()
    return START if sequence is None else (sequence,)


def fence(connection: sqlite3.Connection, kind: Kind) -> Fence | None:
    """The kind's fence."""
    query = "select epoch, admits, body from fences where kind = ?"
    row = connection.execute(query, (kind.name,)).fetchone()
    return None if row is None else Fence(epoch=row[0], admits=bool(row[1]), body=row[2])


def note(connection: sqlite3.Connection, name: str) -> Note:
    """The note of that name, or an empty one."""
    query = "select value, revision from notes where name = ?"
    value, revision = connection.execute(query, (name,)).fetchone() or (b"", 0)
    return Note(name=name, value=value, revision=revision)


def notes(connection: sqlite3.Connection, prefix: str) -> list[Note]:
    """The notes whose names begin with the prefix."""
    # No letter of UTF-8 has a byte of 255, so this is above every name with the prefix, and only those.
    end = prefix.encode() + b"\xff"
    query = """
        select name, value, revision from notes where name >= ? and name < cast(? as text) order by name
    """
    rows = connection.execute(query, (prefix, end)).fetchall()
    return [Note(name=name, value=value, revision=revision) for name, value, revision in rows]
