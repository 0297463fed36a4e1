"""Indexes by which children are found by the parent that they point to.

Whoever deletes a parent looks for its children first, and would read all records of their kind without one.
An index holds the text that a body says under the declared field. Bodies that SQLite cannot read (escapes, a
former system's spelling) are all under one mark instead, are found by every search, and judged by Python.
"""

from manystore.records import Kind
from manystore.specifications import TEXTS

_UNREADABLE = 1
"""No text, so that it is the value of no search. Bodies that say this number are judged like all others."""


def points(kind: Kind, path: str) -> bool:
    """Whether there is an index of the kind by that field."""
    return any(parent.field == path for parent in kind.parents) and kind.field(path).type in TEXTS


def statements(kind: Kind) -> list[str]:
    """What makes the kind's indexes, where they are missing."""
    return [
        f"create index if not exists {_name(kind, path)} on documents ({_said(path)}, key) "
        f"where kind = {_literal(kind.name)}"
        for path in indexed(kind)
    ]


def indexed(kind: Kind) -> list[str]:
    """The fields that have an index."""
    return sorted({parent.field for parent in kind.parents if points(kind, parent.field)})


def keys_of(kind: Kind, path: str, bound: str) -> str:
    """A query for the keys of all that may point to the value that `bound` stands for."""
    # Named, because without statistics SQLite takes one kind for as few records as one parent has children.
    alternatives = (
        f"select key from documents indexed by {_name(kind, path)} "
        f"where kind = {_literal(kind.name)} and {_said(path)} = {value}"
        for value in (bound, _UNREADABLE)
    )
    return " union all ".join(alternatives)


def _said(path: str) -> str:
    # Nothing here may fail: another program may just be writing what a trigger is about to refuse.
    where = _literal(f'$."{path}"')
    return (
        f"case when escaped or not json_valid(body) then {_UNREADABLE} else json_extract(body, {where}) end"
    )


def _name(kind: Kind, path: str) -> str:
    name = f"children_{kind.name}_{path}".replace('"', '""')
    return f'"{name}"'


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
