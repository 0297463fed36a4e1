"""What all tests may share: servers, one of each for the run (of one worker), and databases in them."""

import contextlib
import uuid
from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING

import asyncpg
import pytest
import pytest_asyncio
from hypothesis import HealthCheck, settings

from tests.postgres_server import postgres_server

if TYPE_CHECKING:
    from mystira.settings import Settings

# Before any module that imports the suite, whichever folder's tests come first.
pytest.register_assert_rewrite("manystore.testing.contract")

# A busy machine is slow at everything, which says nothing of what a test proves.
settings.register_profile("house", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("house")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that hold slow tests, end with those of `unit`, which are quick.

    Of workers side by side, one that begins something long at the end would be busy alone.
    """
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: (item.path not in slow, item.nodeid.startswith("tests/unit/")))


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """The URL of a server that was started for this run and ends with it."""
    with postgres_server() as url:
        yield url


@pytest_asyncio.fixture(scope="session")
async def own_servers(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator["Settings"]:
    """The platform's own servers, started for this run; tests ask for them by `embedded`."""
    from tests.embedded import fast_servers  # noqa: PLC0415 - as below

    async with fast_servers(tmp_path_factory.mktemp("embedded") / "data") as settings:
        yield settings


@pytest_asyncio.fixture(scope="module")
async def postgres_database(postgres_url: str) -> AsyncIterator[str]:
    """The URL of an empty database for one module of tests."""
    async with _database(postgres_url) as url:
        yield url


@contextlib.asynccontextmanager
async def _database(postgres_url: str) -> AsyncIterator[str]:
    name = f"test_{uuid.uuid4().hex}"
    owner = await asyncpg.connect(postgres_url)
    try:
        await owner.execute(f'create database "{name}"')
        yield postgres_url.rpartition("/")[0] + f"/{name}"
        await owner.execute(f'drop database "{name}" with (force)')
    finally:
        await owner.close()


@pytest_asyncio.fixture(scope="module")
async def sample_database(postgres_database: str) -> str:
    """A database with tables for the engine's sample kinds."""
    # Only here, so that tests without a database do not load what describes tables.
    from tests.contract.postgres_tables import prepare  # noqa: PLC0415

    await prepare(postgres_database)
    return postgres_database


@pytest_asyncio.fixture(scope="module")
async def sample_twin(postgres_url: str) -> AsyncIterator[str]:
    """Another one."""
    from tests.contract.postgres_tables import prepare  # noqa: PLC0415

    async with _database(postgres_url) as url:
        await prepare(url)
        yield url
