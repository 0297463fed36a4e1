"""The worker: follows every kind's changes and carries out the steps of moves, in the background.

Any number of them may run: they share the work by claims, and whatever one leaves when it dies the next one
takes up.
"""

import asyncio

from mystira.platform import Platform


async def work_until(stop: asyncio.Event, platform: Platform) -> None:
    """Work until told to stop. Raises what ended the work if that comes first."""
    async with asyncio.TaskGroup() as group:
        working = group.create_task(platform.work(), name="worker")
        stopping = group.create_task(stop.wait(), name="stop")
        await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
        working.cancel()
        stopping.cancel()
