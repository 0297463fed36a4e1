"""The worker: follows every kind's changes and carries out the steps of moves, in the background.

Any number of them may run, on any machine: they share the followers by claims and the ranges of each move by
durable workflows, and whatever one leaves when it dies the next one takes up.
"""

import asyncio

from manystore.moves.durable import DurableWorkflows
from manystore.moves.workflows import Workflows
from mystira.platform import Platform


async def work_until(stop: asyncio.Event, platform: Platform) -> None:
    """Work until told to stop. Raises what ended the work if that comes first."""
    async with asyncio.TaskGroup() as group:
        working = group.create_task(platform.work(_workflows(platform)), name="worker")
        stopping = group.create_task(stop.wait(), name="stop")
        await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
        working.cancel()
        stopping.cancel()


def _workflows(platform: Platform) -> Workflows | None:
    """Kept in PostgreSQL; without it, each worker carries out whole tasks."""
    url = platform.settings.postgres_session_url
    if url is None:
        return None
    return DurableWorkflows(url, platform.tables, worker=platform.node, clock=platform.clock)
