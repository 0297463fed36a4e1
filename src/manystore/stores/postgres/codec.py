"""Documents to rows and back, the identity for every record that is not refused.

Columns carry what they can exactly; `residue`, canonical JSON in ASCII beside them, keeps the rest:

    kept      values whose column holds a stand-in or that have no column at all, by property
    null      properties that are null; an empty column means that the property is not there
    missing   properties that are not there although a column or an empty list would say otherwise
    parts     the residues of parts: by property, and for lists by ordinal as well
    !         the properties whose column compares otherwise than the value (see `values`), for `find`

On reading, the residue is laid over the columns, but only where they still hold what the kept value would
put there: a column that somebody changed by hand speaks for itself.

The walk over a record is the hot path of a copy, and records of a kind are much alike: what follows from the
types of a record's values, and how it is spelled, is worked out once (see `columns`).
"""

import json
from collections.abc import Mapping as Map
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from manystore.errors import NotRepresentableError
from manystore.records import Content, FieldType, Record, parse
from manystore.stores.postgres.columns import Columns, Leftover, Residue, Row, keep_unknown
from manystore.stores.postgres.columnwise import Columnwise
from manystore.stores.postgres.mapping import Mapping
from manystore.stores.postgres.parts import part_codec
from manystore.stores.postgres.spelling import NULL, escaped, spelled
from manystore.stores.postgres.values import Unfit

MASKS: Final = "!"
_MAX_REMEMBERED: Final = 1024


class Rows(NamedTuple):
    """A record as rows. `root` has the key, the other columns in their order, then the residue.

    `parts` follow the mapping: for a OnePart its row or None, for lists their rows, each of which begins
    with its ordinal. `is_plain` says that every value was seen to be one of JSON's on the way.
    """

    root: Row
    parts: list[Any]
    is_plain: bool


class Lines(NamedTuple):
    """A record as text of COPY: its key, what follows it in the root's line, and in those of each part."""

    key: str
    root: str
    parts: Sequence[list[str]]


class Codec:
    """Turns the records of one mapping into rows and back. `store` is named in refusals."""

    def __init__(self, mapping: Mapping, store: str = "postgres") -> None:
        self.mapping, self._store = mapping, store
        kind = mapping.kind
        named = _without_id(mapping.columns)
        self._columns = Columns(mapping.table, kind.fields, named)
        self._columnwise = Columnwise(self._columns, mapping.table, kind.fields, named)
        self._parts = [part_codec(part, kind.field(part.property)) for part in mapping.parts]
        # Other keys than UUIDs may have letters that are none of a text's own to COPY.
        self._spell_key = str if kind.field("id").type is FieldType.UUID else escaped
        self._known = frozenset(field.name for field in kind.fields)
        self._remembered: dict[tuple[Leftover | None, ...], str | None] = {
            (None,) * (1 + len(self._parts)): None
        }
        self.names = self._columns.names
        """The root's properties in the order of its columns, but for the key."""

    def encode(self, key: str, content: Content) -> Rows:
        """The rows of a record. Raises NotRepresentableError with the field that fits nowhere."""
        lefts: list[Leftover | None] = []
        try:
            values, left, met = self._columns.encode(content)
            met += 1
            parts = []
            for part in self._parts:
                met += part.name in content
                rows, of_part = part.encode(content)
                parts.append(rows)
                lefts.append(of_part)
        except Unfit as unfit:
            raise NotRepresentableError(
                store=self._store,
                kind=self.mapping.kind.name,
                key=key,
                field=unfit.path,
                reason=unfit.reason,
            ) from None
        if met != len(content):
            left = keep_unknown(content, self._known, left)
        residue, is_plain = self._spell_leftovers((left, *lefts))
        return Rows([key, *values, residue], parts, is_plain and content.get("id") == key)

    def spell(self, records: Sequence[Record]) -> list[Lines | None]:
        """The lines of many living records; None where `encode` has to say whether there are any.

        What is no record may fail in any way.
        """
        contents: list[Any] = [record.content for record in records]
        root = self._columnwise.spell(contents)
        parts = [part.spell(contents) for part in self._parts]
        # Turned, so that each record has its own together.
        texts = zip(root.texts, *(part.texts for part in parts), strict=True)
        lefts = zip(root.lefts, *(part.lefts for part in parts), strict=True)
        return list(map(self._line_up, records, texts, lefts))

    def _line_up(
        self, record: Record, texts: tuple[Any, ...], lefts: tuple[Leftover | None, ...]
    ) -> Lines | None:
        if None in texts:
            return None
        key, version, content = record.key, record.version, record.content
        residue, is_plain = self._spell_leftovers(lefts)
        if not is_plain or content["id"] != key:  # type: ignore[index]
            self.mapping.kind.check(key, content or {})
        residue = NULL if residue is None else residue.replace("\\", "\\\\")
        return Lines(self._spell_key(key), f"{texts[0]}\t{residue}\t{version}", texts[1:])

    def lines(self, rows: Rows, version: int) -> Lines:
        """The lines of a record that `encode` has made rows of."""
        key, *columns = rows.root
        parts = []
        for part, given in zip(self._parts, rows.parts, strict=True):
            items = given if part.is_list else [] if given is None else [given]
            parts.append(["".join([f"\t{spelled(value)}" for value in item]) for item in items])
        return Lines(spelled(key), "".join([f"\t{spelled(value)}" for value in (*columns, version)]), parts)

    def _spell_leftovers(self, lefts: tuple[Leftover | None, ...]) -> tuple[str | None, bool]:
        """The residue, which is one of a few in most records of a kind, and whether nothing was peculiar."""
        try:
            return self._remembered[lefts], True
        except KeyError:
            given = [left for left in lefts if left is not None]
        is_plain = all(left.is_seen for left in given)
        whole = given[0] if len(given) == 1 else Leftover.of(*given)
        if not whole:
            return None, is_plain
        residue = whole.residue()
        text = _spell({MASKS: sorted(whole.masks), **residue} if whole.masks else residue)
        if len(self._remembered) < _MAX_REMEMBERED and all(left.is_shared for left in given):
            self._remembered[lefts] = text
        return text, is_plain

    def decode(self, row: Sequence[Any]) -> Record:
        """The record of a row as `statements` selects it: key, version, residue, columns, parts."""
        key = str(row[0])
        content = self._columns.decode(row, 3)
        content["id"] = key
        at = 3 + len(self._columns.names)
        residue: Residue | None = None
        if row[2] is not None:
            residue = parse(row[2])
            self._columns.overlay(content, residue)
        for part in self._parts:
            part.decode(row, at, content, residue)
            at += part.width
        return Record(key, row[1], content)

    def has_settled_parts(self, row: Sequence[Any]) -> bool:
        """Whether rows of parts lie as `encode` would lay them; by hand they may be numbered otherwise."""
        at = 3 + len(self._columns.names)
        for part in self._parts:
            if not part.is_settled(row, at):
                return False
            at += part.width
        return True


def _without_id(columns: Map[str, str]) -> dict[str, str]:
    return {name: column for name, column in columns.items() if name != "id"}


_spell: Final = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False).encode
