"""What a record is: kinds and their fields, keys, versions, labels, and the canonical form.

A *kind* is declared once. From the declaration come the document form, the relational mapping, the
classification and the comparison of two stores. A *record* is one entity of a kind: a key, a version that
the truth raises by one at each accepted write, and content, which is a JSON object. Content of None is a
tombstone: the record was deleted, and keeps its version so that it cannot come back by accident.
"""

import enum
import hashlib
import json
import math
import re
from typing import Any, Final

import msgspec

from manystore.errors import DeclarationError, InvalidRecordError

Content = dict[str, Any]
"""A JSON object as Python holds it: dict, list, str, int, float, bool, None."""

CANONICAL_UUID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class Label(enum.Enum):
    """Classification of a field, from free to most protected."""

    PUBLIC = "Public"
    INTERNAL = "Internal"
    CONFIDENTIAL = "Confidential"
    RESTRICTED = "Restricted"


class FieldType(enum.Enum):
    """What a field's values are. A value of another type than declared is kept, but fits no column."""

    UUID = "uuid"
    STRING = "string"
    TIMESTAMP = "timestamp"
    """RFC 3339 text in documents, an instant with microseconds in columns."""
    DATE = "date"
    BOOLEAN = "boolean"
    INTEGER = "integer"
    NUMBER = "number"
    STRINGS = "strings"
    """A list of strings."""
    JSON = "json"
    """Anything that JSON can say."""
    OBJECT = "object"
    """One part with declared fields of its own."""
    OBJECTS = "objects"
    """A list of such parts."""


class Field(msgspec.Struct, frozen=True, kw_only=True):
    """One declared field of a kind.

    `name` is the property's name in documents. `fields` are the parts' own fields, for OBJECT and OBJECTS.
    `aliases` are other names, and `joined_by` is the text between the entries of a list kept as one text, by
    which a former system spelled the field in records that the engine never wrote (see `former`).
    """

    name: str
    type: FieldType
    label: Label
    fields: tuple["Field", ...] = ()
    aliases: tuple[str, ...] = ()
    joined_by: str | None = None

    def __post_init__(self) -> None:
        subject = f"field {self.name}"
        has_parts = self.type in (FieldType.OBJECT, FieldType.OBJECTS)
        if has_parts != bool(self.fields):
            raise DeclarationError(subject=subject, reason="only parts have fields of their own")
        if self.joined_by is not None and (self.type is not FieldType.STRINGS or not self.joined_by):
            raise DeclarationError(subject=subject, reason="only lists of strings are joined, by some text")
        _check_names(subject, self.fields)


def _check_names(subject: str, fields: tuple[Field, ...]) -> None:
    names = [field.name for field in fields]
    if len(set(names)) != len(names):
        raise DeclarationError(subject=subject, reason="two fields share a name")
    names += [alias for field in fields for alias in field.aliases]
    if len(set(names)) != len(names):
        raise DeclarationError(subject=subject, reason="an alias is given twice, or is a field's name")


class Unique(msgspec.Struct, frozen=True, kw_only=True):
    """A promise that no two live records of a kind share a value of `field`; null and missing are free.

    With `ignoring_case`, values that differ only in the case of letters count as the same.
    """

    name: str
    field: str
    ignoring_case: bool = False

    def value_of(self, content: Content) -> str | None:
        """The value that must be unique, or None where the record claims nothing."""
        value = content.get(self.field)
        if not isinstance(value, str):
            return None
        return value.lower() if self.ignoring_case else value


class Parent(msgspec.Struct, frozen=True, kw_only=True):
    """`field` of this kind holds the key of a record of `kind`."""

    field: str
    kind: str


class Kind(msgspec.Struct, frozen=True, kw_only=True):
    """A sort of record, declared once.

    `name` is how commands and tables call it; `container` is its place in a document store and
    `partition_key` the property by which that store spreads it. Keys are the text of the property `id`:
    UUIDs in lower case where the field `id` is declared as UUID, else any text that is not empty.
    """

    name: str
    container: str
    fields: tuple[Field, ...]
    partition_key: str = "id"
    uniques: tuple[Unique, ...] = ()
    parents: tuple[Parent, ...] = ()

    def __post_init__(self) -> None:
        _check_names(f"kind {self.name}", self.fields)
        names = {field.name for field in self.fields}
        referred = {
            "id",
            self.partition_key,
            *(u.field for u in self.uniques),
            *(p.field for p in self.parents),
        }
        if missing := referred - names:
            raise DeclarationError(subject=f"kind {self.name}", reason=f"no field named {sorted(missing)}")
        if self.field("id").aliases:
            # It is the key, by which every store finds the record before it knows anything else of it.
            raise DeclarationError(subject=f"kind {self.name}", reason="the property id has no other name")

    def field(self, name: str) -> Field:
        """The field of that name. Raises DeclarationError for a name that was never declared."""
        for field in self.fields:
            if field.name == name:
                return field
        raise DeclarationError(subject=f"kind {self.name}", reason=f"no field named {name!r}")

    def check_key(self, key: str) -> None:
        """Raise InvalidRecordError unless `key` is in the one form that every store sorts alike."""
        if self.field("id").type is FieldType.UUID:
            if not CANONICAL_UUID.fullmatch(key):
                reason = "a key of this kind is a UUID in lower case with hyphens"
                raise InvalidRecordError(kind=self.name, key=key, path="id", reason=reason)
        elif not is_plain_text(key) or not 1 <= len(key.encode()) <= 255:
            reason = "a key is text of 1 to 255 bytes without NUL and without lone surrogates"
            raise InvalidRecordError(kind=self.name, key=key, path="id", reason=reason)

    def check(self, key: str, content: Content) -> None:
        """Raise InvalidRecordError unless this can be a record: its id is the key, all of it is JSON."""
        self.check_key(key)
        if content.get("id") != key:
            raise InvalidRecordError(
                kind=self.name, key=key, path="id", reason="differs from the record's key"
            )
        if problem := find_unspeakable(content):
            raise InvalidRecordError(kind=self.name, key=key, path=problem[0], reason=problem[1])


class Record(msgspec.Struct, frozen=True):
    """One entity as a store holds it. Version 0 is old data that was never written through the engine."""

    key: str
    version: int
    content: Content | None

    @property
    def is_deleted(self) -> bool:
        """Whether this is a tombstone."""
        return self.content is None

    @property
    def digest(self) -> bytes:
        """16 bytes that stand for the content (not the version) in canonical form."""
        return digest(self.content)


MAX_DEPTH: Final = 128
"""How many objects and lists may lie in one another: what Cosmos DB takes, and every reader can follow."""

_MAX_BITS: Final = 13_600
"""Of an integer: about 4090 decimal digits, which is what Python reads back from text by default."""

_TORN_LETTER: Final = re.compile("[\ud800-\udbff][\udc00-\udfff]")


def find_unspeakable(value: object) -> tuple[str, str] | None:
    """The first place of `value` that JSON has no words for, with the reason, or None where all is well."""
    # Nearly all that comes by is well, and to write and read it is quicker than to walk through it.
    return None if _comes_back(value) else _search(value, "", 0)


def _comes_back(value: object) -> bool:
    try:
        text = canonical(value)
        has_few = text.count(b"{") + text.count(b"[") <= MAX_DEPTH
        return (has_few or _is_shallow(value)) and bool(parse(text) == value)
    except (ValueError, TypeError, OverflowError, RecursionError):
        return False


def _is_shallow(value: object) -> bool:
    """Whether objects and lists lie no deeper in one another than MAX_DEPTH, looked at level by level."""
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [
            each
            for outer in level
            for each in (outer.values() if isinstance(outer, dict) else outer)  # type: ignore[attr-defined]
            if isinstance(each, (dict, list))
        ]
        if not level:
            return True
    return False


def _search(value: object, path: str, depth: int) -> tuple[str, str] | None:
    if reason := _reason_against(value, depth):
        return path or "$", reason
    if isinstance(value, dict):
        for name, inner in value.items():
            if reason := _reason_against_name(name):
                return path or "$", reason
            if found := _search(inner, f"{path}.{name}" if path else name, depth + 1):
                return found
    elif isinstance(value, (list, tuple)):
        for index, inner in enumerate(value):
            if found := _search(inner, f"{path}[{index}]", depth + 1):
                return found
    return None


def _reason_against(value: object, depth: int) -> str | None:
    """Why this value, whatever it contains, is no JSON value that can be read back as it was."""
    match value:
        case None | bool():
            return None
        case str():
            return _reason_against_text(value)
        case int():
            return "an integer of thousands of digits" if value.bit_length() > _MAX_BITS else None
        case float():
            return None if math.isfinite(value) else f"{value} is not a JSON number"
        case dict() | list() | tuple():
            return f"lies deeper than {MAX_DEPTH} levels" if depth >= MAX_DEPTH else None
        case _:
            return f"{type(value).__name__} is not a JSON value"


def _reason_against_name(name: object) -> str | None:
    return _reason_against_text(name) if isinstance(name, str) else f"property name {name!r} is not text"


def _reason_against_text(text: str) -> str | None:
    # JSON's escapes would put the two halves together, so what is read would be another text.
    return "two surrogates that make one letter" if _TORN_LETTER.search(text) else None


_NO_PLAIN_TEXT: Final = re.compile("[\x00\ud800-\udfff]")


def is_plain_text(text: str) -> bool:
    """Whether every database can hold the text as text: it has no NUL and no lone surrogate."""
    return _NO_PLAIN_TEXT.search(text) is None


_encoder = msgspec.json.Encoder(order="sorted")
_decoder = msgspec.json.Decoder()


def canonical(value: object) -> bytes:
    """The one spelling of a JSON value: sorted names, no spaces, UTF-8; what must be equal to be the same.

    `1` and `1.0` stay apart, as do `0.0` and `-0.0`, null and missing, and the two Unicode spellings of an
    accented letter. Lone surrogates, which UTF-8 cannot carry, are written as escapes.
    """
    try:
        return _encoder.encode(value)
    except (UnicodeEncodeError, msgspec.MsgspecError, OverflowError):
        # Only values with lone surrogates or integers beyond 64 bits come here, always, so the spelling
        # stays a function of the value.
        return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False).encode("ascii")


def parse(text: bytes | str) -> Any:
    """Read a JSON text that `canonical` wrote, or that a store kept. Raises ValueError for anything else."""
    try:
        return _decoder.decode(text)
    except (msgspec.MsgspecError, UnicodeError):
        # msgspec refuses what only escapes can say (lone surrogates); the standard library reads it.
        return json.loads(text, parse_constant=_refuse_constant)


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not a JSON number")


def digest(value: object) -> bytes:
    """16 bytes (BLAKE2b, RFC 7693) that stand for a JSON value in canonical form."""
    return digest_of_text(canonical(value))


def digest_of_text(text: bytes) -> bytes:
    """The same for a value that is in canonical form already."""
    return hashlib.blake2b(text, digest_size=16).digest()
