"""One value in one column: how it goes in, how it comes out, and whether the column says all of it.

PostgreSQL cannot hold everything that JSON can say. For each trap there is one answer here, and only three
are possible: the column is exact; or it holds a *stand-in* and the record's residue keeps the value
(`Lossy`); or the value is `Unfit` and the record is refused. A stand-in that compares otherwise than the
value does *masks* its column: `find` must not believe it.
"""

import datetime as dt
import math
import re
import unicodedata
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

import msgspec
import sqlalchemy as sa

from manystore.errors import DeclarationError
from manystore.instants import parse_instant
from manystore.records import CANONICAL_UUID, Field, FieldType, canonical, is_plain_text, parse

REPLACEMENT: Final = "\ufffd"
"""What stands in text columns for a letter that PostgreSQL has no place for."""


_Encode = Callable[[Any], Any]
_Decode = Callable[[Any], Any] | None


class Unfit(Exception):  # noqa: N818 - turned into NotRepresentableError where the record's key is known
    """No column of this type and no residue can carry the value."""

    def __init__(self, reason: str, path: str = "") -> None:
        super().__init__(reason, path)
        self.reason, self.path = reason, path

    def within(self, name: str) -> "Unfit":
        """The same, seen from one level up."""
        separator = "" if not self.path or self.path.startswith("[") else "."
        return Unfit(self.reason, f"{name}{separator}{self.path}")


class Lossy(NamedTuple):
    """What the column holds in place of a value that the residue keeps."""

    column: Any
    masks: bool


class Opaque(NamedTuple):
    """A column that says all of its value, of which nobody has seen on the way that it is one of JSON's."""

    column: Any


class ValueCodec(NamedTuple):
    """`encode` takes a value that is not null to what the driver writes, Lossy or Opaque, or raises Unfit.

    `decode` takes what the driver reads, if it is not null, to the value; None where they are the same.
    `fill` stands in a column that takes no null for a value that is null or not there; None where the column
    takes nulls, NO_FILL where nothing can stand in.

    Values of the type `exact` are the column as they are, without `encode`; where that is `str`, if
    `is_exact_text` and they are no longer than `length`.
    """

    encode: _Encode
    decode: _Decode
    fill: Any
    exact: type | None = None
    length: int | None = None


NO_FILL: Final = object()
_UUID_OF_ANY_CASE: Final = re.compile(CANONICAL_UUID.pattern, re.IGNORECASE | re.ASCII)
_HIDDEN_LETTERS: Final = re.compile("[\x00\ud800-\udfff]")
_ODD_CASE: Final = re.compile("[\u0130\u03a3]")


def has_odd_case(text: str) -> bool:
    """Whether Python and PostgreSQL may not agree on the lower case of the text, so that it must mask.

    Tried with every code point against PostgreSQL 18: they differ over the final sigma, the dotted capital I,
    and letters that are younger than this Python's Unicode.
    """
    if _ODD_CASE.search(text):
        return True
    return not text.isprintable() and any(unicodedata.category(letter) == "Cn" for letter in text)


def is_exact_text(text: str) -> bool:
    """Whether a column holds the text as it is, and compares it as Python does."""
    if text.isascii():
        return "\x00" not in text
    if text.isprintable():
        # Then it has no NUL, no surrogate and no letter younger than this Python; finding two is quick.
        return "\u0130" not in text and "\u03a3" not in text
    return is_plain_text(text) and not has_odd_case(text)


def value_codec(field: Field, column: sa.Column[Any]) -> ValueCodec:
    """The codec of a field in a column. Raises DeclarationError for a default that cannot stand in."""
    fallback = _Fallback(None if column.nullable else NO_FILL)
    encode, decode = _coders(field, column.type, fallback)
    if not column.nullable:
        fallback.fill = _fill_of(column, encode)
    length = column.type.length if isinstance(column.type, sa.String) else None
    return ValueCodec(encode, decode, fallback.fill, _exact_type(column.type), length)


def _exact_type(carrier: sa.types.TypeEngine[Any]) -> type | None:
    match carrier:
        case sa.String():
            return str
        case sa.Boolean():
            return bool
    return None


def _coders(
    field: Field, carrier: sa.types.TypeEngine[Any], fallback: "_Fallback"
) -> tuple[_Encode, _Decode]:
    match carrier:
        case sa.Uuid():
            return _encode_uuid, str
        case sa.String():
            return _text_encoder(carrier.length), None
        case sa.DateTime():
            return _encode_instant, spell
        case sa.Date():
            return _encode_date, dt.date.isoformat
        case sa.Boolean():
            return _encode_boolean, None
        case sa.Integer():
            return _integer_encoder(carrier, fallback), None
        case sa.Double():
            return _number_encoder(fallback), None
        case sa.ARRAY():
            return encode_strings, None
    # What is left is jsonb: the mapping has checked it.
    return _encode_json_strings if field.type is FieldType.STRINGS else _json_encoder(field.type), parse


class _Fallback:
    """What a column holds when it can hold nothing like the value: null, or its default."""

    def __init__(self, fill: Any) -> None:
        self.fill = fill

    def stand_in(self, *, masks: bool) -> Lossy:
        """Nothing, where nothing is allowed. A default compares as itself, so it always masks."""
        if self.fill is NO_FILL:
            raise Unfit("it does not fit the column's type, and the column takes no null")
        return Lossy(self.fill, masks or self.fill is not None)


def _fill_of(column: sa.Column[Any], encode: _Encode) -> Any:
    default = column.default
    if not isinstance(default, sa.ColumnDefault) or not default.is_scalar:
        return NO_FILL
    value = default.arg
    if isinstance(value, dt.datetime):
        value = spell(value.astimezone(dt.UTC))
    try:
        filled = encode(value if isinstance(value, (str, bool, int, float, list, dict)) else str(value))
    except Unfit as unfit:
        raise DeclarationError(subject=f"default of {column}", reason=unfit.reason) from unfit
    return filled.column if isinstance(filled, (Lossy, Opaque)) else filled


# -- text ----------------------------------------------------------------------------------------------


def _encode_uuid(value: Any) -> Any:
    if not isinstance(value, str):
        raise Unfit(f"{type(value).__name__} where a UUID should be")
    if CANONICAL_UUID.fullmatch(value):
        return value
    if _UUID_OF_ANY_CASE.fullmatch(value):
        return Lossy(value.lower(), masks=True)
    raise Unfit("it is not a UUID")


def _text_encoder(length: int | None) -> _Encode:
    def encode(value: Any) -> Any:
        if not isinstance(value, str):
            raise Unfit(f"{type(value).__name__} where text should be")
        if length is not None and len(value) > length:
            raise Unfit(f"{len(value)} characters where {length} fit")
        if is_exact_text(value):
            return value
        return Lossy(without_hidden_letters(value), masks=True)

    return encode


def without_hidden_letters(text: str) -> str:
    """The text with a replacement for each NUL and lone surrogate."""
    return _HIDDEN_LETTERS.sub(REPLACEMENT, text)


def encode_strings(value: Any) -> Any:
    """A list of strings as it is, or Lossy with replacements."""
    if not isinstance(value, (list, tuple)):
        raise Unfit(f"{type(value).__name__} where a list of text should be")
    try:
        # Joining looks at every item in C: it fails on what is no text, and shows all letters at once.
        joined = "".join(value)
    except TypeError:
        raise Unfit("an item that is not text in a list of text") from None
    if "\x00" in joined or not (joined.isascii() or is_plain_text(joined)):
        return Lossy([without_hidden_letters(text) for text in value], masks=True)
    return list(value)


# -- time ----------------------------------------------------------------------------------------------

_spell: Final = msgspec.to_builtins
"""Spells an instant in UTC as `spell_instant` does, ten times as fast; a test holds them together."""


def spell(instant: dt.datetime) -> str:
    """`spell_instant` for what the driver reads: always UTC, without a zone where it stands for infinity."""
    text: str = _spell(instant)
    return text if text[-1] == "Z" else text + "Z"


_FINEST: Final = len("2026-01-31T12:00:00.123456")


def _encode_instant(value: Any) -> Any:
    try:
        # The standard library reads far more spellings than RFC 3339 has. Only the engine's own comes back
        # from a column, and comparing with it settles both questions at once.
        if value[-1] == "Z":
            text = value if len(value) <= _FINEST + 1 else value[:_FINEST] + "Z"
            instant = dt.datetime.fromisoformat(text)
            if _spell(instant) == text:
                if text is value:
                    return instant
                if value.isascii() and value[_FINEST:-1].isdigit():
                    return Lossy(instant, masks=False)
    except (ValueError, TypeError, LookupError):
        pass
    parsed = parse_instant(value)
    if parsed is None:
        raise Unfit("it is not an instant in RFC 3339 with an offset")
    return Lossy(parsed, masks=False)


def _encode_date(value: Any) -> Any:
    try:
        date = dt.date.fromisoformat(value)
        if date.isoformat() == value:
            return date
    except (ValueError, TypeError):
        pass
    raise Unfit("it is not a date of the form YYYY-MM-DD")


# -- numbers and truth values --------------------------------------------------------------------------


def _encode_boolean(value: Any) -> Any:
    if value is True or value is False:
        return value
    raise Unfit(f"{type(value).__name__} where true or false should be")


def integers_of(carrier: sa.Integer) -> tuple[int, int]:
    """The least and the greatest that a column takes."""
    # SmallInteger and BigInteger are kinds of Integer to SQLAlchemy, so the narrow names come first.
    bits = 15 if isinstance(carrier, sa.SmallInteger) else 63 if isinstance(carrier, sa.BigInteger) else 31
    return -(2**bits), 2**bits - 1


def _integer_encoder(carrier: sa.Integer, fallback: _Fallback) -> _Encode:
    lowest, highest = integers_of(carrier)

    def encode(value: Any) -> Any:
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise Unfit(f"{type(value).__name__} where a whole number should be")
        if isinstance(value, float):
            if not value.is_integer():
                raise Unfit("it is not a whole number")
            # 1.0 is no integer to a predicate, so an empty column compares as it should.
            return fallback.stand_in(masks=False)
        if lowest <= value <= highest:
            return value
        return fallback.stand_in(masks=True)

    return encode


def _number_encoder(fallback: _Fallback) -> _Encode:
    def encode(value: Any) -> Any:
        if isinstance(value, float):
            return value if math.isfinite(value) else Opaque(value)
        if isinstance(value, bool) or not isinstance(value, int):
            raise Unfit(f"{type(value).__name__} where a number should be")
        try:
            column = float(value)
        except OverflowError:
            return fallback.stand_in(masks=True)
        return Lossy(column, masks=column != value)

    return encode


# -- JSON ----------------------------------------------------------------------------------------------

_json_writer: Final = msgspec.json.Encoder(order="sorted")
_encode_json: Final = _json_writer.encode
_encode_json_lines: Final = _json_writer.encode_lines
_NAMES: Final = frozenset({str})
_PLAIN: Final = frozenset({str, bool, int, type(None)})
# What jsonb cannot take or does not give back, in the text that msgspec writes: an escaped NUL, minus zero,
# and floats with a positive exponent, which numeric prints as integers. Text may look like one by chance.
_SUSPECT: Final = re.compile(rb"\\u0000|-0\.0|[0-9]e[0-9]")


def _json_encoder(field_type: FieldType) -> _Encode:
    wanted = {FieldType.OBJECT: (dict,), FieldType.OBJECTS: (list, tuple)}.get(field_type, (object,))
    # Only a part can be looked into by a predicate, so only there can a stand-in mislead one.
    masks = field_type is FieldType.OBJECT

    def encode(value: Any) -> Any:
        if not isinstance(value, wanted):
            raise Unfit(f"{type(value).__name__} where {field_type.value} should be")
        try:
            text = _encode_json(value)
        except (UnicodeEncodeError, OverflowError, msgspec.MsgspecError):
            return _encode_unusual(value, masks)
        is_plain = type(value) is dict and is_plain_object(value)
        if b"\\u0000" in text if is_plain else _SUSPECT.search(text):
            return _encode_unusual(value, masks)
        column = text.decode()
        if masks and not column.isascii() and has_odd_case(column):
            return Lossy(column, masks=True)
        return column if is_plain else Opaque(column)

    return encode


def is_plain_object(value: dict[Any, Any]) -> bool:
    """Whether it is JSON of which every value is text, a whole number, true, false or null."""
    return _NAMES.issuperset(map(type, value)) and _PLAIN.issuperset(map(type, value.values()))


def encode_objects(values: Sequence[dict[str, Any]]) -> str:
    """What the encoder of jsonb writes for each of them, a line each. Raises what msgspec raises."""
    return _encode_json_lines(values).decode()


def _encode_json_strings(value: Any) -> Any:
    column = encode_strings(value)
    if isinstance(column, Lossy):
        return Lossy(_encode_json(column.column).decode(), column.masks)
    return _encode_json(column).decode()


def _encode_unusual(value: Any, masks: bool) -> Any:
    settled = settle(value)
    text = canonical(settled).decode()
    return Opaque(text) if canonical(value).decode() == text else Lossy(text, masks)


def settle(value: Any) -> Any:
    """The nearest value that jsonb takes and gives back unchanged."""
    if isinstance(value, str):
        return without_hidden_letters(value)
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, float):
        if value == 0:
            return 0.0
        # numeric prints no exponents: a float so large comes back without its point, as an integer.
        return int(value) if abs(value) >= 1e16 else value
    if isinstance(value, dict):
        # Two names may become one. Which value it keeps must not depend on the order in which they came,
        # because the residue gives them back in another.
        return {without_hidden_letters(name): settle(inner) for name, inner in sorted(value.items())}
    if isinstance(value, (list, tuple)):
        return [settle(inner) for inner in value]
    return value
