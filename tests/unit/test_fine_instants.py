"""Former records tell time to 100 ns; values have microseconds, cut and never rounded."""

import datetime as dt

import msgspec
import pytest

from manystore.instants import cut_text, parse_instant
from manystore.records import Content
from mystira.domain.accounts.kind import ACCOUNTS
from mystira.domain.profiles.kind import USER_PROFILES
from tests.unit.household import open_household

KEY = "01941f29-7c00-7aaa-9aaa-aaaaaaaaaaaa"
FINE = "2024-01-31T23:59:59.9999999Z"
CUT = dt.datetime(2024, 1, 31, 23, 59, 59, 999_999, dt.UTC)


@pytest.mark.parametrize(
    ("text", "cut"),
    [
        (FINE, "2024-01-31T23:59:59.999999Z"),
        ("2024-01-31t23:59:59.1234567+05:45", "2024-01-31t23:59:59.123456+05:45"),
        ("2024-01-31T23:59:59.123456Z", "2024-01-31T23:59:59.123456Z"),
        ("2024-01-31T23:59:59Z", "2024-01-31T23:59:59Z"),
        ("no instant at all, though long", "no instant at all, though long"),
    ],
)
def test_a_text_keeps_six_digits(text: str, cut: str) -> None:
    """Whatever else the text says stays; the instant that the engine reads is the same."""
    assert cut_text(text) == cut
    assert parse_instant(text) == parse_instant(cut)


async def test_values_have_the_instant_that_columns_have() -> None:
    """A value's instants are cut at any depth, and changing something else keeps their own spelling."""
    household = await open_household()
    account: Content = {
        "id": KEY,
        "createdAt": FINE,
        "email": "ada@example.org",
        "subscription": {"startDate": FINE, "storeCountry": "ZA"},
    }
    badge = {
        "id": KEY,
        "badgeConfigurationId": "b",
        "badgeName": "B",
        "axis": "Courage",
        "earnedAt": FINE,
    }
    profile: Content = {"id": KEY, "createdAt": FINE, "earnedBadges": [badge]}
    await household.accounts.get(KEY)
    await household.store.put(ACCOUNTS, KEY, account, expected=None, epoch=1)
    await household.profiles.get(KEY)
    await household.store.put(USER_PROFILES, KEY, profile, expected=None, epoch=1)

    stored = await household.accounts.get(KEY)
    played = await household.profiles.get(KEY)
    assert stored is not None
    assert played is not None
    assert (stored.value.created_at, stored.value.subscription.start_date) == (CUT, CUT)
    assert played.value.earned_badges[0].earned_at == CUT
    assert stored.value.updated_at is None

    changed = await household.accounts.change(stored, msgspec.structs.replace(stored.value, display_name="A"))
    assert changed.record.content == {**account, "displayName": "A"}
