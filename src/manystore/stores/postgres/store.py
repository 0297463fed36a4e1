"""The store itself: the protocol's methods, on the statements of each kind's mapping."""

import itertools
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Any, Final, Protocol

import asyncpg

from manystore.changes import ChangeBatch, Position
from manystore.errors import RefusedError, UnavailableError, UnknownKindError, VersionConflictError
from manystore.records import Content, Kind, Record
from manystore.specifications import Page, Specification
from manystore.stores.postgres.bulk import Bulk
from manystore.stores.postgres.connections import TIMEOUT, Connections
from manystore.stores.postgres.control import RELEASE, control_statements
from manystore.stores.postgres.examining import examine
from manystore.stores.postgres.exchanging import Exchange
from manystore.stores.postgres.finding import find
from manystore.stores.postgres.kinds import MappedKind, is_askable
from manystore.stores.postgres.ledger import Ledger
from manystore.stores.postgres.mapping import Mapping
from manystore.stores.postgres.quoting import quoted_table
from manystore.stores.postgres.refusals import is_refusal, stale_epoch
from manystore.stores.postgres.sessions import END_SILENT, FIT, settings_of, unfit
from manystore.stores.postgres.single import actions_for_new, actions_for_next, arguments_of_one
from manystore.stores.store import (
    Condensed,
    Depth,
    Examination,
    Fence,
    Fencing,
    KeyRange,
    KeyVersion,
    Note,
    Outcome,
    RogueWrite,
)

POOL_SIZE: Final = 10
"""How many connections a store holds at most, unless told otherwise."""

_TRIES: Final = 3
_NO_KEY: Final = "00000000-0000-0000-0000-000000000000"
"""Fits a column of texts as well as one of UUIDs, and no record has it."""
_SAMPLED_PAGES: Final = 400

_INSTALLED: Final = "select to_regclass('manystore.release') is not null"
_RELEASE: Final = "select number from manystore.release"
_UNCAPTURED: Final = """
    select u.name from unnest($1::text[]) u (name)
    where not exists (
        select from pg_trigger
        where tgrelid = to_regclass(u.name) and tgname in ('manystore_after', 'manystore_part')
    )
    """


async def _settings(connection: Any) -> dict[str, str]:
    return await settings_of(connection, tuple(FIT))


class _Compose(Protocol):
    def __call__(self, *, has_after: bool, has_upto: bool) -> str: ...


class PostgresStore:
    """PostgreSQL 15 or later. `url` is a libpq URL; `pool_size` bounds the connections held at once.

    A pooler that lends sessions by transaction may answer at `url`; `direct_url` then leads to the server
    itself, for the examination, which needs a session. Prepared statements belong to sessions, so behind a
    pooler each statement is planned anew, unless `keeps_statements` says that this one looks after them.

    A statement that is not answered within `timeout` seconds ends in UnavailableError. So long may a
    transaction of this store rest at the server, too, before that undoes it: its client may be frozen.

    The mappings' tables must be there, with their capture triggers, before the store opens: they belong to
    the product's migrations.
    """

    fencing: Fencing = "transaction"

    def __init__(
        self,
        url: str,
        mappings: Iterable[Mapping],
        name: str = "postgres",
        pool_size: int = POOL_SIZE,
        *,
        keeps_statements: bool | None = None,
        direct_url: str | None = None,
        timeout: float = TIMEOUT,
    ) -> None:
        self.name = name
        self._kinds = {mapping.kind.name: MappedKind(mapping, name) for mapping in mappings}
        self._connections = Connections(
            url,
            pool_size,
            name,
            keeps_statements=keeps_statements,
            direct_url=direct_url,
            timeout=timeout,
        )
        self._ledger = Ledger(self._connections, name)

    async def open(self) -> None:
        """See Store.open.

        Raises UnavailableError also where sessions are not as they have to be (see `sessions`), and where a
        table is missing or captures no changes.
        """
        await self._connections.open()
        if problems := unfit(await self._connections.repeat(_settings)):
            await self.close()
            raise UnavailableError(subject=self.name, reason="; ".join(problems))
        await self._connections.repeat(self._install)
        tables = {quoted_table(table) for mapped in self._kinds.values() for table in mapped.mapping.tables()}
        bare = await self._connections.fetch(_UNCAPTURED, sorted(tables))
        if bare:
            names = ", ".join(row[0] for row in bare)
            await self.close()
            reason = f"tables without change capture: {names}; run the schema's migrations"
            raise UnavailableError(subject=self.name, reason=reason)

    async def _install(self, connection: Any) -> None:
        # A newer process may have been here: what it installed serves this one as well, not the other way.
        if await connection.fetchval(_INSTALLED) and await connection.fetchval(_RELEASE) >= RELEASE:
            return
        async with connection.transaction():
            for statement in control_statements():
                await connection.execute(statement)

    async def warm(self) -> None:
        """Open all connections that may be needed at once. Raises UnavailableError.

        Otherwise each is opened when it is needed first, and many who need one at the same moment, as after a
        cut-over, wait for all of them: twenty reads took 0.2 s that take 0.005 s in a warm pool. Each has
        read of every kind by then, since planning that takes ten times as long as doing it.
        """
        await self._connections.warm([(each.reading.get, _NO_KEY) for each in self._kinds.values()])

    async def close(self) -> None:
        """See Store.close."""
        await self._connections.close()

    def _mapped(self, kind: Kind) -> MappedKind:
        try:
            return self._kinds[kind.name]
        except KeyError:
            raise UnknownKindError(kind=kind.name) from None

    # -- reading -------------------------------------------------------------------------------------

    async def get(self, kind: Kind, key: str) -> Record | None:
        """See Store.get."""
        mapped = self._mapped(kind)
        if not is_askable(kind, key):
            return None
        rows = await self._connections.fetch(mapped.reading.get, key)
        if rows:
            mapped.remembered.remember(key, rows[0])
            return mapped.codec.decode(rows[0])
        return (await mapped.look_up(self._connections, [key])).get(key)

    async def get_many(self, kind: Kind, keys: Sequence[str]) -> dict[str, Record]:
        """See Store.get_many."""
        return await self._mapped(kind).look_up(self._connections, keys)

    async def find(self, kind: Kind, specification: Specification) -> Page:
        """See Store.find."""
        return await find(self._mapped(kind), self._connections, specification)

    async def scan(self, kind: Kind, key_range: KeyRange, limit: int) -> list[Record]:
        """See Store.scan."""
        mapped = self._mapped(kind)
        rows = await self._of_range(mapped.reading.scan, key_range, limit)
        return [mapped.record(row) for row in rows]

    async def versions(self, kind: Kind, key_range: KeyRange, limit: int) -> list[KeyVersion]:
        """See Store.versions."""
        rows = await self._of_range(self._mapped(kind).reading.versions, key_range, limit)
        return [KeyVersion(row[0], row[1], row[2]) for row in rows]

    async def _of_range(self, compose: _Compose, key_range: KeyRange, limit: int) -> list[Any]:
        ends = [end for end in (key_range.after, key_range.upto) if end is not None]
        statement = compose(has_after=key_range.after is not None, has_upto=key_range.upto is not None)
        return await self._connections.fetch(statement, limit, *ends)

    async def condense(self, kind: Kind, key_range: KeyRange, depth: Depth) -> Condensed:
        """See Condensing.condense."""
        return await self._mapped(kind).condensing.condense(self._connections, key_range, depth)

    async def condense_each(self, kind: Kind, key_range: KeyRange) -> dict[str, int]:
        """See Condensing.condense_each."""
        return await self._mapped(kind).condensing.condense_each(self._connections, key_range)

    async def ranges(self, kind: Kind, count: int) -> list[KeyRange]:
        """See Store.ranges; the cuts come from a sample of pages, so that they follow the keys there are."""
        reading = self._mapped(kind).reading
        if count < 2:
            return [KeyRange()]
        pages = await self._connections.value(reading.pages)
        share = min(100.0, 100.0 * max(_SAMPLED_PAGES, 20 * count) / max(pages, 1))
        parts = [part / count for part in range(1, count)]
        rows = await self._connections.fetch(reading.cuts, parts, share)
        cuts = sorted({row[0] for row in rows if row[0] is not None})
        return [KeyRange(after, upto) for after, upto in itertools.pairwise([None, *cuts, None])]

    async def count(self, kind: Kind) -> int:
        """See Store.count."""
        return int(await self._connections.value(self._mapped(kind).reading.count))

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
        """See Store.put: one statement, in which triggers see to the log."""
        mapped = self._mapped(kind)
        kind.check(key, content)
        rows = mapped.codec.encode(key, content)
        if expected is None:
            actions = actions_for_new(rows)
            statement = mapped.single.insert("put", actions)
            arguments = [*arguments_of_one(mapped.layout, rows, above + 1, actions), epoch]
        else:
            actions = actions_for_next(rows, mapped.remembered.same_parts(key, expected, content))
            statement = mapped.single.update("put", actions)
            next_version = max(expected, above) + 1
            arguments = arguments_of_one(mapped.layout, rows, next_version, actions)
            arguments += [expected, epoch]
        version = await self._write(mapped, key, content, expected, epoch, statement, arguments)
        return Record(key, version, content)

    async def delete(self, kind: Kind, key: str, *, expected: int, epoch: int, above: int = 0) -> Record:
        """See Store.delete."""
        mapped = self._mapped(kind)
        kind.check_key(key)
        statement, arguments = mapped.single.delete, [key, expected, epoch, above]
        version = await self._write(mapped, key, {}, expected, epoch, statement, arguments)
        return Record(key, version, None)

    async def _write(
        self,
        mapped: MappedKind,
        key: str,
        content: Content,
        expected: int | None,
        epoch: int,
        statement: str,
        arguments: list[Any],
    ) -> int:
        actual: int | None = None
        for _ in range(_TRIES):
            refusal: RefusedError | None = None
            try:
                version = await self._connections.value(statement, *arguments)
                if version is not None:
                    return int(version)
            except asyncpg.PostgresError as error:
                if stale := stale_epoch(self.name, mapped.kind.name, epoch, error):
                    raise stale from error
                if not is_refusal(error):
                    raise
                refusal = mapped.refusals.refusal(key, content, error)
            actual = await self._connections.value(mapped.reading.version, key)
            if actual != expected:
                # Another writer was first. That counts for more than a constraint on which the two met.
                break
            if refusal is not None:
                raise refusal
        raise VersionConflictError(kind=mapped.kind.name, key=key, expected=expected, actual=actual)

    # -- writing, as a copy --------------------------------------------------------------------------

    async def apply(
        self, kind: Kind, records: Sequence[Record], *, note: Note | None = None
    ) -> list[Outcome]:
        """See Store.apply. Many records take several transactions, of which the last stores the note."""
        try:
            return await Bulk(self._mapped(kind), self._connections).apply(records, note)
        except UnavailableError as error:
            if isinstance(error.__cause__, TimeoutError):
                await self._connections.fetch(END_SILENT, self._connections.timeout)
            raise

    async def apply_together(self, kind: Kind, records: Sequence[Record]) -> list[Outcome]:
        """See Store.apply_together. A kind's foreign keys should not point to its unique columns."""
        mapped = self._mapped(kind)
        return await Exchange(mapped, self._connections).apply_together(records)

    async def examine(self, kind: Kind, batches: AsyncIterator[Sequence[Record]]) -> Examination:
        """See Store.examine. Raises DeclarationError where only a pooler can be reached."""
        return await examine(self._mapped(kind), self._connections, batches)

    # -- the change log, fences and notes ------------------------------------------------------------

    async def changes(self, kind: Kind, after: Position, limit: int) -> ChangeBatch:
        """See Store.changes. A position is (transaction, number)."""
        return await self._ledger.changes(kind, after, limit)

    async def head(self, kind: Kind) -> Position:
        """See Store.head."""
        return await self._ledger.head(kind)

    async def cut_log(self, kind: Kind, upto: Position, limit: int) -> int:
        """See Store.cut_log."""
        return await self._ledger.cut_log(kind, upto, limit)

    async def rogue_writes(self, kind: Kind) -> list[RogueWrite]:
        """See Store.rogue_writes."""
        return await self._ledger.rogue_writes(kind)

    async def forget_rogue_write(self, kind: Kind, rogue: RogueWrite) -> bool:
        """See Store.forget_rogue_write."""
        return await self._ledger.forget_rogue_write(kind, rogue)

    async def fence(self, kind: Kind) -> Fence | None:
        """See Store.fence."""
        return await self._ledger.fence(kind)

    async def raise_fence(self, kind: Kind, fence: Fence, *, expected: int | None) -> bool:
        """See Store.raise_fence."""
        return await self._ledger.raise_fence(kind, fence, expected=expected)

    async def note(self, name: str) -> Note:
        """See Store.note."""
        return await self._ledger.note(name)

    async def notes(self, prefix: str) -> list[Note]:
        """See Store.notes."""
        return await self._ledger.notes(prefix)

    async def write_note(self, name: str, value: bytes, *, expected: int) -> bool:
        """See Store.write_note."""
        return await self._ledger.write_note(name, value, expected=expected)

    async def drop_note(self, name: str, *, expected: int) -> bool:
        """See Store.drop_note."""
        return await self._ledger.drop_note(name, expected=expected)

    async def write_notes(self, notes: Sequence[Note]) -> list[bool]:
        """See Store.write_notes. One statement."""
        return await self._ledger.write_notes(notes)

    async def drop_notes(self, notes: Sequence[Note]) -> list[bool]:
        """See Store.drop_notes. One statement."""
        return await self._ledger.drop_notes(notes)
