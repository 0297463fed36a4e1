"""Contents of records, through every form that a store gives them, and back: the same bytes, or refused."""

import functools
import json
from collections.abc import Sequence
from typing import Any, Final
from unittest import mock

from hypothesis import strategies as st
from tests.acceptance.declared_values import changed, changes_of
from tests.contract.postgres_tables import GADGETS_MAPPING
from tests.contract.postgres_values import GADGETS_CONTENTS, PEOPLE_CONTENTS, TEXT
from tests.unit.test_postgres_codec import PEOPLE_CODEC, carried

from manystore import former as former_system
from manystore.errors import InvalidRecordError, NotRepresentableError
from manystore.former import as_declared
from manystore.records import Content, Field, FieldType, Kind, Record, canonical, find_unspeakable
from manystore.stores.cosmos import ids, items
from manystore.stores.postgres import codec
from manystore.testing.samples import MEMBERS, PEOPLE, WORDS, former, key_of
from mystira.schema.mappings import MAPPINGS
from proofs.fuzzing.targets import Fault, Target, always

_ID: Final = {"id": key_of(0)}
_GADGETS: Final = codec.Codec(GADGETS_MAPPING)


def _patched(where: Any, name: str, worse: Any) -> Fault:
    return lambda: mock.patch.object(where, name, worse)


# -- documents to rows ---------------------------------------------------------------------------------


def _come_back(into: codec.Codec, content: Content) -> None:
    """Rows give back what they were given, byte for byte, and the residue is text that any tool can carry."""
    try:
        rows = into.encode(content["id"], content)
    except NotRepresentableError:
        return
    assert canonical(carried(into, content)) == canonical(content)
    residue = rows.root[-1]
    if residue is not None:
        assert residue.isascii()
        assert "\x00" not in residue
    assert not rows.is_plain or find_unspeakable(content) is None


def _forgetful(text: str) -> Any:
    """A reader of the residue to whom minus zero is zero."""
    return json.loads(text, parse_float=lambda spelled: float(spelled) + 0.0)


def _careless(text: str) -> Any:
    """A reader of the residue to whom null and missing are the same."""
    return {part: kept for part, kept in json.loads(text).items() if part != "null"}


_LOSES_A_SIGN: Final = {"minus zero is read as zero": _patched(codec, "parse", _forgetful)}
_LOSES_NULL: Final = {"null is read as missing": _patched(codec, "parse", _careless)}


def _plain_value(field: Field) -> Any:
    match field.type:
        case FieldType.UUID:
            return key_of(1)
        case FieldType.TIMESTAMP:
            return "2024-02-29T12:00:00.123456Z"
        case FieldType.DATE:
            return "2024-02-29"
        case FieldType.BOOLEAN:
            return True
        case FieldType.INTEGER | FieldType.NUMBER:
            return 3
        case FieldType.STRINGS:
            return ["one", "two"]
        case FieldType.OBJECT:
            return _plain_content(field.fields)
        case FieldType.OBJECTS:
            return [_plain_content(field.fields)]
        case _:
            return "text"


def _plain_content(fields: Sequence[Field]) -> Content:
    return {field.name: _plain_value(field) for field in fields}


_GAME: Final = {mapping.kind.name: codec.Codec(mapping) for mapping in MAPPINGS}


def _game_documents() -> st.SearchStrategy[tuple[str, Content]]:
    """Records of each kind of the game that has tables, with a few places changed as far as JSON goes."""
    return st.one_of(*(_documents_of(mapping.kind) for mapping in MAPPINGS))


def _documents_of(kind: Kind) -> st.SearchStrategy[tuple[str, Content]]:
    whole = _plain_content(kind.fields)
    return changes_of(kind.fields).map(lambda changes: (kind.name, changed(whole, changes)))


def _game_document_comes_back(value: tuple[str, Content]) -> None:
    name, content = value
    if find_unspeakable(content) is None:
        _come_back(_GAME[name], content)


ROWS: Final = (
    Target(
        name="rows of people",
        claim="Parts in tables of their own give back what they were given, or refuse it by name.",
        values=lambda: PEOPLE_CONTENTS.map(lambda content: content | _ID),
        opened=always(functools.partial(_come_back, PEOPLE_CODEC)),
        faults=_LOSES_A_SIGN,
    ),
    Target(
        name="rows of gadgets",
        claim="So do parts in jsonb, columns that take no null, and items that are known by a key.",
        values=lambda: GADGETS_CONTENTS.map(lambda content: content | {"id": "gadget"}),
        opened=always(functools.partial(_come_back, _GADGETS)),
        faults=_LOSES_A_SIGN,
    ),
    Target(
        name="rows of the game",
        claim="So does every kind of the game that has tables.",
        values=_game_documents,
        opened=always(_game_document_comes_back),
        faults=_LOSES_NULL,
    ),
)


# -- documents of a former system ----------------------------------------------------------------------


def _left_behind() -> st.SearchStrategy[Content]:
    """People as a former system spelled them, as it did not, and both at once."""
    text = st.text(st.sampled_from("ab ,\x00\ud800"), max_size=6)
    odd = st.dictionaries(st.sampled_from(["Tags", "tags", "Nicknames", "Name"]), text | st.none())
    spelled = st.one_of(PEOPLE_CONTENTS, PEOPLE_CONTENTS.map(lambda content: former(content | _ID)))
    return st.builds(lambda content, more: content | more | _ID, spelled, odd)


def _read_slowly(fields: Sequence[Field], content: Content) -> Content:
    """What docs/explanation/exactness.md says of former records, word by word."""
    read = dict(content)
    for field in fields:
        there = [name for name in (field.name, *field.aliases) if name in content]
        if not there:
            continue
        value = read.pop(there[0])
        if field.joined_by is not None and isinstance(value, str):
            entries = value.split(field.joined_by) if value else []
            value = value if "" in entries else entries
        elif field.fields and isinstance(value, dict):
            value = _read_slowly(field.fields, value)
        elif field.fields and isinstance(value, list):
            value = [_read_slowly(field.fields, each) if isinstance(each, dict) else each for each in value]
        read[field.name] = value
    return read


def _is_adopted(content: Content) -> None:
    before = canonical(content)
    read = as_declared(MEMBERS, 0, content)
    assert canonical(content) == before, "what is stored was touched"
    assert canonical(read) == canonical(_read_slowly(MEMBERS.fields, content))
    assert as_declared(MEMBERS, 1, content) is content
    tags = content.get("tags", content.get("Tags"))
    if isinstance(tags, str) and isinstance(read["tags"], list):
        assert ",".join(read["tags"]) == tags


def _tidy(text: str, separator: str) -> list[str] | str:
    entries = [each.strip() for each in text.split(separator)] if text else []
    return entries if all(entries) else text


FORMER: Final = Target(
    name="former documents",
    claim="What a former system left is read as declared; nothing is lost, invented or touched.",
    values=_left_behind,
    opened=always(_is_adopted),
    faults={"blanks of joined entries are cut off": _patched(former_system, "_split", _tidy)},
)


# -- documents to items --------------------------------------------------------------------------------


def _as_doubles(value: Any) -> Any:
    """What comes back from a service whose numbers are doubles, and which prints them as JavaScript does."""
    if isinstance(value, dict):
        return {name: _as_doubles(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_as_doubles(inner) for inner in value]
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return value
    number = float(value)
    return int(number) if number.is_integer() and abs(number) < 1e21 else number


def _returns(content: Content) -> None:
    """An item on its way over the wire and back is the record, and says that nobody changed it."""
    record = Record(content["id"], 7, content)
    item = items.item_of(PEOPLE, record, items.home_of(PEOPLE, content), origin="truth")
    sent = json.dumps(item, ensure_ascii=False, allow_nan=False).encode()
    held = items.held_in(PEOPLE, {**_as_doubles(json.loads(sent)), "_etag": "1"})
    assert (held.mark, held.version) == ("whole", 7)
    assert canonical(held.content) == canonical(content)
    touched = {**_as_doubles(json.loads(sent)), "_etag": "2", "fuzzed": "by others"}
    assert items.held_in(PEOPLE, touched).mark == "broken"


ITEMS: Final = Target(
    name="items",
    claim="A service whose numbers are doubles gives a record back as it was.",
    values=lambda: PEOPLE_CONTENTS.map(lambda content: content | _ID),
    opened=always(_returns),
    faults={"integers beyond doubles are taken for exact": _patched(items, "_EXACT_INTEGERS", 2**60)},
)


def _keys() -> st.SearchStrategy[tuple[str, str]]:
    letters = st.sampled_from('a/\\?#\t\n\r. \x08.[>"\x0c\ue000\ue001\ue002\ue003\uffff\U0001f600\x00')
    key = st.text(letters, min_size=1, max_size=4) | TEXT
    return st.tuples(key, key)


def _is_spelled(keys: tuple[str, str]) -> None:
    """Spelled as ids, keys stay apart, in order (however letters are compared), and come back."""
    for key in keys:
        try:
            WORDS.check_key(key)
        except InvalidRecordError:
            return
    one, other = (ids.id_of(key) for key in keys)
    for key, spelled in zip(keys, (one, other), strict=True):
        assert ids.key_of(spelled) == key
        assert ids.is_id(spelled)
        assert len(spelled.encode()) <= 1_023
    assert (keys[0] < keys[1]) == (one < other)
    assert (keys[0] < keys[1]) == (one.encode("utf-16-be") < other.encode("utf-16-be"))


KEYS: Final = Target(
    name="keys",
    claim="Every key is an id that a service takes, in the same order, and comes back.",
    values=_keys,
    opened=always(_is_spelled),
    faults={"a line feed is spelled as its neighbours are": _patched(ids, "_FEED", "\x09\ue001")},
)

DOCUMENTS: Final = (*ROWS, FORMER, ITEMS, KEYS)
