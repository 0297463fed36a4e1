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
from manystore.records import Content, Record, parse
from manystore.stores.postgres.columns import Columns, Leftover, Residue, Row, keep_unknown
from manystore.stores.postgres.mapping import Mapping
from manystore.stores.postgres.parts import part_codec
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


class Codec:
    """Turns the records of one mapping into rows and back. `store` is named in refusals."""

    def __init__(self, mapping: Mapping, store: str = "postgres") -> None:
        self.mapping, self._store = mapping, store
        kind = mapping.kind
        self._columns = Columns(mapping.table, kind.fields, _without_id(mapping.columns))
        self._parts = [part_codec(part, kind.field(part.property)) for part in mapping.parts]
        self._known = frozenset(field.name for field in kind.fields)
        self._remembered: dict[tuple[Leftover | None, ...], str] = {}
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

    def _spell_leftovers(self, lefts: tuple[Leftover | None, ...]) -> tuple[str | None, bool]:
        """The residue, which is one of a few in most records of a kind, and whether nothing was peculiar."""
        if lefts.count(None) == len(lefts):
            return None, True
        text = self._remembered.get(lefts)
        if text is not None:
            return text, True
        is_plain = all(left is None or left.is_shared for left in lefts)
        whole = Leftover.of(*lefts)
        if not whole:
            return None, is_plain
        residue = whole.residue()
        text = _spell({MASKS: sorted(whole.masks), **residue} if whole.masks else residue)
        if is_plain and len(self._remembered) < _MAX_REMEMBERED:
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


def _spell(residue: Residue) -> str:
    return json.dumps(residue, sort_keys=True, separators=(",", ":"), allow_nan=False)
