"""Specifications as SQL: the same records, on the same pages, as evaluation in memory would give.

Columns of few records say something else than the record (see `values`); their residues name them as
masked. So a statement has two halves: SQL decides about records whose columns in question are believable,
with limit and index; the rest come through the index of masks, whatever they hold. Memory then evaluates the
specification over both, which costs little over one page and makes the meaning the same by construction.
"""

from typing import Any, Final

from manystore.paging import Start, check, page_of, start_of
from manystore.records import FieldType
from manystore.specifications import (
    Both,
    Compare,
    Contains,
    Descending,
    Either,
    IsIn,
    IsMissing,
    Not,
    Page,
    Predicate,
    Scalar,
    Specification,
    field_at,
)
from manystore.stores.postgres.connections import Connections
from manystore.stores.postgres.control import MASK_MARK, masked_fields
from manystore.stores.postgres.kinds import MappedKind
from manystore.stores.postgres.mapping import RESIDUE, OnePart, StringsPart
from manystore.stores.postgres.places import Place, TextPlace, can_be_text, column_place, jsonb_place
from manystore.stores.postgres.quoting import literal, quoted, quoted_table

_TRUE: Final = "true"
_FALSE: Final = "false"


async def find(mapped: MappedKind, connections: Connections, specification: Specification) -> Page:
    """See Store.find. Raises InvalidSpecificationError and UnavailableError."""
    check(mapped.kind, specification)
    statement, arguments = compile_specification(mapped, specification)
    rows = await connections.fetch(statement, *arguments)
    return page_of(mapped.kind, specification, (mapped.codec.decode(row) for row in rows))


def compile_specification(mapped: MappedKind, specification: Specification) -> tuple[str, list[Any]]:
    """The statement and its arguments; it may select more records than the page has, never fewer."""
    compiler = _Compiler(mapped)
    conditions = [compiler.predicate(specification.where, is_negated=False)]
    if start := start_of(mapped.kind, specification):
        conditions.append(compiler.after(specification, start))
    order = compiler.order(specification)
    reading = mapped.reading
    limit = compiler.bind(specification.limit + 1, "bigint")
    select = f"select {reading.fields} from {reading.source} where"
    page = f"order by {order} limit {limit}"
    if not compiler.touched:
        return f"{select} {' and '.join(conditions)} {page}", compiler.arguments
    touched = compiler.bind(sorted(compiler.touched), "text[]")
    mark = literal(MASK_MARK + "%")
    is_masked = f"t.{RESIDUE} like {mark} and {masked_fields(f't.{RESIDUE}')} && {touched}"
    conditions.append(f"(t.{RESIDUE} is null or ({is_masked}) is not true)")
    believable = f"{select} {' and '.join(conditions)} {page}"
    return f"({believable}) union all ({select} {is_masked})", compiler.arguments


class _Compiler:
    """Compiles one specification; collects its arguments, and the fields whose masks matter to it."""

    def __init__(self, mapped: MappedKind) -> None:
        self._mapped, self._mapping = mapped, mapped.mapping
        self.arguments: list[Any] = []
        self.touched: set[str] = set()

    def bind(self, value: Any, type_name: str) -> str:
        """The parameter that stands for `value`."""
        self.arguments.append(value)
        return f"${len(self.arguments)}::{type_name}"

    # -- predicates ----------------------------------------------------------------------------------

    def predicate(self, predicate: Predicate, *, is_negated: bool) -> str:
        """SQL that is true exactly where the predicate holds (or does not, if negated).

        Negation is carried down to the comparisons, where what is null to SQL counts as not holding.
        """
        match predicate:
            case Not(part):
                return self.predicate(part, is_negated=not is_negated)
            case Both(parts):
                return self._joined(parts, is_all=not is_negated, is_negated=is_negated)
            case Either(parts):
                return self._joined(parts, is_all=is_negated, is_negated=is_negated)
        condition = self._leaf(predicate) or _FALSE
        return f"(({condition}) is not true)" if is_negated else f"({condition})"

    def _joined(self, parts: tuple[Predicate, ...], *, is_all: bool, is_negated: bool) -> str:
        if not parts:
            return _TRUE if is_all else _FALSE
        compiled = (self.predicate(part, is_negated=is_negated) for part in parts)
        return f"({(' and ' if is_all else ' or ').join(compiled)})"

    def _leaf(self, predicate: Predicate) -> str | None:
        match predicate:
            case Compare(path, operator, value, ignoring_case):
                place = self.place(path)
                if ignoring_case and isinstance(place, TextPlace):
                    # Letters of which Python and PostgreSQL make different lower case are masked.
                    place, value = place.lowered(), str(value).lower()
                return self._compare(place, operator, value)
            case IsIn(path, values):
                place = self.place(path)
                alternatives = [place.equal(value, self.bind) for value in values]
                return " or ".join(each for each in alternatives if each is not None) or None
            case IsMissing(path):
                return self._missing(path)
            case Contains(path, value):
                return self._contains(path, value)
        raise AssertionError(f"{predicate!r} was not checked")

    def _compare(self, place: Place, operator: str, value: Scalar) -> str | None:
        if operator == "==":
            return place.equal(value, self.bind)
        if operator == "!=":
            return place.differs(value, self.bind)
        return place.ordered(operator, value, self.bind)

    # -- order ---------------------------------------------------------------------------------------

    def order(self, specification: Specification) -> str:
        """Missing values first, last where descending, then by key."""
        terms = [
            f"{self.place(order.field).sorted_by} "
            + ("desc nulls last" if isinstance(order, Descending) else "asc nulls first")
            for order in specification.order
        ]
        return ", ".join([*terms, f"t.{self._mapped.layout.key}"])

    def after(self, specification: Specification, start: Start) -> str:
        """That a record comes after the one with which the former page ended."""
        alternatives: list[str] = []
        same: list[str] = []
        for order, value in zip(specification.order, start.values, strict=True):
            place = self.place(order.field)
            later = self._later(place, value, is_descending=isinstance(order, Descending))
            if later is not None:
                alternatives.append(" and ".join([*same, later]))
            if value is None:
                same.append(f"{place.expression} is null")
            else:
                same.append(place.equal(value, self.bind) or _FALSE)
        layout = self._mapped.layout
        key = f"t.{layout.key} > {self.bind(start.key, layout.key_type)}"
        alternatives.append(" and ".join([*same, key]))
        return f"({' or '.join(f'({each})' for each in alternatives)})"

    def _later(self, place: Place, value: Scalar | None, *, is_descending: bool) -> str | None:
        if value is None:
            return None if is_descending else f"{place.expression} is not null"
        later = place.ordered("<" if is_descending else ">", value, self.bind)
        if is_descending:
            return f"({later or _FALSE} or {place.expression} is null)"
        return later

    # -- places --------------------------------------------------------------------------------------

    def place(self, path: str) -> Place:
        """Where a field that can be compared lies."""
        field_type = field_at(self._mapped.kind, path).type
        expression, is_jsonb = self._locate(path)
        return jsonb_place(field_type, expression) if is_jsonb else column_place(field_type, expression)

    def _locate(self, path: str) -> tuple[str, bool]:
        """The column, or the value within jsonb, of a path; and which of the two."""
        self._touch(path)
        name, *rest = path.split(".")
        alias, columns = "t", self._mapping.columns
        for at, part in enumerate(self._mapping.parts):
            if part.property == name and isinstance(part, OnePart):
                alias, columns = f"p{at}", part.columns
                name, *rest = rest
        column = f"{alias}.{quoted(columns[name])}"
        if not rest:
            return column, False
        return f"({column} #> array[{', '.join(map(literal, rest))}])", True

    def _touch(self, path: str) -> None:
        # A residue names what it masks by column: a property, or a property of a part.
        names = path.split(".")
        self.touched.update(".".join(names[:end]) for end in range(1, len(names) + 1))
        self.touched.discard("id")

    def _missing(self, path: str) -> str | None:
        field_type, name = field_at(self._mapped.kind, path).type, path.split(".", maxsplit=1)[0]
        part = self._mapping.part(name)
        if part is not None and path == name:
            self._touch(path)
            # A list without rows is an empty list; where it is none, that is masked.
            at = self._mapping.parts.index(part)
            return f"p{at}.{quoted(part.parent)} is null" if isinstance(part, OnePart) else None
        expression, is_jsonb = self._locate(path)
        if field_type is FieldType.STRINGS:
            return f"({self._is_strings(expression)}) is not true" if is_jsonb else f"{expression} is null"
        if field_type in (FieldType.JSON, FieldType.OBJECT, FieldType.OBJECTS):
            return f"coalesce(jsonb_typeof({expression}), 'null') = 'null'"
        place = jsonb_place(field_type, expression) if is_jsonb else column_place(field_type, expression)
        return f"{place.expression} is null"

    def _contains(self, path: str, value: str) -> str | None:
        self._touch(path)
        if not can_be_text(value):
            return None
        part = self._mapping.part(path)
        if isinstance(part, StringsPart):
            return (
                f"exists (select from {quoted_table(part.table)} s "
                f"where s.{quoted(part.parent)} = t.{self._mapped.layout.key} "
                f"and s.{quoted(part.column)} = {self.bind(value, 'text')})"
            )
        expression, is_jsonb = self._locate(path)
        if is_jsonb or self._is_jsonb_column(path):
            return f"{self._is_strings(expression)} and {expression} ? {self.bind(value, 'text')}"
        return f"{self.bind(value, 'text')} = any({expression})"

    def _is_jsonb_column(self, path: str) -> bool:
        column = self._mapping.columns.get(path)
        return column is not None and str(self._mapping.table.c[column].type) == "JSONB"

    def _is_strings(self, expression: str) -> str:
        others = literal('strict $[*] ? (@.type() != "string")')
        return f"jsonb_typeof({expression}) = 'array' and not ({expression} @? {others})"
