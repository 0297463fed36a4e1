"""Writes behind the engine's back: by another program, or by a person with SQLite's command line.

Nobody asks them for a version or an epoch, so triggers do what they leave out, with nothing but what every
SQLite has. They raise the record's version by one, whatever number came along; leave a tombstone where a row
is deleted; enter the write in the log or, while the kind's fence does not admit writes, keep it as a rogue
write; and refuse a body that no record could have. A record that nobody had before has version 1.

What only the engine can work out (claims, partition, canonical form) waits in `unsettled` until the next
write or search of the kind.

The engine's own transactions open the gate first and close it before they commit. Since writers take turns
and nothing uncommitted is seen by others, an open gate is seen by the one who opened it, and by nobody else.
"""

import sqlite3
from typing import Final

from manystore.instants import parse_instant
from manystore.records import Kind
from manystore.stores.store import RogueWrite

OPEN_GATE: Final = "update gate set is_open = 1"
CLOSE_GATE: Final = "update gate set is_open = 0"

_OTHERS: Final = "(select is_open from gate) = 0"
_REFUSED: Final = "exists (select 1 from fences where kind = {row}.kind and not admits)"
_THE_ROW: Final = "kind = {row}.kind and key = {row}.key"

# A statement's own `or replace` or `or ignore` overrides what triggers say of conflicts, so nothing in them
# may meet one: rows are removed before they are inserted.
_REMEMBER: Final = f"""
    insert into unsettled (kind, key, former)
        select {{row}}.kind, {{row}}.key, {{former}}
        where not exists (select 1 from unsettled where {_THE_ROW});
"""

# `NaN` and the like are not valid JSON; 1e400 is, and reads as infinity.
_CHECK: Final = """
    select raise(abort, 'the body of a document must be a JSON object whose id is the key')
        where typeof(new.key) <> 'text' or new.body is not null and not (
            typeof(new.body) = 'text' and json_valid(new.body) and json_type(new.body) = 'object'
            and (select count(*) = 1 and max(atom is new.key) from json_each(new.body) where key is 'id')
        );
    select raise(abort, 'the body of a document must have no number beyond those of double precision')
        where new.body is not null and exists (
            select 1 from json_tree(new.body)
            where type in ('integer', 'real') and abs(cast(atom as real)) > 1.7976931348623157e308
        );
"""

_CAPTURE: Final = f"""
    insert into log (kind, key, version)
        select kind, key, version from documents where {_THE_ROW} and not {_REFUSED};
    insert into rogue_writes (kind, key, version, found_at, evidence)
        select kind, key, version, strftime('%Y-%m-%dT%H:%M:%fZ', 'now'), coalesce(body, 'null')
        from documents where {_THE_ROW} and {_REFUSED};
"""

_NEW: Final = {"row": "new"}
_OLD: Final = {"row": "old"}

SCHEMA: Final = f"""
create table if not exists gate (is_open integer not null);
insert into gate (is_open) select 0 where not exists (select 1 from gate);

create table if not exists unsettled (
    kind text not null,
    key text not null,
    former text,                        -- the body that claims and partition are still those of
    replaced integer,                   -- the version of a row that is just being replaced by an insert
    primary key (kind, key)
) without rowid;

create table if not exists rogue_writes (
    number integer primary key,
    kind text not null,
    key text not null,
    version integer not null,
    found_at text not null,
    evidence text not null              -- the body, or null for a removal
);
create index if not exists rogue_writes_by_key on rogue_writes (kind, key, number);

-- `insert or replace` removes the former row without asking the trigger for deletes.
create trigger if not exists outsider_replaces before insert on documents when {_OTHERS}
begin
    {_REMEMBER.format(former="(select body from documents where kind = new.kind and key = new.key)", **_NEW)}
    update unsettled set replaced = (select version from documents where {_THE_ROW.format(**_NEW)})
        where {_THE_ROW.format(**_NEW)};
end;

create trigger if not exists outsider_inserts after insert on documents when {_OTHERS}
begin
    {_CHECK}
    {OPEN_GATE};
    update documents set
        version = 1 + coalesce((select replaced from unsettled where {_THE_ROW.format(**_NEW)}), 0),
        escaped = body is not null
        where {_THE_ROW.format(**_NEW)};
    {_CAPTURE.format(**_NEW)}
    {CLOSE_GATE};
end;

create trigger if not exists outsider_updates after update on documents
when {_OTHERS} and new.body is not old.body
begin
    {_CHECK}
    select raise(abort, 'a document keeps its kind and its key: insert another and delete this one')
        where new.kind is not old.kind or new.key is not old.key;
    {OPEN_GATE};
    {_REMEMBER.format(former="old.body", **_NEW)}
    -- Bodies with escapes are read by Python when searched, and this one may have some.
    update documents set version = old.version + 1, escaped = body is not null, partition = old.partition
        where {_THE_ROW.format(**_NEW)};
    {_CAPTURE.format(**_NEW)}
    {CLOSE_GATE};
end;

-- A statement over many rows may leave the bodies of some as they are; those were not written.
create trigger if not exists outsider_changes_nothing after update on documents
when {_OTHERS} and new.body is old.body
begin
    select raise(abort, 'a document keeps its kind and its key: insert another and delete this one')
        where new.kind is not old.kind or new.key is not old.key;
    {OPEN_GATE};
    update documents set version = old.version, escaped = old.escaped, partition = old.partition
        where {_THE_ROW.format(**_NEW)};
    {CLOSE_GATE};
end;

-- A tombstone that is deleted stays, or a record deleted long ago could come back from a copy.
create trigger if not exists outsider_deletes after delete on documents when {_OTHERS}
begin
    {OPEN_GATE};
    {_REMEMBER.format(former="old.body", **_OLD)}
    insert into documents (kind, key, version, body, escaped, partition)
        values (old.kind, old.key, old.version + (old.body is not null), null, 0, null);
    insert into log (kind, key, version)
        select old.kind, old.key, old.version + 1
        where old.body is not null and not {_REFUSED.format(**_OLD)};
    insert into rogue_writes (kind, key, version, found_at, evidence)
        select old.kind, old.key, old.version + 1, strftime('%Y-%m-%dT%H:%M:%fZ', 'now'), 'null'
        where old.body is not null and {_REFUSED.format(**_OLD)};
    {CLOSE_GATE};
end;
"""


def is_settled(connection: sqlite3.Connection, kind: Kind) -> bool:
    """Whether claims and partitions of the kind are those of its bodies."""
    query = "select 1 from unsettled where kind = ? limit 1"
    return connection.execute(query, (kind.name,)).fetchone() is None


def rogue_writes(connection: sqlite3.Connection, kind: Kind) -> list[RogueWrite]:
    """What was written while the fence did not admit it, by key, then in the order of the writes."""
    query = """
        select key, version, found_at, evidence from rogue_writes where kind = ? order by key, number
    """
    found = list[RogueWrite]()
    for key, version, spelled, evidence in connection.execute(query, (kind.name,)):
        found_at = parse_instant(spelled)
        assert found_at is not None, "SQLite spells instants as RFC 3339 does"
        found.append(RogueWrite(key=key, version=version, found_at=found_at, evidence=evidence))
    return found


def forget_rogue_write(connection: sqlite3.Connection, kind: Kind, rogue: RogueWrite) -> bool:
    """Remove it; no two of one key have one version."""
    statement = "delete from rogue_writes where kind = ? and key = ? and version = ? and evidence = ?"
    facts = (kind.name, rogue.key, rogue.version, rogue.evidence)
    return connection.execute(statement, facts).rowcount > 0
