"""Kinds and records that the contract suite works on; rich enough for a mapping to rows to have all shapes.

`PEOPLE` has a field of every type, a list of strings, a part, a list of parts and a unique e-mail;
`LETTERS` point to people; `WORDS` have free text for keys. `MEMBERS` are people, and `POSTCARDS` letters, of
whom a former system left some behind: its names began with capitals, and it joined lists by commas.
"""

import uuid
from typing import Any, Final

from msgspec import structs

from manystore.records import Content, Field, FieldType, Kind, Label, Parent, Unique

_INTERNAL: Final = Label.INTERNAL

PEOPLE: Final = Kind(
    name="people",
    container="People",
    fields=(
        Field(name="id", type=FieldType.UUID, label=_INTERNAL),
        Field(name="email", type=FieldType.STRING, label=Label.RESTRICTED),
        Field(name="name", type=FieldType.STRING, label=Label.CONFIDENTIAL),
        Field(name="born", type=FieldType.TIMESTAMP, label=Label.CONFIDENTIAL),
        Field(name="joined", type=FieldType.DATE, label=_INTERNAL),
        Field(name="active", type=FieldType.BOOLEAN, label=_INTERNAL),
        Field(name="visits", type=FieldType.INTEGER, label=_INTERNAL),
        Field(name="weight", type=FieldType.NUMBER, label=Label.CONFIDENTIAL),
        Field(name="tags", type=FieldType.STRINGS, label=_INTERNAL),
        Field(name="nicknames", type=FieldType.STRINGS, label=Label.CONFIDENTIAL),
        Field(name="extra", type=FieldType.JSON, label=_INTERNAL),
        Field(
            name="address",
            type=FieldType.OBJECT,
            label=Label.CONFIDENTIAL,
            fields=(
                Field(name="street", type=FieldType.STRING, label=Label.CONFIDENTIAL),
                Field(name="city", type=FieldType.STRING, label=Label.CONFIDENTIAL),
                Field(name="since", type=FieldType.TIMESTAMP, label=Label.CONFIDENTIAL),
            ),
        ),
        Field(
            name="pets",
            type=FieldType.OBJECTS,
            label=_INTERNAL,
            fields=(
                Field(name="id", type=FieldType.UUID, label=_INTERNAL),
                Field(name="name", type=FieldType.STRING, label=_INTERNAL),
                Field(name="age", type=FieldType.INTEGER, label=_INTERNAL),
            ),
        ),
    ),
    uniques=(Unique(name="people_email", field="email", ignoring_case=True),),
)

LETTERS: Final = Kind(
    name="letters",
    container="Letters",
    fields=(
        Field(name="id", type=FieldType.UUID, label=_INTERNAL),
        Field(name="personId", type=FieldType.UUID, label=_INTERNAL),
        Field(name="text", type=FieldType.STRING, label=Label.CONFIDENTIAL),
        Field(name="sent", type=FieldType.TIMESTAMP, label=_INTERNAL),
    ),
    partition_key="personId",
    parents=(Parent(field="personId", kind="people"),),
)

WORDS: Final = Kind(
    name="words",
    container="Words",
    fields=(
        Field(name="id", type=FieldType.STRING, label=Label.PUBLIC),
        Field(name="meaning", type=FieldType.STRING, label=Label.PUBLIC),
    ),
)

KINDS: Final = (PEOPLE, LETTERS, WORDS)


def _with_former_names(fields: tuple[Field, ...]) -> tuple[Field, ...]:
    found = []
    for field in fields:
        is_joined = field.type is FieldType.STRINGS
        inner, joined_by = _with_former_names(field.fields), "," if is_joined else None
        found.append(
            structs.replace(field, aliases=(_former(field.name),), joined_by=joined_by, fields=inner)
        )
    return tuple(found)


def _former(name: str) -> str:
    return name[:1].upper() + name[1:]


MEMBERS: Final = structs.replace(
    PEOPLE,
    name="members",
    container="Members",
    fields=(PEOPLE.fields[0], *_with_former_names(PEOPLE.fields[1:])),
)

POSTCARDS: Final = structs.replace(
    LETTERS,
    name="postcards",
    container="Postcards",
    fields=(LETTERS.fields[0], *_with_former_names(LETTERS.fields[1:])),
    parents=(Parent(field="personId", kind="members"),),
)


def former(content: Content) -> Content:
    """The same person or letter as the former system would have left it.

    Lists of which the joined text says the same are joined; properties that nobody declared keep their names.
    """
    declared = {field.name: field for field in (*MEMBERS.fields, *POSTCARDS.fields)}
    return _spelled(content, declared) | {"id": content["id"]}


def _spelled(content: Content, fields: dict[str, Field]) -> Content:
    spelled: Content = {}
    for name, value in content.items():
        field = fields.get(name)
        if field is None or name == "id":
            spelled[name] = value
            continue
        inner = {each.name: each for each in field.fields}
        if inner and isinstance(value, dict):
            value = _spelled(value, inner)
        elif inner and isinstance(value, list):
            value = [_spelled(each, inner) if isinstance(each, dict) else each for each in value]
        elif field.joined_by and isinstance(value, list) and _is_joinable(value):
            value = field.joined_by.join(value)
        spelled[_former(name)] = value
    return spelled


def _is_joinable(entries: list[Any]) -> bool:
    return all(isinstance(each, str) and each and "," not in each for each in entries)


def key_of(number: int) -> str:
    """The key of the sample record of that number; keys of neighbouring numbers lie far apart."""
    return str(uuid.uuid5(uuid.NAMESPACE_OID, str(number)))


def person(number: int, **changed: Any) -> Content:
    """The content of person `number`, with every field filled in, but for what is `changed`."""
    content: Content = {
        "id": key_of(number),
        "email": f"person{number}@example.org",
        "name": f"Person {number}",
        "born": f"19{number % 80 + 10}-03-0{number % 9 + 1}T08:15:30.123456Z",
        "joined": f"2024-01-{number % 28 + 1:02}",
        "active": number % 3 != 0,
        "visits": number,
        "weight": 40 + number / 8,
        "tags": ["first", f"tag{number % 5}"],
        "nicknames": [f"Nick{number}"],
        "extra": {"depth": {"of": [number, None, "text"]}},
        "address": {"street": f"{number} High Street", "city": "Leeds", "since": "2020-02-29T00:00:00Z"},
        "pets": [{"id": key_of(number + 1_000_000), "name": "Rex", "age": number % 12}],
    }
    return content | changed


def letter(number: int, person_number: int, **changed: Any) -> Content:
    """The content of letter `number`, which belongs to a person."""
    content: Content = {
        "id": key_of(number),
        "personId": key_of(person_number),
        "text": f"Letter {number}",
        "sent": "2024-05-06T07:08:09Z",
    }
    return content | changed


def word(text: str, **changed: Any) -> Content:
    """The content of a word, whose key is its text."""
    return {"id": text, "meaning": f"what {len(text)} letters mean"} | changed


def awkward_people() -> dict[str, Content]:
    """Contents that a store loses something of unless it takes care, each under the name of the trap."""
    changes: dict[str, dict[str, Any]] = {
        "nothing but a key": {},
        "null": {"name": None, "tags": None, "address": None, "pets": None, "extra": None, "visits": None},
        "unknown field": {"favouriteColour": "green", "nested": {"unknown": [1, {"a": None}]}},
        "unknown field of a part": {"address": {"street": "A", "planet": "Mars", "gone": None}},
        "unknown field of a listed part": {"pets": [{"id": key_of(9), "name": "Rex", "wings": 2}]},
        "empty part": {"address": {}},
        "empty lists": {"tags": [], "nicknames": [], "pets": []},
        "empty text": {"name": "", "email": ""},
        "integer where a number is": {"weight": 1, "extra": 1},
        "number with a zero fraction": {"weight": 1.0, "extra": [1.0, 1]},
        "number where an integer is": {"visits": 1.0},
        "negative zero": {"weight": -0.0, "extra": {"zero": -0.0}},
        "beyond 2^53": {"visits": 2**53 + 1, "weight": 2**53 + 1, "extra": 2**53 + 1},
        "beyond 2^63": {"visits": 2**63, "extra": -(2**63) - 1},
        "beyond 2^64": {"visits": 2**64 + 1, "weight": 2**64 + 1, "extra": 2**70},
        "smallest and largest floats": {"weight": 5e-324, "extra": [1.7976931348623157e308, 1e22, 0.1]},
        "seven fractional digits": {"born": "1999-12-31T23:59:59.9999999Z"},
        "fewer fractional digits": {"born": "1999-12-31T23:59:59.5Z"},
        "zero fraction": {"born": "1999-12-31T23:59:59.000Z"},
        "offset": {"born": "1999-12-31T23:59:59.123456+05:30"},
        "offset instead of Z": {"born": "1999-12-31T23:59:59.123456+00:00"},
        "lower case t and z": {"born": "1999-12-31t23:59:59z"},
        "no instant": {"born": "yesterday", "joined": "2024-02-30"},
        "year of one digit": {"born": "0001-01-01T00:00:00Z", "joined": "0001-01-01"},
        "offset before the first year": {"born": "0001-01-01T00:00:00+14:00"},
        "leap second": {"born": "2016-12-31T23:59:60Z"},
        "other types": {"name": 7, "active": "yes", "visits": "many", "tags": "one", "pets": {"a": 1}},
        "mixed lists": {"tags": ["a", 1, None], "nicknames": [None], "pets": [1, None, {}, []]},
        "repeated and unordered": {"tags": ["b", "a", "b"], "nicknames": ["z", "a", "z"]},
        "parts of one id": {"pets": [{"id": key_of(9)}, {"id": key_of(9)}]},
        "upper-case reference": {"pets": [{"id": key_of(9).upper(), "name": "Rex"}]},
        "accents composed": {"name": "Zo\u00eb", "zo\u00eb": 1},
        "accents apart": {"name": "Zoe\u0308", "zoe\u0308": 1},
        "beyond the basic plane": {"name": "😀", "tags": ["👩‍👩‍👧‍👧"], "😀": "😀"},
        "NUL": {"name": "a\x00b", "tags": ["\x00"], "extra": {"\x00": "\x00"}, "email": "n\x00@b.org"},
        "lone surrogate": {"name": "\ud800", "tags": ["\udfff"], "extra": {"k\ud800": "\udc00"}},
        "control characters": {"name": "\x01\t\r\n\x7f\u2028\ufeff\uffff"},
        "quotes": {
            "name": "Robert'); DROP TABLE people;--",
            "extra": '{"a": "\\u0000"}',
            "tags": ['"', "\\"],
        },
        "spaces": {"name": "  padded  ", "email": " a@b.org "},
        "long text": {"name": "x" * 100_000},
        "deep": {"extra": _nested(50)},
    }
    return {trap: {"id": key_of(0)} | changed for trap, changed in changes.items()}


def _nested(depth: int) -> Any:
    return {"in": [_nested(depth - 1)]} if depth else "bottom"
