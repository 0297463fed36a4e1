"""All that the store knows of one kind: its codec, its statements, and how its refusals read."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from manystore.errors import InvalidRecordError
from manystore.records import Kind, Parent, Record
from manystore.stores.postgres.codec import Codec
from manystore.stores.postgres.connections import Connections
from manystore.stores.postgres.layout import Layout, sql_type
from manystore.stores.postgres.mapping import Mapping
from manystore.stores.postgres.merging import Merging
from manystore.stores.postgres.quoting import quoted, quoted_table
from manystore.stores.postgres.reading import Reading
from manystore.stores.postgres.refusals import Refusals
from manystore.stores.postgres.remembered import Remembered
from manystore.stores.postgres.single import Single


class MappedKind:
    """One mapping, made ready once for the life of a store."""

    def __init__(self, mapping: Mapping, store: str) -> None:
        self.mapping, self.kind = mapping, mapping.kind
        self.codec = Codec(mapping, store)
        self.layout = Layout(mapping)
        self.reading = Reading(self.layout)
        self.single = Single(self.layout)
        self.merging = Merging(self.layout)
        self.remembered = Remembered(self.codec)
        self.refusals = Refusals(mapping, store)
        self.parent_checks = list(_parent_checks(mapping, self.codec.names))

    async def look_up(self, connections: Connections, keys: Iterable[str]) -> dict[str, Record]:
        """Records and tombstones under `keys`, all as of one moment. Raises UnavailableError."""
        askable = [key for key in dict.fromkeys(keys) if is_askable(self.kind, key)]
        if not askable:
            return {}
        rows = await connections.fetch(self.reading.lookup, askable)
        return {row[-2]: self.record(row) for row in rows}

    def record(self, row: Sequence[Any]) -> Record:
        """What a row says whose last two columns are the key and the version of a tombstone."""
        if row[0] is None:
            return Record(row[-2], row[-1], None)
        return self.codec.decode(row)


def _parent_checks(mapping: Mapping, names: Sequence[str]) -> Iterator[tuple[Parent, int, str]]:
    """For each parent that a foreign key guards: where its key stands in a root row, and which are missing.

    A kind that points to itself is left out: its parents may come with the same batch.
    """
    for parent in mapping.kind.parents:
        if parent.kind == mapping.kind.name or parent.field not in mapping.columns:
            continue
        column = mapping.table.c[mapping.columns[parent.field]]
        for bond in column.foreign_keys:
            table, key = quoted_table(bond.column.table), quoted(bond.column.name)
            statement = f"""
                select u.key::text from unnest($1::{sql_type(column)}[]) u (key)
                where not exists (select from {table} p where p.{key} = u.key)
                """
            yield parent, 1 + names.index(parent.field), statement


def is_askable(kind: Kind, key: str) -> bool:
    """Whether a record could have this key; the server would stumble over others rather than find nothing."""
    try:
        kind.check_key(key)
    except InvalidRecordError:
        return False
    return True
