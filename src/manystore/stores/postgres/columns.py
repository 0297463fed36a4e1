"""The columns of one object, whether it is a whole record or a part of one, and what they leave over.

Walking over every value of every record is the hot path of a copy, and the objects of a kind are much alike.
So what follows from the types of an object's values alone is worked out once for each combination of types
(its `Shape`): which columns stay empty and what is left over for that, which values are their columns as
they are, and whose encoders have to be called for the others.
"""

from collections.abc import Callable, Iterable, Sequence
from collections.abc import Mapping as Map
from itertools import repeat
from typing import Any, Final, NamedTuple

import sqlalchemy as sa

from manystore.records import Content, Field, canonical
from manystore.stores.postgres.values import (
    NO_FILL,
    Lossy,
    Opaque,
    Unfit,
    ValueCodec,
    is_exact_text,
    value_codec,
)

Residue = dict[str, Any]
Row = list[Any]

MOST_SHAPES: Final = 1024


class Absent:
    """Has a type of its own, so that what is not there differs from null."""


ABSENT: Final = repeat(Absent())


class Leftover:
    """What one object has that its columns do not say.

    One that `is_shared` says the same of many objects, and is never changed. One that is not `is_seen`, be
    there anything left over or nothing, says that the object has values of which not all has been seen.
    """

    __slots__ = ("is_seen", "is_shared", "kept", "masks", "missing", "null", "parts")

    def __init__(self) -> None:
        self.kept: dict[str, Any] = {}
        self.null: list[str] = []
        self.missing: list[str] = []
        self.parts: dict[str, Any] = {}
        self.masks: list[str] = []
        self.is_shared = False
        self.is_seen = True

    def __bool__(self) -> bool:
        return bool(self.null or self.kept or self.missing or self.parts)

    @classmethod
    def of(cls, *others: "Leftover | None") -> "Leftover":
        """All that they say together, to be added to."""
        left = cls()
        for other in others:
            if other is not None:
                left.kept.update(other.kept)
                left.null += other.null
                left.missing += other.missing
                left.parts.update(other.parts)
                left.masks += other.masks
                left.is_seen &= other.is_seen
        return left

    def residue(self) -> Residue:
        """As it is written; masks are the root's business."""
        named = {"kept": self.kept, "null": self.null, "missing": self.missing, "parts": self.parts}
        return {name: value for name, value in named.items() if value}


class Encoded(NamedTuple):
    """The columns of an object in their order, what they do not say, and how many properties were met."""

    row: Row
    left: Leftover | None
    met: int


_Calls = list[tuple[int, str, Callable[[Any], Any]]]
"""Which encoders to call: the place of the value, its property, the encoder."""


class Shape(NamedTuple):
    """What the types of an object's values say of it.

    `texts` are the places of values that are text in columns of text. They need no encoder unless one of them
    is longer than `lengths` allow, or has letters that no column holds or compares as they are.
    """

    met: int
    blanks: list[tuple[int, Any]]
    left: Leftover | None
    calls: _Calls
    texts: list[int]
    lengths: list[tuple[int, int]]
    calls_and_texts: _Calls

    def calls_for(self, values: Row) -> _Calls:
        """The encoders that these values need."""
        for at, length in self.lengths:
            if len(values[at]) > length:
                return self.calls_and_texts
        # What holds for every letter of all texts holds for each of them, and is asked but once.
        text = "".join([values[at] for at in self.texts])
        return self.calls if is_exact_text(text) else self.calls_and_texts


class Columns:
    """The columns of one object: a root, a part, or an item of a list."""

    def __init__(self, table: sa.Table, fields: Sequence[Field], columns: Map[str, str]) -> None:
        declared = {field.name: field for field in fields}
        self.names = tuple(columns)
        self.codecs = {name: value_codec(declared[name], table.c[columns[name]]) for name in columns}
        self._decoders = [(name, codec.decode) for name, codec in self.codecs.items()]
        self._shapes: dict[tuple[type, ...], Shape] = {}

    def encode(self, content: Content) -> Encoded:
        """The row of an object, which may still lack what `left` of it says. Raises Unfit."""
        values: Row = list(map(content.get, self.names, ABSENT))
        types = tuple(map(type, values))
        shape = self.shape(types)
        calls = shape.calls_for(values)
        left = shape.left
        for at, blank in shape.blanks:
            values[at] = blank
        for at, name, encode in calls:
            try:
                column = encode(values[at])
            except Unfit as unfit:
                raise unfit.within(name) from None
            if column.__class__ is Lossy or column.__class__ is Opaque:
                left = with_rest(left, name, values[at], column)
                column = column.column
            values[at] = column
        return Encoded(values, left, shape.met)

    def shape(self, types: tuple[type, ...]) -> Shape:
        """What these types of values, in the order of the columns, say of an object. Raises Unfit."""
        return self._shapes.get(types) or self._learn(types)

    def _learn(self, types: tuple[type, ...]) -> Shape:
        shape = _shape(self.codecs, types)
        # Objects of which no two are alike are not worth the memory.
        if len(self._shapes) < MOST_SHAPES:
            self._shapes[types] = shape
            if shape.left is not None:
                shape.left.is_shared = True
        return shape

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
        natural, read = column if decode is None else decode(column), content.get(name)
        if type(natural) is type(read) is str:
            return bool(natural == read)
        return name in content and canonical(natural) == canonical(read)


def _shape(codecs: Map[str, ValueCodec], types: Iterable[type]) -> Shape:
    """What can be known of objects whose values, in the order of the codecs, are of these types.

    Raises Unfit where a column needs a value that is not there.
    """
    met, left, blanks = 0, Leftover(), list[tuple[int, Any]]()
    calls: _Calls = []
    texts: _Calls = []
    for at, ((name, codec), its_type) in enumerate(zip(codecs.items(), types, strict=True)):
        met += its_type is not Absent
        if its_type is Absent or its_type is type(None):
            blanks.append((at, codec.fill))
            _stand_in(name, codec.fill, its_type is not Absent, left)
        elif its_type is not codec.exact:
            calls.append((at, name, codec.encode))
        elif its_type is str:
            texts.append((at, name, codec.encode))
    lengths = [(at, length) for at, name, _ in texts if (length := codecs[name].length) is not None]
    return Shape(
        met, blanks, left if left else None, calls, [at for at, _, _ in texts], lengths, [*calls, *texts]
    )


def _stand_in(name: str, fill: Any, is_null: bool, left: Leftover) -> None:
    if fill is NO_FILL:
        raise Unfit("it is not there, and the column takes no null and has no default", name)
    if fill is not None:
        left.masks.append(name)
        (left.null if is_null else left.missing).append(name)
    elif is_null:
        left.null.append(name)


def with_rest(left: Leftover | None, name: str, value: Any, column: Lossy | Opaque) -> Leftover:
    """What is left over, and besides it what this column does not say."""
    if left is None or left.is_shared:
        left = Leftover.of(left)
    if isinstance(column, Lossy):
        left.kept[name] = value
        if column.masks:
            left.masks.append(name)
        # Of what is not plain text, it is not known here whether JSON has words for it.
        left.is_seen &= type(value) is str and value.isascii()
    else:
        left.is_seen = False
    return left


def keep_unknown(content: Content, known: frozenset[str], left: Leftover | None) -> Leftover:
    """What is left over, and besides it, as they are, the properties that no column was declared for."""
    left = Leftover.of(left)
    left.is_seen = False
    left.kept.update((name, value) for name, value in content.items() if name not in known)
    return left
