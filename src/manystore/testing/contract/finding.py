"""Promises about finding: a specification means in this store what it means in memory."""

import itertools
from collections.abc import Sequence

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from manystore.errors import InvalidSpecificationError
from manystore.paging import page_of
from manystore.records import Content, Kind, Record
from manystore.specifications import (
    EVERYTHING,
    Ascending,
    Both,
    Compare,
    Contains,
    Descending,
    Either,
    IsIn,
    IsMissing,
    Not,
    Operator,
    Page,
    Predicate,
    Specification,
    field,
)
from manystore.stores.store import Applied, Store
from manystore.testing.contract.terms import Terms, fill
from manystore.testing.samples import PEOPLE, WORDS, key_of, person, word

Order = Ascending | Descending
Case = tuple[Predicate, tuple[Order, ...], int]
"""What to look for, in which order, and how many to a page."""


def population(*, has_other_types: bool) -> list[Record]:
    """Sixty people, of whom no two are alike and some are odd; a few are deleted.

    With `has_other_types`, some have values of other types than their fields are declared with.
    """
    changes: list[Content] = [
        {"name": None, "born": None, "visits": None, "weight": None, "active": None, "tags": None},
        {"name": "", "address": {"street": "", "city": ""}, "tags": []},
        {"name": "Zoë", "email": "ZOË@Example.org", "address": {"city": "Łódź"}},
        {"name": "Zoe\u0308", "email": "zoe\u0308@example.org", "address": {"city": None}},
        {"name": "zoë", "email": None, "address": None, "extra": None},
        {"name": "a%", "tags": ["a%", "first"], "weight": 41},
        {"name": "a_b\\c'd\"e", "tags": ["a_b", "\\", "'"], "weight": 41.0},
        {"name": "\ufb00", "tags": ["\ufb00"], "visits": -1, "weight": -0.0},
        {"name": "\U0001f600", "tags": ["\U0001f600"], "visits": -(2**53), "weight": 0},
        {"born": "2000-01-01T00:00:00.0000009Z", "visits": 2**53, "weight": 1e300},
        {"born": "2000-01-01T00:00:00Z", "weight": 1e-300},
        {"born": "2000-01-01T05:30:00+05:30", "weight": -1.5},
        {"born": "1999-12-31T23:59:59.9999999Z", "visits": 0, "active": False},
        {"born": "0001-01-01T00:00:00Z", "address": {"since": "9999-12-31T23:59:59.999999Z"}},
        {"name": " padded ", "tags": ["first", "first"]},
    ]
    others: list[Content] = [
        {"name": 7, "active": "yes", "visits": "many", "weight": "1", "tags": "first", "address": "none"},
        {"name": ["Zoë"], "born": 5, "visits": 1.0, "weight": True, "active": 1, "tags": ["a", 1]},
        {"born": "yesterday", "visits": True, "tags": {"first": 1}, "address": [], "joined": 2024},
        {"joined": "", "address": {"city": 3, "since": "no"}},
    ]
    people = [person(number) for number in range(60)]
    for number, change in enumerate(changes + others if has_other_types else changes):
        people[number * 3] |= change
    bare = [{"id": key_of(number)} for number in (100, 101, 102)]
    deleted = [Record(key_of(number), 9, None) for number in (200, 201)]
    return [Record(each["id"], 1, each) for each in people + bare] + deleted


_VALUES: dict[str, st.SearchStrategy[str | int | float | bool]] = {
    "id": st.sampled_from([key_of(number) for number in (0, 7, 30, 59, 100, 200, 999)]),
    "email": st.sampled_from(["person1@example.org", "PERSON2@example.org", "zoë@example.org", "", "q"]),
    "name": st.sampled_from(
        ["Zoë", "zoe\u0308", "a%", "a_b\\c'd\"e", "\ufb00", "\U0001f600", "", "Person 3"]
    ),
    "born": st.sampled_from(
        [
            "2000-01-01T00:00:00Z",
            "1999-12-31T19:00:00-05:00",
            "1999-12-31T23:59:59.9999994Z",
            "1950-01-01T00:00:00Z",
        ]
    ),
    "joined": st.sampled_from(["2024-01-05", "2024-02-30", ""]),
    "active": st.booleans(),
    "visits": st.sampled_from([0, 1, -1, 20, 2**53, -(2**53), 2**62]),
    "weight": st.sampled_from([0, -0.0, 41, 41.0, 45.5, 1e300, -1e300, 1e-300, 2**53]),
    "address.city": st.sampled_from(["Leeds", "Łódź", ""]),
    "address.since": st.sampled_from(["2020-02-29T00:00:00Z", "9999-12-31T23:59:59.999999Z"]),
}
_OPERATORS: list[Operator] = ["==", "!=", "<", "<=", ">", ">="]
_UNCOMPARED = ["tags", "nicknames", "extra", "address", "pets"]
_LISTED = ["first", "tag1", "a%", "\\", "\U0001f600", "absent", ""]


def _leaves() -> st.SearchStrategy[Predicate]:
    compares = [
        st.builds(Compare, st.just(path), st.sampled_from(_OPERATORS), values)
        for path, values in _VALUES.items()
    ]
    ignoring = [
        st.builds(Compare, st.just(path), st.sampled_from(_OPERATORS), _VALUES[path], st.just(True))
        for path in ("email", "name", "address.city")
    ]
    memberships = [
        st.builds(IsIn, st.just(path), st.lists(values, max_size=3).map(tuple))
        for path, values in _VALUES.items()
    ]
    missing = st.builds(IsMissing, st.sampled_from([*_VALUES, *_UNCOMPARED]))
    contains = st.builds(Contains, st.sampled_from(["tags", "nicknames"]), st.sampled_from(_LISTED))
    return st.one_of(*compares, *ignoring, *memberships, missing, contains)


def predicates() -> st.SearchStrategy[Predicate]:
    """Predicates of every kind over people, up to a few levels deep."""
    return st.recursive(
        _leaves(),
        lambda inner: st.one_of(
            st.builds(Both, st.lists(inner, max_size=3).map(tuple)),
            st.builds(Either, st.lists(inner, max_size=3).map(tuple)),
            st.builds(Not, inner),
        ),
        max_leaves=5,
    )


def orders() -> st.SearchStrategy[tuple[Order, ...]]:
    """Orders by up to three fields of people."""
    names = st.sampled_from(list(_VALUES))
    one = st.one_of(st.builds(Ascending, names), st.builds(Descending, names))
    return st.lists(one, max_size=3, unique_by=lambda order: order.field).map(tuple)


async def walk(
    store: Store, where: Predicate, order: tuple[Order, ...], limit: int, kind: Kind = PEOPLE
) -> list[Page]:
    """All pages of what a specification finds in the store."""
    pages, continuation = list[Page](), None
    while continuation is not None or not pages:
        specification = Specification(where=where, order=order, limit=limit, continuation=continuation)
        pages.append(await store.find(kind, specification))
        continuation = pages[-1].continuation
        assert len(pages) < 1_000, "the pages have no end"
    return pages


async def assert_agrees(
    store: Store,
    held: list[Record],
    where: Predicate,
    order: tuple[Order, ...],
    limit: int = 1_000,
    kind: Kind = PEOPLE,
) -> None:
    """The store's pages together are what memory finds, in the same order, none longer than the limit."""
    expected = page_of(kind, Specification(where=where, order=order, limit=1_000), held)
    pages = await walk(store, where, order, limit, kind)
    found = [record for page in pages for record in page.records]
    assert [record.key for record in found] == [record.key for record in expected.records]
    assert found == list(expected.records)
    assert all(len(page.records) == limit for page in pages[:-1])


async def assert_all_agree(
    store: Store, held: list[Record], cases: Sequence[Case], kind: Kind = PEOPLE
) -> None:
    """None of the cases disagrees; those that do are named, all of them.

    The store is filled once for all, which takes longer than to find something in it.
    """
    wrong = list[str]()
    for where, order, limit in cases:
        try:
            await assert_agrees(store, held, where, order, limit, kind)
        except AssertionError as disagreement:
            wrong.append(f"{where} {order} by {limit}: {disagreement}")
    assert not wrong, "\n".join(wrong)


PREDICATES: list[Predicate] = [
    EVERYTHING,
    Either(()),
    field("id") == key_of(7),
    field("id") > key_of(7),
    field("name") == "Zoë",
    field("name") != "Zoë",
    field("name") < "\U0001f600",
    field("name").equals_ignoring_case("ZOË"),
    field("email").equals_ignoring_case("zoË@EXAMPLE.org"),
    field("name").is_in(["Person 1", "a%", "\U0001f600"]),
    field("name").is_in([]),
    field("name") == "a_b\\c'd\"e",
    field("name").is_missing(),
    ~field("name").is_missing(),
    field("born") == "2000-01-01T00:00:00Z",
    field("born") < "2000-01-01T00:00:00Z",
    field("born") >= "1999-12-31T23:59:59.999999Z",
    field("born").is_in(["1999-12-31T19:00:00-05:00"]),
    field("born").is_missing(),
    field("joined") <= "2024-01-05",
    field("active") == True,  # noqa: E712 - the comparison builds a predicate
    field("active") != True,  # noqa: E712 - the comparison builds a predicate
    field("active").is_missing(),
    field("visits") == 1,
    field("visits") >= 2**53,
    field("visits") < 0,
    field("visits").is_missing(),
    field("weight") == 41,
    field("weight") == 0,
    field("weight") <= -0.0,
    field("weight") > 1e299,
    field("weight").is_missing(),
    field("tags").contains("first"),
    field("tags").contains("a%"),
    ~field("tags").contains("first"),
    field("tags").is_missing(),
    field("extra").is_missing(),
    field("address").is_missing(),
    field("pets").is_missing(),
    field("address.city") == "Łódź",
    field("address.city").is_missing(),
    field("address.since") > "2021-01-01T00:00:00Z",
    (field("visits") > 10) & (field("visits") < 30) & ~field("tags").contains("tag1"),
    (field("name") == "zoë") | (field("active") == False) | field("born").is_missing(),  # noqa: E712
]


class FindingContract(Terms):
    """The same records, in the same order, on the same pages as in memory."""

    async def populate(self, store: Store) -> list[Record]:
        """Bring the population in, unless it is there, and return it."""
        held = population(has_other_types="other types" not in self.quarantines)
        if not await store.count(PEOPLE):
            outcomes = await store.apply(PEOPLE, held)
            assert outcomes == [Applied()] * len(outcomes)
        return held

    async def test_predicates_mean_what_they_mean_in_memory(self, store: Store) -> None:
        """Each predicate finds exactly what its evaluation in memory finds, by key."""
        await assert_all_agree(
            store, await self.populate(store), [(where, (), 1_000) for where in PREDICATES]
        )

    async def test_orders_are_those_of_memory(self, store: Store) -> None:
        """Each field sorts as in memory, missing values first (last where descending), then by key."""
        cases = list[Case]()
        directions: tuple[type[Ascending] | type[Descending], ...] = (Ascending, Descending)
        for path, direction in itertools.product(_VALUES, directions):
            cases.append((EVERYTHING, (direction(path),), 1_000))
            cases.append((EVERYTHING, (direction(path), Descending("name")), 7))
        await assert_all_agree(store, await self.populate(store), cases)

    @given(where=predicates(), order=orders(), limit=st.sampled_from([1, 2, 5, 17, 1_000]))
    @settings(
        max_examples=25,
        deadline=None,
        derandomize=True,
        database=None,
        # The store is filled once and then only read, so that one serves all examples; and every product's
        # class runs the one property that all inherit.
        suppress_health_check=[
            HealthCheck.function_scoped_fixture,
            HealthCheck.differing_executors,
            HealthCheck.too_slow,
        ],
    )
    async def test_any_specification_means_what_it_means_in_memory(
        self, store: Store, where: Predicate, order: tuple[Order, ...], limit: int
    ) -> None:
        """Random specifications find the same pages in the store as in memory."""
        await assert_agrees(store, await self.populate(store), where, order, limit)

    async def test_deleted_records_are_not_found(self, store: Store) -> None:
        """A tombstone satisfies nothing, not even that a field is missing."""
        await fill(store, PEOPLE, map(person, range(3)))
        await store.apply(PEOPLE, [Record(key_of(1), 2, None)])
        page = await store.find(PEOPLE, Specification(where=EVERYTHING | field("name").is_missing()))
        assert {record.key for record in page.records} == {key_of(0), key_of(2)}
        assert page.continuation is None

    async def test_found_records_are_whole(self, store: Store) -> None:
        """What is found has its version and all its content."""
        await store.apply(PEOPLE, [Record(key_of(1), 7, person(1, unknown={"a": [1.0, None]}))])
        page = await store.find(PEOPLE, Specification(where=field("visits") == 1))
        assert page.records == (Record(key_of(1), 7, person(1, unknown={"a": [1.0, None]})),)

    async def test_last_full_page_has_no_continuation(self, store: Store) -> None:
        """A page that ends exactly with the last record says that there are no more."""
        await fill(store, WORDS, map(word, "abcd"))
        page = await store.find(WORDS, Specification(limit=4))
        assert ([record.key for record in page.records], page.continuation) == (list("abcd"), None)
        assert (await store.find(WORDS, Specification(limit=3))).continuation is not None

    async def test_free_text_keys_are_paged_by_code_point(self, store: Store) -> None:
        """Where no order is asked for, pages follow the keys by code point."""
        keys = ["Z", "a", "e\u0301", "z", "\u00e9", "\ufb00", "\U0001f600"]
        await fill(store, WORDS, map(word, reversed(keys)))
        found, continuation = list[str](), None
        while continuation is not None or not found:
            page = await store.find(WORDS, Specification(limit=2, continuation=continuation))
            found += [record.key for record in page.records]
            continuation = page.continuation
        assert found == keys

    async def test_records_written_between_pages_do_not_disturb(self, store: Store) -> None:
        """A continuation goes on after the last record seen, though that one was deleted meanwhile."""
        await fill(store, WORDS, map(word, "acegi"))
        first = await store.find(WORDS, Specification(limit=3))
        await store.apply(WORDS, [Record("e", 2, None), Record("b", 1, word("b")), Record("f", 1, word("f"))])
        rest = await store.find(WORDS, Specification(limit=9, continuation=first.continuation))
        assert [record.key for record in rest.records] == ["f", "g", "i"]

    @pytest.mark.parametrize(
        "specification",
        [
            Specification(limit=0),
            Specification(limit=1_001),
            Specification(where=field("colour") == "green"),
            Specification(where=field("visits") == "three"),
            Specification(where=field("name").contains("a")),
            Specification(where=field("visits").equals_ignoring_case("a")),
            Specification(order=(Ascending("tags"),)),
            Specification(order=(Descending("colour"),)),
            Specification(continuation="no such thing"),
        ],
        ids=str,
    )
    async def test_what_cannot_be_evaluated_is_refused(
        self, store: Store, specification: Specification
    ) -> None:
        """A specification that has no meaning is refused alike by every store."""
        with pytest.raises(InvalidSpecificationError):
            await store.find(PEOPLE, specification)
