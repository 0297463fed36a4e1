"""Predicates written once: evaluated in memory here, compiled by each store to its own language.

    Specification(
        where=(field("email") == "ada@example.org") & field("role").is_in(["User", "Admin"]),
        order=(Descending("createdAt"),),
        limit=50,
    )

Fields are named as in documents; a dot leads into a part (`subscription.isActive`). Meaning, the same in
every store: null and missing are the same and satisfy only `is_missing`; a value of another type than the
field is declared with counts as missing; text is compared by code point, timestamps by the instant to the
microsecond. `holds` is that meaning; order and pages are in `paging`.
"""

import datetime as dt
from collections.abc import Iterable
from typing import Any, Final, Literal, get_args

import msgspec

from manystore.errors import InvalidSpecificationError
from manystore.instants import microseconds, parse_instant
from manystore.records import Content, Field, FieldType, Kind, Record, find_unspeakable

MAX_LIMIT: Final = 1000
MAX_ORDER: Final = 16
"""By how many fields a specification may order."""
MAX_NESTING: Final = 20
"""How many of `&`, `|` and `~` may lie in one another: what the parser of SQLite follows."""
MAX_PARTS: Final = 200
"""How many predicates one specification may have, those that join others included."""
MAX_VALUES: Final = 2_000
"""With how many values all of them together may compare; whoever has more asks several times."""

_MOST_SHOWN: Final = 200

Scalar = str | int | float | bool
Operator = Literal["==", "!=", "<", "<=", ">", ">="]


class Predicate(msgspec.Struct, frozen=True):
    """Something that holds of a record's content or does not; combine with `&`, `|` and `~`."""

    def __and__(self, other: "Predicate") -> "Predicate":
        return Both((self, other))

    def __or__(self, other: "Predicate") -> "Predicate":
        return Either((self, other))

    def __invert__(self) -> "Predicate":
        return Not(self)


class Compare(Predicate, frozen=True):
    """`field` `operator` `value`; with `ignoring_case`, both sides in lower case (text only).

    `!=` holds of values that are there and differ. Lists, parts and JSON are not compared.
    """

    field: str
    operator: Operator
    value: Scalar
    ignoring_case: bool = False


class IsIn(Predicate, frozen=True):
    """`field` equals one of `values`; with none given, nothing does."""

    field: str
    values: tuple[Scalar, ...]


class IsMissing(Predicate, frozen=True):
    """`field` is null or not there (or, in old data, of another type than declared)."""

    field: str


class Contains(Predicate, frozen=True):
    """`field` is a list of strings that holds `value`."""

    field: str
    value: str


class Both(Predicate, frozen=True):
    """All of `parts` hold; with none given, that is true of everything."""

    parts: tuple[Predicate, ...]


class Either(Predicate, frozen=True):
    """At least one of `parts` holds; with none given, that is true of nothing."""

    parts: tuple[Predicate, ...]


class Not(Predicate, frozen=True):
    """`part` does not hold."""

    part: Predicate


EVERYTHING: Final = Both(())


class field:  # noqa: N801 - reads as a word of the language in which predicates are written
    """The left side of a comparison: `field("email") == "ada@example.org"`."""

    __hash__ = None  # type: ignore[assignment]

    def __init__(self, name: str) -> None:
        self.name = name

    def __eq__(self, value: Scalar) -> Predicate:  # type: ignore[override]
        return Compare(self.name, "==", value)

    def __ne__(self, value: Scalar) -> Predicate:  # type: ignore[override]
        return Compare(self.name, "!=", value)

    def __lt__(self, value: Scalar) -> Predicate:
        return Compare(self.name, "<", value)

    def __le__(self, value: Scalar) -> Predicate:
        return Compare(self.name, "<=", value)

    def __gt__(self, value: Scalar) -> Predicate:
        return Compare(self.name, ">", value)

    def __ge__(self, value: Scalar) -> Predicate:
        return Compare(self.name, ">=", value)

    def equals_ignoring_case(self, value: str) -> Predicate:
        """Equal but for the case of letters, in the sense of Python's and PostgreSQL's `lower`."""
        return Compare(self.name, "==", value, ignoring_case=True)

    def is_in(self, values: Iterable[Scalar]) -> Predicate:
        """Equal to one of `values`."""
        return IsIn(self.name, tuple(values))

    def is_missing(self) -> Predicate:
        """Null or not there."""
        return IsMissing(self.name)

    def contains(self, value: str) -> Predicate:
        """A list of strings that holds `value`."""
        return Contains(self.name, value)


class Ascending(msgspec.Struct, frozen=True):
    """Order by `field`, smallest first."""

    field: str


class Descending(msgspec.Struct, frozen=True):
    """Order by `field`, largest first."""

    field: str


class Specification(msgspec.Struct, frozen=True, kw_only=True):
    """What to find: a predicate, an order, how many, and where a former page ended."""

    where: Predicate = EVERYTHING
    order: tuple[Ascending | Descending, ...] = ()
    limit: int = 100
    continuation: str | None = None


class Page(msgspec.Struct, frozen=True):
    """Records, and the continuation with which to ask for more; None when there are no more."""

    records: tuple[Record, ...]
    continuation: str | None


ORDERED: Final = (
    FieldType.UUID,
    FieldType.STRING,
    FieldType.TIMESTAMP,
    FieldType.DATE,
    FieldType.BOOLEAN,
    FieldType.INTEGER,
    FieldType.NUMBER,
)
"""The types of which values can be compared and sorted."""

TEXTS: Final = (FieldType.UUID, FieldType.STRING, FieldType.DATE)
"""Those of them that are compared as text, by code point."""


def field_at(kind: Kind, path: str) -> Field:
    """The declared field that a path of a specification names; InvalidSpecificationError if there is none."""
    fields: tuple[Field, ...] = kind.fields
    found: Field | None = None
    for name in path.split("."):
        found = next((each for each in fields if each.name == name), None)
        fields = found.fields if found is not None and found.type is FieldType.OBJECT else ()
        if found is None:
            raise InvalidSpecificationError(kind=kind.name, reason=f"no field named {path!r}")
    assert found is not None
    return found


def value_at(content: Content, path: str) -> Any:
    """What the content has at a path; None where it is null or missing."""
    value: Any = content
    for name in path.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return value


def comparable(field_type: FieldType, value: object) -> Scalar | None:
    """The value by which all stores compare: text, number, truth value, or microseconds of an instant.

    None where the value is null, missing or of another type than declared.
    """
    if field_type is FieldType.TIMESTAMP:
        instant = parse_instant(value)
        return None if instant is None else microseconds(instant)
    if field_type in TEXTS:
        return value if isinstance(value, str) else None
    if field_type is FieldType.BOOLEAN:
        return value if isinstance(value, bool) else None
    if isinstance(value, bool):
        return None
    if field_type is FieldType.INTEGER:
        return value if isinstance(value, int) else None
    if field_type is FieldType.NUMBER:
        return value if isinstance(value, (int, float)) else None
    return None


def check_predicate(kind: Kind, predicate: Predicate) -> None:
    """Raise InvalidSpecificationError unless every store could evaluate the predicate for this kind."""
    _check_size(kind, predicate)
    _check_meaning(kind, predicate)


def _check_size(kind: Kind, predicate: Predicate) -> None:
    """Whether every product's parser can follow the predicate, looked at level by level."""
    level, parts, values = [predicate], 0, 0
    for _ in range(MAX_NESTING + 1):
        joined = [each for each in level if isinstance(each, (Both, Either, Not))]
        parts += len(level)
        values += sum(len(each.values) for each in level if isinstance(each, IsIn))
        level = [part for each in joined for part in ((each.part,) if isinstance(each, Not) else each.parts)]
        if parts > MAX_PARTS or values > MAX_VALUES:
            reason = f"it has more than {MAX_PARTS} predicates or {MAX_VALUES} values: ask in several parts"
            raise InvalidSpecificationError(kind=kind.name, reason=reason)
        if not level:
            return
    reason = f"its predicates lie deeper in one another than {MAX_NESTING} levels"
    raise InvalidSpecificationError(kind=kind.name, reason=reason)


def _check_meaning(kind: Kind, predicate: Predicate) -> None:
    match predicate:
        case Both(parts) | Either(parts):
            for part in parts:
                _check_meaning(kind, part)
        case Not(part):
            _check_meaning(kind, part)
        case Compare(path, operator, value):
            if operator not in get_args(Operator):
                raise InvalidSpecificationError(kind=kind.name, reason=f"{_shown(operator)} is no operator")
            _check_value(kind, path, value)
            _check_case(kind, predicate)
        case IsIn(path, values):
            for value in values:
                _check_value(kind, path, value)
            _check_ordered(kind, path)
        case IsMissing(path):
            field_at(kind, path)
        case Contains(path, _):
            _check_list(kind, predicate)
        case _:
            reason = f"{_shown(predicate)} is not a known predicate"
            raise InvalidSpecificationError(kind=kind.name, reason=reason)


def _shown(value: object) -> str:
    """How a message spells what somebody asked for, which may be more than can be spelled."""
    try:
        text = repr(value)
    except (ValueError, RecursionError):
        return f"a {type(value).__name__} that is too long to be shown"
    return text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}…"


def _check_case(kind: Kind, predicate: Compare) -> None:
    path = predicate.field
    if predicate.ignoring_case and field_at(kind, path).type is not FieldType.STRING:
        raise InvalidSpecificationError(kind=kind.name, reason=f"{path} is not text, so it has no case")


def _check_ordered(kind: Kind, path: str) -> None:
    if field_at(kind, path).type not in ORDERED:
        raise InvalidSpecificationError(kind=kind.name, reason=f"{path} has no values to compare")


def _check_list(kind: Kind, predicate: Contains) -> None:
    path = predicate.field
    if field_at(kind, path).type is not FieldType.STRINGS:
        raise InvalidSpecificationError(kind=kind.name, reason=f"{path} is not a list of strings")
    if not isinstance(predicate.value, str):
        raise InvalidSpecificationError(kind=kind.name, reason=f"{path} holds no {_shown(predicate.value)}")


def _check_value(kind: Kind, path: str, value: Scalar) -> None:
    declared = field_at(kind, path)
    if comparable(declared.type, value) is None or find_unspeakable(value):
        reason = f"{path} is a {declared.type.value} and cannot be compared with {_shown(value)}"
        raise InvalidSpecificationError(kind=kind.name, reason=reason)


def holds(kind: Kind, predicate: Predicate, content: Content) -> bool:
    """Whether the predicate holds of a record's content: what every compilation must agree with."""
    match predicate:
        case Both(parts):
            return all(holds(kind, part, content) for part in parts)
        case Either(parts):
            return any(holds(kind, part, content) for part in parts)
        case Not(part):
            return not holds(kind, part, content)
        case Compare(path, operator, value, ignoring_case):
            declared = field_at(kind, path).type
            left, right = comparable(declared, value_at(content, path)), comparable(declared, value)
            if ignoring_case and isinstance(left, str) and isinstance(right, str):
                left, right = left.lower(), right.lower()
            return left is not None and _compare(left, operator, right)
        case IsIn(path, values):
            declared = field_at(kind, path).type
            left = comparable(declared, value_at(content, path))
            return left is not None and any(left == comparable(declared, value) for value in values)
        case IsMissing(path):
            return _is_missing(field_at(kind, path).type, value_at(content, path))
        case Contains(path, value):
            listed = value_at(content, path)
            return _is_strings(listed) and value in listed
        case _:
            raise InvalidSpecificationError(kind=kind.name, reason=f"{predicate!r} is not a known predicate")


def _compare(left: Any, operator: Operator, right: Any) -> bool:
    match operator:
        case "==":
            return bool(left == right)
        case "!=":
            return bool(left != right)
        case "<":
            return bool(left < right)
        case "<=":
            return bool(left <= right)
        case ">":
            return bool(left > right)
        case ">=":
            return bool(left >= right)


def _is_strings(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(each, str) for each in value)


def _is_missing(field_type: FieldType, value: object) -> bool:
    if field_type in ORDERED:
        return comparable(field_type, value) is None
    if field_type is FieldType.STRINGS:
        return not _is_strings(value)
    return value is None


def instant_value(value: Scalar) -> dt.datetime:
    """The instant that a checked timestamp value of a predicate names, for stores with a type for it."""
    instant = parse_instant(value)
    assert instant is not None, "the specification was not checked"
    return instant
