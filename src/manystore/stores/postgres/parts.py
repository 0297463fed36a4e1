"""Properties whose value lies in rows of other tables: one part, a list of strings, a list of parts."""

import abc
from collections.abc import Sequence
from typing import Any

from manystore.errors import DeclarationError
from manystore.records import Content, Field
from manystore.stores.postgres.columns import Columns, Leftover, Residue, Row, keep_unknown
from manystore.stores.postgres.mapping import ManyPart, OnePart, Part, StringsPart
from manystore.stores.postgres.values import Lossy, Unfit, encode_strings


class PartCodec(abc.ABC):
    """A property whose value lies in rows of its own; `width` is how many columns a SELECT has for it."""

    width = 1

    def __init__(self, name: str) -> None:
        self.name = name
        self._null, self._missing = Leftover(), Leftover()
        self._null.null.append(name)
        self._missing.missing.append(name)
        self._null.is_shared = self._missing.is_shared = True

    @abc.abstractmethod
    def encode(self, content: Content) -> tuple[Any, Leftover | None]:
        """The rows, and what they do not say, in the words of the root's residue. Raises Unfit."""

    @abc.abstractmethod
    def decode(self, row: Sequence[Any], at: int, content: Content, residue: Residue | None) -> None:
        """Put the property into `content`, if it is there."""

    def is_settled(self, row: Sequence[Any], at: int) -> bool:
        """Whether the rows have the ordinals that `encode` gives, by which residues of items find them."""
        return True


class _ListCodec(PartCodec):
    """No rows: an empty list. So a list that is null or not there is news, to predicates as well."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._null.masks.append(name)
        self._missing.masks.append(name)

    def _encode_no_list(self, content: Content) -> tuple[list[Row], Leftover]:
        return [], self._null if self.name in content else self._missing

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
        self._outer: dict[Leftover, Leftover] = {}
        self.width = 1 + len(self._columns.names)

    def encode(self, content: Content) -> tuple[Row | None, Leftover | None]:
        value = content.get(self.name)
        if value is None:
            return None, self._null if self.name in content else None
        if not isinstance(value, dict):
            raise Unfit(f"{type(value).__name__} where an object should be", self.name)
        try:
            row, inner, met = self._columns.encode(value)
        except Unfit as unfit:
            raise unfit.within(self.name) from None
        if met != len(value):
            inner = keep_unknown(value, self._known, inner)
        return row, self._within(inner) if inner else inner

    def _within(self, inner: Leftover) -> Leftover:
        if (known := self._outer.get(inner)) is not None:
            return known
        left = Leftover()
        left.parts[self.name] = inner.residue()
        left.masks = [f"{self.name}.{name}" for name in inner.masks]
        if inner.is_shared:
            left.is_shared = True
            self._outer[inner] = left
        return left

    def decode(self, row: Sequence[Any], at: int, content: Content, residue: Residue | None) -> None:
        if row[at]:
            value = self._columns.decode(row, at + 1)
            if residue is not None and (inner := residue.get("parts", {}).get(self.name)):
                self._columns.overlay(value, inner)
            content[self.name] = value
        elif residue is not None and self.name in residue.get("null", ()):
            content[self.name] = None


class _StringsCodec(_ListCodec):
    """Each string once, where it first stands; a list that says one twice is kept whole as well."""

    def __init__(self, part: StringsPart) -> None:
        super().__init__(part.property)
        self._length = getattr(part.table.c[part.column].type, "length", None)

    def encode(self, content: Content) -> tuple[list[Row], Leftover | None]:
        value = content.get(self.name)
        if value is None:
            return self._encode_no_list(content)
        texts, is_exact, masks = self._texts(value)
        rows: list[Row] = [[ordinal, text] for ordinal, text in enumerate(texts)]
        if is_exact:
            return rows, None
        left = Leftover()
        left.kept[self.name] = value
        if masks:
            left.masks.append(self.name)
        return rows, left

    def _texts(self, value: Any) -> tuple[list[str], bool, bool]:
        """The texts of the rows, whether they say all, and whether they compare otherwise."""
        try:
            texts = encode_strings(value)
        except Unfit as unfit:
            raise unfit.within(self.name) from None
        masks = isinstance(texts, Lossy)
        if masks:
            texts = texts.column
        if self._length is not None and texts and max(map(len, texts)) > self._length:
            raise Unfit(f"a text longer than the {self._length} characters that fit", self.name)
        if len(set(texts)) < len(texts):
            return list(dict.fromkeys(texts)), False, masks
        return texts, not masks, masks

    def decode(self, row: Sequence[Any], at: int, content: Content, residue: Residue | None) -> None:
        texts = row[at] or []
        self._decode_list(texts, content, residue)
        if residue is not None and self.name in residue.get("kept", {}):
            kept = residue["kept"][self.name]
            content[self.name] = kept if self._stand_for(kept, texts) else texts

    def _stand_for(self, kept: Any, texts: list[str]) -> bool:
        try:
            standing, is_exact, _ = self._texts(kept)
        except Unfit:
            return False
        # An exact list is only kept if a former mapping had no rows for it; nothing has made any since.
        return not texts if is_exact else standing == texts


class _ManyCodec(_ListCodec):
    """One row an item. Residues of items go by ordinal, which stays with its row when others are removed."""

    def __init__(self, part: ManyPart, field: Field) -> None:
        super().__init__(part.property)
        self._columns = Columns(part.table, field.fields, part.columns)
        self._known = frozenset(part.columns)
        self._key = part.key

    def encode(self, content: Content) -> tuple[list[Row], Leftover | None]:
        value = content.get(self.name)
        if value is None:
            return self._encode_no_list(content)
        if not isinstance(value, (list, tuple)):
            raise Unfit(f"{type(value).__name__} where a list of objects should be", self.name)
        lefts: dict[str, Leftover] = {}
        rows = [self._encode_item(ordinal, item, lefts) for ordinal, item in enumerate(value)]
        self._check_keys(rows)
        if not lefts:
            return rows, None
        left = Leftover()
        if residues := {ordinal: inner.residue() for ordinal, inner in lefts.items() if inner}:
            left.parts[self.name] = residues
        return rows, left

    def _encode_item(self, ordinal: int, item: Any, lefts: dict[str, Leftover]) -> Row:
        path = f"{self.name}[{ordinal}]"
        if not isinstance(item, dict):
            raise Unfit(f"{type(item).__name__} where an object should be", path)
        try:
            row, inner, met = self._columns.encode(item)
        except Unfit as unfit:
            raise unfit.within(path) from None
        if met != len(item):
            inner = keep_unknown(item, self._known, inner)
        if inner is not None:
            lefts[str(ordinal)] = inner
        return [ordinal, *row]

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
