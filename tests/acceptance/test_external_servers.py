"""A platform on a PostgreSQL of somebody else's: the oldest release that is promised, behind a pooler."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from random import Random

import asyncpg
import pytest
import pytest_asyncio

from manystore.stores.sqlite import SqliteStore
from mystira.demonstration.stage import Stage, stage
from mystira.domain.accounts.kind import ACCOUNTS
from mystira.simulation.people import make_former_accounts
from tests.commands import command
from tests.platform_process import gone
from tests.postgres_pooler import postgres_pooler
from tests.postgres_server import OLDEST, postgres_server

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def direct_url() -> Iterator[str]:
    with postgres_server(binaries=OLDEST) as url:
        yield url


@pytest.fixture(scope="module")
def pooled_url(direct_url: str) -> Iterator[str]:
    """A pooler with fewer sessions than the platform has connections."""
    with postgres_pooler(direct_url, sessions=4) as url:
        yield url


def _configure(folder: Path, **values: str) -> Path:
    folder.mkdir(parents=True)
    lines = (f'{name} = "{value}"\n' for name, value in values.items())
    (folder / "mystira.toml").write_text("".join(lines), encoding="utf-8")
    return folder


@pytest_asyncio.fixture(scope="module")
async def up(
    tmp_path_factory: pytest.TempPathFactory, direct_url: str, pooled_url: str
) -> AsyncIterator[Stage]:
    folder = tmp_path_factory.mktemp("external") / "data"
    _configure(folder, postgres_url=pooled_url, postgres_direct_url=direct_url, profiles_home="split")
    async with stage(folder) as platform:
        await platform.up()
        store = SqliteStore(platform.settings.documents_path)
        await store.open()
        await store.adopt(ACCOUNTS, make_former_accounts(Random(1), 300))
        await store.close()
        yield platform
    await gone(folder)


async def test_families_and_a_move_there_and_back(up: Stage, direct_url: str) -> None:
    """Every step ends well, what families were promised before and after is there, and it was this server."""
    for step in ("plan", "start", "verify", "cut-over"):
        told = await command("move", step, "accounts", "--json", folder=up.folder)
        assert told.code == 0, told.output + told.notes
    load = ("simulate", "--load", "records", "--rate", "40", "--seconds", "2", "--processes", "1", "--json")
    told = await command(*load, folder=up.folder)
    assert told.code == 0, told.output + told.notes
    assert (told.document["witness"]["lost"], told.document["witness"]["divergent"]) == (0, 0)
    assert told.document["problems"] == {}
    told = await command("move", "cut-back", "accounts", "--json", folder=up.folder)
    assert told.code == 0, told.output + told.notes
    started = await command("move", "start", "user_profiles", "--json", folder=up.folder)
    assert started.code == 0, started.output + started.notes
    swept = await command("store", "sweep", "user_profiles", "--json", folder=up.folder)
    assert swept.code == 0, swept.output + swept.notes
    assert swept.document["records"] > 0
    assert (swept.document["kind"], swept.document["lost"]) == ("user_profiles", [])
    refused = await command("store", "sweep", "accounts", folder=up.folder)
    assert (refused.code, "is not split here" in refused.notes) == (1, True)
    psql = await asyncpg.connect(direct_url)
    assert await psql.fetchval("select count(*) from accounts") > 300
    assert psql.get_server_version().major == 15
    await psql.close()


async def test_the_schema_is_not_changed_through_a_pooler(tmp_path: Path, pooled_url: str) -> None:
    """Where only the pooler's address is known, that is one sentence with the setting to add."""
    folder = _configure(tmp_path / "data", postgres_url=pooled_url)
    refused = await command("schema", "upgrade", folder=folder)
    assert refused.code == 2
    assert "MYSTIRA_POSTGRES_DIRECT_URL" in refused.notes
    assert len(refused.notes.strip().splitlines()) <= 2
    asked = await command("schema", "current", folder=folder)
    assert asked.code in (0, 1), asked.notes
