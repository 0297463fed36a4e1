"""Properties whose value lies in rows of other tables: one part, a list of strings, a list of parts."""

import abc
from collections.abc import Sequence
from itertools import chain, compress, islice
from typing import Any, NamedTuple

from manystore.errors import DeclarationError
from manystore.records import Content, Field
from manystore.stores.postgres.columns import Columns, Leftover, Residue, Row, keep_unknown
from manystore.stores.postgres.columnwise import Columnwise
from manystore.stores.postgres.mapping import ManyPart, OnePart, Part, StringsPart
from manystore.stores.postgres.spelling import is_bare
from manystore.stores.postgres.values import Lossy, Unfit, encode_strings


class SpelledParts(NamedTuple):
    """A part of many records as text of COPY, and for each what its rows do not say.

    A record's texts are its rows, each as it follows the parent's key; None where `encode` has to make them.
    """

    texts: list[list[str] | None]
    lefts: list[Leftover | None]

    def add(self, texts: list[str] | None, left: Leftover | None) -> None:
        """What the next record has."""
        self.texts.append(texts)
        self.lefts.append(left)


class PartCodec(abc.ABC):
    """A property whose value lies in rows of its own; `width` is how many columns a SELECT has for it."""

    width = 1
    is_list = False

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
    def spell(self, contents: Sequence[Content]) -> SpelledParts:
        """What `encode` says of each."""

    @abc.abstractmethod
    def decode(self, row: Sequence[Any], at: int, content: Content, residue: Residue | None) -> None:
        """Put the property into `content`, if it is there."""

    def is_settled(self, row: Sequence[Any], at: int) -> bool:
        """Whether the rows have the ordinals that `encode` gives, by which residues of items find them."""
        return True


class _ListCodec(PartCodec):
    """No rows: an empty list. So a list that is null or not there is news, to predicates as well."""

    is_list = True

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._null.masks.append(name)
        self._missing.masks.append(name)

    def _encode_no_list(self, content: Content) -> tuple[list[Any], Leftover]:
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
        self._columnwise = Columnwise(self._columns, part.table, field.fields, part.columns)
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

    def spell(self, contents: Sequence[Content]) -> SpelledParts:
        values = [content.get(self.name) for content in contents]
        objects = [value for value in values if type(value) is dict]
        spelled, parts = zip(*self._columnwise.spell(objects), strict=True), SpelledParts([], [])
        for content, value in zip(contents, values, strict=True):
            if type(value) is dict:
                text, inner = next(spelled)
                parts.add(None if text is None else [text], self._within(inner) if inner else inner)
            elif value is None:
                parts.add([], self.encode(content)[1])
            else:
                parts.add(None, None)
        return parts

    def _within(self, inner: Leftover) -> Leftover:
        if (known := self._outer.get(inner)) is not None:
            return known
        left = Leftover()
        left.is_seen = inner.is_seen
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
        left.is_seen = False
        left.kept[self.name] = value
        if masks:
            left.masks.append(self.name)
        return rows, left

    def spell(self, contents: Sequence[Content]) -> SpelledParts:
        lists = [content.get(self.name) for content in contents]
        are_bare = self._are_bare([each for each in lists if type(each) is list])
        parts = SpelledParts([], [])
        for content, texts in zip(contents, lists, strict=True):
            if texts is None:
                parts.add(*self._encode_no_list(content))
            elif (
                type(texts) is not list
                or not (are_bare or self._are_bare([texts]))
                or len(set(texts)) < len(texts)
            ):
                parts.add(None, None)
            else:
                parts.add([f"\t{at}\t{text}" for at, text in enumerate(texts)], None)
        return parts

    def _is_exact(self, texts: Any, are_bare: bool) -> bool:
        is_bare_list = type(texts) is list and (are_bare or self._are_bare([texts]))
        return is_bare_list and len(set(texts)) == len(texts)

    def _are_bare(self, lists: Sequence[list[Any]]) -> bool:
        """Whether all that is in the lists is text that can be written as it is."""
        texts = list(chain.from_iterable(lists))
        is_text = {str}.issuperset(map(type, texts))
        is_short = self._length is None or max(map(len, texts), default=0) <= self._length
        return is_text and is_short and is_bare("".join(texts))

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
        self._columnwise = Columnwise(self._columns, part.table, field.fields, part.columns)
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
        return rows, self._within(lefts) if lefts else None

    def _within(self, lefts: dict[str, Leftover]) -> Leftover:
        left = Leftover()
        left.is_seen = all(inner.is_seen for inner in lefts.values())
        if residues := {ordinal: inner.residue() for ordinal, inner in lefts.items() if inner}:
            left.parts[self.name] = residues
        return left

    def spell(self, contents: Sequence[Content]) -> SpelledParts:
        lists: list[Any] = [content.get(self.name) for content in contents]
        wholes = [type(each) is list and {dict}.issuperset(map(type, each)) for each in lists]
        items = list(chain.from_iterable(compress(lists, wholes)))
        spelled, parts = zip(*self._columnwise.spell(items), strict=True), SpelledParts([], [])
        for content, each, is_whole in zip(contents, lists, wholes, strict=True):
            if is_whole:
                parts.add(*self._spell_items(each, list(islice(spelled, len(each)))))
            elif each is None:
                parts.add(*self._encode_no_list(content))
            else:
                parts.add(None, None)
        return parts

    def _spell_items(
        self, items: list[Content], spelled: list[tuple[str | None, Leftover | None]]
    ) -> tuple[list[str] | None, Leftover | None]:
        texts = [f"\t{ordinal}{text}" for ordinal, (text, _) in enumerate(spelled) if text is not None]
        if len(texts) < len(items) or not self._tells_apart(items, spelled):
            return None, None
        lefts = {str(ordinal): left for ordinal, (_, left) in enumerate(spelled) if left is not None}
        return texts, self._within(lefts) if lefts else None

    def _tells_apart(self, items: list[Content], spelled: list[tuple[str | None, Leftover | None]]) -> bool:
        """Whether the key surely tells the items apart: a stand-in in its column may not."""
        key = self._key
        if key is None:
            return True
        keys = {item[key] for item in items if type(item.get(key)) is str}
        return len(keys) == len(items) and not any(left and key in left.kept for _, left in spelled)

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
