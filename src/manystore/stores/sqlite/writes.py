"""What is done inside a write transaction: every function here runs under the file's one write lock.

So what one of them reads stands still until it has written, and uniqueness and the epoch are checked in
the same transaction as the write that depends on them.
"""

import sqlite3
from collections.abc import Sequence

import msgspec

from manystore.changes import cut_name
from manystore.errors import StaleEpochError, UniqueError, VersionConflictError
from manystore.former import former_forms
from manystore.records import Kind, Record, canonical, parse
from manystore.stores.sqlite import outsiders, pointers
from manystore.stores.sqlite.rows import Claim, Written, claims_in, content_in
from manystore.stores.store import (
    Applied,
    Diverged,
    Fence,
    Ignored,
    Note,
    Outcome,
    Refused,
)

_WRITE = """
insert into documents (kind, key, version, body, escaped, partition) values (?, ?, ?, ?, ?, ?)
on conflict (kind, key) do update set
    version = excluded.version, body = excluded.body, escaped = excluded.escaped,
    partition = excluded.partition
"""
_ADOPT = "insert into documents (kind, key, version, body, escaped, partition) values (?, ?, 0, ?, ?, ?)"
_OTHER_HOLDER = "select 1 from claims where kind = ? and name = ? and value = ? and key <> ? limit 1"
_CLAIM = "insert or ignore into claims (kind, name, value, key) values (?, ?, ?, ?)"
_SOME_LIVING = """
select key, version, body from documents
where kind = ? and key > ? and body is not null order by key limit 1000
"""
_MOVE = "update documents set partition = ?, escaped = ? where kind = ? and key = ?"
_UNSETTLED = """
select key, former, version, body from unsettled join documents using (kind, key) where kind = ?
"""
_SETTLE = "update documents set body = ?, escaped = ?, partition = ? where kind = ? and key = ?"
_OLDEST = """
select sequence from log where kind = :kind and sequence <= :upto
and sequence < (select max(sequence) from log where kind = :kind) order by sequence limit :limit
"""
_WRITE_NOTE = """
insert into notes (name, value, revision) values (?, ?, 1)
on conflict (name) do update set value = excluded.value, revision = revision + 1
"""


class Held(msgspec.Struct, frozen=True):
    """What the file has of a record before it is written."""

    version: int
    body: str | None

    @property
    def live_version(self) -> int | None:
        """The version, unless this is a tombstone."""
        return None if self.body is None else self.version


def read_held(connection: sqlite3.Connection, kind: Kind, key: str) -> Held | None:
    """The row as it is now."""
    query = "select version, body from documents where kind = ? and key = ?"
    row = connection.execute(query, (kind.name, key)).fetchone()
    return None if row is None else Held(*row)


def write_as_truth(
    connection: sqlite3.Connection,
    store: str,
    kind: Kind,
    written: Written,
    *,
    expected: int | None,
    epoch: int,
    above: int,
) -> int:
    """Write if the live version is `expected`, under `epoch`, and log it; returns the new version.

    Raises StaleEpochError, VersionConflictError and UniqueError, each before anything is written.
    """
    check_epoch(connection, store, kind, epoch)
    settle(connection, kind)
    held = read_held(connection, kind, written.key)
    actual = None if held is None else held.live_version
    if actual != expected or (written.body is None and actual is None):
        raise VersionConflictError(kind=kind.name, key=written.key, expected=expected, actual=actual)
    version = max(0 if held is None else held.version, above) + 1
    replace(connection, kind, written, held, version)
    entry = "insert into log (kind, key, version) values (?, ?, ?)"
    connection.execute(entry, (kind.name, written.key, version))
    return version


def check_epoch(connection: sqlite3.Connection, store: str, kind: Kind, epoch: int) -> None:
    """Raise StaleEpochError unless the kind's fence admits writes under `epoch`."""
    query = "select epoch, admits from fences where kind = ?"
    actual, admits = connection.execute(query, (kind.name,)).fetchone() or (None, 0)
    if actual != epoch or not admits:
        raise StaleEpochError(store=store, kind=kind.name, expected=epoch, actual=actual, admits=bool(admits))


def replace(
    connection: sqlite3.Connection, kind: Kind, written: Written, held: Held | None, version: int
) -> None:
    """Put the row in its place, and its claims; UniqueError, before any change, if another holds a value.

    A value that the record had before is not checked: old data may share values, and a record that shares
    one must still be able to change in other ways. A value that is new to the record must be free.
    """
    if kind.uniques:
        before = set[Claim]() if held is None else claims_in(kind, held.version, held.body)
        after = set(written.claims)
        for claim in written.claims:
            if claim not in before:
                _check_free(connection, kind, written.key, claim)
        _write_claims(connection, kind, written.key, before - after, after - before)
    row = (kind.name, written.key, version, written.body, written.escaped, written.partition)
    connection.execute(_WRITE, row)


def _check_free(connection: sqlite3.Connection, kind: Kind, key: str, claim: Claim) -> None:
    facts = (kind.name, claim.unique.name, claim.value, key)
    if connection.execute(_OTHER_HOLDER, facts).fetchone():
        raise UniqueError(kind=kind.name, key=key, constraint=claim.unique.name, field=claim.unique.field)


def _write_claims(
    connection: sqlite3.Connection, kind: Kind, key: str, gone: set[Claim], new: set[Claim]
) -> None:
    connection.executemany(
        "delete from claims where kind = ? and name = ? and value = ? and key = ?",
        [(kind.name, claim.unique.name, claim.value, key) for claim in gone],
    )
    connection.executemany(
        _CLAIM,
        [(kind.name, claim.unique.name, claim.value, key) for claim in new],
    )


def apply(
    connection: sqlite3.Connection,
    kind: Kind,
    records: Sequence[tuple[int, Written]],
    note: Note | None,
) -> list[Outcome]:
    """Bring records in where they are newer, in order, and store the note with them."""
    settle(connection, kind)
    outcomes = [_apply_one(connection, kind, version, written) for version, written in records]
    if note is not None:
        connection.execute(_WRITE_NOTE, (note.name, note.value))
    return outcomes


def apply_together(
    connection: sqlite3.Connection, kind: Kind, records: Sequence[tuple[int, Written]]
) -> list[Outcome]:
    """Bring in all records that are newer, or none, whatever unique values they exchange."""
    settle(connection, kind)
    held = {written.key: read_held(connection, kind, written.key) for _, written in records}
    outcomes = [_judge(kind, held[written.key], version, written) for version, written in records]
    newer = [each for each, outcome in zip(records, outcomes, strict=True) if outcome is None]
    try:
        # Savepoints within the one that each job has: what was let go comes back with the refusal.
        connection.execute("savepoint together")
        for _, written in newer:
            if (before := held[written.key]) is not None:
                gone = claims_in(kind, before.version, before.body) - set(written.claims)
                _write_claims(connection, kind, written.key, gone, set())
        for version, written in newer:
            replace(connection, kind, written, held[written.key], version)
    except UniqueError as error:
        connection.execute("rollback to together")
        return [outcome or Refused(error) for outcome in outcomes]
    finally:
        connection.execute("release together")
    return [outcome or Applied() for outcome in outcomes]


def _judge(kind: Kind, held: Held | None, version: int, written: Written) -> Outcome | None:
    """What becomes of a record without writing it, or None where it is newer."""
    if held is not None and held.version == version:
        return Ignored(version) if _is_same(kind, version, held.body, written.body) else Diverged(version)
    return Ignored(held.version) if held is not None and held.version > version else None


def _apply_one(connection: sqlite3.Connection, kind: Kind, version: int, written: Written) -> Outcome:
    held = read_held(connection, kind, written.key)
    if (outcome := _judge(kind, held, version, written)) is not None:
        return outcome
    try:
        replace(connection, kind, written, held, version)
    except UniqueError as error:
        return Refused(error)
    return Applied()


def _is_same(kind: Kind, version: int, one: str | None, other: str | None) -> bool:
    if one == other or one is None or other is None:
        return one == other
    # Old data comes back from a copy in the declared form, and is still what lies here.
    is_old = version == 0
    return is_old and canonical(content_in(kind, 0, one)) == canonical(content_in(kind, 0, other))


def adopt(connection: sqlite3.Connection, kind: Kind, rows: Sequence[Written]) -> int:
    """Insert version-0 records where nothing is yet, without log and without a look at shared values."""
    new = {written.key: written for written in reversed(rows)}
    query = "select key from documents where kind = ? and key in (select value from json_each(?))"
    keys = msgspec.json.encode(list(new)).decode()
    for (key,) in connection.execute(query, (kind.name, keys)).fetchall():
        del new[key]
    connection.executemany(
        _ADOPT,
        [(kind.name, each.key, each.body, each.escaped, each.partition) for each in new.values()],
    )
    claims = [(each.key, claim) for each in new.values() for claim in each.claims]
    connection.executemany(
        _CLAIM, [(kind.name, claim.unique.name, claim.value, key) for key, claim in claims]
    )
    return len(new)


def settle(connection: sqlite3.Connection, kind: Kind) -> None:
    """Bring claims, partitions and spelling up to what others wrote; versions stay as they are."""
    if outsiders.is_settled(connection, kind):
        return
    for key, former, version, body in connection.execute(_UNSETTLED, (kind.name,)).fetchall():
        written = Written.of(kind, Record(key, version, None if body is None else parse(body)))
        facts = (written.body, written.escaped, written.partition, kind.name, key)
        connection.execute(_SETTLE, facts)
        # Nobody noted the version of the former body. If it was not old data, this looks for a claim or two
        # that it never had, and removes none of another record's.
        before = claims_in(kind, 0, former) | claims_in(kind, 1, former)
        after = set(written.claims)
        _write_claims(connection, kind, key, before - after, after - before)
    connection.execute("delete from unsettled where kind = ?", (kind.name,))


def index(connection: sqlite3.Connection, kind: Kind) -> None:
    """Write the kind's claims and partitions anew if they were written by another declaration of it.

    They are found again by these rows, so a kind that gained a unique field, say, or an alias, needs them for
    all the records that it had before.
    """
    uniques = [[unique.name, unique.field, unique.ignoring_case] for unique in kind.uniques]
    # Nothing is added where nothing was ever spelled otherwise, so that files of such kinds stay as they are.
    spelled = [list(former_forms(kind))] if former_forms(kind) else []
    pointing = [{"parents": pointers.indexed(kind)}] if pointers.indexed(kind) else []
    declaration = canonical([kind.partition_key, uniques, *spelled, *pointing]).decode()
    settle(connection, kind)
    row = connection.execute("select declaration from kinds where kind = ?", (kind.name,)).fetchone()
    if row == (declaration,):
        return
    for statement in pointers.statements(kind):
        connection.execute(statement)
    connection.execute("delete from claims where kind = ?", (kind.name,))
    last = ""
    while rows := connection.execute(_SOME_LIVING, (kind.name, last)).fetchall():
        for key, version, body in rows:
            written = Written.of(kind, Record(key, version, parse(body)))
            connection.execute(_MOVE, (written.partition, written.escaped, kind.name, key))
            _write_claims(connection, kind, key, set(), set(written.claims))
        last = rows[-1][0]
    connection.execute("replace into kinds (kind, declaration) values (?, ?)", (kind.name, declaration))


def cut_log(connection: sqlite3.Connection, kind: Kind, upto: int, limit: int) -> int:
    """Remove the oldest entries up to a sequence, but for the last of all, and note up to where."""
    rows = connection.execute(_OLDEST, {"kind": kind.name, "upto": upto, "limit": limit}).fetchall()
    if rows:
        connection.executemany("delete from log where sequence = ?", rows)
        connection.execute(_WRITE_NOTE, (cut_name(kind.name), str(rows[-1][0]).encode()))
    return len(rows)


def raise_fence(connection: sqlite3.Connection, kind: Kind, fence: Fence, expected: int | None) -> bool:
    """Replace the fence if its epoch is `expected`."""
    row = connection.execute("select epoch from fences where kind = ?", (kind.name,)).fetchone()
    if (None if row is None else row[0]) != expected:
        return False
    connection.execute(
        "replace into fences (kind, epoch, admits, body) values (?, ?, ?, ?)",
        (kind.name, fence.epoch, fence.admits, fence.body),
    )
    return True


def write_note(connection: sqlite3.Connection, name: str, value: bytes, expected: int) -> bool:
    """Replace the note if its revision is `expected`."""
    if _revision(connection, name) != expected:
        return False
    connection.execute(_WRITE_NOTE, (name, value))
    return True


def drop_note(connection: sqlite3.Connection, name: str, expected: int) -> bool:
    """Remove the note if its revision is `expected`."""
    if _revision(connection, name) != expected:
        return False
    connection.execute("delete from notes where name = ?", (name,))
    return True


def _revision(connection: sqlite3.Connection, name: str) -> int:
    row = connection.execute("select revision from notes where name = ?", (name,)).fetchone()
    return 0 if row is None else int(row[0])
