"""Databases at the newest revision, empty or with a family in them, as fixtures.

A module that asks for them imports them by name.
"""

import datetime as dt
import uuid
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest_asyncio

from mystira.schema.upgrades import upgrade
from mystira.settings import Settings

Connection = Any
ACCOUNT = uuid.UUID(int=1)
OTHER = uuid.UUID(int=2)
PROFILE = uuid.UUID(int=3)
LONG_AGO = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)

_templates: dict[str, str] = {}


async def template_of(server: str) -> str:
    """The name of a database at the newest revision on that server, to be copied, and for nothing else.

    It is made once: to go through all migrations takes several times as long as a copy.
    """
    if server not in _templates:
        name = "newest_revision"
        owner = await asyncpg.connect(server)
        await owner.execute(f"create database {name}")
        await owner.close()
        await upgrade(f"{server.rpartition('/')[0]}/{name}")
        _templates[server] = name
    return _templates[server]


@pytest_asyncio.fixture
async def empty_url(embedded: Settings) -> AsyncIterator[str]:
    """A database in which nothing was made yet."""
    assert embedded.postgres_url is not None
    async for url in _database(embedded.postgres_url, "template1"):
        yield url


@pytest_asyncio.fixture
async def migrated_url(embedded: Settings) -> AsyncIterator[str]:
    """A database at the newest revision, without rows."""
    async for url in migrated(embedded):
        yield url


@pytest_asyncio.fixture
async def connection(migrated_url: str) -> AsyncIterator[Connection]:
    """Somebody with psql, at the newest revision."""
    connection = await asyncpg.connect(migrated_url)
    yield connection
    await connection.close()


async def migrated(servers: Settings) -> AsyncIterator[str]:
    """The URL of a new database at the newest revision; it goes when the generator is left."""
    assert servers.postgres_url is not None
    async for url in _database(servers.postgres_url, await template_of(servers.postgres_url)):
        yield url


async def _database(owner: str, template: str) -> AsyncIterator[str]:
    name = f"schema_{uuid.uuid4().hex}"
    connection = await asyncpg.connect(owner)
    try:
        await connection.execute(f"create database {name} template {template}")
        yield owner.rpartition("/")[0] + f"/{name}"
        await connection.execute(f"drop database {name} with (force)")
    finally:
        await connection.close()


@pytest_asyncio.fixture
async def family(connection: Connection) -> Connection:
    """One account with everything, and a profile with a badge."""
    return await _settle(connection)


@pytest_asyncio.fixture(scope="module")
async def family_of_all(embedded: Settings) -> AsyncIterator[Connection]:
    """The same family for the tests of a module, which ask for it by `standing_family`."""
    async for url in migrated(embedded):
        connection = await asyncpg.connect(url)
        yield await _settle(connection)
        await connection.close()


@pytest_asyncio.fixture
async def standing_family(family_of_all: Connection) -> AsyncIterator[Connection]:
    """The same, within a transaction that is undone after the test."""
    transaction = family_of_all.transaction()
    await transaction.start()
    yield family_of_all
    await transaction.rollback()


async def _settle(connection: Connection) -> Connection:
    await insert_account(connection, external_user_id="idp|1", created_at=LONG_AGO, updated_at=LONG_AGO)
    await insert(connection, "subscriptions", account_id=ACCOUNT, updated_at=LONG_AGO)
    await insert(connection, "completed_scenarios", account_id=ACCOUNT, scenario_id="lantern")
    await insert(connection, "user_profiles", id=PROFILE, account_id=ACCOUNT, name="Mia")
    badge = {"user_profile_id": PROFILE, "badge_configuration_id": "steady", "badge_name": "S", "axis": "A"}
    await insert(connection, "user_badges", **badge)
    # Set last, because the rows of parts have touched their roots.
    await run_as_engine(connection, "put accounts", "update accounts set updated_at = $1", LONG_AGO)
    await run_as_engine(connection, "put user_profiles", "update user_profiles set updated_at = $1", LONG_AGO)
    return connection


async def run_as_engine(connection: Connection, mode: str, statement: str, *values: Any) -> None:
    async with connection.transaction():
        await connection.execute("select set_config('manystore.mode', $1, true)", mode)
        await connection.execute(statement, *values)


async def insert_account(connection: Connection, key: uuid.UUID = ACCOUNT, **more: Any) -> None:
    await insert(connection, "accounts", **{"id": key, "email": f"a{key.int}@example.org"} | more)


async def insert(connection: Connection, table: str, **values: Any) -> None:
    places = ", ".join(f"${number}" for number in range(1, len(values) + 1))
    await connection.execute(f"insert into {table} ({', '.join(values)}) values ({places})", *values.values())
