"""Specifications as SQL over JSON; each expression means exactly what it means in memory.

Text, truth values and instants are compared by SQLite; what it would read inexactly (numbers, bodies with
escapes that it cuts or mistakes) is judged by the meaning itself, in Python, row by row. A value that is
null, missing or of another type is SQL's null, which sorts first, and last where descending, as it should.
Bodies of a former system that are not as declared are marked as escaped, and so left to Python as well: about
twenty microseconds a row that no index excludes, until the record is next written.
"""

import re
import sqlite3
import struct
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from manystore.instants import microseconds, parse_instant
from manystore.paging import Start, check, start_of
from manystore.records import FieldType, Kind, is_plain_text
from manystore.specifications import (
    TEXTS,
    Ascending,
    Both,
    Compare,
    Descending,
    Either,
    IsIn,
    IsMissing,
    Not,
    Predicate,
    Scalar,
    Specification,
    comparable,
    field_at,
    holds,
    value_at,
)
from manystore.stores.sqlite.pointers import keys_of, points
from manystore.stores.sqlite.rows import COLUMNS, Row, claim_value, content_in

_PLAIN_PATH: Final = re.compile(r"\w+(\.\w+)*", re.ASCII)
_WHOLE: Final = (FieldType.JSON, FieldType.OBJECT, FieldType.OBJECTS)
_MAX_LISTED: Final = 500
"""Values of one `is_in` that go into the statement; SQLite bounds the number of its parameters."""


class Query(msgspec.Struct, frozen=True):
    """A statement, what it is asked with, and the predicates that it leaves to Python by their number."""

    kind: Kind
    text: str
    parameters: list[Any]
    left_to_python: list[Predicate]

    def run(self, connection: sqlite3.Connection) -> list[Row]:
        """The rows, in order."""
        if self.left_to_python:
            connection.create_function("holds", 3, self._holds, deterministic=True)
        connection.create_function("sort_value", 3, self._sort_value, deterministic=True)
        return connection.execute(self.text, self.parameters).fetchall()

    def _holds(self, number: int, version: int, body: str) -> bool:
        return holds(self.kind, self.left_to_python[number], content_in(self.kind, version, body))

    def _sort_value(self, version: int, body: str, path: str) -> int | bytes | None:
        declared = field_at(self.kind, path).type
        return _sortable(declared, comparable(declared, value_at(content_in(self.kind, version, body), path)))


def install_functions(connection: sqlite3.Connection) -> None:
    """Give the connection the functions that queries call."""
    connection.create_function("lowered", 1, str.lower, deterministic=True)
    connection.create_function("instant", 1, _instant, deterministic=True)


def _instant(text: str) -> int | None:
    instant = parse_instant(text)
    return None if instant is None else microseconds(instant)


def _sortable(field_type: FieldType, value: Scalar | None) -> int | bytes | None:
    """A comparable value as SQLite sorts it: bytes of text, or of a number where SQLite is inexact."""
    match value:
        case None:
            return None
        case str():
            # With lone surrogates as they are, which no text in Python's sense could carry to SQLite.
            return value.encode("utf-8", "surrogatepass")
        case int() if field_type in (FieldType.BOOLEAN, FieldType.TIMESTAMP):
            return int(value)
        case _:
            return rank(value)


def rank(number: int | float) -> bytes:
    """Bytes that are ordered, and equal, as numbers are, however large and of whichever type."""
    try:
        nearest = float(number)
    except OverflowError:
        nearest = float("inf") if number > 0 else float("-inf")
    rest = 0
    if isinstance(number, int):
        # Rounding keeps the order but not the differences, so what it lost decides among equals.
        rest = number if nearest in (float("inf"), float("-inf")) else number - int(nearest)
    # Adding 0.0 turns -0.0 into 0.0. Bits of floats are ordered as integers, those below zero backwards.
    bits = struct.pack(">d", nearest + 0.0)
    head = _inverted(bits) if bits[0] & 0x80 else bytes([bits[0] | 0x80]) + bits[1:]
    size = (rest.bit_length() + 7) // 8
    tail = b"\x81" + size.to_bytes(4, "big") + abs(rest).to_bytes(size, "big")
    return head + (_inverted(tail) if rest < 0 else tail)


def _inverted(text: bytes) -> bytes:
    return bytes(0xFF ^ each for each in text)


def compile_specification(kind: Kind, specification: Specification) -> Query:
    """The query for one page and one record more, by which `cut_page` tells whether there are others.

    Raises InvalidSpecificationError.
    """
    check(kind, specification)
    compiler = _Compiler(kind)
    conditions = [
        f"kind = {compiler.bind(kind.name)}",
        "body is not null",
        compiler.condition(specification.where),
    ]
    if start := start_of(kind, specification):
        conditions.append(compiler.after(specification.order, start))
    sorting = [
        compiler.sort(each.field) + (" desc" if isinstance(each, Descending) else "")
        for each in specification.order
    ]
    text = f"""
        select {COLUMNS} from documents where {" and ".join(conditions)}
        order by {", ".join([*sorting, "key"])} limit {compiler.bind(specification.limit + 1)}
    """
    return Query(kind, text, compiler.parameters, compiler.left_to_python)


class _Compiler:
    """Builds one statement; parameters are numbered, so an expression may stand in it more than once."""

    def __init__(self, kind: Kind) -> None:
        self.kind = kind
        self.parameters: list[Any] = []
        self.left_to_python: list[Predicate] = []

    def bind(self, value: object) -> str:
        self.parameters.append(value)
        return f"?{len(self.parameters)}"

    def condition(self, predicate: Predicate) -> str:
        """An expression that is true or false, never null, so that `not` means what it says."""
        match predicate:
            case Both(parts):
                return "(" + " and ".join(["1", *map(self.condition, parts)]) + ")"
            case Either(parts):
                return "(" + " or ".join(["0", *map(self.condition, parts)]) + ")"
            case Not(part):
                return f"not {self.condition(part)}"
            case _:
                return self._leaf(predicate)

    def _leaf(self, predicate: Predicate) -> str:
        in_sql = self._in_sql(predicate)
        self.left_to_python.append(predicate)
        in_python = f"holds({len(self.left_to_python) - 1}, version, body)"
        if in_sql is None:
            return in_python
        exact = f"case when escaped then {in_python} else ({in_sql}) is true end"
        return " and ".join(["(1", *self._by_index(predicate), exact + ")"])

    def _in_sql(self, predicate: Predicate) -> str | None:
        """What SQLite can tell of bodies without escapes, or None where Python has to."""
        match predicate:
            case Compare(path, operator, value, ignoring_case):
                left, right = self._native(path, ignoring_case), self._bindable(path, value, ignoring_case)
                return None if left is None or right is None else f"{left} {operator} {self.bind(right)}"
            case IsIn(path, values) if len(values) <= _MAX_LISTED:
                left, listed = self._native(path), [self._bindable(path, value) for value in values]
                if left is None or None in listed:
                    return None
                return f"{left} in ({', '.join(map(self.bind, listed))})"
            case IsMissing(path) if field_at(self.kind, path).type in _WHOLE and _PLAIN_PATH.fullmatch(path):
                return f"coalesce(json_type(body, {_json_path(path)}), 'null') = 'null'"
            case IsMissing(path) if left := self._native(path):
                return f"{left} is null"
            case _:
                return None

    def _by_index(self, predicate: Predicate) -> list[str]:
        """What must hold as well, said so that an index can find it."""
        match predicate:
            case Compare("id", operator, str(value), False) if operator != "!=":
                return [f"key {operator} {self.bind(value)}"]
            case IsIn("id", values):
                return [f"key in ({', '.join(map(self.bind, values))})"]
            case Compare(path, "==", str(value), False) if self._spreads(path):
                return [f"partition = {self.bind(value)}", *self._claimed(predicate)]
            case Compare(path, "==", str(value), False) if points(self.kind, path) and is_plain_text(value):
                return [f"key in ({keys_of(self.kind, path, self.bind(value))})", *self._claimed(predicate)]
            case Compare():
                return self._claimed(predicate)
            case _:
                return []

    def _spreads(self, path: str) -> bool:
        is_text = field_at(self.kind, path).type in TEXTS
        return is_text and path == self.kind.partition_key

    def _claimed(self, predicate: Compare) -> list[str]:
        """Unique values have rows of their own, for every living record that has one."""
        if predicate.operator != "==" or not isinstance(predicate.value, str):
            return []
        for unique in self.kind.uniques:
            is_text = unique.field == predicate.field and field_at(self.kind, unique.field).type in TEXTS
            if is_text and (unique.ignoring_case or not predicate.ignoring_case):
                value = predicate.value.lower() if unique.ignoring_case else predicate.value
                name, bound = self.bind(unique.name), self.bind(claim_value(value))
                kind = self.bind(self.kind.name)
                return [
                    f"key in (select key from claims where kind = {kind} and name = {name}"
                    f" and value = {bound})"
                ]
        return []

    def _native(self, path: str, ignoring_case: bool = False) -> str | None:
        """The comparable value of a body without escapes, or None where SQLite would read it wrongly."""
        field_type = field_at(self.kind, path).type
        if not _PLAIN_PATH.fullmatch(path):
            return None
        where = _json_path(path)
        if field_type is FieldType.BOOLEAN:
            return f"case json_type(body, {where}) when 'true' then 1 when 'false' then 0 end"
        text = f"json_extract(body, {where})"
        if field_type is FieldType.TIMESTAMP:
            text = f"instant({text})"
        elif field_type not in TEXTS:
            return None
        elif ignoring_case:
            text = f"lowered({text})"
        return f"case json_type(body, {where}) when 'text' then {text} end"

    def _bindable(self, path: str, value: Scalar, ignoring_case: bool = False) -> Scalar | None:
        found = comparable(field_at(self.kind, path).type, value)
        if isinstance(found, str):
            found = found.lower() if ignoring_case else found
            return found if is_plain_text(found) else None
        return found

    def sort(self, path: str) -> str:
        """The value by which rows are sorted; null where it is missing."""
        field_type = field_at(self.kind, path).type
        in_python = f"sort_value(version, body, {self.bind(path)})"
        if field_type in TEXTS:
            in_python = f"cast({in_python} as text)"
        native = self._native(path)
        return in_python if native is None else f"case when escaped then {in_python} else {native} end"

    def after(self, order: Sequence[Ascending | Descending], start: Start) -> str:
        """Holds of the rows that come after those values and that key."""
        alternatives, equal = list[str](), list[str]()
        for each, value in zip(order, start.values, strict=True):
            name, bound = self.sort(each.field), self._sort_parameter(each.field, value)
            if isinstance(each, Ascending):
                beyond = f"{name} is not null" if value is None else f"{name} > {bound}"
            else:
                beyond = "0" if value is None else f"({name} < {bound} or {name} is null)"
            alternatives.append(" and ".join([*equal, beyond]))
            equal.append(f"{name} is {bound}")
        alternatives.append(" and ".join([*equal, f"key > {self.bind(start.key)}"]))
        return "(" + " or ".join(f"({each})" for each in alternatives) + ")"

    def _sort_parameter(self, path: str, value: Scalar | None) -> str:
        field_type = field_at(self.kind, path).type
        bound = self.bind(_sortable(field_type, value))
        return f"cast({bound} as text)" if field_type in TEXTS else bound


def _json_path(path: str) -> str:
    return "'$" + "".join(f'."{name}"' for name in path.split(".")) + "'"
