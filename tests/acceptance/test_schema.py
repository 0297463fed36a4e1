"""The relational schema on a real server: there and back, what it refuses, shows and does by itself."""

import asyncio
import datetime as dt
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
import pytest
import pytest_asyncio
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.ext.asyncio import create_async_engine

from manystore.stores.postgres import capture_triggers
from mystira import schema
from mystira.domain.accounts.model import NewAccount
from mystira.schema.mappings import MAPPINGS
from mystira.schema.tables import METADATA
from mystira.schema.upgrades import Patience, SchemaBusyError, current, downgrade, head, upgrade
from mystira.servers import embedded_servers
from mystira.settings import Settings
from tests.embedded import FAST

Connection = Any
TEMPLATE = "schema_template"
ACCOUNT = uuid.UUID(int=1)
OTHER = uuid.UUID(int=2)
PROFILE = uuid.UUID(int=3)
LONG_AGO = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)


@pytest_asyncio.fixture(scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    """The URL, but for the database's name, of a server that holds a migrated database to copy from."""
    settings = Settings(data_folder=tmp_path_factory.mktemp("schema") / "data")
    async with embedded_servers(settings, postgres_options=FAST) as running:
        assert running.postgres_url is not None
        url = running.postgres_url.rpartition("/")[0]
        await _administer(running.postgres_url, f"create database {TEMPLATE}")
        await upgrade(f"{url}/{TEMPLATE}")
        yield url


@pytest_asyncio.fixture
async def empty_url(server: str) -> AsyncIterator[str]:
    """A database in which nothing was made yet."""
    async for url in _database(server, "template1"):
        yield url


@pytest_asyncio.fixture
async def migrated_url(server: str) -> AsyncIterator[str]:
    """A database at the newest revision, without rows."""
    async for url in _database(server, TEMPLATE):
        yield url


@pytest_asyncio.fixture
async def connection(migrated_url: str) -> AsyncIterator[Connection]:
    """Somebody with psql, at the newest revision."""
    connection = await asyncpg.connect(migrated_url)
    yield connection
    await connection.close()


async def _database(server: str, template: str) -> AsyncIterator[str]:
    name = f"schema_{uuid.uuid4().hex}"
    await _administer(f"{server}/postgres", f"create database {name} template {template}")
    yield f"{server}/{name}"
    await _administer(f"{server}/postgres", f"drop database {name} with (force)")


async def _administer(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


_CATALOGUE = """
select 'column ' || table_name || '.' || column_name as name,
       concat_ws(' ', udt_name, character_maximum_length, is_nullable, column_default) as form
from information_schema.columns join information_schema.tables using (table_schema, table_name)
where table_schema = 'public' and table_type = 'BASE TABLE' and table_name <> 'alembic_version'
union all
select 'constraint ' || conname, pg_get_constraintdef(oid) from pg_constraint
where connamespace = 'public'::regnamespace and conname not like 'alembic%'
union all
select 'index ' || indexname, indexdef from pg_indexes
where schemaname = 'public' and indexname not like '%\\_masked' and indexname not like 'alembic%'
"""

_CAPTURE = """
select 'trigger ' || tgrelid::regclass || '.' || tgname as name, pg_get_triggerdef(oid) as form
from pg_trigger where tgname like 'manystore\\_%'
union all
select 'function ' || proname, pg_get_functiondef(pg_proc.oid) from pg_proc
where pronamespace = 'manystore'::regnamespace
union all
select 'index ' || indexname, indexdef from pg_indexes where indexname like '%\\_masked'
"""

_ROUTINES = """
select 'trigger ' || tgrelid::regclass || '.' || tgname as name, pg_get_triggerdef(oid) as form
from pg_trigger where not tgisinternal
union all
select 'function ' || pronamespace::regnamespace || '.' || proname, pg_get_functiondef(pg_proc.oid)
from pg_proc where pronamespace in ('public'::regnamespace, 'manystore'::regnamespace)
union all
select 'view ' || viewname, definition from pg_views where schemaname = 'public'
"""


async def _forms(connection: Connection, query: str) -> dict[str, str]:
    return {row["name"]: row["form"] for row in await connection.fetch(query)}


async def _forms_at(url: str, query: str) -> dict[str, str]:
    connection = await asyncpg.connect(url)
    try:
        return await _forms(connection, query)
    finally:
        await connection.close()


# -- there and back ----------------------------------------------------------------------------------------


async def test_up_and_down_and_up_leads_to_the_same_place(empty_url: str) -> None:
    """A step back removes all that the step made, and the way up is open again."""
    everything = f"{_CATALOGUE} union all {_ROUTINES}"
    assert await current(empty_url) is None
    await upgrade(empty_url)
    assert await current(empty_url) == head()
    first = await _forms_at(empty_url, everything)
    await downgrade(empty_url, "base")
    assert await current(empty_url) is None
    left = await _forms_at(empty_url, everything)
    assert {name.partition(".")[0] for name in left} == {"function manystore"}
    assert not any(mapping.kind.name in name for name in left for mapping in MAPPINGS)
    await upgrade(empty_url)
    assert await _forms_at(empty_url, everything) == first
    assert {"view active_subscriptions", "view user_profiles_with_account"} <= set(first)


async def test_several_who_upgrade_at_once_do_it_once(empty_url: str) -> None:
    """One takes the steps, the others wait and find them taken."""
    await asyncio.gather(*(upgrade(empty_url) for _ in range(4)))
    assert await current(empty_url) == head()


async def test_a_table_in_use_is_not_waited_for_long(connection: Connection, migrated_url: str) -> None:
    """A step that cannot have its table gives up with a clear refusal, changes nothing, and works later."""
    patience = Patience(lock=0.05, pause=0.01, attempts=2)
    transaction = connection.transaction()
    await transaction.start()
    await connection.execute("lock table accounts in access share mode")
    with pytest.raises(SchemaBusyError, match="2 attempts"):
        await downgrade(migrated_url, "base", patience=patience)
    assert await current(migrated_url) == head()
    await connection.execute("select * from user_profiles_with_account")
    await transaction.rollback()
    await downgrade(migrated_url, "base", patience=patience)
    assert await current(migrated_url) is None


def test_every_step_has_a_way_back() -> None:
    """No revision leaves out its downgrade, and all form one line."""
    script = ScriptDirectory(str(Path(schema.__file__).with_name("migrations")))
    revisions = list(script.walk_revisions())
    assert len(script.get_heads()) == 1
    assert all(callable(getattr(revision.module, "downgrade", None)) for revision in revisions)


async def test_autogenerate_finds_nothing_to_do(migrated_url: str) -> None:
    """Alembic sees no difference between the declared tables and the migrated database."""

    def differences(plain: sa.Connection) -> list[Any]:
        def is_ours(_: Any, name: str | None, kind: str, reflected: bool, __: Any) -> bool:
            # The index by which the engine looks behind masks comes with its triggers.
            return not (reflected and kind == "index" and str(name).endswith("_masked"))

        options = {"include_object": is_ours, "compare_type": True, "compare_server_default": True}
        return list(compare_metadata(MigrationContext.configure(plain, opts=options), METADATA))

    engine = create_async_engine(migrated_url.replace("postgresql:", "postgresql+asyncpg:"))
    async with engine.connect() as connection:
        assert await connection.run_sync(differences) == []
    await engine.dispose()


async def test_the_declared_tables_are_the_migrated_ones(empty_url: str, connection: Connection) -> None:
    """Also where autogenerate does not look: every default, check, expression and condition is the same."""
    engine = create_async_engine(empty_url.replace("postgresql:", "postgresql+asyncpg:"))
    async with engine.begin() as other:
        await other.run_sync(METADATA.create_all)
    await engine.dispose()
    declared, migrated = await _forms_at(empty_url, _CATALOGUE), await _forms(connection, _CATALOGUE)
    assert declared.items() - migrated.items() == set()
    assert migrated.items() - declared.items() == set()


async def test_capture_is_installed_as_the_engine_would_now(connection: Connection) -> None:
    """The migration's frozen text and the engine of this release make the same triggers and functions."""
    before = await _forms(connection, _CAPTURE)
    for mapping in MAPPINGS:
        for statement in capture_triggers(mapping):
            await connection.execute(statement)
    assert await _forms(connection, _CAPTURE) == before
    assert sum(name.startswith("trigger") for name in before) == 12


# -- what it refuses ---------------------------------------------------------------------------------------


async def _account(connection: Connection, key: uuid.UUID = ACCOUNT, **more: Any) -> None:
    await _insert(connection, "accounts", **{"id": key, "email": f"a{key.int}@example.org"} | more)


async def _insert(connection: Connection, table: str, **values: Any) -> None:
    places = ", ".join(f"${number}" for number in range(1, len(values) + 1))
    await connection.execute(f"insert into {table} ({', '.join(values)}) values ({places})", *values.values())


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


@pytest_asyncio.fixture
async def family(connection: Connection) -> Connection:
    """One account with everything, and a profile with a badge."""
    return await _settle(connection)


@pytest_asyncio.fixture(scope="module")
async def standing_family(server: str) -> AsyncIterator[Connection]:
    """The same, for tests that leave no trace."""
    async for url in _database(server, TEMPLATE):
        connection = await asyncpg.connect(url)
        yield await _settle(connection)
        await connection.close()


async def _settle(connection: Connection) -> Connection:
    await _account(connection, external_user_id="idp|1", created_at=LONG_AGO, updated_at=LONG_AGO)
    await _insert(connection, "subscriptions", account_id=ACCOUNT, updated_at=LONG_AGO)
    await _insert(connection, "completed_scenarios", account_id=ACCOUNT, scenario_id="lantern")
    await _insert(connection, "user_profiles", id=PROFILE, account_id=ACCOUNT, name="Mia")
    badge = {"user_profile_id": PROFILE, "badge_configuration_id": "steady", "badge_name": "S", "axis": "A"}
    await _insert(connection, "user_badges", **badge)
    # Set last, because the rows of parts have touched their roots.
    await _as_engine(connection, "put accounts", "update accounts set updated_at = $1", LONG_AGO)
    await _as_engine(connection, "put user_profiles", "update user_profiles set updated_at = $1", LONG_AGO)
    return connection


async def _as_engine(connection: Connection, mode: str, statement: str, *values: Any) -> None:
    async with connection.transaction():
        await connection.execute("select set_config('manystore.mode', $1, true)", mode)
        await connection.execute(statement, *values)


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
        await _insert(standing_family, table, **values)
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
    await _as_engine(family, f"{mode} {table}", change, exact)
    assert await family.fetchval(f"select updated_at from {table}") == exact


async def test_the_row_of_a_subscription_keeps_its_own_dates(family: Connection) -> None:
    """They are moved by every real change of the row, by whomever, and by nothing else."""
    await _as_engine(family, "put accounts", "update subscriptions set tier = tier")
    assert await family.fetchval("select updated_at from subscriptions") == LONG_AGO
    await _as_engine(family, "put accounts", "update subscriptions set tier = 'Family'")
    assert await family.fetchval("select updated_at from subscriptions") > LONG_AGO


async def test_a_copied_completion_has_no_date(family: Connection) -> None:
    """Documents do not say when; a row that is copied must not pretend that it was just now."""
    insert = "insert into completed_scenarios (account_id, scenario_id) values ($1, $2)"
    await _as_engine(family, "copy accounts", insert, ACCOUNT, "moss")
    await _as_engine(family, "put accounts", insert, ACCOUNT, "glass")
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
        await _account(connection, key, display_name=f"case {number}")
        await _insert(connection, "subscriptions", account_id=key, is_active=is_active, valid_until=until)
    rows = await connection.fetch("select * from active_subscriptions order by display_name")
    assert [(row["display_name"], row["email"]) for row in rows] == [
        ("case 1", "a1@example.org"),
        ("case 2", "a2@example.org"),
    ]
    assert "purchase_token" not in dict(rows[0])


async def test_profiles_are_shown_with_account_and_subscription(family: Connection) -> None:
    """Every profile appears once: with its account's columns, or with nulls where there is none."""
    await _insert(family, "user_profiles", id=OTHER, name="Guest", is_guest=True)
    rows = await family.fetch("select * from user_profiles_with_account order by name")
    shown = [(row["name"], row["account_email"], row["account_role"]) for row in rows]
    assert shown == [("Guest", None, None), ("Mia", "a1@example.org", "Guest")]
    assert [row["subscription_type"] for row in rows] == [None, "Free"]
    assert [row["subscription_active"] for row in rows] == [None, True]


# -- what finds it -----------------------------------------------------------------------------------------

INDEXED = {
    "accounts": {"lower(email::text)", "external_user_id", "role", "created_at"},
    "subscriptions": {"account_id", "type", "valid_until"},
    "completed_scenarios": {"account_id", "scenario_id"},
    "user_profiles": {"account_id", "age_group", "created_at", "preferred_themes"},
    "user_badges": {"user_profile_id", "badge_configuration_id", "axis", "earned_at"},
}


@pytest.mark.parametrize("table", INDEXED)
async def test_what_is_searched_for_is_indexed(connection: Connection, table: str) -> None:
    """Foreign keys, role, creation time, e-mail, external identity: each leads an index."""
    rows = await connection.fetch(
        "select pg_get_indexdef(indexrelid, 1, true) as leading, pg_get_expr(indpred, indrelid) as condition"
        " from pg_index where indrelid = $1::text::regclass",
        table,
    )
    assert INDEXED[table] <= {row["leading"] for row in rows}
    partial = {row["condition"] for row in rows if row["condition"]}
    expected = {"subscriptions": "(NOT is_active)", "user_profiles": "is_guest"}.get(table)
    assert expected is None or expected in partial


async def test_every_foreign_key_leads_an_index(connection: Connection) -> None:
    """So that deleting a parent does not read its children's whole table."""
    unled = await connection.fetch(
        "select conname from pg_constraint where contype = 'f' and not exists ("
        " select from pg_index where indrelid = conrelid and indkey[0] = conkey[1] and indpred is null)"
    )
    assert unled == []
