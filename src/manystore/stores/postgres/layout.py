"""The tables of a mapping as statements see them: quoted names, types of parameters, columns in order.

The order is the codec's, so that its rows are the parameters and a selected row is its input.
"""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from manystore.stores.postgres.mapping import (
    RESIDUE,
    VERSION,
    Mapping,
    OnePart,
    Part,
    StringsPart,
    recognised_by,
)
from manystore.stores.postgres.quoting import literal, quoted, quoted_table
from manystore.stores.postgres.row_ids import made_id

_DIALECT: Final = pg.dialect()  # type: ignore[no-untyped-call]

_SPELLED: Final = {"double precision": "::text", "jsonb": "::text"}
"""Types in which values that differ compare as equal (0 and -0, 1 and 1.0), and how they are told apart."""


class Parameters:
    """Numbers the parameters of a statement in the order in which they are asked for."""

    def __init__(self) -> None:
        self._last = 0

    def __call__(self, type_name: str) -> str:
        """The next parameter, as it stands in the statement."""
        self._last += 1
        return f"${self._last}::{type_name}"


def sql_type(column: sa.Column[Any]) -> str:
    """The type to which a parameter for the column is cast; text for text of any length.

    A cast to varchar(n) would cut what is too long instead of refusing it.
    """
    if isinstance(column.type, sa.String):
        return "text"
    return str(column.type.compile(dialect=_DIALECT)).lower()


def array_literal(texts: Sequence[str] | None) -> str | None:
    """A list of text as PostgreSQL spells an array."""
    if texts is None:
        return None
    items = (text.replace("\\", "\\\\").replace('"', '\\"') for text in texts)
    return "{" + ",".join(f'"{item}"' for item in items) + "}"


class Columns:
    """Columns as a list of parameters, single or as one array each.

    A column that is itself an array travels as text where many rows do: arrays of arrays must be rectangular,
    and lists of strings are not.
    """

    def __init__(self, columns: Sequence[sa.Column[Any]]) -> None:
        self.names = [quoted(column.name) for column in columns]
        self.types = [sql_type(column) for column in columns]
        self.ragged = [at for at, column in enumerate(columns) if isinstance(column.type, sa.ARRAY)]
        self.array_types = [
            f"{'text' if at in self.ragged else each}[]" for at, each in enumerate(self.types)
        ]

    def fields(self, alias: str) -> list[str]:
        """The columns of an unnested alias, each in its own type again."""
        return [
            f"{alias}.{name}::{self.types[at]}" if at in self.ragged else f"{alias}.{name}"
            for at, name in enumerate(self.names)
        ]

    def arrays(self, rows: Sequence[Sequence[Any]]) -> list[Sequence[Any]]:
        """Rows turned into one array a column."""
        if not rows:
            return [[] for _ in self.names]
        arrays: list[Sequence[Any]] = list(zip(*rows, strict=True))
        for at in self.ragged:
            arrays[at] = [array_literal(each) for each in arrays[at]]
        return arrays


class CopyTarget(NamedTuple):
    """A table and its columns, by their plain names, as the driver's COPY wants them."""

    schema: str | None
    name: str
    columns: list[str]


class PartLayout:
    """The table of one part: the parent's key, then the columns of the codec's rows."""

    def __init__(self, part: Part) -> None:
        self.is_list = not isinstance(part, OnePart)
        self.table, self.parent = quoted_table(part.table), quoted(part.parent)
        self.key_type = sql_type(part.table.c[part.parent])
        if isinstance(part, OnePart):
            names = list(part.columns.values())
            self.identity = [self.parent]
        else:
            values = [part.column] if isinstance(part, StringsPart) else list(part.columns.values())
            names = [part.ordinal, *values]
            self.identity = [self.parent, quoted(recognised_by(part))]
            self.ordinal = quoted(part.ordinal)
        self.is_strings = isinstance(part, StringsPart)
        self.columns = Columns([part.table.c[name] for name in names])
        made = made_id(part.table, {part.parent, *names})
        self.makes_ids = made is not None
        copied = [part.parent, *names] if made is None else [part.parent, *names, made]
        self.copy_target = CopyTarget(part.table.schema, part.table.name, copied)


class Layout:
    """The root table of a mapping and its parts."""

    def __init__(self, mapping: Mapping) -> None:
        table = mapping.table
        self.kind = literal(mapping.kind.name)
        self.copying = literal(f"copy {mapping.kind.name}")
        self.table, self.key = quoted_table(table), quoted(mapping.key_column)
        self.key_type = sql_type(table.c[mapping.key_column])
        names = [column for name, column in mapping.columns.items() if name != "id"]
        self.columns = Columns([table.c[name] for name in names])
        self.copy_target = CopyTarget(
            table.schema, table.name, [mapping.key_column, *names, RESIDUE, VERSION]
        )
        self.parts = [PartLayout(part) for part in mapping.parts]


def on_conflict(part: PartLayout) -> str:
    """What an insert of a part's rows does about those that are there: change them where they differ."""
    named = zip(part.columns.names, part.columns.types, strict=True)
    kept = [(name, type_name) for name, type_name in named if name not in part.identity]
    changes = ", ".join(f"{name} = excluded.{name}" for name, _ in kept)
    before, after = (
        ", ".join(f"{row}.{name}{_SPELLED.get(type_name, '')}" for name, type_name in kept)
        for row in ("p", "excluded")
    )
    return (
        f"on conflict ({', '.join(part.identity)}) do update set {changes} "
        f"where ({before}) is distinct from ({after})"
    )
