"""Properties whose value lies in rows of other tables: one part, a list of strings, a list of parts."""

import abc
from collections.abc import Sequence
from typing import Any

from manystore.errors import DeclarationError
from manystore.records import Content, Field
from manystore.stores.postgres.columns import Columns, Leftover, Residue, Row
from manystore.stores.postgres.mapping import ManyPart, OnePart, Part, StringsPart
from manystore.stores.postgres.values import Lossy, Unfit, encode_strings


class PartCodec(abc.ABC):
    """A property whose value lies in rows of its own; `width` is how many columns a SELECT has for it."""

    width = 1

    def __init__(self, name: str) -> None:
        self.name = name

    @abc.abstractmethod
    def encode(self, content: Content, left: Leftover) -> Any:
        """The rows; what they do not say goes to `left`."""

    @abc.abstractmethod
    def decode(self, row: Sequence[Any], at: int, content: Content, residue: Residue | None) -> None:
        """Put the property into `content`, if it is there."""

    def is_settled(self, row: Sequence[Any], at: int) -> bool:
        """Whether the rows have the ordinals that `encode` gives, by which residues of items find them."""
        return True

    def _encode_no_list(self, content: Content, left: Leftover) -> list[Any]:
        # No rows mean an empty list, so a list that is null or not there is news, to predicates as well.
        (left.null if self.name in content else left.missing).append(self.name)
        left.masks.append(self.name)
        return []

    def _decode_list(self, values: list[Any], content: Content, residue: Residue | None) -> None:
        name = self.name
        if values or residue is None:
            content[name] = values
        elif name in residue.get("null", ()):
            content[name] = None
        elif name not in residue.get("missing", ()) and name not in residue.get("kept", ()):
            content[name] = values


class _OneCodec(PartCodec):
    """No row: not there. The first selected column says whether there is a row."""

    def __init__(self, part: OnePart, field: Field) -> None:
        super().__init__(part.property)
        self._columns = Columns(part.table, field.fields, part.columns)
        self._known = frozenset(part.columns)
        self.width = 1 + len(self._columns.names)

    def encode(self, content: Content, left: Leftover) -> Row | None:
        value = content.get(self.name)
        if value is None:
            if self.name in content:
                left.null.append(self.name)
            return None
        if not isinstance(value, dict):
            raise Unfit(f"{type(value).__name__} where an object should be", self.name)
        row: Row = []
        inner = Leftover()
        try:
            met = self._columns.encode(value, row, inner)
        except Unfit as unfit:
            raise unfit.within(self.name) from None
        if met != len(value):
            self._columns.keep_unknown(value, self._known, inner)
        if inner:
            left.parts[self.name] = inner.residue()
            left.masks.extend(f"{self.name}.{name}" for name in inner.masks)
        return row

    def decode(self, row: Sequence[Any], at: int, content: Content, residue: Residue | None) -> None:
        if row[at]:
            value = self._columns.decode(row, at + 1)
            if residue is not None and (inner := residue.get("parts", {}).get(self.name)):
                self._columns.overlay(value, inner)
            content[self.name] = value
        elif residue is not None and self.name in residue.get("null", ()):
            content[self.name] = None


class _StringsCodec(PartCodec):
    """Each string once, where it first stands; a list that says one twice is kept whole as well."""

    def __init__(self, part: StringsPart) -> None:
        super().__init__(part.property)
        self._length = getattr(part.table.c[part.column].type, "length", None)

    def encode(self, content: Content, left: Leftover) -> list[Row]:
        value = content.get(self.name)
        if value is None:
            return self._encode_no_list(content, left)
        texts, is_exact = self._texts(value, left)
        if not is_exact:
            left.kept[self.name] = value
        return [[ordinal, text] for ordinal, text in enumerate(texts)]

    def _texts(self, value: Any, left: Leftover | None = None) -> tuple[list[str], bool]:
        try:
            texts = encode_strings(value)
        except Unfit as unfit:
            raise unfit.within(self.name) from None
        is_exact = not isinstance(texts, Lossy)
        if isinstance(texts, Lossy):
            texts = texts.column
            if left is not None:
                left.masks.append(self.name)
        if self._length is not None and any(len(text) > self._length for text in texts):
            raise Unfit(f"a text longer than the {self._length} characters that fit", self.name)
        if len(set(texts)) < len(texts):
            texts, is_exact = list(dict.fromkeys(texts)), False
        return texts, is_exact

    def decode(self, row: Sequence[Any], at: int, content: Content, residue: Residue | None) -> None:
        texts = row[at] or []
        self._decode_list(texts, content, residue)
        if residue is not None and self.name in residue.get("kept", {}):
            kept = residue["kept"][self.name]
            content[self.name] = kept if self._stand_for(kept, texts) else texts

    def _stand_for(self, kept: Any, texts: list[str]) -> bool:
        try:
            standing, is_exact = self._texts(kept)
        except Unfit:
            return False
        # An exact list is only kept if a former mapping had no rows for it; nothing has made any since.
        return not texts if is_exact else standing == texts


class _ManyCodec(PartCodec):
    """One row an item. Residues of items go by ordinal, which stays with its row when others are removed."""

    def __init__(self, part: ManyPart, field: Field) -> None:
        super().__init__(part.property)
        self._columns = Columns(part.table, field.fields, part.columns)
        self._known = frozenset(part.columns)
        self._key = part.key

    def encode(self, content: Content, left: Leftover) -> list[Row]:
        value = content.get(self.name)
        if value is None:
            return self._encode_no_list(content, left)
        if not isinstance(value, (list, tuple)):
            raise Unfit(f"{type(value).__name__} where a list of objects should be", self.name)
        residues: dict[str, Residue] = {}
        rows = [self._encode_item(ordinal, item, residues) for ordinal, item in enumerate(value)]
        self._check_keys(rows)
        if residues:
            left.parts[self.name] = residues
        return rows

    def _encode_item(self, ordinal: int, item: Any, residues: dict[str, Residue]) -> Row:
        path = f"{self.name}[{ordinal}]"
        if not isinstance(item, dict):
            raise Unfit(f"{type(item).__name__} where an object should be", path)
        row: Row = [ordinal]
        inner = Leftover()
        try:
            met = self._columns.encode(item, row, inner)
        except Unfit as unfit:
            raise unfit.within(path) from None
        if met != len(item):
            self._columns.keep_unknown(item, self._known, inner)
        if inner:
            residues[str(ordinal)] = inner.residue()
        return row

    def is_settled(self, row: Sequence[Any], at: int) -> bool:
        return all(item[0] == ordinal for ordinal, item in enumerate(row[at] or ()))

    def _check_keys(self, rows: list[Row]) -> None:
        if self._key is None:
            return
        at = 1 + self._columns.names.index(self._key)
        seen = {row[at] for row in rows}
        if None in seen:
            raise Unfit(f"an item without {self._key}, by which its row is told from others", self.name)
        if len(seen) < len(rows):
            raise Unfit(f"two items share one {self._key}", self.name)

    def decode(self, row: Sequence[Any], at: int, content: Content, residue: Residue | None) -> None:
        items = row[at] or []
        residues = {} if residue is None else residue.get("parts", {}).get(self.name, {})
        values = []
        for item in items:
            value = self._columns.decode(item, 1)
            if inner := residues.get(str(item[0])):
                self._columns.overlay(value, inner)
            values.append(value)
        self._decode_list(values, content, residue)


def part_codec(part: Part, field: Field) -> PartCodec:
    """The codec of a part, whose field is `field`."""
    if isinstance(part, OnePart):
        return _OneCodec(part, field)
    if isinstance(part, StringsPart):
        return _StringsCodec(part)
    if isinstance(part, ManyPart):
        return _ManyCodec(part, field)
    raise DeclarationError(subject=f"part {part!r}", reason="it is none of OnePart, StringsPart, ManyPart")
