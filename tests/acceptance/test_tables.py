"""What the tables refuse, what they do by themselves, and what their views show."""

import datetime as dt
import uuid
from typing import Any

import asyncpg
import msgspec
import pytest

from mystira.domain.accounts.model import NewAccount
from tests.acceptance.migrated import (
    ACCOUNT,
    LONG_AGO,
    OTHER,
    PROFILE,
    Connection,
    connection,
    family,
    family_of_all,
    insert,
    insert_account,
    migrated_url,
    run_as_engine,
    standing_family,
)

__all__ = ["connection", "family", "family_of_all", "migrated_url", "standing_family"]

# -- what it refuses ---------------------------------------------------------------------------------------


_UNIQUE = asyncpg.UniqueViolationError
_CHECK = asyncpg.CheckViolationError
_FOREIGN = asyncpg.ForeignKeyViolationError
_NULL = asyncpg.NotNullViolationError

REFUSALS: list[tuple[str, dict[str, Any], type[Exception], str | None]] = [
    ("accounts", {"email": "A1@EXAMPLE.ORG"}, _UNIQUE, "accounts_email_key"),
    ("accounts", {"email": "x@x.org", "external_user_id": "idp|1"}, _UNIQUE, "accounts_external_user_id_key"),
    ("accounts", {"email": "x@x.org", "id": ACCOUNT}, _UNIQUE, "accounts_pkey"),
    ("accounts", {"email": "x@x.org", "role": "Owner"}, _CHECK, "accounts_role_check"),
    ("accounts", {"email": None}, _NULL, None),
    ("subscriptions", {"account_id": ACCOUNT}, _UNIQUE, "subscriptions_account_id_key"),
    ("subscriptions", {"account_id": OTHER, "type": "Weekly"}, _CHECK, "subscriptions_type_check"),
    ("subscriptions", {"account_id": OTHER}, _FOREIGN, "subscriptions_account_id_fkey"),
    (
        "completed_scenarios",
        {"account_id": ACCOUNT, "scenario_id": "lantern"},
        _UNIQUE,
        "completed_scenarios_account_id_scenario_id_key",
    ),
    (
        "completed_scenarios",
        {"account_id": OTHER, "scenario_id": "lantern"},
        _FOREIGN,
        "completed_scenarios_account_id_fkey",
    ),
    ("user_profiles", {"account_id": OTHER}, _FOREIGN, "user_profiles_account_id_fkey"),
    ("user_profiles", {"age_group": "6 to 9"}, _CHECK, "user_profiles_age_group_check"),
    ("user_profiles", {"age_group": "6-"}, _CHECK, "user_profiles_age_group_check"),
    ("user_profiles", {"age_group": "6-9\n"}, _CHECK, "user_profiles_age_group_check"),
    (
        "user_badges",
        {"user_profile_id": PROFILE, "badge_configuration_id": "steady", "badge_name": "S", "axis": "A"},
        _UNIQUE,
        "user_badges_user_profile_id_badge_configuration_id_key",
    ),
    (
        "user_badges",
        {"user_profile_id": OTHER, "badge_configuration_id": "x", "badge_name": "S", "axis": "A"},
        _FOREIGN,
        "user_badges_user_profile_id_fkey",
    ),
]


@pytest.mark.parametrize(("table", "values", "error", "constraint"), REFUSALS)
async def test_what_must_not_be_is_refused(
    standing_family: Connection,
    table: str,
    values: dict[str, Any],
    error: type[Exception],
    constraint: str | None,
) -> None:
    """Each constraint refuses what it is there for, by its name."""
    with pytest.raises(error) as refused:
        await insert(standing_family, table, **values)
    assert getattr(refused.value, "constraint_name", None) == constraint


EMAILS = [
    ("ada@example.org", True),
    ("Ada.Lovelace+books@mail.example.co.uk", True),
    ("o'brien_%&*@xn--bcher-kva.example", True),
    ("a@b.cd", True),
    ("ada", False),
    ("@example.org", False),
    ("ada@", False),
    ("ada@example", False),
    ("ada@example.", False),
    ("ada@example..org", False),
    ("ada@example.o", False),
    ("ada@@example.org", False),
    ("a da@example.org", False),
    ("ada@exam ple.org", False),
    ("ada@example.org\n", False),
    ("\nada@example.org", False),
    ("jürgen@example.org", False),
    ("ada@müller.org", False),
    ("", False),
]


@pytest.mark.parametrize(("email", "is_good"), EMAILS)
async def test_table_and_request_agree_on_email_addresses(
    standing_family: Connection, email: str, is_good: bool
) -> None:
    """What the API lets in, the table takes, and neither takes what is no address."""
    change = "update accounts set email = $1"
    if is_good:
        msgspec.convert({"email": email}, NewAccount)
        await standing_family.execute(change, email)
        return
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"email": email}, NewAccount)
    with pytest.raises(_CHECK):
        await standing_family.execute(change, email)


async def test_what_a_row_by_hand_leaves_out_has_a_sensible_value(family: Connection) -> None:
    """Somebody who inserts with psql gets ids, times and defaults from the server."""
    account = await family.fetchrow("select * from accounts")
    assert (account["role"], account["display_name"], account["settings"]) == ("Guest", "", "{}")
    assert account["residue"] is None
    subscription = await family.fetchrow("select * from subscriptions")
    assert (subscription["type"], subscription["is_active"]) == ("Free", True)
    assert subscription["purchased_scenarios"] == []
    profile = await family.fetchrow("select * from user_profiles")
    assert (profile["age_group"], profile["preferred_themes"]) == ("6-9", "[]")
    assert await family.fetchval("select completed_at is not null from completed_scenarios")


# -- what it does itself -----------------------------------------------------------------------------------


async def test_an_account_takes_its_parts_along_and_leaves_profiles(family: Connection) -> None:
    """Subscription and completed scenarios go with the account; its profile stays, without it."""
    await family.execute("delete from accounts")
    for table, left in (("subscriptions", 0), ("completed_scenarios", 0), ("user_badges", 1)):
        assert await family.fetchval(f"select count(*) from {table}") == left
    assert await family.fetchval("select account_id is null from user_profiles")


async def test_a_profile_takes_its_badges_along(family: Connection) -> None:
    """Badges go with the profile, the account stays."""
    await family.execute("delete from user_profiles")
    assert await family.fetchval("select count(*) from user_badges") == 0
    assert await family.fetchval("select count(*) from accounts") == 1


@pytest.mark.parametrize(
    ("table", "change"),
    [
        ("accounts", "update accounts set display_name = 'Ada'"),
        ("accounts", "update subscriptions set tier = 'Family'"),
        ("accounts", "delete from completed_scenarios"),
        ("user_profiles", "update user_profiles set bio = 'Likes owls'"),
        ("user_profiles", "update user_badges set badge_message = 'Well done'"),
    ],
)
async def test_a_change_by_hand_is_dated_and_counted(family: Connection, table: str, change: str) -> None:
    """A change of a record or of a part of it sets updated_at, raises the version and is logged."""
    version = await family.fetchval(f"select version from {table}")
    logged = await family.fetchval("select count(*) from manystore.change_log where kind = $1", table)
    await family.execute(change)
    row = await family.fetchrow(f"select version, updated_at from {table}")
    assert row["version"] == version + 1
    assert row["updated_at"] > LONG_AGO
    assert logged + 1 == await family.fetchval(
        "select count(*) from manystore.change_log where kind = $1", table
    )


@pytest.mark.parametrize("table", ["accounts", "user_profiles"])
@pytest.mark.parametrize("mode", ["put", "copy"])
async def test_the_engine_dates_its_own_changes(family: Connection, table: str, mode: str) -> None:
    """What a document says of its last change arrives as it is said, whether as truth or as copy."""
    exact = dt.datetime(2024, 2, 29, 23, 59, 59, 123457, tzinfo=dt.UTC)
    change = f"update {table} set updated_at = $1, version = version + 1"
    await run_as_engine(family, f"{mode} {table}", change, exact)
    assert await family.fetchval(f"select updated_at from {table}") == exact


async def test_the_row_of_a_subscription_keeps_its_own_dates(family: Connection) -> None:
    """They are moved by every real change of the row, by whomever, and by nothing else."""
    await run_as_engine(family, "put accounts", "update subscriptions set tier = tier")
    assert await family.fetchval("select updated_at from subscriptions") == LONG_AGO
    await run_as_engine(family, "put accounts", "update subscriptions set tier = 'Family'")
    assert await family.fetchval("select updated_at from subscriptions") > LONG_AGO


async def test_a_copied_completion_has_no_date(family: Connection) -> None:
    """Documents do not say when; a row that is copied must not pretend that it was just now."""
    insert = "insert into completed_scenarios (account_id, scenario_id) values ($1, $2)"
    await run_as_engine(family, "copy accounts", insert, ACCOUNT, "moss")
    await run_as_engine(family, "put accounts", insert, ACCOUNT, "glass")
    rows = await family.fetch("select scenario_id, completed_at from completed_scenarios")
    dated = {row["scenario_id"]: row["completed_at"] is not None for row in rows}
    assert dated == {"lantern": True, "moss": False, "glass": True}


# -- what it shows -----------------------------------------------------------------------------------------


async def test_active_subscriptions_are_active_and_not_lapsed(connection: Connection) -> None:
    """One that is switched off and one past its date are left out; one without a date never lapses."""
    hour = dt.timedelta(hours=1)
    now = dt.datetime.now(dt.UTC)
    cases = [(True, None), (True, now + hour), (True, now - hour), (False, None), (False, now + hour)]
    for number, (is_active, until) in enumerate(cases, start=1):
        key = uuid.UUID(int=number)
        await insert_account(connection, key, display_name=f"case {number}")
        await insert(connection, "subscriptions", account_id=key, is_active=is_active, valid_until=until)
    rows = await connection.fetch("select * from active_subscriptions order by display_name")
    assert [(row["display_name"], row["email"]) for row in rows] == [
        ("case 1", "a1@example.org"),
        ("case 2", "a2@example.org"),
    ]
    assert "purchase_token" not in dict(rows[0])


async def test_profiles_are_shown_with_account_and_subscription(family: Connection) -> None:
    """Every profile appears once: with its account's columns, or with nulls where there is none."""
    await insert(family, "user_profiles", id=OTHER, name="Guest", is_guest=True)
    rows = await family.fetch("select * from user_profiles_with_account order by name")
    shown = [(row["name"], row["account_email"], row["account_role"]) for row in rows]
    assert shown == [("Guest", None, None), ("Mia", "a1@example.org", "Guest")]
    assert [row["subscription_type"] for row in rows] == [None, "Free"]
    assert [row["subscription_active"] for row in rows] == [None, True]
