"""Losses planted on purpose, for the witness to find: a figure of zero counts only where one is noticed."""

import asyncio
import threading
from pathlib import Path
from typing import Final

import asyncpg

from mystira.cli.showing import Quiet
from mystira.domain.accounts.kind import ACCOUNTS as KIND
from mystira.settings import load_settings
from mystira.simulation.families import ACCOUNTS
from mystira.simulation.ledger import read_ledgers
from mystira.supervisor import reach
from tests.contract.sqlite_by_hand import by_hand, write_by_hand

WHEN: Final = "the witness compares"
"""The step before which everything is as it must be, and nobody looks any more but the witness."""


class Saboteur(Quiet):
    """Watches a demonstration, and removes one acknowledged record and alters another just before the end.

    What is removed is removed from the copy first, out of which a read would mend the truth. PostgreSQL's
    triggers and keys are passed by, so that nothing of the engine could tell of it.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.removed, self.altered = "", ""

    def begins(self, title: str) -> None:
        """See Watcher. The demonstration waits until it is done."""
        if title != WHEN:
            return
        self.removed, self.altered = _acknowledged(self._folder)[:2]
        # In a thread with a loop of its own, since the one that calls is to stand still meanwhile.
        thread = threading.Thread(target=lambda: asyncio.run(self._sabotage()))
        thread.start()
        thread.join()

    async def _sabotage(self) -> None:
        settings = reach(load_settings(data_folder=self._folder))
        with by_hand(settings.documents_path) as sqlite:
            write_by_hand(sqlite, KIND, self.removed, None)
        psql = await asyncpg.connect(settings.postgres_url)
        try:
            await psql.execute("SET session_replication_role = replica")
            gone = await psql.execute("DELETE FROM accounts WHERE id = $1", self.removed)
            changed = await psql.execute(
                "UPDATE accounts SET display_name = 'Somebody Else' WHERE id = $1", self.altered
            )
        finally:
            await psql.close()
        if (gone, changed) != ("DELETE 1", "UPDATE 1"):
            raise RuntimeError(f"nothing was planted: {gone}, {changed}")


def _acknowledged(folder: Path) -> list[str]:
    """Accounts whose last word was an acknowledged write that left them there."""
    last = {}
    for entry in read_ledgers(sorted((folder / "witness").glob("witness-*.jsonl"))):
        if entry.kind == ACCOUNTS and entry.event != "contradicted":
            last[entry.key] = entry.event == "acknowledged" and entry.document is not None
    return [key for key, is_there in last.items() if is_there]
