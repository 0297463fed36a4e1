"""The tables of the file, how a connection to it is opened, and what its errors are called.

documents   a row a record: canonical JSON as text, its version; no body is a tombstone
claims      a row for each unique value of a living record; also the index that finds it
log         the accepted writes, in the order of their commits
fences      the epoch under which each kind is written
notes       small named values
kinds       by which declaration of each kind its claims and partitions were written

and, for what others write (see `outsiders`):

gate            open while the engine writes
unsettled       records whose claims and partitions are not yet those of their bodies
rogue_writes    what was written while the kind's fence did not admit it
"""

import random
import sqlite3
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

from manystore.errors import UnavailableError
from manystore.stores.sqlite import outsiders

T = TypeVar("T")

SCHEMA_VERSION: Final = 2
"""Raised where a program of a former version must not write the file any more: 2 has the gate."""
PATIENCE: Final = 5.0
"""Seconds for which a lock of another process is waited for."""

_TABLES: Final = """
create table if not exists documents (
    kind text not null,
    key text not null,
    version integer not null,
    body text,                          -- canonical JSON; null for a tombstone
    escaped integer not null,           -- 1 where the body says what SQLite's JSON functions cannot read
    partition text,                     -- the partition key, where that is not the key itself
    primary key (kind, key)
);
create index if not exists documents_by_partition on documents (kind, partition, key)
    where partition is not null;
create index if not exists tombstones on documents (kind) where body is null;

create table if not exists claims (
    kind text not null,
    name text not null,                 -- of the unique constraint
    value blob not null,                -- UTF-8, lower case where case is ignored
    key text not null,                  -- old data may share a value, so the key is part of the row's own
    primary key (kind, name, value, key)
) without rowid;

create table if not exists log (
    -- Writers take turns, so sequences are committed in their order: a reader that has seen one has seen
    -- all before it. AUTOINCREMENT never gives a sequence twice, even after old entries were removed.
    sequence integer primary key autoincrement,
    kind text not null,
    key text not null,
    version integer not null
);
create index if not exists log_by_kind on log (kind, sequence, key, version);

create table if not exists fences (
    kind text primary key,
    epoch integer not null,
    admits integer not null,
    body blob not null
) without rowid;

create table if not exists kinds (
    kind text primary key,
    declaration text not null
) without rowid;

create table if not exists notes (
    name text primary key,
    value blob not null,
    revision integer not null
);
"""


def connect(path: Path, store: str) -> sqlite3.Connection:
    """Open the file. Raises UnavailableError where that is not possible, or it is no database."""
    try:
        # Statements begin and end transactions here, not the driver; and busy_timeout would sleep up to
        # 100 ms at a time, so waiting for locks is done by `patiently`.
        connection = sqlite3.connect(path, timeout=0, isolation_level=None, cached_statements=256)
    except sqlite3.Error as error:
        raise unavailable(store, path, error) from error
    try:
        for pragma in (
            # A commit is on the disk before it is acknowledged, power cuts included.
            "synchronous = full",
            "cache_size = -16000",
            "temp_store = memory",
            "journal_size_limit = 67108864",
        ):
            patiently(partial(connection.execute, f"pragma {pragma}"))
    except sqlite3.Error as error:
        connection.close()
        raise unavailable(store, path, error) from error
    return connection


def prepare(connection: sqlite3.Connection, path: Path, store: str) -> None:
    """Create what is missing, and turn on the mode in which readers never wait for the writer.

    Raises UnavailableError for a file that is another program's, or a later version's of this one.
    """
    try:
        patiently(lambda: connection.execute("begin immediate"))
        (version,) = connection.execute("pragma user_version").fetchone()
        (tables,) = connection.execute("select count(*) from sqlite_master").fetchone()
        if version > SCHEMA_VERSION or (version == 0 and tables):
            connection.execute("rollback")
            reason = f"{path} has schema {version}, and this program knows only {SCHEMA_VERSION}"
            raise UnavailableError(subject=store, reason=reason)
        for statement in _statements(_TABLES + outsiders.SCHEMA):
            connection.execute(statement)
        connection.execute(f"pragma user_version = {SCHEMA_VERSION}")
        patiently(lambda: connection.execute("commit"))
        patiently(lambda: connection.execute("pragma journal_mode = wal"))
    except sqlite3.Error as error:
        raise unavailable(store, path, error) from error


def _statements(script: str) -> list[str]:
    # Not executescript: it would commit the transaction in which all of this becomes visible at once.
    found, rest = list[str](), ""
    for line in script.splitlines(keepends=True):
        rest += line
        if sqlite3.complete_statement(rest):
            found.append(rest)
            rest = ""
    return found


def patiently(attempt: Callable[[], T]) -> T:
    """Repeat the attempt while another process holds the lock that it needs, for up to PATIENCE seconds.

    Raises sqlite3.Error: the lock's, once patience has run out, or any other at once.
    """
    give_up = time.monotonic() + PATIENCE
    while True:
        try:
            return attempt()
        except sqlite3.OperationalError as error:
            if not is_busy(error) or time.monotonic() > give_up:
                raise
        # Short, and never twice alike, so that processes which wait for one lock do not march in step.
        time.sleep(random.uniform(0.0005, 0.003))  # noqa: S311 - no secret


def is_busy(error: sqlite3.Error) -> bool:
    """Whether the error says that another connection holds a lock."""
    # The low byte is the code; SQLITE_BUSY_RECOVERY and its like differ above it.
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def unavailable(store: str, path: Path, error: sqlite3.Error) -> UnavailableError:
    """What a caller is told of an error of the database."""
    name = getattr(error, "sqlite_errorname", type(error).__name__)
    return UnavailableError(subject=store, reason=f"{path}: {error} ({name})")
