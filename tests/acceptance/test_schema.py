"""The relational schema on a real server: there and back, and as it was declared."""

import asyncio
import socket
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.ext.asyncio import create_async_engine

from manystore.errors import UnavailableError
from manystore.stores.postgres import capture_triggers
from mystira import schema
from mystira.schema.mappings import MAPPINGS
from mystira.schema.tables import METADATA
from mystira.schema.upgrades import (
    Patience,
    RevisionError,
    SchemaBusyError,
    current,
    downgrade,
    head,
    upgrade,
)
from tests.acceptance.migrated import Connection, connection, empty_url, migrated_url

__all__ = ["connection", "empty_url", "migrated_url"]

_CATALOGUE = """
select 'column ' || table_name || '.' || column_name as name,
       concat_ws(' ', udt_name, character_maximum_length, is_nullable, column_default) as form
from information_schema.columns join information_schema.tables using (table_schema, table_name)
where table_schema = 'public' and table_type = 'BASE TABLE' and table_name <> 'alembic_version'
union all
select 'table ' || relname, array_to_string(reloptions, ' ') from pg_class
where relnamespace = 'public'::regnamespace and relkind = 'r' and relname <> 'alembic_version'
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
    await downgrade(migrated_url, "0002")
    patience = Patience(lock=0.05, pause=0.01, attempts=2)
    transaction = connection.transaction()
    await transaction.start()
    await connection.execute("lock table accounts in access share mode")
    with pytest.raises(SchemaBusyError, match="2 attempts"):
        await downgrade(migrated_url, "base", patience=patience)
    assert await current(migrated_url) == "0002"
    await connection.execute("select * from user_profiles_with_account")
    await transaction.rollback()
    await downgrade(migrated_url, "base", patience=patience)
    assert await current(migrated_url) is None


async def test_a_revision_that_is_not_known_is_named(migrated_url: str) -> None:
    """A word that no step is called by is refused as such, and nothing changes."""
    with pytest.raises(RevisionError, match="8888"):
        await upgrade(migrated_url, "8888")
    assert await current(migrated_url) == head()


async def test_a_server_that_is_not_there_is_not_available() -> None:
    """Whoever asks for the schema learns that PostgreSQL cannot be asked, not what a driver calls it."""
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        with pytest.raises(UnavailableError, match="PostgreSQL"):
            await current(f"postgresql://mystira@127.0.0.1:{nobody.getsockname()[1]}/mystira")


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
    assert sum(name.startswith("trigger") for name in before) == 33


# -- what finds it -----------------------------------------------------------------------------------------

INDEXED = {
    "accounts": {"lower(email::text)", "external_user_id", "role", "created_at"},
    "subscriptions": {"account_id", "type", "valid_until"},
    "completed_scenarios": {"account_id", "scenario_id"},
    "user_profiles": {"account_id", "age_group", "created_at", "preferred_themes"},
    "user_badges": {"user_profile_id", "badge_configuration_id", "axis", "earned_at"},
    "game_sessions": {"account_id", "profile_id", "scenario_id", "created_at", "live_key"},
    "player_scenario_scores": {"profile_id", "game_session_id", "account_id", "scenario_id"},
    "pending_signups": {"lower(email::text)", "request_id", "expires_at"},
    "sign_ins": {"account_id", "expires_at"},
    "parental_consents": {"child_profile_id", "account_id", "expires_at"},
    "deletion_requests": {"child_profile_id", "account_id", "due_at"},
    "purchases": {"account_id", "reference", "created_at", "status"},
}
PARTIAL = {
    "subscriptions": "(NOT is_active)",
    "user_profiles": "is_guest",
    "game_sessions": "(live_key IS NOT NULL)",
    "parental_consents": "(verified_at IS NULL)",
    "deletion_requests": "(completed_at IS NULL)",
}
"""Where few are asked for, what makes them few."""


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
    assert table not in PARTIAL or PARTIAL[table] in partial


async def test_live_sessions_of_an_account_are_found_by_one_index(connection: Connection) -> None:
    """Account and status together lead to them, without a look at what has ended."""
    found = await connection.fetchval(
        "select pg_get_indexdef('game_sessions_account_id_status_idx'::regclass)"
    )
    assert found.endswith("(account_id, status)")


async def test_every_foreign_key_leads_an_index(connection: Connection) -> None:
    """So that deleting a parent does not read its children's whole table."""
    unled = await connection.fetch(
        "select conname from pg_constraint where contype = 'f' and not exists ("
        " select from pg_index where indrelid = conrelid and indkey[0] = conkey[1] and indpred is null)"
    )
    assert unled == []
