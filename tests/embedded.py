"""The platform's own PostgreSQL and Redis for a whole test run, as fixtures.

`from tests.embedded import embedded, database_url` in a conftest makes them known there. They end with the
run, however it ends.
"""

import uuid
from collections.abc import AsyncIterator

import asyncpg
import pytest
import pytest_asyncio

from mystira.servers import embedded_servers
from mystira.settings import Settings

FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "shared_buffers": "128MB"}
"""What would lose data in a loss of power, which no test has."""


@pytest_asyncio.fixture(scope="session")
async def embedded(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Settings]:
    """Settings that point to servers started for this run."""
    settings = Settings(data_folder=tmp_path_factory.mktemp("embedded") / "data")
    async with embedded_servers(settings, postgres_options=FAST) as running:
        yield running


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
