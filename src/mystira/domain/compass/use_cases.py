"""What can be done with trackings: keep them, each once. They are never changed."""

from collections.abc import Sequence

from manystore.repository import Repository
from mystira.domain.compass.model import CompassTracking
from mystira.domain.errors import AlreadyExistsError
from mystira.domain.records import create_record

Trackings = Repository[CompassTracking]


async def keep_trackings(trackings: Trackings, movements: Sequence[CompassTracking]) -> int:
    """Keep the movements of one session, in their order; those that are there stay. Returns how many came."""
    # They come in order, so where the last one is, all are: the usual case of a repetition costs one read.
    if not movements or await trackings.get(movements[-1].id) is not None:
        return 0
    kept = 0
    for movement in movements:
        try:
            await create_record(trackings, movement)
        except AlreadyExistsError:
            continue
        kept += 1
    return kept
