"""Instants: one reading of RFC 3339 text for every store, cut to the microsecond."""

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manystore.instants import microseconds, parse_instant, spell_instant

_UTC = dt.UTC


@given(st.datetimes(timezones=st.just(_UTC)))
def test_own_spelling_is_read_back(instant: dt.datetime) -> None:
    """What the engine spells, it reads as the same instant."""
    assert parse_instant(spell_instant(instant)) == instant


@given(st.datetimes(timezones=st.just(_UTC)), st.datetimes(timezones=st.just(_UTC)))
def test_microseconds_are_ordered_as_instants(one: dt.datetime, other: dt.datetime) -> None:
    """Whole microseconds compare as the instants do, before 1970 too."""
    assert (microseconds(one) < microseconds(other)) == (one < other)
    assert dt.datetime(1970, 1, 1, tzinfo=_UTC) + dt.timedelta(microseconds=microseconds(one)) == one


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("1999-12-31T23:59:59.9999999Z", dt.datetime(1999, 12, 31, 23, 59, 59, 999_999, _UTC)),
        ("1999-12-31T23:59:59.5Z", dt.datetime(1999, 12, 31, 23, 59, 59, 500_000, _UTC)),
        ("2000-01-01T05:30:00+05:30", dt.datetime(2000, 1, 1, tzinfo=_UTC)),
        ("1999-12-31T19:00:00-05:00", dt.datetime(2000, 1, 1, tzinfo=_UTC)),
        ("2000-01-01t00:00:00z", dt.datetime(2000, 1, 1, tzinfo=_UTC)),
        ("2000-01-01T00:00:00-00:00", dt.datetime(2000, 1, 1, tzinfo=_UTC)),
        ("2024-02-29T00:00:00Z", dt.datetime(2024, 2, 29, tzinfo=_UTC)),
        ("9999-12-31T23:59:59.999999Z", dt.datetime(9999, 12, 31, 23, 59, 59, 999_999, _UTC)),
    ],
)
def test_text_names_its_instant(text: str, instant: dt.datetime) -> None:
    """Digits beyond the sixth are cut, never rounded; offsets and letter case do not change the instant."""
    assert parse_instant(text) == instant


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yesterday",
        "2000-01-01",
        "2000-01-01T00:00:00",
        "2000-01-01 00:00:00Z",
        "2000-01-01T00:00Z",
        "2000-01-01T00:00:00.Z",
        "2000-01-01T00:00:00+0530",
        "2000-01-01T00:00:00+24:00",
        "2000-01-01T00:00:00+05:60",
        "2000-02-30T00:00:00Z",
        "2023-02-29T00:00:00Z",
        "2000-01-01T24:00:00Z",
        "2016-12-31T23:59:60Z",
        "0000-01-01T00:00:00Z",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-14:00",
        "10000-01-01T00:00:00Z",
        " 2000-01-01T00:00:00Z",
        "2000-01-01T00:00:00Z\n",
        "\u0662000-01-01T00:00:00Z",
        None,
        5,
        dt.datetime(2000, 1, 1, tzinfo=_UTC),
    ],
)
def test_what_names_no_instant_is_none(text: object) -> None:
    """Other spellings, days that never were and years out of range name no instant."""
    assert parse_instant(text) is None


def test_spelling_is_utc_with_six_digits_or_none() -> None:
    """A zero fraction is not spelled, any other has six digits, and the zone is always Z."""
    ahead = dt.timezone(dt.timedelta(hours=2))
    assert spell_instant(dt.datetime(2000, 1, 1, 2, tzinfo=ahead)) == "2000-01-01T00:00:00Z"
    assert spell_instant(dt.datetime(2000, 1, 1, 0, 0, 0, 500_000, _UTC)) == "2000-01-01T00:00:00.500000Z"
