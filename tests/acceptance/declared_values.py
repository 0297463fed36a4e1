"""Contents of any kind, made by its declaration: sound ones, changed in a few places as far as JSON goes."""

from collections.abc import Sequence
from typing import Any, Final

from hypothesis import strategies as st

from manystore.records import Content, Field, FieldType, find_unspeakable
from tests.contract.postgres_values import DATES, INSTANTS, JSON, NUMBERS, TEXT, TEXTS, UUIDS

Path = tuple[str, ...]
GONE: Final = object()
"""In place of a value: the property is not there."""

_OF_TYPE: Final[dict[FieldType, st.SearchStrategy[Any]]] = {
    FieldType.UUID: UUIDS,
    FieldType.STRING: TEXT,
    FieldType.TIMESTAMP: INSTANTS,
    FieldType.DATE: DATES,
    FieldType.BOOLEAN: st.booleans(),
    FieldType.INTEGER: NUMBERS,
    FieldType.NUMBER: NUMBERS,
    FieldType.STRINGS: TEXTS.map(lambda texts: texts + texts[:1]),
    FieldType.JSON: JSON,
    FieldType.OBJECT: st.sampled_from([{}, {"odd": 1.0}]),
    FieldType.OBJECTS: st.sampled_from([[], [{}]]),
}
_UNKNOWN: Final = ("odd", "\x00", "zoe\u0308", "", "Email", "\ud800")


def changes_of(fields: Sequence[Field]) -> st.SearchStrategy[list[tuple[Path, Any]]]:
    """A few changes to contents of these fields: a place, and the value that it gets."""
    places = [place for place in _places(fields, ()) if place[0] != ("id",)]
    known = st.sampled_from(places).flatmap(lambda place: st.tuples(st.just(place[0]), _values_of(place[1])))
    parts = [(), *(path for path, field in places if field.fields)]
    unknown = st.tuples(
        st.builds(lambda part, name: (*part, name), st.sampled_from(parts), st.sampled_from(_UNKNOWN)), JSON
    )
    return st.lists(st.one_of(known, known, unknown), max_size=4)


def _places(fields: Sequence[Field], prefix: Path) -> list[tuple[Path, Field]]:
    found = []
    for field in fields:
        path = (*prefix, field.name)
        found += [(path, field), *_places(field.fields, path)]
    return found


def _values_of(field: Field) -> st.SearchStrategy[Any]:
    typed = _OF_TYPE[field.type]
    return st.one_of(typed, typed, typed, typed, st.none(), st.just(GONE), JSON)


def changed(content: Content, changes: Sequence[tuple[Path, Any]]) -> Content:
    """The content with these changes; of a list of parts, each part is changed."""
    for path, value in changes:
        content = _set(content, path, value)
    return content


def _set(content: Any, path: Path, value: Any) -> Any:
    if isinstance(content, list):
        return [_set(each, path, value) for each in content]
    if not isinstance(content, dict):
        return content
    name, *rest = path
    if rest:
        return content | {name: _set(content[name], tuple(rest), value)} if name in content else content
    without = {each: kept for each, kept in content.items() if each != name}
    return without if value is GONE else without | {name: value}


def is_speakable(content: Content) -> bool:
    """Whether JSON has words for all of it."""
    return find_unspeakable(content) is None
