"""The platform's own PostgreSQL and Redis for a whole test run, as fixtures.

Where `embedded` and `database_url` are imported, they are known. All that ask, in whatever module, share the
servers of `own_servers`, which is known everywhere (tests/conftest.py): a fixture that several modules import
is one of each of them, and would be started as often. The servers end with the run, however it ends.
"""

import contextlib
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest
import pytest_asyncio

from mystira.servers import embedded_servers
from mystira.settings import Settings

FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "shared_buffers": "128MB"}
"""What would lose data in a loss of power, which no test has."""


@contextlib.asynccontextmanager
async def fast_servers(folder: Path) -> AsyncIterator[Settings]:
    """Servers with their data in the folder, and settings that point to them."""
    async with embedded_servers(Settings(data_folder=folder), postgres_options=FAST) as running:
        yield running


@pytest.fixture(scope="session")
def embedded(own_servers: Settings) -> Settings:
    """Settings that point to servers started for this run."""
    return own_servers


@pytest_asyncio.fixture
async def database_url(embedded: Settings) -> AsyncIterator[str]:
    """An empty database for one test."""
    assert embedded.postgres_url is not None
    name = f"test_{uuid.uuid4().hex}"
    owner = await asyncpg.connect(embedded.postgres_url)
    try:
        await owner.execute(f'CREATE DATABASE "{name}"')
        yield embedded.postgres_url.rpartition("/")[0] + f"/{name}"
        await owner.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
    finally:
        await owner.close()
