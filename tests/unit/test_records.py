"""Kinds, keys, and the canonical form by which two stores are compared."""

import datetime as dt
import json
import pickle
import uuid
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manystore.errors import DeclarationError, InvalidRecordError
from manystore.records import (
    MAX_DEPTH,
    Content,
    Field,
    FieldType,
    Kind,
    Label,
    Parent,
    Record,
    Unique,
    canonical,
    digest,
    find_unspeakable,
    is_plain_text,
    parse,
)
from manystore.testing.samples import PEOPLE, WORDS, awkward_people, key_of, person, word

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def _nested(depth: int) -> Any:
    return [_nested(depth - 1)] if depth else "bottom"


def _field(name: str, field_type: FieldType = FieldType.STRING) -> Field:
    return Field(name=name, type=field_type, label=Label.INTERNAL)


@given(_JSON)
def test_every_json_value_is_read_back_as_it_was_written(value: Any) -> None:
    """The canonical form loses nothing: not the type of a number, not a sign, not a spelling."""
    read = parse(canonical(value))
    assert canonical(read) == canonical(value)
    assert read == value
    assert find_unspeakable(value) is None


@given(_JSON)
def test_canonical_form_is_json(value: Any) -> None:
    """Any reader of JSON reads the canonical form as the same value."""
    assert json.loads(canonical(value)) == value


@given(st.dictionaries(st.text(), _JSON, max_size=6))
def test_order_of_names_does_not_change_the_canonical_form(content: Content) -> None:
    """Two dictionaries that are equal are written alike, whatever the order of their names."""
    turned = dict(reversed(content.items()))
    assert canonical(turned) == canonical(content)
    assert digest(turned) == digest(content)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (1, 1.0),
        (0.0, -0.0),
        (1, True),
        (0, None),
        ("", None),
        ({"a": None}, {}),
        ("\u00eb", "e\u0308"),
        (2**53, 2**53 + 1),
        (2**64, 2**64 + 1),
        ("\ud800", "\ud801"),
        ([1, 2], [2, 1]),
    ],
)
def test_different_values_have_different_digests(one: object, other: object) -> None:
    """What a careless comparison takes for the same stays apart."""
    assert canonical(one) != canonical(other)
    assert digest(one) != digest(other)


@pytest.mark.parametrize("text", ["NaN", "Infinity", "[-Infinity]", "{'a': 1}", "", "1 2", '"\\ud800" x'])
def test_what_is_no_json_is_not_read(text: str) -> None:
    """Neither the extensions of the standard library nor broken text are taken for JSON."""
    with pytest.raises(ValueError, match=r"."):
        parse(text)


@pytest.mark.parametrize(
    ("content", "path"),
    [
        ({"a": float("nan")}, "a"),
        ({"a": {"b": [0, float("-inf")]}}, "a.b[1]"),
        ({"a": b"bytes"}, "a"),
        ({"a": {1: "x"}}, "a"),
        ({"a": {1, 2}}, "a"),
        ({"a": [uuid.UUID(int=0)]}, "a[0]"),
        ({"a": dt.date(2024, 1, 1)}, "a"),
        ({"a": 10**5_000}, "a"),
        ({"a": "\ud83d\ude00"}, "a"),
        ({"\ud83d\ude00": 1}, "$"),
        (_nested(MAX_DEPTH + 1), "[0]" * MAX_DEPTH),
        (_nested(50_000 // 100), "[0]" * MAX_DEPTH),
    ],
    ids=lambda value: str(value)[:30] if isinstance(value, str) else None,
)
def test_what_json_cannot_say_is_found_with_its_path(content: object, path: str) -> None:
    """A value that would come back as something else, or not at all, is named by where it is."""
    found = find_unspeakable(content)
    assert found is not None
    assert found[0] == path


def test_all_awkward_samples_are_records() -> None:
    """What the contract suite asks of stores can be said in JSON, and is refused by no check of ours."""
    for trap, content in awkward_people().items():
        PEOPLE.check(key_of(0), content)
        assert canonical(parse(canonical(content))) == canonical(content), trap


def test_deepest_value_that_is_taken() -> None:
    """As many levels as the limit says are still a record."""
    assert find_unspeakable(_nested(MAX_DEPTH)) is None
    wide = {"list": [{"a": [number]} for number in range(MAX_DEPTH)]}
    assert find_unspeakable(wide) is None
    assert find_unspeakable(wide | {"deep": _nested(MAX_DEPTH - 1)}) is None
    assert find_unspeakable(wide | {"deep": _nested(MAX_DEPTH)}) is not None


@pytest.mark.parametrize(
    "key",
    [
        "",
        "7",
        key_of(1).upper(),
        "{" + key_of(1) + "}",
        key_of(1).replace("-", ""),
        key_of(1) + "\n",
        "é" * 36,
    ],
)
def test_key_of_another_spelling_is_refused(key: str) -> None:
    """A UUID has one spelling as key, so that every store sorts and finds it alike."""
    with pytest.raises(InvalidRecordError) as refusal:
        PEOPLE.check(key, person(1, id=key))
    assert refusal.value.path == "id"


@pytest.mark.parametrize("key", ["", "\x00", "a\x00", "\ud800", "x" * 256, "é" * 128])
def test_text_that_no_store_could_hold_as_key_is_refused(key: str) -> None:
    """A free-text key has 1 to 255 bytes, no NUL and no lone surrogate."""
    with pytest.raises(InvalidRecordError):
        WORDS.check(key, word(key))


def test_id_must_be_the_key() -> None:
    """Content that names itself otherwise, or not at all, is refused."""
    for content in (person(2), {"name": "no id"}, person(1, id=None)):
        with pytest.raises(InvalidRecordError, match="differs from the record's key"):
            PEOPLE.check(key_of(1), content)


def test_unique_value_ignores_case_and_absence() -> None:
    """Null, missing and other types claim nothing; the rest claims its lower case where told so."""
    unique = Unique(name="u", field="email", ignoring_case=True)
    assert unique.value_of({"email": "ÉA@B"}) == "éa@b"
    assert [unique.value_of(each) for each in ({}, {"email": None}, {"email": 7})] == [None] * 3
    assert Unique(name="u", field="email").value_of({"email": "ÉA@B"}) == "ÉA@B"


@pytest.mark.parametrize(
    "facts",
    [
        {"fields": (_field("id"), _field("id"))},
        {"fields": (_field("name"),)},
        {"fields": (_field("id"),), "partition_key": "region"},
        {"fields": (_field("id"),), "uniques": (Unique(name="u", field="email"),)},
        {"fields": (_field("id"),), "parents": (Parent(field="parentId", kind="k"),)},
    ],
)
def test_kind_that_contradicts_itself_is_refused(facts: dict[str, Any]) -> None:
    """A declaration that names a field twice, or one that is not there, fails where it is written."""
    with pytest.raises(DeclarationError):
        Kind(name="k", container="K", **facts)


def test_only_parts_have_fields_of_their_own() -> None:
    """A part without fields and a plain field with fields are both mistakes."""
    with pytest.raises(DeclarationError):
        _field("part", FieldType.OBJECT)
    with pytest.raises(DeclarationError):
        Field(name="n", type=FieldType.STRING, label=Label.PUBLIC, fields=(_field("x"),))
    with pytest.raises(DeclarationError):
        PEOPLE.field("colour")


def test_tombstone_says_so() -> None:
    """A record without content is deleted, and its digest is that of nothing."""
    assert Record("k", 3, None).is_deleted
    assert not Record("k", 3, {"id": "k"}).is_deleted
    assert Record("k", 3, None).digest == digest(None) != Record("k", 3, {"id": "k"}).digest


def test_plain_text() -> None:
    """NUL and lone surrogates are what databases cannot hold; letters beyond the basic plane are fine."""
    assert all(map(is_plain_text, ["", "a", "\u00e9", "😀", "\x01", "\uffff"]))
    assert not any(map(is_plain_text, ["\x00", "a\ud800", "\udfff"]))


def test_errors_cross_process_borders() -> None:
    """An error that was pickled has the same type, facts and text."""
    error = InvalidRecordError(kind="k", key="1", path="a", reason="r")
    copy = pickle.loads(pickle.dumps(error))
    assert (type(copy), str(copy), copy.path) == (InvalidRecordError, str(error), "a")
