"""The engine's own rows: fences, notes, and the change log.

**Why the log is not read by number.** `seq` is given when a change is made, and changes are seen when their
transactions commit, which is in another order: a reader who has seen 5 and asks for what is above 5 never
sees 4 if 4 commits late. So entries carry their transaction's number too, and a reader takes only those of
transactions below `pg_snapshot_xmin(pg_current_snapshot())`. All of these have ended, so nothing can
appear among them any more, and (xid, seq) is an order in which nothing is ever inserted before a position.

A batch that is not full has read everything below that horizon; its position says so, and an idle log still
brings readers up. `head` is the last entry that is visible now. A write that was accepted before the call
has committed, so it is at or below; a reader is past it once every transaction that was under way when the
entry's transaction committed has ended as well. Hence all writers' transactions must be short: the oldest
one, in any database of the server, holds all readers back.
"""

import sys
from collections.abc import Sequence
from typing import Any, Final

from manystore.changes import START, Change, ChangeBatch, Position, cut_name
from manystore.errors import LogCutError
from manystore.records import Kind
from manystore.stores.postgres.connections import Connections
from manystore.stores.store import Fence, Note, RogueWrite

_LAST_OF_TRANSACTION: Final = sys.maxsize

_CHANGES: Final = """
    with horizon as materialized (
        select pg_snapshot_xmin(pg_current_snapshot()) as xmin,
               (select value from manystore.notes where name = $5) as cut
    )
    select horizon.xmin, entry.xid, entry.seq, entry.key, entry.version, horizon.cut
    from horizon left join lateral (
        select xid, seq, key, version from manystore.change_log
        where kind = $1 and xid < horizon.xmin and (xid, seq) > ($2::xid8, $3::bigint)
        order by xid, seq limit $4
    ) entry on true
    """
_HEAD: Final = """
    select xid, seq from manystore.change_log where kind = $1 order by xid desc, seq desc limit 1
    """
# Two who do this at once take turns by the locks of the rows: the second finds them gone and removes none.
_CUT: Final = """
    with gone as (
        delete from manystore.change_log where ctid = any (array (
            select e.ctid from manystore.change_log e
            where e.kind = $1 and (e.xid, e.seq) <= ($2::xid8, $3::bigint) and (e.xid, e.seq) < (
                select l.xid, l.seq from manystore.change_log l
                where l.kind = $1 order by l.xid desc, l.seq desc limit 1
            )
            order by e.xid, e.seq limit $4
        )) returning xid, seq
    ), noted as (
        insert into manystore.notes as note (name, value, revision)
        select $5, convert_to(xid || ',' || seq, 'UTF8'), 1 from gone order by xid desc, seq desc limit 1
        on conflict (name) do update set value = excluded.value, revision = note.revision + 1
    )
    select count(*) from gone
    """
_FENCE: Final = "select epoch, admits, body from manystore.fences where kind = $1"
_RAISE_FENCE: Final = "select manystore.raise_fence($1, $2::bigint, $3::bigint, $4::boolean, $5::bytea)"
_NOTE: Final = "select name, value, revision from manystore.notes where name = $1"
_NOTES: Final = """
    select name, value, revision from manystore.notes where starts_with(name, $1) order by name
    """
_FIRST_NOTE: Final = """
    insert into manystore.notes (name, value, revision) values ($1, $2, 1)
    on conflict (name) do nothing returning revision
    """
_NEXT_NOTE: Final = """
    update manystore.notes set value = $2, revision = revision + 1
    where name = $1 and revision = $3 returning revision
    """
_ANY_NOTE: Final = """
    insert into manystore.notes as note (name, value, revision) values ($1, $2, 1)
    on conflict (name) do update set value = excluded.value, revision = note.revision + 1
    """
_DROP_NOTE: Final = "delete from manystore.notes where name = $1 and revision = $2 returning revision"
_WRITE_NOTES: Final = """
    with given as materialized (
        select name, value, revision from unnest($1::text[], $2::bytea[], $3::bigint[])
            u (name, value, revision)
    ), locked as materialized (
        -- By name, so that two who write the same notes lock them in the same order.
        select n.name from manystore.notes n join given using (name, revision)
        order by n.name for update of n
    ), changed as (
        update manystore.notes n set value = given.value, revision = n.revision + 1
        from given join locked using (name)
        where n.name = given.name and n.revision = given.revision returning n.name
    ), made as (
        insert into manystore.notes (name, value, revision)
        select name, value, 1 from given where revision = 0 order by name
        on conflict (name) do nothing returning name
    )
    select name from changed union all select name from made
    """
_DROP_NOTES: Final = """
    with locked as materialized (
        select n.name, n.revision
        from manystore.notes n join unnest($1::text[], $2::bigint[]) u (name, revision) using (name, revision)
        order by n.name for update of n
    )
    delete from manystore.notes n using locked
    where n.name = locked.name and n.revision = locked.revision returning n.name
    """
_ROGUES: Final = """
    select key, version, found_at, evidence, made_by from manystore.rogue_writes
    where kind = $1 order by key, version
    """
_FORGET_ROGUE: Final = """
    delete from manystore.rogue_writes
    where kind = $1 and key = $2 and version = $3 and evidence = $4::jsonb returning version
    """


async def store_note(connection: Any, note: Note) -> None:
    """Store the value whatever the revision was, in the transaction of `connection`."""
    await connection.execute(_ANY_NOTE, note.name, note.value)


class Ledger:
    """Reads and writes the engine's rows. Methods raise UnavailableError; see Store for what they promise."""

    def __init__(self, connections: Connections, store: str) -> None:
        self._connections, self._store = connections, store

    async def changes(self, kind: Kind, after: Position, limit: int) -> ChangeBatch:
        """See Store.changes. A position is (transaction, number)."""
        xid, seq = after if after != START else (0, 0)
        rows = await self._connections.fetch(_CHANGES, kind.name, xid, seq, limit, cut_name(kind.name))
        if after != START and rows[0][5] is not None and (xid, seq) < _read_cut(rows[0][5]):
            raise LogCutError(store=self._store, kind=kind.name, position=after)
        found = [row for row in rows if row[1] is not None]
        changes = tuple(Change(row[3], row[4]) for row in found)
        if len(found) == limit:
            return ChangeBatch(changes, (found[-1][1], found[-1][2]))
        return ChangeBatch(changes, max((xid, seq), (rows[0][0] - 1, _LAST_OF_TRANSACTION)))

    async def head(self, kind: Kind) -> Position:
        """See Store.head."""
        rows = await self._connections.fetch(_HEAD, kind.name)
        return (rows[0][0], rows[0][1]) if rows else START

    async def cut_log(self, kind: Kind, upto: Position, limit: int) -> int:
        """See Store.cut_log."""
        if upto == START:
            return 0
        arguments = (kind.name, *upto, limit, cut_name(kind.name))
        return int(await self._connections.value(_CUT, *arguments))

    async def rogue_writes(self, kind: Kind) -> list[RogueWrite]:
        """See Store.rogue_writes. Evidence is a list of the rows written, with table and operation."""
        rows = await self._connections.fetch(_ROGUES, kind.name)
        return [
            RogueWrite(key=row[0], version=row[1], found_at=row[2], evidence=row[3], by=row[4])
            for row in rows
        ]

    async def forget_rogue_write(self, kind: Kind, rogue: RogueWrite) -> bool:
        """See Store.forget_rogue_write; one to which more was added since it was read is kept."""
        arguments = (kind.name, rogue.key, rogue.version, rogue.evidence)
        return bool(await self._connections.fetch(_FORGET_ROGUE, *arguments))

    async def fence(self, kind: Kind) -> Fence | None:
        """See Store.fence."""
        rows = await self._connections.fetch(_FENCE, kind.name)
        return Fence(epoch=rows[0][0], admits=rows[0][1], body=rows[0][2]) if rows else None

    async def raise_fence(self, kind: Kind, fence: Fence, *, expected: int | None) -> bool:
        """See Store.raise_fence."""
        return bool(
            await self._connections.value(
                _RAISE_FENCE, kind.name, expected, fence.epoch, fence.admits, fence.body
            )
        )

    async def note(self, name: str) -> Note:
        """See Store.note."""
        rows = await self._connections.fetch(_NOTE, name)
        return _note(rows[0]) if rows else Note(name=name, value=b"", revision=0)

    async def notes(self, prefix: str) -> list[Note]:
        """See Store.notes."""
        return [_note(row) for row in await self._connections.fetch(_NOTES, prefix)]

    async def write_note(self, name: str, value: bytes, *, expected: int) -> bool:
        """See Store.write_note."""
        if expected == 0:
            return bool(await self._connections.fetch(_FIRST_NOTE, name, value))
        return bool(await self._connections.fetch(_NEXT_NOTE, name, value, expected))

    async def drop_note(self, name: str, *, expected: int) -> bool:
        """See Store.drop_note."""
        return bool(await self._connections.fetch(_DROP_NOTE, name, expected))

    async def write_notes(self, notes: Sequence[Note]) -> list[bool]:
        """See Store.write_notes."""
        names, revisions = [note.name for note in notes], [note.revision for note in notes]
        values = [note.value for note in notes]
        rows = await self._connections.fetch(_WRITE_NOTES, names, values, revisions)
        return _among(names, rows)

    async def drop_notes(self, notes: Sequence[Note]) -> list[bool]:
        """See Store.drop_notes."""
        names, revisions = [note.name for note in notes], [note.revision for note in notes]
        return _among(names, await self._connections.fetch(_DROP_NOTES, names, revisions))


def _read_cut(value: bytes) -> tuple[int, int]:
    xid, _, seq = value.decode().partition(",")
    return int(xid), int(seq)


def _among(names: Sequence[str], rows: Sequence[Any]) -> list[bool]:
    found = {row[0] for row in rows}
    return [name in found for name in names]


def _note(row: Any) -> Note:
    return Note(name=row[0], value=row[1], revision=row[2])
