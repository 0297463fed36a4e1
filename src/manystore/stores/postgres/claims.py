"""What no two records may share because the table says so, where the kind does not say it already.

A kind's own uniques hold in every store; these hold in the tables alone, mostly over several columns. A
record claims such a value with all of its columns, and nothing where one of them is null.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import sqlalchemy as sa

from manystore.records import canonical
from manystore.stores.postgres.columns import Row
from manystore.stores.postgres.mapping import Mapping


class TableClaim(NamedTuple):
    """A constraint or unique index of the root table, with the places of its columns in the codec's rows."""

    name: str
    places: tuple[int, ...]

    def of(self, root: Row) -> str | None:
        """What the row claims, as text, or None where it claims nothing."""
        values = [root[place] for place in self.places]
        return None if None in values else canonical([str(value) for value in values]).decode()


def table_claims(mapping: Mapping, names: Sequence[str]) -> list[TableClaim]:
    """The claims of a mapping's root table. `names` are the properties in the order of the codec's rows."""
    by_column = {column: name for name, column in mapping.columns.items()}
    declared = {unique.field for unique in mapping.kind.uniques}
    claims = []
    for name, columns in _uniques(mapping.table):
        properties = [by_column.get(column) for column in columns]
        if len(properties) == 1 and properties[0] in declared:
            continue
        if all(each in names for each in properties):
            claims.append(TableClaim(name, tuple(1 + names.index(str(each)) for each in properties)))
    return claims


def _uniques(table: sa.Table) -> Iterator[tuple[str, list[str]]]:
    for constraint in table.constraints:
        if isinstance(constraint, sa.UniqueConstraint) and constraint.name:
            yield str(constraint.name), [column.name for column in constraint.columns]
    for index in table.indexes:
        # Of part of the rows, or of expressions, the server alone knows what they compare.
        is_plain = all(isinstance(each, sa.Column) for each in index.expressions)
        is_whole = index.dialect_options["postgresql"]["where"] is None
        if index.unique and index.name and is_plain and is_whole:
            yield str(index.name), [column.name for column in index.columns]
