"""A platform with former accounts in it, for tests of the commands."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from random import Random

from manystore.stores.sqlite import SqliteStore
from mystira.demonstration.stage import Stage, stage
from mystira.domain.accounts.kind import ACCOUNTS
from mystira.simulation.people import make_former_accounts
from tests.platform_process import gone

RECORDS = 300


@contextlib.asynccontextmanager
async def populated(folder: Path, *, twins: int = 0) -> AsyncIterator[Stage]:
    """A platform that is up; so many pairs of its former accounts share an e-mail address."""
    async with stage(folder) as platform:
        await platform.up()
        store = SqliteStore(platform.settings.documents_path)
        await store.open()
        await store.adopt(ACCOUNTS, make_former_accounts(Random(1), RECORDS, twins=twins))
        await store.close()
        yield platform
    await gone(folder)
