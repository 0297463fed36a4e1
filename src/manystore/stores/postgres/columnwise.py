"""Many objects of one table at once, as the text by which COPY takes them.

`Columns` walks over one object after the other. Where many come together, those whose values are of the same
types are turned into columns first, and each column is spelled as a whole (see `spelling`); what is peculiar
is taken out and goes through the same encoders. A test holds the two roads together.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from collections.abc import Mapping as Map
from itertools import repeat
from typing import Any, NamedTuple

import sqlalchemy as sa

from manystore.records import Content, Field
from manystore.stores.postgres.columns import (
    ABSENT,
    MOST_SHAPES,
    Absent,
    Columns,
    Leftover,
    keep_unknown,
    with_rest,
)
from manystore.stores.postgres.spelling import Speller, Texts, nothing, spelled, spellers
from manystore.stores.postgres.values import Lossy, Opaque, Unfit


class _Plan(NamedTuple):
    """How objects are spelled whose values are of the same types: a constant or a speller for each column."""

    met: int
    left: Leftover | None
    columns: list[str | Speller]


class Spelled(NamedTuple):
    """Many objects as text of COPY, and for each what its columns do not say.

    A text has its columns in their order, each after a tab. It is None where a value is unfit.
    """

    texts: list[str | None]
    lefts: list[Leftover | None]


class Columnwise:
    """The way of `columns`, which are of this table and fed by properties of these names, for many objects.

    `fields` are all properties that are declared, be they in these columns or elsewhere.
    """

    def __init__(
        self, columns: Columns, table: sa.Table, fields: Sequence[Field], named: Map[str, str]
    ) -> None:
        declared = {field.name: field for field in fields}
        self._columns, self._known = columns, frozenset(declared)
        self._names = (*columns.names, *(name for name in declared if name not in named))
        self._spellers = [spellers(declared[name], table.c[named[name]].type) for name in columns.names]
        self._plans: dict[tuple[type, ...], _Plan] = {}

    def spell(self, objects: Sequence[Content]) -> Spelled:
        """What `Columns.encode` says of each."""
        rows = [tuple(map(each.get, self._names, ABSENT)) for each in objects]
        alike = defaultdict[tuple[type, ...], list[int]](list)
        for at, row in enumerate(rows):
            alike[tuple(map(type, row))].append(at)
        texts: list[str | None] = [None] * len(objects)
        lefts: list[Leftover | None] = [None] * len(objects)
        for types, places in alike.items():
            plan = self._plan(types)
            if plan is None:
                continue
            group = self._spell_alike(plan, [rows[at] for at in places])
            for at, text, left in zip(places, *group, strict=True):
                if plan.met != len(objects[at]):
                    left = keep_unknown(objects[at], self._known, left)
                texts[at], lefts[at] = text, left
        return Spelled(texts, lefts)

    def _plan(self, types: tuple[type, ...]) -> _Plan | None:
        """None where columns need values that are not there."""
        if types in self._plans:
            return self._plans[types]
        try:
            of_columns = types[: len(self._columns.names)]
            shape = self._columns.shape(of_columns)
        except Unfit:
            return None
        columns: list[str | Speller] = [
            each.get(its_type, nothing) for each, its_type in zip(self._spellers, of_columns, strict=True)
        ]
        for at, blank in shape.blanks:
            columns[at] = spelled(blank)
        plan = _Plan(len(types) - types.count(Absent), shape.left, columns)
        if len(self._plans) < MOST_SHAPES:
            self._plans[types] = plan
        return plan

    def _spell_alike(self, plan: _Plan, rows: Sequence[tuple[Any, ...]]) -> Spelled:
        lefts, unfit = [plan.left] * len(rows), set[int]()
        columns: list[Iterable[str | None]] = [repeat("", len(rows))]
        for at, (column, values) in enumerate(zip(plan.columns, zip(*rows, strict=True), strict=False)):
            if isinstance(column, str):
                columns.append(repeat(column))
                continue
            texts = column(values)
            columns.append(self._encode_rest(at, values, texts, lefts, unfit) if None in texts else texts)
        lines: list[str | None] = ["\t".join(each) for each in zip(*columns, strict=False)]
        for number in unfit:
            lines[number] = None
        return Spelled(lines, lefts)

    def _encode_rest(
        self, at: int, values: Sequence[Any], texts: Texts, lefts: list[Leftover | None], unfit: set[int]
    ) -> list[str]:
        """The texts of a column with those that only its encoder makes; adds what they do not say."""
        name, filled = self._columns.names[at], list[str]()
        for number, text in enumerate(texts):
            if text is None:
                try:
                    text, lefts[number] = self._encode_one(name, values[number], lefts[number])
                except Unfit:
                    unfit.add(number)
                    text = ""
            filled.append(text)
        return filled

    def _encode_one(self, name: str, value: Any, left: Leftover | None) -> tuple[str, Leftover | None]:
        column = self._columns.codecs[name].encode(value)
        if isinstance(column, (Lossy, Opaque)):
            left, column = with_rest(left, name, value, column), column.column
        return spelled(column), left
