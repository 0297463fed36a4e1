"""Removes what has run out: requests for codes, and sign-ins, a day after their end.

Through the repository, so that it is right wherever the records live and while they move.
"""

import datetime as dt
from typing import Final, TypeVar

from manystore.errors import VersionConflictError
from manystore.repository import Repository
from manystore.specifications import Specification, field
from mystira.domain.records import Entity

KEPT_AFTER_END: Final = dt.timedelta(days=1)
_BATCH: Final = 200

E = TypeVar("E", bound=Entity)


async def remove_expired(repository: Repository[E], now: dt.datetime) -> int:
    """Remove each record whose `expiresAt` is more than KEPT_AFTER_END ago. Returns how many this call did.

    May be done by several at once.
    """
    removed, continuation = 0, None
    where = field("expiresAt") < (now - KEPT_AFTER_END).isoformat()
    while True:
        found = await repository.find(Specification(where=where, limit=_BATCH, continuation=continuation))
        for stored in found.items:
            try:
                await repository.delete(stored)
            except VersionConflictError:
                # Somebody else removed or changed it first; what is left is found the next time.
                continue
            removed += 1
        continuation = found.continuation
        if continuation is None:
            return removed
