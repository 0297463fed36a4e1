"""Specifications in the service's query language.

A predicate is compiled to a condition that is *wider*: true of every item of which the predicate holds. `Not`
is moved down to the leaves, and the negation of a leaf that is *narrower*, true of none of which it does not
hold, is wider again. Where the language can say exactly what is meant, the two are the same. What comes back
is always looked at again in memory, so a wider query costs request units and never changes what is found. It
is wider for timestamps (kept as text, compared as instants), for letters beyond ASCII regardless of case, and
for text compared with characters from U+D800 on, whose order the language leaves open.

What a former system spelled otherwise is asked for under each of its names: an item has the value under one
of them, so that one of the conditions is true of it. Where the declared name is there it is the value, so a
condition on that name alone is narrower.

Items whose exact content is text (see `items`) are always brought in: their top level is only near it. A part
that is `undefined` would make a comparison neither true nor false, and `NOT` of that is neither as well; so
each comparison asks for the type first.
"""

import math
from typing import Any, Final, Literal

from manystore.former import spellings
from manystore.paging import Start
from manystore.records import FieldType, Kind, is_plain_text
from manystore.specifications import (
    TEXTS,
    Both,
    Compare,
    Contains,
    Either,
    IsIn,
    IsMissing,
    Not,
    Operator,
    Predicate,
    Scalar,
    Specification,
    field_at,
)
from manystore.stores.cosmos.containers import Query
from manystore.stores.cosmos.ids import id_of
from manystore.stores.cosmos.items import path_in_item
from manystore.stores.store import KeyRange

LIVE: Final = "NOT IS_DEFINED(c._manystore.d)"
SEEN: Final = "(NOT IS_DEFINED(c._manystore.d) OR c._manystore.v > 0)"
"""Not the placeholder of a record that never was."""
_EXACT: Final = 2**53
_TRUE, _FALSE = "true", "false"


def count_query() -> Query:
    """How many live records a range holds."""
    return Query(f"SELECT VALUE COUNT(1) FROM c WHERE {LIVE}", {})


def ids_query() -> Query:
    """The ids of all records and tombstones of a range, in order."""
    return Query(f"SELECT VALUE c.id FROM c WHERE {SEEN} ORDER BY c.id", {})


def scan_query(key_range: KeyRange) -> Query:
    """Records and tombstones of a range of keys, in order."""
    return _in_range("*", key_range)


def versions_query(key_range: KeyRange) -> Query:
    """Their ids and versions alone."""
    return _in_range("c.id, c._manystore.v, c._manystore.d", key_range)


def _in_range(selected: str, key_range: KeyRange) -> Query:
    parts, parameters = [SEEN], dict[str, Any]()
    if key_range.after is not None:
        parts.append("c.id > @after")
        parameters["@after"] = id_of(key_range.after)
    if key_range.upto is not None:
        parts.append("c.id <= @upto")
        parameters["@upto"] = id_of(key_range.upto)
    return Query(f"SELECT {selected} FROM c WHERE {' AND '.join(parts)} ORDER BY c.id", parameters)


def candidates_query(kind: Kind, specification: Specification, start: Start | None) -> Query:
    """Everything that the specification may find; in order of keys where it asks for no other."""
    compiler = _Compiler(kind)
    wanted = compiler.wider(specification.where)
    parts = [LIVE] if wanted == _TRUE else [LIVE, f"(IS_DEFINED(c._manystore.x) OR {wanted})"]
    order = ""
    if not specification.order:
        order = " ORDER BY c.id"
        if start is not None:
            parts.append(f"c.id > {compiler.parameter(id_of(start.key))}")
    return Query(f"SELECT * FROM c WHERE {' AND '.join(parts)}{order}", compiler.parameters)


class _Compiler:
    def __init__(self, kind: Kind) -> None:
        self._kind = kind
        self.parameters: dict[str, Any] = {}

    def parameter(self, value: Scalar) -> str:
        name = f"@p{len(self.parameters)}"
        self.parameters[name] = value
        return name

    def wider(self, predicate: Predicate) -> str:
        """What is true of every item of which the predicate holds."""
        match predicate:
            case Both(parts):
                return _join("AND", [self.wider(part) for part in parts])
            case Either(parts):
                return _join("OR", [self.wider(part) for part in parts])
            case Not(part):
                return self._wider_not(part)
            case _:
                return self._leaf(predicate, is_wider=True)

    def _wider_not(self, predicate: Predicate) -> str:
        """What is true of every item of which the predicate does not hold: NOT moves down to the leaves."""
        match predicate:
            case Both(parts):
                return _join("OR", [self._wider_not(part) for part in parts])
            case Either(parts):
                return _join("AND", [self._wider_not(part) for part in parts])
            case Not(part):
                return self.wider(part)
            case _:
                return _not(self._leaf(predicate, is_wider=False))

    def _leaf(self, predicate: Predicate, *, is_wider: bool) -> str:
        match predicate:
            case IsMissing(path):
                # Missing under its declared name is wider; only missing under every name is narrower.
                names = self._names(path)[:1] if is_wider else self._names(path)
                return _join("AND", [self._missing(path, name, is_wider=is_wider) for name in names])
            case Compare(path) | IsIn(path) | Contains(path):
                names = self._names(path) if is_wider else self._names(path)[:1]
                return _join("OR", [self._leaf_at(predicate, name, is_wider=is_wider) for name in names])
        raise AssertionError(f"{predicate!r} was not checked")

    def _leaf_at(self, predicate: Predicate, name: str, *, is_wider: bool) -> str:
        """The predicate of the value that lies under one of the names of its field."""
        match predicate:
            case Compare(path, operator, value, ignoring_case):
                if ignoring_case:
                    return self._ignoring_case(path, name, operator, str(value), is_wider=is_wider)
                return self._compare(path, name, operator, value, is_wider=is_wider)
            case IsIn(path, values):
                each = [self._compare(path, name, "==", value, is_wider=is_wider) for value in values]
                return _join("OR", each)
            case Contains(path, value):
                # Whether the other elements are text, as they must be, is seen in memory.
                if not is_wider or not is_plain_text(value):
                    return _TRUE if is_wider else _FALSE
                listed = f"(IS_ARRAY({name}) AND ARRAY_CONTAINS({name}, {self.parameter(value)}))"
                if field_at(self._kind, path).joined_by is None:
                    return listed
                joined = f"(IS_STRING({name}) AND CONTAINS({name}, {self.parameter(value)}))"
                return _join("OR", [listed, joined])
        raise AssertionError(f"{predicate!r} was not checked")

    def _names(self, path: str) -> list[str]:
        """What the items may call the field, the declared name first."""
        return [path_in_item(names) for names in spellings(self._kind, path)]

    def _compare(self, path: str, name: str, operator: Operator, value: Scalar, *, is_wider: bool) -> str:
        declared = field_at(self._kind, path).type
        if declared in TEXTS:
            return self._compare_text(path, name, operator, str(value), is_wider=is_wider)
        if declared is FieldType.BOOLEAN:
            fitting = [each for each in (False, True) if _agrees(each, operator, bool(value))]
            return _join("OR", [f"(IS_BOOL({name}) AND {name} = {str(each).lower()})" for each in fitting])
        if declared is FieldType.TIMESTAMP:
            return f"IS_STRING({name})" if is_wider else _FALSE
        return self._compare_number(path, name, operator, value, is_wider=is_wider)

    def _compare_text(self, path: str, name: str, operator: Operator, value: str, *, is_wider: bool) -> str:
        is_ordered = operator in ("==", "!=") or all(char < "\ud800" for char in value)
        # A former system may have spelled such a key otherwise.
        is_other = path == "id" and is_plain_text(value) and id_of(value) != value
        if not is_ordered or is_other or not is_plain_text(value):
            return f"IS_STRING({name})" if is_wider else _FALSE
        return f"(IS_STRING({name}) AND {name} {_sign(operator)} {self.parameter(value)})"

    def _compare_number(
        self, path: str, name: str, operator: Operator, value: Scalar, *, is_wider: bool
    ) -> str:
        is_exact = isinstance(value, float) and math.isfinite(value)
        is_exact = is_exact or (isinstance(value, int) and abs(value) < _EXACT)
        if not is_exact:
            return f"IS_NUMBER({name})" if is_wider else _FALSE
        parts = [f"IS_NUMBER({name})", f"{name} {_sign(operator)} {self.parameter(value)}"]
        if not is_wider:
            # Beyond these, a number of a former system may come back with a fraction or as a float.
            parts += [f"ABS({name}) < {_EXACT}"]
            if field_at(self._kind, path).type is FieldType.INTEGER:
                parts += [f"FLOOR({name}) = {name}"]
        return f"({' AND '.join(parts)})"

    def _ignoring_case(self, path: str, name: str, operator: Operator, value: str, *, is_wider: bool) -> str:
        lower = value.lower()
        if not is_wider:
            return _FALSE
        if operator != "==" or path == "id" or not lower.isascii():
            return f"IS_STRING({name})"
        equal = f"LOWER({name}) = {self.parameter(lower)}"
        if "k" in lower:
            # The one letter beyond ASCII whose small letter is within: the Kelvin sign.
            equal = f"({equal} OR CONTAINS({name}, {self.parameter(chr(0x212A))}))"
        return f"(IS_STRING({name}) AND {equal})"

    def _missing(self, path: str, name: str, *, is_wider: bool) -> str:
        field = field_at(self._kind, path)
        declared = field.type
        if declared in TEXTS:
            return f"NOT IS_STRING({name})"
        match declared:
            case FieldType.BOOLEAN:
                return f"NOT IS_BOOL({name})"
            case FieldType.TIMESTAMP:
                return _TRUE if is_wider else f"NOT IS_STRING({name})"
            case FieldType.STRINGS:
                # Text that is joined may be read as a list.
                odd = f"NOT IS_ARRAY({name})" if field.joined_by is None else _FALSE
                return _TRUE if is_wider else odd
            case FieldType.NUMBER:
                return f"NOT IS_NUMBER({name})"
            case FieldType.INTEGER:
                odd = f"(NOT IS_NUMBER({name}) OR FLOOR({name}) != {name} OR ABS({name}) >= {_EXACT})"
                return odd if is_wider else f"NOT IS_NUMBER({name})"
        return f"(NOT IS_DEFINED({name}) OR IS_NULL({name}))"


def _sign(operator: Operator) -> str:
    return "=" if operator == "==" else operator


def _agrees(left: bool, operator: Operator, right: bool) -> bool:
    return {
        "==": left == right,
        "!=": left != right,
        "<": left < right,
        "<=": left <= right,
        ">": left > right,
        ">=": left >= right,
    }[operator]


def _join(word: Literal["AND", "OR"], parts: list[str]) -> str:
    """The parts joined. Parentheses are set where they are needed, and nowhere else.

    (A parser that tries every reading takes twice as long for each pair.)
    """
    neutral, stronger = (_TRUE, _FALSE) if word == "AND" else (_FALSE, _TRUE)
    if stronger in parts:
        return stronger
    kept = list(dict.fromkeys(part for part in parts if part != neutral))
    if len(kept) <= 1:
        return kept[0] if kept else neutral
    return f"({f' {word} '.join(kept)})"


def _not(part: str) -> str:
    if part in (_TRUE, _FALSE):
        return _FALSE if part == _TRUE else _TRUE
    return part.removeprefix("NOT ") if part.startswith("NOT ") else f"NOT {part}"
