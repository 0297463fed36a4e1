"""The store itself: which thread does what, and what is prepared before a thread is asked."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Iterable, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Final

from manystore.changes import START, ChangeBatch, Position
from manystore.errors import LogCutError, UnavailableError
from manystore.paging import cut_page
from manystore.records import Content, Kind, Record
from manystore.specifications import Page, Specification
from manystore.stores.sqlite import examination, outsiders, reads, writes
from manystore.stores.sqlite.lanes import Lane
from manystore.stores.sqlite.queries import Query, compile_specification, install_functions
from manystore.stores.sqlite.rows import Written, record_of
from manystore.stores.sqlite.schema import connect, prepare
from manystore.stores.sqlite.transactions import committing_together, reading
from manystore.stores.store import (
    Examination,
    Fence,
    Fencing,
    KeyRange,
    KeyVersion,
    Note,
    Outcome,
    RogueWrite,
)

_WRITES_AT_ONCE: Final = 256
_READS_AT_ONCE: Final = 64
_ADOPTED_AT_ONCE: Final = 1000
_NEXT: Final = 1
"""Whatever version a write will get, it is not that of old data."""


class SqliteStore:
    """Documents in one file, shared by the processes of one machine.

    Writes of all tasks go through one thread, which commits those that wait together; short reads and long
    ones (find, scan, count, ranges) have threads of their own, so that neither waits for the other, and
    none of them for a writer. The file's write lock is waited for, for up to five seconds; then, as with
    any other trouble of the file, UnavailableError tells what SQLite said.
    """

    fencing: Fencing = "transaction"

    def __init__(self, path: Path | str, name: str = "documents") -> None:
        self.name = name
        self._path = Path(path)
        run_reads = reading(self._path, name)
        run_writes = committing_together(
            self._path, name, first=outsiders.OPEN_GATE, last=outsiders.CLOSE_GATE
        )
        self._writer = Lane(name, "writer", self._connect_writer, run_writes, at_once=_WRITES_AT_ONCE)
        self._reader = Lane(name, "reader", self._connect, run_reads, at_once=_READS_AT_ONCE)
        self._searcher = Lane(name, "searcher", self._connect, run_reads, threads=2)
        self._indexed: dict[str, Kind] = {}
        self._is_open = False

    @property
    def path(self) -> Path:
        """Where the file is."""
        return self._path

    def _connect(self) -> sqlite3.Connection:
        connection = connect(self._path, self.name)
        install_functions(connection)
        return connection

    def _connect_writer(self) -> sqlite3.Connection:
        connection = self._connect()
        try:
            prepare(connection, self._path, self.name)
        except UnavailableError:
            connection.close()
            raise
        return connection

    async def open(self) -> None:
        """Open the file, or create it. Raises UnavailableError where that is not possible."""
        if self._is_open:
            return
        # The writer first: it creates what the readers then find.
        await self._writer.start()
        try:
            await self._reader.start()
            await self._searcher.start()
        except BaseException:
            await self.close()
            raise
        self._is_open = True

    async def close(self) -> None:
        """Finish what is under way and let go of the file."""
        self._is_open = False
        for lane in (self._searcher, self._reader, self._writer):
            await lane.stop()

    # -- reading -------------------------------------------------------------------------------------

    async def get(self, kind: Kind, key: str) -> Record | None:
        """See Store.get."""
        return await self._reader.do(lambda connection: reads.get(connection, kind, key))

    async def get_many(self, kind: Kind, keys: Sequence[str]) -> dict[str, Record]:
        """See Store.get_many."""
        return await self._reader.do(lambda connection: reads.get_many(connection, kind, keys))

    async def find(self, kind: Kind, specification: Specification) -> Page:
        """See Store.find."""
        query = compile_specification(kind, specification)
        await self._index(kind)
        while (records := await self._searcher.do(lambda connection: _search(connection, query))) is None:
            await self._writer.do(lambda connection: writes.settle(connection, kind))
        return cut_page(kind, specification, records)

    async def scan(self, kind: Kind, key_range: KeyRange, limit: int) -> list[Record]:
        """See Store.scan."""
        return await self._searcher.do(lambda connection: reads.scan(connection, kind, key_range, limit))

    async def versions(self, kind: Kind, key_range: KeyRange, limit: int) -> list[KeyVersion]:
        """See Store.versions."""
        return await self._searcher.do(lambda connection: reads.versions(connection, kind, key_range, limit))

    async def ranges(self, kind: Kind, count: int) -> list[KeyRange]:
        """See Store.ranges."""
        return await self._searcher.do(lambda connection: reads.ranges(connection, kind, count))

    async def count(self, kind: Kind) -> int:
        """See Store.count."""
        return await self._searcher.do(lambda connection: reads.count(connection, kind))

    # -- writing, as the truth -----------------------------------------------------------------------

    async def put(
        self,
        kind: Kind,
        key: str,
        content: Content,
        *,
        expected: int | None,
        epoch: int,
        above: int = 0,
    ) -> Record:
        """See Store.put. A unique value that the record had before is not checked again (see `adopt`)."""
        kind.check(key, content)
        written = Written.of(kind, Record(key, _NEXT, content))
        return await self._write(kind, written, expected, epoch, above)

    async def delete(self, kind: Kind, key: str, *, expected: int, epoch: int, above: int = 0) -> Record:
        """See Store.delete."""
        kind.check_key(key)
        return await self._write(kind, Written.of(kind, Record(key, _NEXT, None)), expected, epoch, above)

    async def _write(
        self, kind: Kind, written: Written, expected: int | None, epoch: int, above: int
    ) -> Record:
        await self._index(kind)
        version = await self._writer.do(
            lambda connection: writes.write_as_truth(
                connection, self.name, kind, written, expected=expected, epoch=epoch, above=above
            )
        )
        # Read from the text that was written, so that the caller's dictionary is not also the record's.
        return record_of(kind, (written.key, version, written.body))

    # -- writing, as a copy --------------------------------------------------------------------------

    async def apply(
        self, kind: Kind, records: Sequence[Record], *, note: Note | None = None
    ) -> list[Outcome]:
        """See Store.apply. A unique value that the record had before is not checked again (see `adopt`)."""
        ready = [(record.version, _checked(kind, record)) for record in records]
        await self._index(kind)
        return await self._writer.do(lambda connection: writes.apply(connection, kind, ready, note))

    async def apply_together(self, kind: Kind, records: Sequence[Record]) -> list[Outcome]:
        """See Store.apply_together. A unique value that the record had before is not checked again."""
        ready = [(record.version, _checked(kind, record)) for record in records]
        await self._index(kind)
        return await self._writer.do(lambda connection: writes.apply_together(connection, kind, ready))

    async def adopt(self, kind: Kind, contents: Iterable[Content]) -> int:
        """Take in old data as version 0, in bulk, where nothing is yet; returns how many were taken.

        This is how documents of a former system get here: no fence is asked, nothing enters the change
        log, and unique values are not checked, since that system did not check them either. Records that
        share a value all keep it; each may be written again as long as its value stays as it is, but
        nobody else can take the value while one of them has it. Documents stay as they are, also where they
        are read otherwise (see `former`). Raises InvalidRecordError; batches before the one with that record
        stay.
        """
        await self._index(kind)
        rest, adopted = iter(contents), 0
        writing = asyncio.ensure_future(asyncio.sleep(0, 0))
        try:
            while batch := list(islice(rest, _ADOPTED_AT_ONCE)):
                # While one batch is written by the writer's thread, the next is made ready here.
                rows = [_checked(kind, Record(str(each.get("id")), 0, each)) for each in batch]
                adopted += await writing
                writing = asyncio.ensure_future(self._writer.do(partial(writes.adopt, kind=kind, rows=rows)))
                await asyncio.sleep(0)
        finally:
            adopted += await writing
        return adopted

    async def examine(self, kind: Kind, batches: AsyncIterator[Sequence[Record]]) -> Examination:
        """See Store.examine. Documents hold every value, so only shared ones are found."""
        return await examination.examine(self.name, kind, batches)

    async def _index(self, kind: Kind) -> None:
        """Bring claims and partitions up to this declaration of the kind, once a process."""
        if self._indexed.get(kind.name) is not kind:
            await self._writer.do(lambda connection: writes.index(connection, kind))
            self._indexed[kind.name] = kind

    # -- the change log ------------------------------------------------------------------------------

    async def changes(self, kind: Kind, after: Position, limit: int) -> ChangeBatch:
        """See Store.changes. A position is (sequence,)."""
        batch = await self._reader.do(lambda connection: reads.changes(connection, kind, after, limit))
        if batch is None:
            raise LogCutError(store=self.name, kind=kind.name, position=after)
        return batch

    async def cut_log(self, kind: Kind, upto: Position, limit: int) -> int:
        """See Store.cut_log."""
        if upto == START:
            return 0
        return await self._writer.do(lambda connection: writes.cut_log(connection, kind, upto[0], limit))

    async def head(self, kind: Kind) -> Position:
        """See Store.head."""
        return await self._reader.do(lambda connection: reads.head(connection, kind))

    async def rogue_writes(self, kind: Kind) -> list[RogueWrite]:
        """See Store.rogue_writes."""
        return await self._reader.do(lambda connection: outsiders.rogue_writes(connection, kind))

    async def forget_rogue_write(self, kind: Kind, rogue: RogueWrite) -> bool:
        """See Store.forget_rogue_write."""
        return await self._writer.do(lambda connection: outsiders.forget_rogue_write(connection, kind, rogue))

    # -- fences and notes ----------------------------------------------------------------------------

    async def fence(self, kind: Kind) -> Fence | None:
        """See Store.fence."""
        return await self._reader.do(lambda connection: reads.fence(connection, kind))

    async def raise_fence(self, kind: Kind, fence: Fence, *, expected: int | None) -> bool:
        """See Store.raise_fence."""
        return await self._writer.do(lambda connection: writes.raise_fence(connection, kind, fence, expected))

    async def note(self, name: str) -> Note:
        """See Store.note."""
        return await self._reader.do(lambda connection: reads.note(connection, name))

    async def notes(self, prefix: str) -> list[Note]:
        """See Store.notes."""
        return await self._reader.do(lambda connection: reads.notes(connection, prefix))

    async def write_note(self, name: str, value: bytes, *, expected: int) -> bool:
        """See Store.write_note."""
        return await self._writer.do(lambda connection: writes.write_note(connection, name, value, expected))

    async def drop_note(self, name: str, *, expected: int) -> bool:
        """See Store.drop_note."""
        return await self._writer.do(lambda connection: writes.drop_note(connection, name, expected))

    async def write_notes(self, notes: Sequence[Note]) -> list[bool]:
        """See Store.write_notes. One transaction."""
        return await self._writer.do(
            lambda connection: [
                writes.write_note(connection, note.name, note.value, note.revision) for note in notes
            ]
        )

    async def drop_notes(self, notes: Sequence[Note]) -> list[bool]:
        """See Store.drop_notes. One transaction."""
        return await self._writer.do(
            lambda connection: [writes.drop_note(connection, note.name, note.revision) for note in notes]
        )


def _search(connection: sqlite3.Connection, query: Query) -> list[Record] | None:
    """What the query finds, or None where it asked rows of which others changed the bodies."""
    connection.execute("begin")
    try:
        records = [record_of(query.kind, row) for row in query.run(connection)]
        return records if outsiders.is_settled(connection, query.kind) else None
    finally:
        connection.execute("rollback")


def _checked(kind: Kind, record: Record) -> Written:
    if record.content is None:
        kind.check_key(record.key)
    else:
        kind.check(record.key, record.content)
    return Written.of(kind, record)
