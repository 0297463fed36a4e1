"""Rules that settle what was written in two places."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from manystore.conflicts import (
    STAMP,
    ByFunction,
    HybridClock,
    HybridTime,
    LastWriterWins,
    VectorClocks,
    compare_vectors,
    lower_of,
    stamp_of,
    stamped,
    union_of,
)
from manystore.records import Content, Record
from tests.unit.clocks import ManualClock


def record(version: int, content: Content | None) -> Record:
    return Record("k", version, content)


def test_a_clock_that_goes_back_does_not_make_a_later_write_lose() -> None:
    """The wall clock of the second writer is an hour behind; having seen the first write, it still wins."""
    ahead, behind = ManualClock(), ManualClock()
    ahead.advance(59)
    first = stamped({"n": 1}, None, HybridClock("a", ahead), "a")
    second = stamped({"n": 2}, first, HybridClock("b", behind), "b")
    resolution = LastWriterWins().resolve(record(5, first), record(2, second))
    assert resolution.content == second
    assert [loser.content for loser in resolution.losers] == [first]


def test_a_time_far_in_the_future_is_not_followed() -> None:
    """One broken clock does not drag all others along."""
    clock = HybridClock("a", ManualClock())
    assert not clock.saw(HybridTime(10**15, 0, "broken"))
    assert clock.tick().milliseconds < 10**14


def test_times_of_one_node_always_rise() -> None:
    """Also when the wall stands still or goes back."""
    wall = ManualClock()
    clock = HybridClock("a", wall)
    times = []
    for step in (0, 0, 5, -3, 0, 1):
        wall.advance(step)
        times.append(clock.tick())
    assert times == sorted(times)
    assert len(set(times)) == len(times)


def test_what_knew_of_the_other_wins_whatever_its_version() -> None:
    """Causality decides, not the count of writes."""
    clock = HybridClock("a", ManualClock())
    first = stamped({"n": 1}, None, clock, "a")
    second = stamped({"n": 2}, first, clock, "b")
    for one, other in itertools.permutations((record(9, first), record(2, second))):
        assert VectorClocks().resolve(one, other).content == second


def test_what_happened_apart_is_surfaced_as_siblings() -> None:
    """Neither is thrown away, and a person sees both."""
    clock = HybridClock("a", ManualClock())
    origin = stamped({"n": 0}, None, clock, "a")
    left, right = stamped({"n": 1}, origin, clock, "a"), stamped({"n": 2}, origin, clock, "b")
    resolution = VectorClocks().resolve(record(2, left), record(2, right))
    assert not resolution.is_settled
    assert {each.content["n"] for each in resolution.siblings if each.content} == {1, 2}
    merged = VectorClocks(LastWriterWins()).resolve(record(2, left), record(2, right))
    assert merged.content == right


vectors = st.dictionaries(st.sampled_from("abc"), st.integers(0, 3))


@given(vectors, vectors)
def test_vector_order_is_antisymmetric(one: dict[str, int], other: dict[str, int]) -> None:
    """Before and after are each other's mirror; the rest are their own."""
    mirror = {"before": "after", "after": "before", "equal": "equal", "concurrent": "concurrent"}
    assert compare_vectors(other, one) == mirror[compare_vectors(one, other)]


contents = st.fixed_dictionaries(
    {"n": st.integers(0, 3)},
    optional={
        STAMP: st.fixed_dictionaries(
            {
                "hybrid": st.fixed_dictionaries(
                    {
                        "milliseconds": st.integers(0, 2),
                        "counter": st.integers(0, 2),
                        "node": st.sampled_from("ab"),
                    }
                ),
                "vector": vectors,
            }
        )
    },
)


@given(contents, contents, st.integers(0, 2), st.integers(0, 2))
def test_the_last_writer_does_not_depend_on_who_asks(one: Content, other: Content, v: int, w: int) -> None:
    """Both regions come to the same content."""
    left, right = record(v, one), record(w, other)
    assert LastWriterWins().resolve(left, right).content == LastWriterWins().resolve(right, left).content


def test_rules_of_ones_own() -> None:
    """The lower quantity stands; badges of both sides are kept, each once."""
    lower = ByFunction(lower_of("left"))
    assert lower.resolve(record(1, {"left": 3}), record(2, {"left": 5})).content == {"left": 3}
    union = ByFunction(union_of("badges", by="badge", otherwise=LastWriterWins()))
    one = {"name": "x", "badges": [{"badge": "a"}, {"badge": "b"}]}
    other = {"name": "x", "badges": [{"badge": "b"}, {"badge": "c"}]}
    resolution = union.resolve(record(1, one), record(1, other))
    assert resolution.content is not None
    assert [part["badge"] for part in resolution.content["badges"]] == ["a", "b", "c"]
    assert len(resolution.losers) == 2


def test_a_deletion_loses_to_what_is_alive_under_a_rule_of_ones_own() -> None:
    """A rule over two contents cannot be asked about nothing."""
    resolution = ByFunction(lower_of("left")).resolve(record(2, None), record(1, {"left": 1}))
    assert resolution.content == {"left": 1}


def test_an_unreadable_stamp_counts_as_none() -> None:
    """Old data may have anything under that name."""
    assert stamp_of({STAMP: "yesterday"}) is None
    assert stamp_of(None) is None
