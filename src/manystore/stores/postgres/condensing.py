"""What a range holds, condensed by the server: so that two databases can be compared without reading either.

Each row of a record is hashed as it lies, in the binary form that no setting of a session changes: its key,
and those columns that belong to the record. A hash has 128 bits, two of 64 with different seeds. Those of a
range are combined by exclusive or, whose order does not matter; no two rows are alike, since each has its
key, so none cancels another. (PostgreSQL's hashes are quick and not cryptographic: they tell what differs by
accident, and not what somebody made up to deceive them. Who can do that can alter the tables as well.)

Rows that are the same are records that are the same. Rows that differ may still be: one must look.
"""

import hashlib
from collections.abc import Mapping as Map
from typing import Final, NamedTuple

import sqlalchemy as sa

from manystore.stores.postgres.connections import Connections
from manystore.stores.postgres.layout import Layout, sql_type
from manystore.stores.postgres.mapping import RESIDUE, VERSION, Mapping, Part, StringsPart
from manystore.stores.store import Condensed, Depth, KeyRange

_HASH_OF_EACH: Final = "bit_xor(hashtextextended(spelled, 1))"
_HASHES: Final = ", ".join(f"bit_xor(hashtextextended(spelled, {seed}))" for seed in (1, 2))


class Condensing:
    """The statements of one mapping: each a single one, so each sees one moment."""

    def __init__(self, mapping: Mapping, layout: Layout) -> None:
        self._layout = layout
        self._columns = {"full": _rows_in_full(layout), "versions": _rows_of_versions(layout)}
        self._forms = {depth: _form(mapping, sources) for depth, sources in self._columns.items()}

    async def condense(self, connections: Connections, key_range: KeyRange, depth: Depth) -> Condensed:
        """See stores.store.Condensing. Raises UnavailableError."""
        sources = self._sources(key_range, depth)
        texts = [_hashed(number, source) for number, source in enumerate(sources)]
        # The server may answer in any order.
        rows = sorted(await connections.fetch(" union all ".join(texts), *_ends(key_range)))
        hashed = ",".join(f"{row[1]}:{row[2]}:{row[3]}" for row in rows)
        # The first rows are those of records, the last those of tombstones; what lies between is of parts.
        count = rows[0][1] + rows[-1][1]
        return Condensed(self._forms[depth], count, hashlib.sha256(hashed.encode()).digest())

    async def condense_each(self, connections: Connections, key_range: KeyRange) -> dict[str, int]:
        """See stores.store.Condensing. Raises UnavailableError."""
        rows = " union all ".join(map(_spelled_rows, self._sources(key_range, "full")))
        statement = f"select key::text, {_HASH_OF_EACH} from ({rows}) r group by key"
        return {row[0]: row[1] for row in await connections.fetch(statement, *_ends(key_range))}

    def _sources(self, key_range: KeyRange, depth: Depth) -> list["_Rows"]:
        layout = self._layout
        sources = [
            _Rows(table, key, row, _within(key, f"::text::{key_type}", key_range))
            for table, key, key_type, row in self._columns[depth]
        ]
        stones = " and ".join([f"kind = {layout.kind}", _within("key", "::text", key_range)])
        return [*sources, _Rows("manystore.tombstones", f"key::{layout.key_type}", _SPELLED_STONE, stones)]


class _Rows(NamedTuple):
    """Rows of a table: how the record's key and the row itself are spelled, and which rows."""

    table: str
    key: str
    row: str
    condition: str


def _ends(key_range: KeyRange) -> list[str]:
    return [end for end in (key_range.after, key_range.upto) if end is not None]


_Source = tuple[str, str, str, str]
"""A table, its column with the record's key, the type of that, and the text by which a row is hashed."""

_SPELLED_STONE: Final = "key || ' ' || version"


def _rows_in_full(layout: Layout) -> list[_Source]:
    root = [layout.key, VERSION, RESIDUE, *layout.columns.names]
    sources = [(layout.table, layout.key, layout.key_type, _sent(root))]
    for part in layout.parts:
        row = _sent([part.parent, *part.columns.names])
        sources.append((part.table, part.parent, part.key_type, row))
    return sources


def _rows_of_versions(layout: Layout) -> list[_Source]:
    return [(layout.table, layout.key, layout.key_type, _sent([layout.key, VERSION]))]


def _sent(names: list[str]) -> str:
    return f"encode(record_send(row({', '.join(names)})), 'hex')"


def _hashed(number: int, rows: _Rows) -> str:
    return f"(select {number}, count(*), {_HASHES} from ({_spelled_rows(rows)}) r)"


def _spelled_rows(rows: _Rows) -> str:
    # Without the offset, which is nothing, a row would be spelled once for each seed.
    return (
        f"(select {rows.key} as key, {rows.row} as spelled from {rows.table} where {rows.condition} offset 0)"
    )


def _within(key: str, cast: str, key_range: KeyRange) -> str:
    conditions = ["true"]
    for end, operator in ((key_range.after, ">"), (key_range.upto, "<=")):
        if end is not None:
            conditions.append(f"{key} {operator} ${len(conditions)}{cast}")
    return " and ".join(conditions)


def _form(mapping: Mapping, sources: list[_Source]) -> str:
    """Where it is the same, rows that are the same say the same: properties, columns, types."""
    told = [f"{sources}", _spelled(mapping.columns, mapping.table), *map(_spelled_part, mapping.parts)]
    return f"postgres rows 1 {hashlib.sha256(' '.join(told).encode()).hexdigest()[:16]}"


def _spelled_part(part: Part) -> str:
    columns = {"": part.column} if isinstance(part, StringsPart) else part.columns
    return f"{part.property} {_spelled(columns, part.table)}"


def _spelled(columns: Map[str, str], table: sa.Table) -> str:
    return f"{[(name, column, sql_type(table.c[column])) for name, column in columns.items()]}"
