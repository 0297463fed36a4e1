"""Where a field of a specification lies in the tables, and how its values compare there.

A place compares *unmasked* columns: those whose value says the same to SQL as the record's does to
`specifications`. Each method gives SQL that is true exactly where the comparison holds, and null or false
elsewhere; None stands for what holds of no record.
"""

import abc
import datetime as dt
import decimal
import re
from collections.abc import Callable
from typing import Any, Final

from manystore.instants import parse_instant
from manystore.records import CANONICAL_UUID, FieldType
from manystore.specifications import Scalar

Bind = Callable[[Any, str], str]
"""Takes a value and a type, and gives the parameter that stands for it in the statement."""

_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_HIDDEN: Final = re.compile("[\x00\ud800-\udfff]")
_FIRST_AFTER_SURROGATES: Final = "\ue000"
_BIGINT: Final = 2**63
_EXACT: Final = 2**53


class Place(abc.ABC):
    """A column or a value within jsonb, as an SQL expression that is null where the field is missing."""

    def __init__(self, expression: str) -> None:
        self.expression = expression

    @property
    def sorted_by(self) -> str:
        """The expression by which to order."""
        return self.expression

    @abc.abstractmethod
    def equal(self, value: Scalar, bind: Bind) -> str | None:
        """That the field equals the value."""

    @abc.abstractmethod
    def ordered(self, operator: str, value: Scalar, bind: Bind) -> str | None:
        """That the field is less or more (`<`, `<=`, `>`, `>=`) than the value."""

    def differs(self, value: Scalar, bind: Bind) -> str:
        """That the field is there and is not the value."""
        equal = self.equal(value, bind)
        there = f"{self.expression} is not null"
        return there if equal is None else f"({there} and ({equal}) is not true)"


class TextPlace(Place):
    """Text, compared by code point, which for UTF-8 is the order of collation "C"."""

    @property
    def sorted_by(self) -> str:
        """The expression by which to order."""
        return f'{self.expression} collate "C"'

    def lowered(self) -> "TextPlace":
        """The same in lower case; values to compare with must be, too."""
        return TextPlace(f"lower({self.expression})")

    def equal(self, value: Scalar, bind: Bind) -> str | None:
        """See Place. Text with letters that PostgreSQL cannot hold equals no column."""
        return f"{self.expression} = {bind(value, 'text')}" if can_be_text(str(value)) else None

    def ordered(self, operator: str, value: Scalar, bind: Bind) -> str | None:
        """See Place. No column has a hidden letter, so its neighbours in code-point order stand for it."""
        text = str(value)
        if hidden := _HIDDEN.search(text):
            before = text[: hidden.start()]
            if hidden.group() == "\x00":
                operator, text = {"<": "<=", ">=": ">"}.get(operator, operator), before
            else:
                operator = {"<=": "<", ">": ">="}.get(operator, operator)
                text = before + _FIRST_AFTER_SURROGATES
        return f"{self.sorted_by} {operator} {bind(text, 'text')}"


class _CastPlace(Place):
    """A column of a type of its own: most values compare in that type, others as text."""

    type_name = ""

    @abc.abstractmethod
    def cast(self, value: Scalar) -> Any:
        """The value in the column's type; None where it has no place there."""

    @abc.abstractmethod
    def as_text(self) -> str:
        """The column spelled as documents spell it."""

    def equal(self, value: Scalar, bind: Bind) -> str | None:
        """See Place."""
        cast = self.cast(value)
        return None if cast is None else f"{self.expression} = {bind(cast, self.type_name)}"

    def ordered(self, operator: str, value: Scalar, bind: Bind) -> str | None:
        """See Place."""
        cast = self.cast(value)
        if cast is None:
            return TextPlace(self.as_text()).ordered(operator, value, bind)
        return f"{self.expression} {operator} {bind(cast, self.type_name)}"


class UuidPlace(_CastPlace):
    """UUIDs sort as their text does."""

    type_name = "uuid"

    def cast(self, value: Scalar) -> Any:
        """See _CastPlace."""
        return value if CANONICAL_UUID.fullmatch(str(value)) else None

    def as_text(self) -> str:
        """See _CastPlace."""
        return f"{self.expression}::text"


class DatePlace(_CastPlace):
    """Dates sort as their text does."""

    type_name = "date"

    def cast(self, value: Scalar) -> Any:
        """See _CastPlace."""
        try:
            date = dt.date.fromisoformat(str(value))
        except ValueError:
            return None
        return date if date.isoformat() == value else None

    def as_text(self) -> str:
        """See _CastPlace. The driver writes the first and the last date as infinite."""
        return (
            f"case {self.expression} when 'infinity' then '9999-12-31' when '-infinity' then '0001-01-01' "
            f"else to_char({self.expression}, 'YYYY-MM-DD') end"
        )


class InstantPlace(Place):
    """Instants; a value is text, or microseconds since 1970 where it comes from a continuation."""

    def equal(self, value: Scalar, bind: Bind) -> str | None:
        """See Place."""
        return self.ordered("=", value, bind)

    def ordered(self, operator: str, value: Scalar, bind: Bind) -> str | None:
        """See Place."""
        instant = (
            _EPOCH + dt.timedelta(microseconds=value) if isinstance(value, int) else parse_instant(value)
        )
        return f"{self.expression} {operator} {bind(instant, 'timestamptz')}"


class BooleanPlace(Place):
    """False before true."""

    def equal(self, value: Scalar, bind: Bind) -> str | None:
        """See Place."""
        return self.ordered("=", value, bind)

    def ordered(self, operator: str, value: Scalar, bind: Bind) -> str | None:
        """See Place."""
        return f"{self.expression} {operator} {bind(value, 'boolean')}"


class IntegerPlace(Place):
    """Whole numbers; a value beyond 64 bits is beyond every column."""

    def equal(self, value: Scalar, bind: Bind) -> str | None:
        """See Place."""
        is_within = -_BIGINT <= int(value) < _BIGINT
        return f"{self.expression} = {bind(value, 'bigint')}" if is_within else None

    def ordered(self, operator: str, value: Scalar, bind: Bind) -> str | None:
        """See Place."""
        if -_BIGINT <= int(value) < _BIGINT:
            return f"{self.expression} {operator} {bind(value, 'bigint')}"
        holds = operator.startswith("<") == (int(value) > 0)
        return f"{self.expression} is not null" if holds else None


class NumberPlace(Place):
    """Double precision. An integer between two doubles is compared by its neighbour."""

    def equal(self, value: Scalar, bind: Bind) -> str | None:
        """See Place."""
        near = _nearest(value)
        return f"{self.expression} = {bind(near, 'float8')}" if near == value else None

    def ordered(self, operator: str, value: Scalar, bind: Bind) -> str | None:
        """See Place."""
        near = _nearest(value)
        if near < float_or_int(value):
            operator = {"<": "<=", ">=": ">"}.get(operator, operator)
        elif near > float_or_int(value):
            operator = {"<=": "<", ">": ">="}.get(operator, operator)
        return f"{self.expression} {operator} {bind(near, 'float8')}"


class DecimalPlace(Place):
    """Numbers within jsonb, which are decimal and exact. Floats beyond 2^53 are masked when written."""

    def equal(self, value: Scalar, bind: Bind) -> str | None:
        """See Place."""
        return self.ordered("=", value, bind)

    def ordered(self, operator: str, value: Scalar, bind: Bind) -> str | None:
        """See Place."""
        # jsonb has what JSON text said of a float, its shortest spelling; a large one stands for an integer.
        is_spelled = isinstance(value, float) and abs(value) < _EXACT
        exact = decimal.Decimal(repr(value)) if is_spelled else decimal.Decimal(float_or_int(value))
        return f"{self.expression} {operator} {bind(exact, 'numeric')}"


def can_be_text(text: str) -> bool:
    """Whether a column of text could hold this."""
    return _HIDDEN.search(text) is None


def float_or_int(value: Scalar) -> float | int:
    """The value as the number that it was checked to be."""
    assert isinstance(value, (int, float)), "the specification was not checked"
    return value


def _nearest(value: Scalar) -> float:
    try:
        return float(value)
    except OverflowError:
        return float("inf") if float_or_int(value) > 0 else float("-inf")


_OF_COLUMNS: Final[dict[FieldType, type[Place]]] = {
    FieldType.UUID: UuidPlace,
    FieldType.STRING: TextPlace,
    FieldType.TIMESTAMP: InstantPlace,
    FieldType.DATE: DatePlace,
    FieldType.BOOLEAN: BooleanPlace,
    FieldType.INTEGER: IntegerPlace,
    FieldType.NUMBER: NumberPlace,
}


def column_place(field_type: FieldType, expression: str) -> Place:
    """The place of a field in a column of its own."""
    return _OF_COLUMNS[field_type](expression)


def jsonb_place(field_type: FieldType, value: str) -> Place:
    """The place of a field within jsonb, where it may be of any type and counts only if it is of its own."""
    if field_type is FieldType.BOOLEAN:
        return BooleanPlace(f"(case when jsonb_typeof({value}) = 'boolean' then ({value})::boolean end)")
    if field_type is FieldType.NUMBER:
        return DecimalPlace(f"(case when jsonb_typeof({value}) = 'number' then ({value})::numeric end)")
    if field_type is FieldType.INTEGER:
        is_whole = f"jsonb_typeof({value}) = 'number' and position('.' in ({value})::text) = 0"
        return DecimalPlace(f"(case when {is_whole} then ({value})::numeric end)")
    return TextPlace(f"(case when jsonb_typeof({value}) = 'string' then {value} #>> '{{}}' end)")
