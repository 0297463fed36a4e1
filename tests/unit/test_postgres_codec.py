"""Documents to rows and back without a server: what a column says is what PostgreSQL would give back."""

import datetime as dt
import json
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy.dialects import postgresql as pg

from manystore.errors import DeclarationError, NotRepresentableError
from manystore.instants import spell_instant
from manystore.records import Content, Field, FieldType, Kind, Label, canonical, find_unspeakable
from manystore.stores.postgres import Mapping
from manystore.stores.postgres.codec import Codec, Rows
from manystore.stores.postgres.layout import array_literal
from manystore.stores.postgres.mapping import OnePart, StringsPart
from manystore.stores.postgres.spelling import spelled
from manystore.stores.postgres.values import spell
from manystore.testing.samples import awkward_people, key_of, person
from tests.contract.postgres_tables import GADGETS_MAPPING, PEOPLE_MAPPING, PEOPLE_TABLE
from tests.contract.postgres_values import GADGETS_CONTENTS, PEOPLE_CONTENTS

KEY = key_of(0)
PEOPLE_CODEC = Codec(PEOPLE_MAPPING)
GADGETS_CODEC = Codec(GADGETS_MAPPING)


def selected(mapping: Mapping, rows: Rows, version: int = 1) -> list[Any]:
    """The row that `statements` would select after these were written."""
    row: list[Any] = [rows.root[0], version, rows.root[-1], *rows.root[1:-1]]
    for part, given_rows in zip(mapping.parts, rows.parts, strict=True):
        if isinstance(part, OnePart):
            row += [True, *given_rows] if given_rows is not None else [False, *(None for _ in part.columns)]
        elif isinstance(part, StringsPart):
            row.append([text for _, text in given_rows])
        else:
            row.append([tuple(item) for item in given_rows])
    return row


def carried(codec: Codec, content: Content) -> Content | None:
    """What comes back of a content."""
    return codec.decode(selected(codec.mapping, codec.encode(content["id"], content))).content


def residue(codec: Codec, content: Content) -> Any:
    """What the columns leave over, as JSON."""
    text = codec.encode(content["id"], content).root[-1]
    return None if text is None else json.loads(text)


REFUSED = {
    "no instant": "born",
    "offset before the first year": "born",
    "leap second": "born",
    "other types": "name",
    "mixed lists": "tags",
}


@pytest.mark.parametrize(("trap", "content"), awkward_people().items(), ids=awkward_people().keys())
def test_awkward_value_comes_back_or_is_refused(trap: str, content: Content) -> None:
    """Each trap is carried byte for byte, or refused with the field that does not fit."""
    if trap in REFUSED:
        with pytest.raises(NotRepresentableError) as refusal:
            PEOPLE_CODEC.encode(KEY, content)
        assert (refusal.value.key, refusal.value.field) == (KEY, REFUSED[trap])
    else:
        assert canonical(carried(PEOPLE_CODEC, content)) == canonical(content)


@given(PEOPLE_CONTENTS)
@settings(max_examples=300, deadline=None)
def test_people_come_back_byte_for_byte(content: Content) -> None:
    """Round trip is the identity in canonical form for every value that is not refused."""
    content = content | {"id": KEY}
    try:
        back = carried(PEOPLE_CODEC, content)
    except NotRepresentableError:
        return
    assert canonical(back) == canonical(content)


@given(GADGETS_CONTENTS)
@settings(max_examples=300, deadline=None)
def test_gadgets_come_back_byte_for_byte(content: Content) -> None:
    """The same for parts in jsonb, columns that take no null, and items that are known by a key."""
    content = content | {"id": "gadget"}
    try:
        back = carried(GADGETS_CODEC, content)
    except NotRepresentableError:
        return
    assert canonical(back) == canonical(content)


def test_names_that_become_one_in_jsonb_stay_two() -> None:
    """Two names that jsonb can only hold as the same come back as two, in whatever order they came."""
    contents: list[Content] = [{"\ud800": None, "\x00": []}, {"\x00": [], "\ud800": None}]
    for extra in contents:
        assert canonical(carried(PEOPLE_CODEC, person(0, extra=extra))) == canonical(person(0, extra=extra))


NO_JSON: tuple[Any, ...] = (
    float("nan"),
    float("inf"),
    "\ud83d\ude00",
    10**5000,
    b"bytes",
    dt.date(2024, 1, 1),
    {1: "one"},
    {"\ud83d\ude00": 1},
    {"list": [{"deep": float("nan")}]},
    ["\ud83d\ude00"],
)


@pytest.mark.parametrize("value", NO_JSON, ids=lambda value: type(value).__name__)
@pytest.mark.parametrize("codec", [PEOPLE_CODEC, GADGETS_CODEC], ids=["people", "gadgets"])
def test_what_json_cannot_say_is_never_plain(codec: Codec, value: Any) -> None:
    """Wherever it stands, alone or in a part, such a value makes the store look at the whole record."""
    fields = [*codec.mapping.kind.fields, Field(name="odd", type=FieldType.JSON, label=Label.INTERNAL)]
    for field in fields:
        inner = {each.name: value for each in field.fields}
        for misplaced in [
            value,
            [value],
            *({name: value} for name in inner),
            *([{name: value}] for name in inner),
        ]:
            content = {"id": KEY, "name": "A", field.name: misplaced}
            if find_unspeakable(content) is None:
                continue
            try:
                is_plain = codec.encode(KEY, content).is_plain
            except (NotRepresentableError, ValueError, TypeError):
                continue
            assert not is_plain, content


def test_a_record_under_another_key_is_not_plain() -> None:
    """The key is part of what is seen on the way."""
    content = {"id": KEY, "email": "a@example.org", "name": "A", "address": {"city": None}, "pets": None}
    assert PEOPLE_CODEC.encode(KEY, content).is_plain
    assert not PEOPLE_CODEC.encode(key_of(1), content).is_plain


@given(PEOPLE_CONTENTS)
@settings(max_examples=100, deadline=None)
def test_residue_is_canonical_ascii_json(content: Content) -> None:
    """The residue is text that any tool can carry, and the same for the same record."""
    try:
        text = PEOPLE_CODEC.encode(KEY, content | {"id": KEY}).root[-1]
    except NotRepresentableError:
        return
    if text is not None:
        assert text.isascii()
        assert "\x00" not in text
        assert json.dumps(json.loads(text), sort_keys=True, separators=(",", ":")) == text


def test_what_columns_can_say_leaves_nothing_over() -> None:
    """A record that fits has no residue."""
    assert residue(PEOPLE_CODEC, person(0)) is None


@pytest.mark.parametrize(
    ("text", "micros"),
    [
        ("2024-01-01T00:00:00.9999999Z", "2024-01-01T00:00:00.999999Z"),
        ("1999-12-31T23:59:59.99999999999Z", "1999-12-31T23:59:59.999999Z"),
        ("2024-01-01T02:00:00.1234567+02:00", "2024-01-01T00:00:00.123456Z"),
    ],
)
def test_seventh_digit_is_cut_and_kept(text: str, micros: str) -> None:
    """The column holds the instant cut to the microsecond, never rounded into the next; the text is kept."""
    rows = PEOPLE_CODEC.encode(KEY, person(0, born=text))
    column = rows.root[1 + PEOPLE_CODEC.names.index("born")]
    assert spell_instant(column) == micros
    assert carried(PEOPLE_CODEC, person(0, born=text)) == person(0, born=text)


@given(st.datetimes(timezones=st.just(dt.UTC)))
def test_instants_are_spelled_as_the_engine_spells_them(instant: dt.datetime) -> None:
    """The fast speller and the engine's own agree on every instant."""
    assert spell(instant) == spell_instant(instant)


@pytest.mark.parametrize(
    ("field", "value", "path"),
    [
        ("name", 7, "name"),
        ("born", "yesterday", "born"),
        ("born", 5, "born"),
        ("born", "2024-01-01T00:00:00", "born"),
        ("born", "2024-02-30T00:00:00Z", "born"),
        ("joined", "2024-1-1", "joined"),
        ("joined", "20240101", "joined"),
        ("active", 1, "active"),
        ("visits", True, "visits"),
        ("visits", 1.5, "visits"),
        ("weight", "heavy", "weight"),
        ("tags", "one", "tags"),
        ("tags", ["one", 2], "tags"),
        ("nicknames", ["a", None], "nicknames"),
        ("address", [], "address"),
        ("address", {"since": "no"}, "address.since"),
        ("address", {"city": "x" * 81}, "address.city"),
        ("pets", {}, "pets"),
        ("pets", [{}, 1], "pets[1]"),
        ("pets", [{"id": "7"}], "pets[0].id"),
    ],
)
def test_value_of_another_type_is_refused_by_name(field: str, value: object, path: str) -> None:
    """A column with a meaning takes no value without it; the refusal says where."""
    with pytest.raises(NotRepresentableError) as refusal:
        PEOPLE_CODEC.encode(KEY, person(0, **{field: value}))
    assert refusal.value.field == path


@pytest.mark.parametrize(
    ("changed", "masked"),
    [
        ({"name": "a\x00"}, ["name"]),
        ({"name": "ΟΔΟΣ"}, ["name"]),
        ({"name": "\u1c89"}, ["name"]),
        ({"name": "ordinary ü\u200d"}, []),
        ({"visits": 2**63}, ["visits"]),
        ({"visits": 1.0}, []),
        ({"weight": 2**53 + 1}, ["weight"]),
        ({"weight": 3}, []),
        ({"born": "2024-01-01T00:00:00.1234567Z"}, []),
        ({"nicknames": None}, ["nicknames"]),
        ({"nicknames": ["a", "a"]}, []),
        ({"address": {"city": "\ud800"}}, ["address.city"]),
        ({"extra": {"\x00": 1e22}}, []),
    ],
)
def test_column_that_compares_otherwise_is_masked(changed: Content, masked: list[str]) -> None:
    """Only where a stand-in would mislead a predicate does the residue name its field."""
    left = residue(PEOPLE_CODEC, person(0, **changed)) or {}
    assert left.get("!", []) == masked


def test_value_that_is_not_there_stands_as_the_default() -> None:
    """A column that takes no null holds its default; the record still reads back as it was."""
    for content in ({"id": "g"}, {"id": "g", "rank": None, "settings": None}):
        rows = GADGETS_CODEC.encode("g", content)
        assert rows.root[1 + GADGETS_CODEC.names.index("rank")] == 7
        assert carried(GADGETS_CODEC, content) == content
        assert residue(GADGETS_CODEC, content)["!"] == ["parts", "rank", "settings"]


def _changed_by_hand(content: Content, **columns: Any) -> Content | None:
    row = selected(PEOPLE_MAPPING, PEOPLE_CODEC.encode(KEY, content))
    for name, value in columns.items():
        row[3 + PEOPLE_CODEC.names.index(name)] = value
    return PEOPLE_CODEC.decode(row).content


def test_column_changed_by_hand_speaks_for_itself() -> None:
    """The residue is laid over a column only while the column holds what stands in for it."""
    odd = person(0, name="a\x00", born="2024-01-01T00:00:00.1234567Z", weight=3, visits=None, unknown=1)
    assert _changed_by_hand(odd) == odd
    back = _changed_by_hand(odd, name="new", visits=5)
    assert back == odd | {"name": "new", "visits": 5}
    moved = _changed_by_hand(odd, born=dt.datetime(2025, 1, 1, tzinfo=dt.UTC), weight=4.5)
    assert moved == odd | {"born": "2025-01-01T00:00:00Z", "weight": 4.5}


def test_rows_of_parts_changed_by_hand_speak_for_themselves() -> None:
    """A list whose rows changed is read from them; residues of items stay with the rows that are left."""
    content = person(
        0, nicknames=["z", "a", "z"], pets=[{"name": "Rex", "wings": 2}, {"name": "Tib", "horns": 1}]
    )
    row = selected(PEOPLE_MAPPING, PEOPLE_CODEC.encode(KEY, content))
    row[-2], row[-1] = ["z"], row[-1][1:]
    back = PEOPLE_CODEC.decode(row).content
    assert back is not None
    assert (back["nicknames"], back["pets"]) == (["z"], [{"name": "Tib", "horns": 1}])


def _narrow_codec(*names: str) -> Codec:
    """The codec of a release that knows only some fields of people."""
    kind = Kind(
        name="people", container="People", fields=tuple(PEOPLE_MAPPING.kind.field(name) for name in names)
    )
    return Codec(Mapping(kind=kind, table=PEOPLE_TABLE, columns={name: name for name in names}))


def test_field_that_gets_a_column_later_is_not_lost() -> None:
    """What a former release kept in the residue is read until the new column is filled."""
    before, after = _narrow_codec("id"), _narrow_codec("id", "name", "visits", "tags")
    content = {"id": KEY, "name": "Ada", "visits": None, "tags": ["x"]}
    residue_before = before.encode(KEY, content).root[-1]
    assert after.decode([KEY, 1, residue_before, None, None, None]).content == content
    filled = after.decode([KEY, 1, residue_before, "Bea", 4, ["y"]]).content
    assert filled == {"id": KEY, "name": "Bea", "visits": 4, "tags": ["y"]}


def test_two_items_of_one_key_are_refused() -> None:
    """Items that are known by a key have one, each its own."""
    for parts in ([{"code": "a"}, {"code": "a"}], [{"code": "a"}, {}]):
        with pytest.raises(NotRepresentableError) as refusal:
            GADGETS_CODEC.encode("g", {"id": "g", "parts": parts})
        assert refusal.value.field == "parts"


def test_default_must_fit_its_column() -> None:
    """A default that the field's codec refuses is a mistake of the declaration."""
    fields = (
        Field(name="id", type=FieldType.UUID, label=Label.INTERNAL),
        Field(name="on", type=FieldType.JSON, label=Label.INTERNAL),
        Field(name="at", type=FieldType.TIMESTAMP, label=Label.INTERNAL),
    )
    table = sa.Table(
        "things",
        sa.MetaData(),
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("on", pg.JSONB),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False, default="soon"),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("residue", sa.Text),
    )
    kind = Kind(name="things", container="Things", fields=fields)
    mapping = Mapping(kind=kind, table=table, columns={"id": "id", "on": "on", "at": "at"})
    with pytest.raises(DeclarationError):
        Codec(mapping)


def test_array_literal_spells_every_text() -> None:
    """Quotes, backslashes, commas, braces and NULL are text like any other."""
    assert array_literal(['a"b', "c\\d", "NULL", "", "{,}"]) == r'{"a\"b","c\\d","NULL","","{,}"}'
    assert array_literal(None) is None


def test_first_and_last_moment_are_spelled_as_the_driver_writes_them() -> None:
    """The driver writes them as infinite, and so must lines of text, or a search misses some."""
    first, last = dt.datetime.min.replace(tzinfo=dt.UTC), dt.datetime.max.replace(tzinfo=dt.UTC)
    extremes = [first, last, dt.date.min, dt.date.max]
    assert [spelled(each) for each in extremes] == ["-infinity", "infinity"] * 2
    assert spelled(dt.date(2024, 2, 29)) == "2024-02-29"
