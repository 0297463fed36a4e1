"""Strategies for contents that go as near to the edges of columns, and beyond, as JSON goes."""

from typing import Any

from hypothesis import strategies as st

from manystore.records import Content, find_unspeakable
from manystore.testing.samples import key_of

TEXT = st.one_of(
    st.text(max_size=12),
    st.text(st.characters(exclude_categories=[]), max_size=6),
    st.sampled_from(
        ["", "\x00", "a\x00b", "\ud800", "\udfffz", "\ufffd", "1e5", "-0.0", "\\u0000", "ΟΔΟΣ", "İ"]
    ),
)
NUMBERS = st.one_of(
    st.integers(-(2**70), 2**70),
    st.sampled_from([0, 1, -1, 2**15, 2**31, 2**53, 2**53 + 1, 2**63, -(2**63), -(2**63) - 1, 10**40]),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from([0.0, -0.0, 1.0, 0.1, 1e16, 9999999999999998.0, 1e22, 1e23, 1e-7, 5e-324, 1.5e300]),
)
INSTANTS = st.one_of(
    st.datetimes().map(lambda each: each.isoformat() + "Z"),
    st.builds(
        lambda moment, fraction, offset: f"{moment:%Y-%m-%dT%H:%M:%S}{fraction}{offset}".rjust(20, "0"),
        st.datetimes(),
        st.sampled_from(["", ".0", ".5", ".123456", ".1234567", ".9999999", ".000000", ".0000001"]),
        st.sampled_from(["Z", "z", "+00:00", "-00:00", "+05:30", "-14:00"]),
    ),
    st.sampled_from(["9999-12-31T23:59:59.999999Z", "0001-01-01T00:00:00Z", "0001-01-01T00:00:00.000001Z"]),
)
DATES = st.one_of(st.dates().map(str), st.sampled_from(["9999-12-31", "0001-01-01"]))
UUIDS = st.one_of(
    st.integers(0, 20).map(key_of),
    st.uuids().map(str),
    st.integers(0, 20).map(lambda number: key_of(number).upper()),
)
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), NUMBERS, TEXT),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXT, inner, max_size=3)),
    max_leaves=8,
)
TEXTS = st.lists(TEXT, max_size=4)


def _object(required: dict[str, Any] | None = None, **optional: Any) -> st.SearchStrategy[Content]:
    """An object some of whose fields are missing or null, with now and then one that nobody declared."""
    fields = {name: st.one_of(st.none(), values, values, values) for name, values in optional.items()}
    declared = st.fixed_dictionaries(required or {}, optional=fields)
    others = st.one_of(
        st.just({}), st.dictionaries(st.sampled_from(["odd", "\x00", "ö", ""]), JSON, max_size=2)
    )
    return st.builds(lambda mine, other: {**other, **mine}, declared, others)


def _is_speakable(content: Content) -> bool:
    return find_unspeakable(content) is None


PEOPLE_CONTENTS = _object(
    name=TEXT,
    born=INSTANTS,
    joined=DATES,
    active=st.booleans(),
    visits=NUMBERS,
    weight=NUMBERS,
    tags=TEXTS,
    nicknames=TEXTS,
    extra=JSON,
    address=_object(street=TEXT, city=TEXT, since=INSTANTS),
    pets=st.lists(_object(id=UUIDS, name=TEXT, age=NUMBERS), max_size=3),
).filter(_is_speakable)
"""Contents of people but for the id; e-mails are left out, so that no two clash."""

GADGETS_CONTENTS = _object(
    rank=NUMBERS,
    owner=UUIDS,
    themes=TEXTS,
    settings=_object(
        colour=TEXT,
        loud=st.booleans(),
        level=NUMBERS,
        ratio=NUMBERS,
        since=DATES,
        labels=JSON,
        inner=_object(code=TEXT),
    ),
    plan=_object(tier=TEXT, left=NUMBERS),
    parts=st.lists(
        _object({"code": st.sampled_from("abcdefgh")}, sizes=TEXTS, notes=JSON),
        max_size=3,
        unique_by=lambda part: part["code"],
    ),
).filter(_is_speakable)
"""Contents of gadgets but for the id and the title."""
