"""Whose a purchase is. It stays when its buyer goes, and says no more whose it was: books are kept."""

from typing import Final, TypeVar

import msgspec

from manystore.clock import Clock
from manystore.repository import Repository
from manystore.specifications import Specification, field
from mystira.domain.errors import NotFoundError
from mystira.domain.records import Entity, change_record

_BATCH: Final = 100


class Bought(Entity, frozen=True, kw_only=True, rename="camel"):
    """What belongs to an account until that goes, and to nobody afterwards."""

    account_id: str | None = None


B = TypeVar("B", bound=Bought)


async def release_purchases(purchases: Repository[B], account_id: str, *, clock: Clock) -> int:
    """Take the account off every purchase that points to it; the purchases stay. Returns how many did.

    Raises ContendedError where others keep changing a purchase.
    """

    def alter(purchase: B) -> B:
        if purchase.account_id != account_id:
            return purchase
        return msgspec.structs.replace(purchase, account_id=None)

    released = 0
    pointing = Specification(where=field("accountId") == account_id, limit=_BATCH)
    while items := (await purchases.find(pointing)).items:
        for stored in items:
            try:
                await change_record(purchases, stored.key, alter, now=clock.now())
            except NotFoundError:
                continue
            released += 1
    return released
