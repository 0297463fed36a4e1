"""Contents at the edges of what columns can hold, through the real server; and predicates into jsonb."""

import asyncio
import itertools
from collections.abc import AsyncIterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from manystore.paging import page_of
from manystore.records import Content, Kind, Record, canonical
from manystore.specifications import (
    Ascending,
    Both,
    Compare,
    Contains,
    Descending,
    Either,
    IsIn,
    IsMissing,
    Not,
    Predicate,
    Specification,
)
from manystore.stores.postgres import PostgresStore
from manystore.stores.store import Applied, Ignored, Note, Refused, Store
from manystore.testing.contract.terms import admit
from manystore.testing.samples import PEOPLE, key_of, person
from tests.contract.postgres_tables import GADGETS, MAPPINGS, clear
from tests.contract.postgres_values import GADGETS_CONTENTS, PEOPLE_CONTENTS

_SUPPRESSED = [
    HealthCheck.function_scoped_fixture,
    HealthCheck.too_slow,
    HealthCheck.data_too_large,
    HealthCheck.filter_too_much,
]
_settings = settings(
    max_examples=40, deadline=None, derandomize=True, database=None, suppress_health_check=_SUPPRESSED
)
_numbers = itertools.count()


@pytest.fixture
async def store(sample_database: str) -> AsyncIterator[Store]:
    await clear(sample_database)
    store = PostgresStore(sample_database, MAPPINGS)
    await store.open()
    yield store
    await store.close()


async def assert_exact(store: Store, kind: Kind, contents: list[Content], versions: int) -> None:
    """Apply the contents one above the other under a key each; what is not refused comes back as it was."""
    keys = [str(content["id"]) for content in contents]
    for version in range(versions):
        turned = contents[version:] + contents[:version]
        records = [
            Record(key, version + 1, content | {"id": key}) for key, content in zip(keys, turned, strict=True)
        ]
        # With a note, as a move's copy comes; without one, as a follower.
        note = Note(name="exact", value=b"", revision=0) if version == 0 else None
        outcomes = await store.apply(kind, records, note=note)
        found = await store.get_many(kind, [record.key for record in records])
        for record, outcome in zip(records, outcomes, strict=True):
            if not isinstance(outcome, Refused):
                assert outcome == Applied()
                assert found[record.key].version == record.version
                assert canonical(found[record.key].content) == canonical(record.content)
        again = await store.apply(kind, records)
        assert [each for each in again if not isinstance(each, Refused)] == [
            Ignored(version + 1) for each in outcomes if not isinstance(each, Refused)
        ]


@given(contents=st.lists(PEOPLE_CONTENTS, min_size=12, max_size=20))
@_settings
async def test_people_are_exact_on_the_server(store: Store, contents: list[Content]) -> None:
    """Batches of awkward people, each later one over another, come back byte for byte."""
    keyed = [content | {"id": key_of(next(_numbers))} for content in contents]
    await assert_exact(store, PEOPLE, keyed, versions=2)


@given(contents=st.lists(GADGETS_CONTENTS, min_size=12, max_size=20))
@_settings
async def test_gadgets_are_exact_on_the_server(store: Store, contents: list[Content]) -> None:
    """The same for jsonb parts, defaults, lists within items, and items known by a key."""
    keyed = [content | {"id": f"g{next(_numbers)}"} for content in contents]
    await assert_exact(store, GADGETS, keyed, versions=2)


@given(first=PEOPLE_CONTENTS, second=PEOPLE_CONTENTS)
@_settings
async def test_people_are_exact_one_by_one(store: Store, first: Content, second: Content) -> None:
    """Writes by put and by apply of one record, new and next, carry the same."""
    if await store.fence(PEOPLE) is None:
        await admit(store, PEOPLE)
    key, version = key_of(next(_numbers)), 0
    for content in (first, second):
        content = content | {"id": key}
        (outcome,) = await store.apply(PEOPLE, [Record(key, version + 1, content)])
        if isinstance(outcome, Refused):
            continue
        written = await store.put(PEOPLE, key, content, expected=version + 1, epoch=1)
        version = written.version
        held = await store.get(PEOPLE, key)
        assert held is not None
        assert held.version == version
        assert canonical(held.content) == canonical(content)


_COLOURS = ["red", "Red", "ΟΔΟΣ", "οδος", "a\x00", "a\ufffd", "\ud800", "\ue000", ""]
_COUNTS = [0, 1, -1, 3, 2**53 + 1, 2**63, -(2**64), 10**23]
_RATIOS = [*_COUNTS, 0.0, -0.0, 0.5, 1.0, 1e16, 1e22, 1e23, 9007199254740992.0, 1e-7, -1.5e300]


_OF_OTHER_TYPES: Content = {
    "colour": 7,
    "loud": "yes",
    "level": 1.0,
    "ratio": "1",
    "since": 5,
    "labels": [1],
    "inner": 3,
}


def _gadgets() -> list[Record]:
    """Gadgets whose settings have every value in question, and some of other types than declared."""
    contents: list[Content] = []
    for number in range(72):
        settings: Content = {
            "colour": _COLOURS[number % len(_COLOURS)],
            "loud": number % 3 == 0,
            "level": _COUNTS[number % len(_COUNTS)],
            "ratio": _RATIOS[number % len(_RATIOS)],
            "since": f"20{number % 30:02}-01-01",
            "labels": ["a", "b", "\x00"][: number % 4],
            "inner": {"code": f"c{number % 5}"},
        }
        others: Content = {
            "colour": 7,
            "loud": "yes",
            "level": 1.0,
            "ratio": "1",
            "since": 5,
            "labels": [1],
            "inner": 3,
        }
        if number % 7 == 0:
            settings |= dict(list(others.items())[: number // 7])
        if number % 11 == 0:
            settings |= dict.fromkeys(list(settings)[: number // 11])
        content: Content = {"id": f"g{number:02}", "rank": number % 5, "settings": settings}
        if number % 4 == 0:
            content |= {
                "themes": ["x", "y"][: number % 3],
                "owner": key_of(number % 9),
                "plan": {"left": number},
            }
        if number % 9 == 0:
            content |= {
                "owner": key_of(number).upper(),
                "title": f"t{number}\x00",
                "plan": {"tier": "\ud800"},
            }
        if number % 13 == 0:
            del content["rank"]
        if number % 17 == 0:
            del content["settings"]
        contents.append(content)
    return [Record(str(content["id"]), 1, content) for content in contents]


_VALUES: dict[str, st.SearchStrategy[str | int | float | bool]] = {
    "rank": st.sampled_from([0, 3, 7, -1, 2**70]),
    "owner": st.sampled_from([key_of(0), key_of(4), key_of(9).upper(), "", "zz", "\x00"]),
    "title": st.sampled_from(["t9\x00", "t9\ufffd", "t9", "\ud800"]),
    "settings.colour": st.sampled_from(_COLOURS),
    "settings.loud": st.booleans(),
    "settings.level": st.sampled_from(_COUNTS),
    "settings.ratio": st.sampled_from(_RATIOS),
    "settings.since": st.sampled_from(["2004-01-01", "2004", ""]),
    "settings.inner.code": st.sampled_from(["c1", "c3", "z"]),
    "plan.tier": st.sampled_from(["none", "\ud800", "\ufffd"]),
    "plan.left": st.sampled_from(_RATIOS),
}
_LISTS = st.sampled_from(["themes", "settings.labels"])
_leaves = st.one_of(
    *(
        st.one_of(
            st.builds(Compare, st.just(path), st.sampled_from(["==", "!=", "<", "<=", ">", ">="]), values),
            st.builds(IsIn, st.just(path), st.lists(values, max_size=3).map(tuple)),
        )
        for path, values in _VALUES.items()
    ),
    st.builds(Compare, st.just("settings.colour"), st.just("=="), _VALUES["settings.colour"], st.just(True)),
    st.builds(
        IsMissing, st.sampled_from([*_VALUES, "settings", "plan", "parts", "themes", "settings.labels"])
    ),
    st.builds(Contains, _LISTS, st.sampled_from(["x", "y", "a", "b", "\x00", "z"])),
)
_predicates = st.recursive(
    _leaves,
    lambda inner: st.one_of(
        st.builds(Both, st.lists(inner, max_size=3).map(tuple)),
        st.builds(Either, st.lists(inner, max_size=3).map(tuple)),
        st.builds(Not, inner),
    ),
    max_leaves=5,
)
_names = st.sampled_from(list(_VALUES))
_orders = st.lists(
    st.one_of(st.builds(Ascending, _names), st.builds(Descending, _names)),
    max_size=2,
    unique_by=lambda order: order.field,
).map(tuple)


@given(where=_predicates, order=_orders, limit=st.sampled_from([1, 3, 10, 1000]))
@settings(_settings, max_examples=150)
async def test_predicates_into_jsonb_and_masks_mean_the_same(
    store: Store, where: Predicate, order: tuple[Ascending | Descending, ...], limit: int
) -> None:
    """Values within jsonb, stand-ins and defaults are found as if the record were asked itself."""
    records = _gadgets()
    if not await store.count(GADGETS):
        assert await store.apply(GADGETS, records) == [Applied()] * len(records)
    everything = Specification(where=where, order=order, limit=1000)
    expected = [record.key for record in page_of(GADGETS, everything, records).records]
    found, continuation = list[str](), None
    while True:
        specification = Specification(where=where, order=order, limit=limit, continuation=continuation)
        page = await store.find(GADGETS, specification)
        found += [record.key for record in page.records]
        continuation = page.continuation
        if continuation is None:
            break
    assert found == expected


async def test_newest_stands_whatever_the_order(store: Store) -> None:
    """Many appliers bring versions and tombstones of few records in any order; the newest of each stands."""

    def content_of(number: int, version: int) -> Content:
        return person(number, nicknames=[f"n{number}-{version}-{each}" for each in range(version % 4)])

    async def bring(turn: int) -> None:
        for step in range(10):
            records = []
            for number in range(12):
                version = (number * 7 + turn * 5 + step * 3) % 8 + 1
                content = None if version in (3, 7) else content_of(number, version)
                records.append(Record(key_of(number), version, content))
            size = 12 if turn % 2 else 4
            for start in range(0, 12, size):
                await store.apply(PEOPLE, records[start : start + size])

    await asyncio.gather(*(bring(turn) for turn in range(6)))
    final = [Record(key_of(number), 8, content_of(number, 8)) for number in range(12)]
    assert await store.apply(PEOPLE, final) == [Ignored(8)] * 12
    found = await store.get_many(PEOPLE, [record.key for record in final])
    assert found == {record.key: record for record in final}


async def test_deleted_stays_deleted_whatever_the_order(store: Store) -> None:
    """A tombstone and older states of its record, applied at once many times over, leave the tombstone."""
    for round_number in range(15):
        keys = [key_of(round_number * 100 + number) for number in range(4)]
        living = [Record(key, 2, {"id": key, "nicknames": ["a"]}) for key in keys]
        dead = [Record(key, 3, None) for key in keys]
        await asyncio.gather(
            store.apply(PEOPLE, living),
            store.apply(PEOPLE, dead),
            *(store.apply(PEOPLE, [record]) for record in living),
            store.apply(PEOPLE, living * 3),
        )
        assert await store.get_many(PEOPLE, keys) == {record.key: record for record in dead}
        assert await store.count(PEOPLE) == 0
