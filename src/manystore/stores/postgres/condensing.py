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
from typing import Final

import sqlalchemy as sa

from manystore.stores.postgres.connections import Connections
from manystore.stores.postgres.layout import Layout, sql_type
from manystore.stores.postgres.mapping import RESIDUE, VERSION, Mapping, Part, StringsPart
from manystore.stores.store import Condensed, Depth, KeyRange

_SEEDS: Final = (1, 2)


class Condensing:
    """The statements of one mapping: each a single one, so each sees one moment."""

    def __init__(self, mapping: Mapping, layout: Layout) -> None:
        self._layout = layout
        self._columns = {"full": _rows_in_full(layout), "versions": _rows_of_versions(layout)}
        self._forms = {depth: _form(mapping, sources) for depth, sources in self._columns.items()}

    async def condense(self, connections: Connections, key_range: KeyRange, depth: Depth) -> Condensed:
        """See stores.store.Condensing. Raises UnavailableError."""
        ends = [end for end in (key_range.after, key_range.upto) if end is not None]
        rows = await connections.fetch(self._statement(key_range, depth), *ends)
        hashed = ",".join(f"{row[0]}:{row[1]}:{row[2]}" for row in rows)
        # The first rows are those of records, the last those of tombstones; what lies between is of parts.
        count = rows[0][0] + rows[-1][0]
        return Condensed(self._forms[depth], count, hashlib.sha256(hashed.encode()).digest())

    def _statement(self, key_range: KeyRange, depth: Depth) -> str:
        layout = self._layout
        texts = [
            _hashed(table, row, _within(key, f"::text::{key_type}", key_range))
            for table, key, key_type, row in self._columns[depth]
        ]
        stones = " and ".join([f"kind = {layout.kind}", _within("key", "::text", key_range)])
        texts.append(_hashed("manystore.tombstones", _SPELLED_STONE, stones))
        return " union all ".join(texts)


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


def _hashed(table: str, row: str, condition: str) -> str:
    hashes = ", ".join(f"bit_xor(hashtextextended(spelled, {seed}))" for seed in _SEEDS)
    # Or the row would be spelled once for each seed.
    rows = f"select {row} as spelled from {table} where {condition} offset 0"
    return f"(select count(*), {hashes} from ({rows}) h)"


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
