"""What can be done with trackings: keep them, each once. They are never changed."""

import asyncio
from collections.abc import Sequence

from manystore.repository import Repository
from mystira.domain.compass.model import CompassTracking
from mystira.domain.errors import AlreadyExistsError
from mystira.domain.records import create_record

Trackings = Repository[CompassTracking]


async def keep_trackings(trackings: Trackings, movements: Sequence[CompassTracking]) -> int:
    """Keep the movements of one session, in their order; those that are there stay. Returns how many came."""
    if not movements:
        return 0
    # The last one comes last: where it is, all are, so that the usual case of a repetition costs one read.
    *before, last = movements
    if await trackings.get(last.id) is not None:
        return 0
    # Side by side, since a store commits at once what is asked of it at once.
    kept = await asyncio.gather(*(_keep(trackings, movement) for movement in before))
    return sum(kept) + await _keep(trackings, last)


async def _keep(trackings: Trackings, movement: CompassTracking) -> bool:
    try:
        await create_record(trackings, movement)
    except AlreadyExistsError:
        return False
    return True
