"""What a doctor finds in the servers that a platform stands on, each wrong on purpose."""

from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from manystore.moves.dbos_binding import Binding
from mystira.cli.checks import Check
from mystira.cli.server_checks import SESSIONS_OF_A_WORKER, check_postgres
from mystira.settings import Settings
from tests.postgres_pooler import postgres_pooler
from tests.postgres_server import OLDEST, postgres_server

DURABLE = {"fsync": "on", "full_page_writes": "on", "TimeZone": "Asia/Kathmandu"}


async def _checks(**settings: object) -> dict[str, Check]:
    found = await check_postgres(Settings(data_folder=Path("nowhere"), **settings))  # type: ignore[arg-type]
    return {check.name: check for check in found}


@pytest.fixture(scope="module")
async def sound_url() -> AsyncIterator[str]:
    """A server of the oldest release that keeps what it acknowledges, in another time zone than ours."""
    with postgres_server(binaries=OLDEST, **DURABLE) as url:
        yield url


async def test_a_sound_server_is_found_sound(sound_url: str) -> None:
    """Version, settings, room and clock; where it keeps the time does not matter."""
    checks = await _checks(postgres_url=sound_url)
    looked_at = ("PostgreSQL", "PostgreSQL settings", "connections", "transactions", "clock of PostgreSQL")
    assert {name: checks[name].state for name in looked_at} == dict.fromkeys(looked_at, "ok")
    assert checks["PostgreSQL"].found.startswith("15.")
    assert "Asia/Kathmandu" in checks["PostgreSQL settings"].found
    assert "pooler" not in checks


async def test_settings_that_lose_writes_fail(postgres_url: str) -> None:
    """The tests' own server would lose writes with the power; what is wrong is named with what to set."""
    check = (await _checks(postgres_url=postgres_url))["PostgreSQL settings"]
    assert (check.state, check.found) == ("fail", "fsync = off, full_page_writes = off")
    assert check.remedy == "a crash could lose acknowledged writes: set fsync = on, full_page_writes = on"


@pytest.mark.parametrize(
    ("setting", "value", "remedy"),
    [
        ("default_transaction_isolation", "repeatable read", "fences"),
        ("session_replication_role", "replica", "capture of changes"),
        ("default_transaction_read_only", "on", "nothing could be written"),
        ("synchronous_commit", "off", "lose acknowledged writes"),
    ],
)
async def test_settings_of_a_database_count(sound_url: str, setting: str, value: str, remedy: str) -> None:
    """Also where the server is right and somebody had sessions of one database begin otherwise."""
    owner = await asyncpg.connect(sound_url)
    await owner.execute(f"alter database postgres set {setting} = '{value}'")
    try:
        check = (await _checks(postgres_url=sound_url))["PostgreSQL settings"]
    finally:
        await owner.execute(
            f"set default_transaction_read_only = off; alter database postgres reset {setting}"
        )
        await owner.close()
    assert (check.state, check.found) == ("fail", f"{setting} = {value}")
    assert remedy in check.remedy


async def test_commits_that_wait_for_less_or_more_will_do(sound_url: str) -> None:
    """Whatever standbys are waited for: the server itself has the write on its disk."""
    owner = await asyncpg.connect(sound_url)
    try:
        for value in ("local", "remote_write", "remote_apply"):
            await owner.execute(f"alter database postgres set synchronous_commit = '{value}'")
            assert (await _checks(postgres_url=sound_url))["PostgreSQL settings"].state == "ok"
    finally:
        await owner.execute("alter database postgres reset synchronous_commit")
        await owner.close()


async def test_more_connections_than_the_server_has_are_told(sound_url: str) -> None:
    """Sixty less what is held back for superusers; each process may open ten, a worker six more."""
    many = (await _checks(postgres_url=sound_url, api_processes=4))["connections"]
    assert (many.state, "of 57 in use" in many.found, "up to 56" in many.found) == ("ok", True, True)
    more = (await _checks(postgres_url=sound_url, api_processes=5))["connections"]
    assert (more.state, "up to 66" in more.found) == ("warn", True)
    assert "max_connections" in more.remedy


def test_a_worker_opens_as_many_sessions_as_the_doctor_says() -> None:
    """The workflow engine's pool, and one for an examination."""
    binding = Binding("postgresql://nobody@127.0.0.1:1/nothing", "worker")
    assert (binding._config()["sys_db_pool_size"] or 0) + 1 == SESSIONS_OF_A_WORKER


async def test_a_pooler_needs_a_way_past_it(sound_url: str) -> None:
    """With it all is well, and the pooler's own bounds count; without it, or with another pooler's, not."""
    with postgres_pooler(sound_url, sessions=2) as pooled, postgres_pooler(sound_url, sessions=2) as other:
        alone = await _checks(postgres_url=pooled)
        both = await _checks(postgres_url=pooled, postgres_direct_url=sound_url, api_processes=9)
        kept = await _checks(
            postgres_url=pooled, postgres_direct_url=sound_url, postgres_keeps_statements=True
        )
        wrong = await _checks(postgres_url=pooled, postgres_direct_url=other)
    assert alone["pooler"].state == "fail"
    assert "MYSTIRA_POSTGRES_DIRECT_URL" in alone["pooler"].remedy
    assert (both["pooler"].state, both["connections"].state) == ("ok", "ok")
    assert both["pooler"].found == "stands between; no statement stays prepared"
    assert kept["pooler"].found == "stands between; statements stay prepared"
    assert wrong["pooler"].state == "fail"
    gone = await _checks(postgres_url=pooled, postgres_direct_url=sound_url)
    assert (gone["pooler"].state, "MYSTIRA_POSTGRES_URL" in gone["pooler"].remedy) == ("fail", True)


async def test_a_server_that_does_not_answer_is_told_by_its_setting() -> None:
    """One check, with the variable to look at."""
    nowhere = "postgresql://nobody@127.0.0.1:1/nothing"
    (check,) = (await _checks(postgres_url=nowhere, postgres_direct_url=nowhere)).values()
    assert (check.state, "MYSTIRA_POSTGRES_DIRECT_URL" in check.remedy) == ("fail", True)
