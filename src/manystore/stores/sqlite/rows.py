"""A record as a row of the file: what is written beside the body so that the row can be found again."""

from typing import Final

import msgspec

from manystore.former import as_declared
from manystore.records import Content, Kind, Record, Unique, canonical, is_plain_text, parse

Row = tuple[str, int, str | None]
"""Key, version, body: the columns that make a record."""

COLUMNS: Final = "key, version, body"


class Claim(msgspec.Struct, frozen=True):
    """A unique value that a living record has."""

    unique: Unique
    value: bytes


class Written(msgspec.Struct, frozen=True):
    """A record made ready for its row, outside the transaction in which others wait.

    Body and key are as they are stored; all else is of the declared form of old data.
    """

    key: str
    body: str | None
    escaped: bool
    partition: str | None
    claims: tuple[Claim, ...]

    @classmethod
    def of(cls, kind: Kind, record: Record) -> "Written":
        """The row of a record whose content was checked, or of a tombstone."""
        if record.content is None:
            return cls(record.key, None, False, None, ())
        body = canonical(record.content)
        declared = as_declared(kind, record.version, record.content)
        # The canonical form spells only control characters and lone surrogates as escapes. SQLite cuts
        # text at the one and mistakes the other, so such bodies are read by Python when searched; and so are
        # those that do not say things as they are declared.
        escaped = b"\\u0000" in body or b"\\ud" in body or declared is not record.content
        partition, claims = partition_of(kind, declared), claims_of(kind, declared)
        return cls(record.key, body.decode(), escaped, partition, claims)


def partition_of(kind: Kind, content: Content) -> str | None:
    """The text by which the record is spread, or None where that is the key, or no text."""
    value = content.get(kind.partition_key)
    has_own = kind.partition_key != "id" and isinstance(value, str) and is_plain_text(value)
    return value if has_own else None


def claims_of(kind: Kind, content: Content) -> tuple[Claim, ...]:
    """The unique values that a content has."""
    values = ((unique, unique.value_of(content)) for unique in kind.uniques)
    return tuple(Claim(unique, claim_value(value)) for unique, value in values if value is not None)


def claim_value(value: str) -> bytes:
    """A unique value as it is compared: bytes, because text with lone surrogates cannot be bound."""
    return value.encode("utf-8", "surrogatepass")


def record_of(kind: Kind, row: Row) -> Record:
    """The record of a row, old data in the declared form."""
    key, version, body = row
    return Record(key, version, None if body is None else content_in(kind, version, body))


def declared(kind: Kind, version: int, content: Content | None) -> Content | None:
    """The content that a body says, in the declared form; None is a tombstone's."""
    return content if version or content is None else as_declared(kind, version, content)


def content_in(kind: Kind, version: int, body: str) -> Content:
    """What the body of a version says, in the declared form."""
    return as_declared(kind, version, parse(body))


def claims_in(kind: Kind, version: int, body: str | None) -> set[Claim]:
    """The unique values that a row has."""
    return set() if body is None else set(claims_of(kind, content_in(kind, version, body)))
