"""A mapping that does not fit its kind or its tables is refused when it is declared, with the reason."""

from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from manystore.errors import DeclarationError
from manystore.records import Field, FieldType, Kind, Label, Unique
from manystore.stores.postgres import ManyPart, Mapping, OnePart, StringsPart
from manystore.stores.postgres.refusals import Refusals
from tests.contract.postgres_tables import GADGETS_MAPPING, LETTERS_MAPPING, MAPPINGS, PEOPLE_MAPPING


def _field(name: str, field_type: FieldType, *fields: Field) -> Field:
    return Field(name=name, type=field_type, label=Label.INTERNAL, fields=fields)


def _kind(*fields: Field) -> Kind:
    return Kind(name="things", container="Things", fields=(_field("id", FieldType.UUID), *fields))


def _table(*columns: sa.Column[Any], name: str = "things", metadata: sa.MetaData | None = None) -> sa.Table:
    return sa.Table(
        name,
        metadata or sa.MetaData(),
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("residue", sa.Text),
        *columns,
    )


def _map(kind: Kind, table: sa.Table, **more: Any) -> Mapping:
    columns = {field.name: field.name for field in kind.fields}
    for part in more.get("parts", ()):
        del columns[part.property]
    return Mapping(kind=kind, table=table, **{"columns": columns, **more})


def test_mapping_that_fits_is_taken() -> None:
    """The mappings of the tests fit, and name their tables, the root's first."""
    assert [table.name for table in PEOPLE_MAPPING.tables()] == ["people", "addresses", "nicknames", "pets"]
    assert PEOPLE_MAPPING.key_column == "id"
    assert len({mapping.kind.name for mapping in MAPPINGS}) == 4


def test_field_without_a_place_is_refused() -> None:
    """Every declared field lies somewhere, else nothing could find by it."""
    with pytest.raises(DeclarationError, match="no column and no part for name"):
        _map(_kind(_field("name", FieldType.STRING)), _table(), columns={"id": "id"})


def test_place_without_a_field_is_refused() -> None:
    """A column for a property that the kind does not declare is a mistake."""
    with pytest.raises(DeclarationError, match="no field name"):
        _map(_kind(), _table(sa.Column("name", sa.Text)), columns={"id": "id", "name": "name"})


def test_column_that_is_not_there_is_refused() -> None:
    """The table has to have the column."""
    with pytest.raises(DeclarationError, match="no column name"):
        _map(_kind(_field("name", FieldType.STRING)), _table())


@pytest.mark.parametrize(
    ("field_type", "carrier"),
    [
        (FieldType.STRING, sa.Integer()),
        (FieldType.STRING, sa.Enum("a", "b", name="ab")),
        (FieldType.UUID, sa.Text()),
        (FieldType.TIMESTAMP, sa.DateTime()),
        (FieldType.TIMESTAMP, sa.Date()),
        (FieldType.DATE, sa.DateTime(timezone=True)),
        (FieldType.INTEGER, sa.Double()),
        (FieldType.NUMBER, sa.Numeric()),
        (FieldType.NUMBER, sa.REAL()),
        (FieldType.STRINGS, sa.ARRAY(sa.Integer)),
        (FieldType.STRINGS, sa.ARRAY(sa.Text, dimensions=2)),
        (FieldType.JSON, sa.JSON()),
        (FieldType.BOOLEAN, sa.Integer()),
    ],
)
def test_column_that_cannot_carry_the_field_is_refused(
    field_type: FieldType, carrier: sa.types.TypeEngine[Any]
) -> None:
    """Each type of field has its types of column; those that lose something are not among them."""
    with pytest.raises(DeclarationError, match="cannot carry value"):
        _map(_kind(_field("value", field_type)), _table(sa.Column("value", carrier)))


def test_timestamp_within_jsonb_is_refused() -> None:
    """An instant within jsonb is text, which does not compare as instants do."""
    field = _field(
        "inner", FieldType.OBJECT, _field("deep", FieldType.OBJECT, _field("at", FieldType.TIMESTAMP))
    )
    with pytest.raises(DeclarationError, match="has a timestamp"):
        _map(_kind(field), _table(sa.Column("inner", pg.JSONB)))


@pytest.mark.parametrize("name", ["version", "residue"])
def test_engine_columns_are_wanted_and_not_lent(name: str) -> None:
    """The root table has the engine's columns, and no property may lie in them."""
    with pytest.raises(DeclarationError, match=f"column {name} belongs to the engine"):
        _map(_kind(_field("it", FieldType.STRING)), _table(), columns={"id": "id", "it": name})
    table = sa.Table("bare", sa.MetaData(), sa.Column("id", sa.Uuid, primary_key=True))
    with pytest.raises(DeclarationError, match="version"):
        _map(_kind(), table)


def test_column_fed_by_nothing_is_refused() -> None:
    """A column that takes no null and that nothing fills would refuse every record."""
    with pytest.raises(DeclarationError, match="fed by nothing"):
        _map(_kind(), _table(sa.Column("stock", sa.Integer, nullable=False)))
    _map(_kind(), _table(sa.Column("stock", sa.Integer, nullable=False, server_default="1")))


def test_free_text_keys_need_the_order_of_code_points() -> None:
    """Keys are read in code-point order, so their index must have it."""
    kind = Kind(name="words", container="Words", fields=(_field("id", FieldType.STRING),))
    table = sa.Table(
        "words",
        sa.MetaData(),
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("residue", sa.Text),
    )
    with pytest.raises(DeclarationError, match='needs collation "C"'):
        _map(kind, table)


def _parts(
    *columns: sa.Column[Any], ondelete: str | None = "CASCADE", unique: tuple[str, ...] = ()
) -> tuple[sa.Table, sa.Table]:
    metadata = sa.MetaData()
    table = _table(metadata=metadata)
    part = sa.Table(
        "parts",
        metadata,
        sa.Column("thing_id", sa.Uuid, sa.ForeignKey("things.id", ondelete=ondelete), nullable=False),
        sa.Column("ordinal", sa.Integer, nullable=False, server_default="0"),
        *columns,
        sa.UniqueConstraint(*unique) if unique else sa.CheckConstraint("true"),
    )
    return table, part


def test_part_goes_with_its_root() -> None:
    """Rows of a part reference their root and are deleted with it."""
    kind = _kind(_field("one", FieldType.OBJECT, _field("name", FieldType.STRING)))
    for ondelete in (None, "SET NULL"):
        table, part = _parts(sa.Column("name", sa.Text), ondelete=ondelete, unique=("thing_id",))
        one = OnePart(property="one", table=part, parent="thing_id", columns={"name": "name"})
        with pytest.raises(DeclarationError, match="does not cascade"):
            _map(kind, table, parts=(one,))


def test_rows_of_parts_are_told_apart() -> None:
    """Something keeps unique what a row is recognised by when its record changes."""
    item = _field("name", FieldType.STRING)
    table, part = _parts(sa.Column("name", sa.Text))
    one = OnePart(property="it", table=part, parent="thing_id", columns={"name": "name"})
    many = ManyPart(
        property="it", table=part, parent="thing_id", columns={"name": "name"}, ordinal="ordinal", key="name"
    )
    texts = StringsPart(property="it", table=part, parent="thing_id", column="name", ordinal="ordinal")
    for part_of_it, field in (
        (one, _field("it", FieldType.OBJECT, item)),
        (many, _field("it", FieldType.OBJECTS, item)),
        (texts, _field("it", FieldType.STRINGS)),
    ):
        with pytest.raises(DeclarationError, match="nothing keeps"):
            _map(_kind(field), table, parts=(part_of_it,))


def test_part_is_of_the_fields_own_sort() -> None:
    """An object does not lie in a table of strings."""
    table, part = _parts(sa.Column("name", sa.Text), unique=("thing_id", "name"))
    texts = StringsPart(property="it", table=part, parent="thing_id", column="name", ordinal="ordinal")
    with pytest.raises(DeclarationError, match="it is object, not strings"):
        _map(_kind(_field("it", FieldType.OBJECT, _field("a", FieldType.STRING))), table, parts=(texts,))


def test_constraints_guard_fields_that_there_are() -> None:
    """A constraint that is said to guard an unknown property is a mistake."""
    with pytest.raises(DeclarationError, match="which is no field"):
        _map(_kind(), _table(), constraints={"things_check": "colour"})


class _Error:
    """As much of a server's error as is looked at."""

    constraint_name: str | None = None
    table_name: str | None = None
    column_name: str | None = None

    def __init__(self, **facts: str) -> None:
        self.__dict__.update(facts)


@pytest.mark.parametrize(
    ("mapping", "facts", "path"),
    [
        (PEOPLE_MAPPING, {"constraint_name": "people_email"}, "email"),
        (LETTERS_MAPPING, {"constraint_name": "letters_person_id_fkey"}, "personId"),
        (GADGETS_MAPPING, {"constraint_name": "gadgets_title_key"}, "title"),
        (GADGETS_MAPPING, {"table_name": "gadgets", "column_name": "rank"}, "rank"),
        (GADGETS_MAPPING, {"table_name": "plans", "column_name": "tier"}, "plan.tier"),
        (PEOPLE_MAPPING, {"table_name": "nicknames", "column_name": "nickname"}, "nicknames"),
        (PEOPLE_MAPPING, {"constraint_name": "somebody_elses"}, "$"),
    ],
)
def test_errors_of_the_server_name_properties(mapping: Mapping, facts: dict[str, str], path: str) -> None:
    """Constraints that were declared, that SQLAlchemy knows and that PostgreSQL named lead to properties."""
    error: Any = _Error(**facts)
    assert Refusals(mapping, "postgres").field_of(error) == path


def test_promises_are_the_kinds_own() -> None:
    """The kind's unique is named, not the table's constraint."""
    assert GADGETS_MAPPING.kind.uniques == (Unique(name="gadgets_title", field="title"),)
