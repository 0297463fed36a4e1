"""Claim: 20 000 three-table accounts are copied at 20 000 records a second or more, within 300 MB.

One process, embedded servers with the platform's own settings, SQLite documents to PostgreSQL, no other
traffic; five runs, each into an empty target, and their median. Ends with 1 where a limit is missed.
"""

import random
import resource
import statistics
import sys
import tempfile
import time
from pathlib import Path

import uvloop

from manystore.moves.tasks import Action
from manystore.stores.sqlite import SqliteStore
from mystira.platform import open_platform
from mystira.schema import upgrades
from mystira.serve import spare_the_collector
from mystira.servers import embedded_servers
from mystira.settings import Settings
from mystira.simulation.people import make_former_accounts

ACCOUNTS = 20_000
RUNS = 5
LEAST_RATE = 20_000
MOST_MEGABYTES = 300


async def run_once(folder: Path) -> tuple[float, float]:
    """Copied records a second, and this process's own CPU in microseconds a record."""
    async with embedded_servers(Settings(data_folder=folder)) as settings:
        assert settings.postgres_url is not None
        await upgrades.upgrade(settings.postgres_url)
        async with open_platform(settings, role="benchmark") as platform:
            assert isinstance(platform.documents, SqliteStore)
            people = make_former_accounts(random.Random(1), ACCOUNTS, twins=0)
            await platform.documents.adopt(platform.family["accounts"].kind, people)
            used = time.process_time()
            copied = await platform.mover.carry_out(Action.START, "accounts")
            used = time.process_time() - used
            assert (copied["records"], copied["refused"]) == (ACCOUNTS, 0)
            return copied["rate"], 1e6 * used / ACCOUNTS


async def main() -> int:
    """Print each run and the median; 0 where both limits are kept."""
    spare_the_collector()
    rates = []
    with tempfile.TemporaryDirectory() as made:
        for number in range(RUNS):
            rate, processor = await run_once(Path(made) / f"{number}")
            rates.append(rate)
            print(f"run {number + 1}: {rate:9,.0f} records/s, {processor:5.1f} µs of CPU a record")
    median = statistics.median(rates)
    megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"median {median:,.0f} records/s (at least {LEAST_RATE:,})")
    print(f"peak {megabytes:.0f} MB (at most {MOST_MEGABYTES})")
    return int(median < LEAST_RATE or megabytes > MOST_MEGABYTES)


if __name__ == "__main__":
    sys.exit(uvloop.run(main()))
