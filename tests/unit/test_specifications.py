"""Specifications: their meaning in memory, their pages, and continuations that nobody should believe."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manystore.errors import InvalidSpecificationError
from manystore.paging import check, continuation_after, page_of, sort_values, start_of
from manystore.records import Record
from manystore.specifications import (
    EVERYTHING,
    MAX_NESTING,
    MAX_ORDER,
    MAX_PARTS,
    MAX_VALUES,
    Ascending,
    Both,
    Compare,
    Descending,
    Either,
    Page,
    Predicate,
    Specification,
    field,
    holds,
)
from manystore.stores.sqlite import SqliteStore
from manystore.testing.contract.finding import orders, population, predicates
from manystore.testing.samples import PEOPLE, WORDS, key_of, person, word

ADA = person(1, name="Ada", born="2000-01-01T00:00:00Z", visits=3, weight=1.5, tags=["a", "b"], active=True)


@pytest.mark.parametrize(
    "predicate",
    [
        field("name") == "Ada",
        field("name") != "ada",
        field("name").equals_ignoring_case("ADA"),
        field("name") < "Adb",
        field("name").is_in(["Bob", "Ada"]),
        field("born") == "1999-12-31T19:00:00.0000001-05:00",
        field("born") <= "2000-01-01T00:00:00Z",
        field("visits") >= 3,
        field("weight") > 1,
        field("active") == True,  # noqa: E712 - the comparison builds a predicate
        field("tags").contains("b"),
        ~field("tags").contains("c"),
        field("address.city") == "Leeds",
        ~field("name").is_missing(),
        (field("visits") == 9) | (field("name") == "Ada"),
        (field("visits") == 3) & ~(field("name") == "Bob"),
        EVERYTHING,
        ~Either(()),
    ],
    ids=str,
)
def test_predicate_holds(predicate: Predicate) -> None:
    """Each of these is true of Ada, and its opposite is not."""
    assert holds(PEOPLE, predicate, ADA)
    assert not holds(PEOPLE, ~predicate, ADA)


@pytest.mark.parametrize("value", [None, 7, ["Ada"], {"a": 1}, True], ids=str)
def test_other_types_count_as_missing(value: object) -> None:
    """A value of another type than declared satisfies nothing but that it is missing."""
    content = person(1, name=value)
    assert holds(PEOPLE, field("name").is_missing(), content)
    for predicate in (
        field("name") == "Ada",
        field("name") != "Ada",
        field("name") >= "",
        field("name").is_in([]),
    ):
        assert not holds(PEOPLE, predicate, content)


def test_true_is_not_one() -> None:
    """Truth values and numbers are not compared with each other, nor integers of a number's type."""
    assert holds(PEOPLE, field("visits").is_missing(), person(1, visits=True))
    assert holds(PEOPLE, field("visits").is_missing(), person(1, visits=1.0))
    assert holds(PEOPLE, field("active").is_missing(), person(1, active=1))
    assert holds(PEOPLE, field("weight") == 1, person(1, weight=1.0))


@pytest.mark.parametrize(
    "predicate",
    [
        field("colour") == "green",
        field("name.first") == "Ada",
        field("pets.name") == "Rex",
        field("visits") == "three",
        field("visits") == True,  # noqa: E712 - the comparison builds a predicate
        field("visits") == 1.5,
        field("name") == 3,
        field("born") == "yesterday",
        Compare("weight", "==", float("nan")),
        field("weight") < float("inf"),
        field("tags") == "a",
        field("extra") == "a",
        field("address") == "a",
        field("tags").is_in([]),
        field("name").is_in(["Ada", 3]),
        field("name").contains("A"),
        Compare("name", "~", "Ada"),  # type: ignore[arg-type]
        Compare("visits", "==", 1, ignoring_case=True),
        Predicate(),
        field("name").is_in(["a"]) & (field("colour") == "green"),
        ~field("colour").is_missing(),
    ],
    ids=str,
)
def test_predicate_without_meaning_is_refused(predicate: Predicate) -> None:
    """A field that is not declared, or a value that it cannot have, is refused before any record is seen."""
    with pytest.raises(InvalidSpecificationError):
        check(PEOPLE, Specification(where=predicate))


DEEP = field("name") == "Ada"
for _ in range(MAX_NESTING):
    DEEP = ~DEEP
WIDE = Both((field("name").is_missing(),) * (MAX_PARTS - 1))
LONG = field("visits").is_in([1] * MAX_VALUES)


@pytest.mark.parametrize("sound", [DEEP, WIDE, LONG], ids=["deep", "wide", "long"])
async def test_largest_predicate_is_followed_by_a_parser(sound: Predicate, tmp_path: Path) -> None:
    """SQLite, whose parser gives up first, follows what is just small enough."""
    store = SqliteStore(tmp_path / "documents.db")
    await store.open()
    try:
        assert await store.find(PEOPLE, Specification(where=sound)) == Page((), None)
    finally:
        await store.close()


@pytest.mark.parametrize(
    "predicate",
    [~DEEP, WIDE & field("name").is_missing(), field("visits").is_in([1] * (MAX_VALUES + 1))],
    ids=["deep", "wide", "long"],
)
def test_predicate_that_no_parser_follows_is_refused(predicate: Predicate) -> None:
    """One more level, predicate or value is refused as such, and not by a product as if it were broken."""
    with pytest.raises(InvalidSpecificationError, match=r"deeper|more than"):
        check(PEOPLE, Specification(where=predicate))


def test_order_of_too_many_fields_is_refused() -> None:
    """A page is ordered by a few fields; each more makes the condition of the next page longer."""
    check(PEOPLE, Specification(order=(Ascending("name"),) * MAX_ORDER))
    with pytest.raises(InvalidSpecificationError, match="fields"):
        check(PEOPLE, Specification(order=(Ascending("name"),) * (MAX_ORDER + 1)))


@pytest.mark.parametrize("value", [10**5_000, ["x" * 1_000], [[]]], ids=["digits", "long", "list"])
def test_refusal_is_short_whatever_is_refused(value: Any) -> None:
    """What Python itself does not spell, or only at length, is not in the way of its refusal."""
    with pytest.raises(InvalidSpecificationError) as refusal:
        check(PEOPLE, Specification(where=field("weight") == value))
    assert len(str(refusal.value)) < 500


@pytest.mark.parametrize("limit", [0, -1, 1_001, True, 1.0, "5", None])
def test_limit_is_bounded(limit: Any) -> None:
    """A page has between 1 and 1 000 records, and a limit is a whole number."""
    with pytest.raises(InvalidSpecificationError):
        check(PEOPLE, Specification(limit=limit))


@given(predicates(), orders(), st.integers(1, 70))
@settings(max_examples=60, deadline=None)
def test_pages_show_each_record_once_in_order(
    where: Predicate, order: tuple[Ascending | Descending, ...], limit: int
) -> None:
    """Walking through pages of any size shows what one large page shows, each record once."""
    whole = page_of(
        PEOPLE, Specification(where=where, order=order, limit=1_000), population(has_other_types=True)
    )
    seen, continuation = list[Record](), None
    while continuation is not None or not seen:
        specification = Specification(where=where, order=order, limit=limit, continuation=continuation)
        page = page_of(PEOPLE, specification, reversed(population(has_other_types=True)))
        seen += page.records
        continuation = page.continuation
        if continuation is None:
            break
        assert len(page.records) == limit
    assert seen == list(whole.records)
    assert len({record.key for record in seen}) == len(seen)


def test_order_puts_missing_first_and_breaks_ties_by_key() -> None:
    """Missing values come first, last where descending; equal values follow the key, always upwards."""
    records = [
        Record(key, 1, word(key, meaning=meaning))
        for key, meaning in (("d", "x"), ("a", None), ("c", "x"), ("b", "y"), ("e", 5))
    ]

    def keys(order: Ascending | Descending) -> str:
        page = page_of(WORDS, Specification(order=(order,)), records)
        return "".join(record.key for record in page.records)

    assert keys(Ascending("meaning")) == "aecdb"
    assert keys(Descending("meaning")) == "bcdae"


def test_text_is_ordered_by_code_point() -> None:
    """Neither a language's order nor that of UTF-16, in which the last two would change places."""
    keys = ["Z", "a", "e\u0301", "z", "\u00e9", "\ufb00", "\U0001f600"]
    records = [Record(key, 1, word(key)) for key in reversed(keys)]
    assert [record.key for record in page_of(WORDS, Specification(), records).records] == keys


_ORDER = (
    Ascending("name"),
    Descending("born"),
    Ascending("active"),
    Ascending("visits"),
    Ascending("weight"),
)
_NAMES = ["+name", "-born", "+active", "+visits", "+weight"]
_VALUES = ["Ada", 946_684_800_000_000, True, 3, 1.5]


def _spell(*parts: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(parts).encode()).decode()


def test_continuation_names_the_last_record() -> None:
    """A continuation is read back as the sort values and the key of the record that it was made from."""
    specification = Specification(order=_ORDER)
    record = Record(key_of(1), 1, ADA)
    again = Specification(order=_ORDER, continuation=continuation_after(PEOPLE, specification, record))
    start = start_of(PEOPLE, again)
    assert start is not None
    assert (list(start.values), start.key) == (sort_values(PEOPLE, specification, record), key_of(1))
    assert list(start.values) == _VALUES


@pytest.mark.parametrize(
    "continuation",
    [
        "",
        "no base64!",
        "é",
        "AAAA",
        5,
        base64.urlsafe_b64encode(b"[" * 100_000).decode(),
        base64.urlsafe_b64encode(b"NaN").decode(),
        _spell(),
        _spell(_NAMES, _VALUES),
        _spell(_NAMES, _VALUES, key_of(1), 1),
        _spell({"+name": 1}, _VALUES, key_of(1)),
        _spell("+name", "Ada", key_of(1)),
        _spell(_NAMES, {"0": "Ada"}, key_of(1)),
        _spell(_NAMES, "Ada12", key_of(1)),
        _spell(_NAMES, _VALUES, 7),
        _spell(_NAMES, _VALUES, None),
        _spell(_NAMES, _VALUES, ""),
        _spell(_NAMES, _VALUES, key_of(1).upper()),
        _spell(_NAMES, _VALUES[:-1], key_of(1)),
        _spell(_NAMES, [*_VALUES, 1], key_of(1)),
        _spell(_NAMES[:-1], _VALUES[:-1], key_of(1)),
        _spell(["-name", *_NAMES[1:]], _VALUES, key_of(1)),
        _spell(_NAMES, [5, *_VALUES[1:]], key_of(1)),
        _spell(_NAMES, [{"a": 1}, *_VALUES[1:]], key_of(1)),
        _spell(_NAMES, [["Ada"], *_VALUES[1:]], key_of(1)),
        _spell(_NAMES, ["Ada", "2000-01-01T00:00:00Z", *_VALUES[2:]], key_of(1)),
        _spell(_NAMES, ["Ada", 1.5, *_VALUES[2:]], key_of(1)),
        _spell(_NAMES, ["Ada", True, *_VALUES[2:]], key_of(1)),
        _spell(_NAMES, ["Ada", 10**18, *_VALUES[2:]], key_of(1)),
        _spell(_NAMES, [*_VALUES[:2], 1, 3, 1.5], key_of(1)),
        _spell(_NAMES, [*_VALUES[:3], "3", 1.5], key_of(1)),
        _spell(_NAMES, [*_VALUES[:3], 3.0, 1.5], key_of(1)),
        _spell(_NAMES, [*_VALUES[:4], "1"], key_of(1)),
        _spell(_NAMES, [*_VALUES[:4], float("inf")], key_of(1)),
    ],
    ids=lambda value: str(value)[:40],
)
def test_continuation_made_by_hand_is_refused(continuation: Any) -> None:
    """Whatever a caller sends as continuation, the answer is a typed refusal and nothing worse."""
    specification = Specification(order=_ORDER, continuation=continuation)
    with pytest.raises(InvalidSpecificationError):
        page_of(PEOPLE, specification, [Record(key_of(1), 1, ADA)])


@given(
    st.lists(
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(), st.lists, max_leaves=4
        ),
        max_size=4,
    )
)
@settings(max_examples=100)
def test_no_continuation_breaks_the_search(parts: list[Any]) -> None:
    """A continuation of any JSON whatever is either refused or leads to a page."""
    specification = Specification(order=(Ascending("weight"),), continuation=_spell(*parts))
    try:
        page = page_of(PEOPLE, specification, [Record(key_of(1), 1, ADA)])
    except InvalidSpecificationError:
        return
    assert len(page.records) <= 1


@given(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    st.sampled_from(["name", "born", "joined", "active", "visits", "weight", "id"]),
)
@settings(max_examples=100)
def test_continuation_of_any_value_is_refused_or_compared(value: Any, name: str) -> None:
    """A sort value of the right type can be compared with records; one of another type is refused."""
    specification = Specification(
        order=(Ascending(name),), continuation=_spell([f"+{name}"], [value], key_of(5))
    )
    try:
        page = page_of(PEOPLE, specification, population(has_other_types=True))
    except InvalidSpecificationError:
        return
    assert len(page.records) <= 100
