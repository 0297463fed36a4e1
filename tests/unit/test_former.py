"""What a former system left is read as its kind declares, and nothing is guessed."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from manystore.errors import DeclarationError
from manystore.former import as_declared, former_forms, spellings
from manystore.records import Field, FieldType, Kind, Label, canonical
from manystore.testing.samples import MEMBERS, PEOPLE, former, key_of, person
from tests.contract.postgres_values import PEOPLE_CONTENTS


def _field(name: str, field_type: FieldType = FieldType.STRING, **more: Any) -> Field:
    return Field(name=name, type=field_type, label=Label.INTERNAL, **more)


def _kind(*fields: Field) -> Kind:
    return Kind(name="things", container="Things", fields=(_field("id"), *fields))


THINGS = _kind(
    _field("title", aliases=("Title", "Name")),
    _field("tags", FieldType.STRINGS, aliases=("Tags",), joined_by=","),
    _field("plan", FieldType.OBJECT, aliases=("Plan",), fields=(_field("tier", aliases=("Tier",)),)),
    _field(
        "parts", FieldType.OBJECTS, fields=(_field("sizes", FieldType.STRINGS, joined_by=" | "), _field("no"))
    ),
)


@pytest.mark.parametrize(
    ("stored", "declared"),
    [
        ({"Title": "a"}, {"title": "a"}),
        ({"Title": None}, {"title": None}),
        ({"title": None, "Title": "a"}, {"title": None, "Title": "a"}),
        ({"Name": "b", "Title": "a"}, {"title": "a", "Name": "b"}),
        ({"TITLE": "a", "titles": 1}, {"TITLE": "a", "titles": 1}),
        ({"Plan": {"Tier": "a", "Other": 1}}, {"plan": {"tier": "a", "Other": 1}}),
        ({"plan": {"Tier": "a"}, "Plan": {"Tier": "b"}}, {"plan": {"tier": "a"}, "Plan": {"Tier": "b"}}),
        ({"Plan": "none"}, {"plan": "none"}),
        ({"Plan": [{"Tier": "a"}]}, {"plan": [{"tier": "a"}]}),
        ({"parts": [{"sizes": "s | m"}, 1, {"no": "n"}]}, {"parts": [{"sizes": ["s", "m"]}, 1, {"no": "n"}]}),
    ],
)
def test_names_are_those_of_the_declaration(stored: dict[str, Any], declared: dict[str, Any]) -> None:
    """An alias stands for its field at every level; the declared name wins, be it null; all else stays."""
    before = canonical(stored)
    assert as_declared(THINGS, 0, stored) == declared
    assert canonical(stored) == before


@pytest.mark.parametrize(
    ("stored", "read"),
    [
        ("a,b", ["a", "b"]),
        ("a", ["a"]),
        ("a,a", ["a", "a"]),
        ("", []),
        ("a, b ", ["a", " b "]),
        (" ", [" "]),
        ("a;b", ["a;b"]),
        (",", ","),
        ("a,", "a,"),
        (",a", ",a"),
        ("a,,b", "a,,b"),
        ("\ud800,\x00", ["\ud800", "\x00"]),
        (None, None),
        (7, 7),
        (["a,b"], ["a,b"]),
        (["a", 1], ["a", 1]),
    ],
)
def test_lists_are_cut_only_where_that_is_sure(stored: Any, read: Any) -> None:
    """Blanks belong to entries, empty text has none, and text with a nameless entry stays text."""
    for name in ("tags", "Tags"):
        assert as_declared(THINGS, 0, {name: stored}) == {"tags": read}


@given(st.text(st.sampled_from("ab ,"), max_size=8))
@settings(deadline=None)
def test_cutting_loses_nothing(text: str) -> None:
    """Whatever was read, joined again, is the text that is stored."""
    read = as_declared(THINGS, 0, {"tags": text})["tags"]
    assert (",".join(read) if isinstance(read, list) else read) == text


@given(PEOPLE_CONTENTS)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_former_people_are_read_as_they_were(content: dict[str, Any]) -> None:
    """However odd, what a former system spelled in its way is read as declared; once more changes nothing."""
    content = content | {"id": key_of(1)}
    read = as_declared(MEMBERS, 0, former(content))
    expected = as_declared(MEMBERS, 0, content)
    assert canonical(read) == canonical(expected)
    assert as_declared(MEMBERS, 0, read) is read


def test_what_is_as_declared_is_handed_back() -> None:
    """No copy is made where nothing differs, nor of anything from the first version on."""
    for kind, version, content in (
        (MEMBERS, 0, person(1)),
        (PEOPLE, 0, former(person(1))),
        (MEMBERS, 1, former(person(1))),
    ):
        assert as_declared(kind, version, content) is content


def test_spellings_of_a_path() -> None:
    """Each name along a path may be spelled in each of its ways; the declared one comes first."""
    assert spellings(THINGS, "title") == [("title",), ("Title",), ("Name",)]
    assert spellings(THINGS, "plan.tier") == [
        ("plan", "tier"),
        ("plan", "Tier"),
        ("Plan", "tier"),
        ("Plan", "Tier"),
    ]
    assert former_forms(PEOPLE) == []
    assert ("parts.sizes", (), " | ") in former_forms(THINGS)


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda: _kind(_field("a", aliases=("b",)), _field("b")), "alias"),
        (lambda: _kind(_field("a", aliases=("c",)), _field("b", aliases=("c",))), "alias"),
        (lambda: _kind(_field("a", aliases=("a",))), "alias"),
        (lambda: _kind(_field("a", joined_by=",")), "lists of strings"),
        (lambda: _kind(_field("a", FieldType.STRINGS, joined_by="")), "lists of strings"),
        (lambda: _field("a", FieldType.OBJECT, fields=(_field("x", aliases=("y",)), _field("y"))), "alias"),
        (lambda: _field("a", FieldType.OBJECT, fields=(_field("x"), _field("x"))), "share a name"),
        (lambda: Kind(name="k", container="K", fields=(_field("id", aliases=("Id",)),)), "no other name"),
    ],
)
def test_declaration_in_doubt_is_refused(make: Any, reason: str) -> None:
    """One name cannot stand for two fields, only lists are joined, and the key has its one name."""
    with pytest.raises(DeclarationError, match=reason):
        make()
