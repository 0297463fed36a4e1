"""The columns of one object, whether it is a whole record or a part of one, and what they leave over."""

from collections.abc import Mapping as Map
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from manystore.records import Content, Field, canonical
from manystore.stores.postgres.values import NO_FILL, Lossy, Unfit, value_codec

Residue = dict[str, Any]
Row = list[Any]


class Leftover:
    """What one object has that its columns do not say."""

    __slots__ = ("kept", "masks", "missing", "null", "parts")

    def __init__(self) -> None:
        self.kept: dict[str, Any] = {}
        self.null: list[str] = []
        self.missing: list[str] = []
        self.parts: dict[str, Any] = {}
        self.masks: list[str] = []

    def __bool__(self) -> bool:
        return bool(self.null or self.kept or self.missing or self.parts)

    def residue(self) -> Residue:
        """As it is written; masks are the root's business."""
        named = {"kept": self.kept, "null": self.null, "missing": self.missing, "parts": self.parts}
        return {name: value for name, value in named.items() if value}


class Columns:
    """The columns of one object: a root, a part, or an item of a list."""

    def __init__(self, table: sa.Table, fields: Sequence[Field], columns: Map[str, str]) -> None:
        declared = {field.name: field for field in fields}
        self.names = tuple(columns)
        self.codecs = {name: value_codec(declared[name], table.c[columns[name]]) for name in columns}
        self._encoders = [(name, codec.encode, codec.fill) for name, codec in self.codecs.items()]
        self._decoders = [(name, codec.decode) for name, codec in self.codecs.items()]

    def encode(self, content: Content, row: Row, left: Leftover) -> int:
        """Append the columns to `row`, what they do not say to `left`; returns how many properties it met."""
        met = 0
        name = ""
        try:
            for name, encode, fill in self._encoders:
                value = content.get(name)
                if value is None:
                    is_null = name in content
                    met += is_null
                    row.append(fill)
                    if fill is not None:
                        self._stand_in(name, fill, is_null, left)
                    elif is_null:
                        left.null.append(name)
                    continue
                met += 1
                column = encode(value)
                if column.__class__ is Lossy:
                    left.kept[name] = value
                    if column.masks:
                        left.masks.append(name)
                    column = column.column
                row.append(column)
        except Unfit as unfit:
            raise unfit.within(name) from None
        return met

    def _stand_in(self, name: str, fill: Any, is_null: bool, left: Leftover) -> None:
        if fill is NO_FILL:
            raise Unfit("it is not there, and the column takes no null and has no default")
        left.masks.append(name)
        (left.null if is_null else left.missing).append(name)

    def keep_unknown(self, content: Content, known: frozenset[str], left: Leftover) -> None:
        """Properties that no column was declared for go to the residue as they are."""
        left.kept.update((name, value) for name, value in content.items() if name not in known)

    def decode(self, values: Sequence[Any], start: int) -> Content:
        """The properties that the columns say, from `values` at `start` on; empty ones are left out."""
        content: Content = {}
        for index, (name, decode) in enumerate(self._decoders, start):
            value = values[index]
            if value is not None:
                content[name] = value if decode is None else decode(value)
        return content

    def overlay(self, content: Content, residue: Residue) -> None:
        """Lay the residue over what the columns said, where they still stand in for what it keeps."""
        for name, value in residue.get("kept", {}).items():
            if name not in self.codecs or self._stands_for(name, value, content):
                content[name] = value
        for name in residue.get("null", ()):
            if name in self.codecs and self._is_blank(name, content):
                content[name] = None
        for name in residue.get("missing", ()):
            if name in self.codecs and self._is_blank(name, content):
                content.pop(name, None)

    def _stands_for(self, name: str, value: Any, content: Content) -> bool:
        try:
            column = None if value is None else self.codecs[name].encode(value)
        except Unfit:
            return False
        if not isinstance(column, Lossy):
            # A former mapping had no column for it, and nothing has filled the new one since.
            return self._is_blank(name, content)
        return self._says(name, column.column, content)

    def _is_blank(self, name: str, content: Content) -> bool:
        return self._says(name, self.codecs[name].fill, content)

    def _says(self, name: str, column: Any, content: Content) -> bool:
        """Whether the column was read as what `column` would be read as."""
        if column is None or column is NO_FILL:
            return name not in content
        decode = self.codecs[name].decode
        natural = column if decode is None else decode(column)
        return name in content and canonical(natural) == canonical(content[name])
