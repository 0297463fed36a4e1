"""A record as a row of the file: what is written beside the body so that the row can be found again."""

from typing import Final

import msgspec

from manystore.records import Content, Kind, Record, Unique, canonical, is_plain_text, parse

Row = tuple[str, int, str | None]
"""Key, version, body: the columns that make a record."""

COLUMNS: Final = "key, version, body"


class Claim(msgspec.Struct, frozen=True):
    """A unique value that a living record has."""

    unique: Unique
    value: bytes


class Written(msgspec.Struct, frozen=True):
    """A record made ready for its row, outside the transaction in which others wait."""

    key: str
    body: str | None
    escaped: bool
    partition: str | None
    claims: tuple[Claim, ...]

    @classmethod
    def of(cls, kind: Kind, key: str, content: Content | None) -> "Written":
        """The row of a content that was checked, or of a tombstone."""
        if content is None:
            return cls(key, None, False, None, ())
        body = canonical(content)
        # The canonical form spells only control characters and lone surrogates as escapes. SQLite cuts
        # text at the one and mistakes the other, so such bodies are read by Python when searched.
        escaped = b"\\u0000" in body or b"\\ud" in body
        return cls(key, body.decode(), escaped, partition_of(kind, content), claims_of(kind, content))


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


def record_of(row: Row) -> Record:
    """The record of a row."""
    key, version, body = row
    return Record(key, version, None if body is None else parse(body))
