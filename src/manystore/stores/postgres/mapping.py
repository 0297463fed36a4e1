"""How a kind lies in tables: a declaration, pure data over SQLAlchemy tables, checked when it is made.

    Mapping(
        kind=ACCOUNTS,
        table=accounts,
        columns={"id": "id", "email": "email", "settings": "settings", "createdAt": "created_at"},
        parts=(
            OnePart(property="subscription", table=subscriptions, parent="account_id",
                    columns={"type": "type", "isActive": "is_active"}),
            StringsPart(property="completedScenarioIds", table=completed_scenarios,
                        parent="account_id", column="scenario_id", ordinal="ordinal"),
        ),
        constraints={"accounts_email_key": "email"},
    )

The root table has, beside the mapped columns, `version bigint not null` and `residue text`, which belong to
the engine. Rows of parts belong to the root's row by a foreign key `on delete cascade` and have no version.
Columns that nothing feeds must be nullable or have a default of the server's; those of parts survive a
change of the record as long as their row does (`completed_at default now()`).
A primary key that the server would fill with a random UUID is filled by a copy itself (see `row_ids`).

Which column types carry which fields:

    UUID       uuid                            TIMESTAMP  timestamptz
    STRING     text, varchar(n)                DATE       date
    INTEGER    smallint, integer, bigint       BOOLEAN    boolean
    NUMBER     double precision                STRINGS    text[], jsonb, a StringsPart
    JSON       jsonb                           OBJECT     jsonb, a OnePart     OBJECTS  jsonb, a ManyPart

A column should take nulls unless every document has the value. Where it does not, a scalar `default` on the
SQLAlchemy column stands in for what a document lacks (the record still reads back without it); with no such
default the record is refused.
"""

import re
from collections.abc import Iterable
from collections.abc import Mapping as Map
from typing import Any, Final

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from manystore.errors import DeclarationError
from manystore.records import Field, FieldType, Kind

VERSION: Final = "version"
RESIDUE: Final = "residue"
_PLAIN_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")

_CARRIERS: Final[Map[FieldType, tuple[type[sa.types.TypeEngine[Any]], ...]]] = {
    FieldType.UUID: (sa.Uuid,),
    FieldType.STRING: (sa.String,),
    FieldType.TIMESTAMP: (sa.DateTime,),
    FieldType.DATE: (sa.Date,),
    FieldType.BOOLEAN: (sa.Boolean,),
    FieldType.INTEGER: (sa.Integer,),
    FieldType.NUMBER: (sa.Double,),
    FieldType.STRINGS: (sa.ARRAY, pg.JSONB),
    FieldType.JSON: (pg.JSONB,),
    FieldType.OBJECT: (pg.JSONB,),
    FieldType.OBJECTS: (pg.JSONB,),
}


class OnePart(msgspec.Struct, frozen=True, kw_only=True):
    """An OBJECT field in a table of its own, at most one row a record: `parent` is unique there."""

    property: str
    table: sa.Table
    parent: str
    columns: Map[str, str]


class StringsPart(msgspec.Struct, frozen=True, kw_only=True):
    """A STRINGS field as one row a string: unique by (`parent`, `column`), in the order of `ordinal`."""

    property: str
    table: sa.Table
    parent: str
    column: str
    ordinal: str


class ManyPart(msgspec.Struct, frozen=True, kw_only=True):
    """An OBJECTS field as one row an item, in the order of `ordinal`.

    `key` is the property of an item by which its row is recognised when the record changes: unique by
    (`parent`, its column). With none given the rows are recognised by their place: unique by (`parent`,
    `ordinal`).
    """

    property: str
    table: sa.Table
    parent: str
    columns: Map[str, str]
    ordinal: str
    key: str | None = None


Part = OnePart | StringsPart | ManyPart


def recognised_by(part: StringsPart | ManyPart) -> str:
    """The column that, with `parent`, tells one row of a part from another."""
    if isinstance(part, StringsPart):
        return part.column
    return part.ordinal if part.key is None else part.columns[part.key]


class Mapping(msgspec.Struct, frozen=True, kw_only=True):
    """Where each field of a kind lies. Raises DeclarationError when it does not fit the kind or the tables.

    `columns` leads from the property in documents to the column of the root table. `constraints` leads from
    the name of a constraint or unique index to the property (`part.property` within parts) that a refusal
    should name; foreign keys and unnamed constraints that SQLAlchemy knows need not be listed.
    """

    kind: Kind
    table: sa.Table
    columns: Map[str, str]
    parts: tuple[Part, ...] = ()
    constraints: Map[str, str] = {}

    def __post_init__(self) -> None:
        _check_root(self)
        for part in self.parts:
            _check_part(self.kind, part)
            _check_bond(self, part)

    @property
    def key_column(self) -> str:
        """The root table's primary key."""
        return self.columns["id"]

    def part(self, name: str) -> Part | None:
        """The part that holds the property `name`, or None if a column of the root table does."""
        return next((part for part in self.parts if part.property == name), None)

    def tables(self) -> tuple[sa.Table, ...]:
        """The root table, then those of the parts."""
        return (self.table, *(part.table for part in self.parts))


def _fail(table: sa.Table, reason: str) -> DeclarationError:
    return DeclarationError(subject=f"mapping to table {table.fullname}", reason=reason)


def _check_root(mapping: Mapping) -> None:
    kind, table = mapping.kind, mapping.table
    _check_columns(table, kind.fields, mapping.columns, [part.property for part in mapping.parts])
    if [column.name for column in table.primary_key.columns] != [mapping.columns.get("id")]:
        raise _fail(table, "the column of the field id is not its primary key")
    key = table.c[mapping.columns["id"]].type
    if isinstance(key, sa.String) and key.collation != "C":
        raise _fail(table, 'its primary key needs collation "C", in which keys are ordered')
    version, residue = table.c.get(VERSION), table.c.get(RESIDUE)
    if version is None or not isinstance(version.type, sa.BigInteger) or version.nullable:
        raise _fail(table, f"it has no column {VERSION} bigint not null")
    if residue is None or not isinstance(residue.type, sa.Text) or not residue.nullable:
        raise _fail(table, f"it has no nullable column {RESIDUE} text")
    _check_unfed(table, {*mapping.columns.values(), VERSION, RESIDUE})
    for name, path in mapping.constraints.items():
        if path.split(".")[0] not in {field.name for field in kind.fields}:
            raise _fail(table, f"constraint {name} is said to guard {path}, which is no field")


def _check_columns(
    table: sa.Table, fields: Iterable[Field], columns: Map[str, str], parts: list[str]
) -> None:
    declared = {field.name: field for field in fields}
    if stray := sorted({*columns, *parts} - set(declared)):
        raise _fail(table, f"the kind has no field {', '.join(stray)}")
    if homeless := sorted(set(declared) - {*columns, *parts}):
        raise _fail(table, f"no column and no part for {', '.join(homeless)}")
    if len({*columns, *parts}) != len(columns) + len(parts) or len(set(columns.values())) != len(columns):
        raise _fail(table, "two places for one field, or two fields for one column")
    for name, column_name in columns.items():
        if not _PLAIN_NAME.fullmatch(name):
            raise _fail(table, f"a mapped property is letters, digits, _ and -, not {name!r}")
        column = table.c.get(column_name)
        if column is None:
            raise _fail(table, f"no column {column_name} (for {name})")
        if column_name in (VERSION, RESIDUE):
            raise _fail(table, f"column {column_name} belongs to the engine")
        _check_carrier(table, declared[name], column)


def _check_carrier(table: sa.Table, field: Field, column: sa.Column[Any]) -> None:
    carrier = column.type
    fits = isinstance(carrier, _CARRIERS[field.type]) and not isinstance(carrier, sa.Enum)
    if isinstance(carrier, sa.ARRAY):
        fits = fits and isinstance(carrier.item_type, sa.String) and carrier.dimensions in (None, 1)
    if isinstance(carrier, sa.DateTime):
        fits = fits and carrier.timezone
    if isinstance(carrier, pg.JSONB) and _has_timestamp(field):
        raise _fail(table, f"{field.name} has a timestamp, which jsonb cannot compare; give it a part")
    if not fits:
        raise _fail(
            table, f"column {column.name} ({carrier!r}) cannot carry {field.name} ({field.type.value})"
        )


def _has_timestamp(field: Field) -> bool:
    if field.type is not FieldType.OBJECT:
        return False
    return any(inner.type is FieldType.TIMESTAMP or _has_timestamp(inner) for inner in field.fields)


def _check_unfed(table: sa.Table, fed: set[str]) -> None:
    for column in table.c:
        by_server = column.server_default is not None or column.computed or column.identity
        if column.name not in fed and not column.nullable and not by_server:
            raise _fail(table, f"column {column.name} is fed by nothing and has no default of the server's")


def _check_part(kind: Kind, part: Part) -> None:
    table, field = part.table, kind.field(part.property)
    if part.parent not in table.c:
        raise _fail(table, f"no column {part.parent} to hold the key of the {kind.name}")
    if isinstance(part, OnePart):
        _check_columns(table, field.fields, part.columns, [])
        fitting, fed, unique = FieldType.OBJECT, {*part.columns.values()}, {part.parent}
    else:
        fitting, fed = _check_list(part, field)
        unique = {part.parent, recognised_by(part)}
    if field.type is not fitting:
        raise _fail(table, f"{part.property} is {field.type.value}, not {fitting.value}")
    if part.parent in fed:
        raise _fail(table, f"column {part.parent} is fed by the record's key, not by a property")
    if not _is_unique(table, unique):
        raise _fail(table, f"nothing keeps ({', '.join(sorted(unique))}) unique")
    _check_unfed(table, {*fed, part.parent})


def _check_bond(mapping: Mapping, part: Part) -> None:
    """Rows of a part must go with their root, or deleting a record would be refused or leave orphans."""
    key = mapping.table.c[mapping.key_column]
    bonds = part.table.c[part.parent].foreign_keys
    if not any(bond.references(mapping.table) and bond.column is key for bond in bonds):
        raise _fail(part.table, f"column {part.parent} does not reference {key}")
    if not any(str(bond.ondelete).upper() == "CASCADE" for bond in bonds):
        raise _fail(part.table, f"the reference by {part.parent} does not cascade on delete")


def _check_list(part: StringsPart | ManyPart, field: Field) -> tuple[FieldType, set[str]]:
    """The type of field that the part is for, and the columns that it feeds."""
    table = part.table
    if not isinstance(table.c.get(part.ordinal, sa.null()).type, sa.Integer):
        raise _fail(table, f"no integer column {part.ordinal} to keep the order")
    if isinstance(part, StringsPart):
        if part.column not in table.c or not isinstance(table.c[part.column].type, sa.String):
            raise _fail(table, f"no text column {part.column}")
        return FieldType.STRINGS, {part.column, part.ordinal}
    _check_columns(table, field.fields, part.columns, [])
    if part.key is not None and part.key not in part.columns:
        raise _fail(table, f"its key {part.key} is not a mapped property")
    return FieldType.OBJECTS, {*part.columns.values(), part.ordinal}


def _is_unique(table: sa.Table, names: set[str]) -> bool:
    """Whether the table promises that no two rows share these columns, by whatever means."""
    promises: list[set[str]] = [{column.name for column in table.primary_key.columns}]
    promises += [{column.name} for column in table.c if column.unique]
    promises += [
        {column.name for column in constraint.columns}
        for constraint in table.constraints
        if isinstance(constraint, sa.UniqueConstraint)
    ]
    promises += [
        {column.name for column in index.columns}
        for index in table.indexes
        if index.unique and not index.dialect_options["postgresql"].get("where")
    ]
    return any(promise and promise == names for promise in promises)
