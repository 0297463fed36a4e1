"""Purchases as they are looked at."""

from collections.abc import AsyncIterator
from typing import Final

from manystore.repository import Found, Stored
from manystore.specifications import EVERYTHING, Predicate, Specification, field
from mystira.domain.purchases.checkout import Purchases
from mystira.domain.purchases.model import Purchase, PurchaseSearch
from mystira.domain.records import order_by, read_record

_PAGE: Final = 200


async def read_purchase(purchases: Purchases, purchase_id: str) -> Stored[Purchase]:
    """The purchase. Raises NotFoundError."""
    return await read_record(purchases, purchase_id)


async def list_purchases(purchases: Purchases, search: PurchaseSearch) -> Found[Purchase]:
    """One page. Raises InvalidSpecificationError (manystore.errors) for a continuation of another search."""
    where: Predicate = EVERYTHING
    if search.account_id is not None:
        where &= field("accountId") == search.account_id
    if search.bundle_id is not None:
        where &= field("bundleId") == search.bundle_id
    if search.status is not None:
        where &= field("status") == search.status.value
    return await purchases.find(
        Specification(
            where=where,
            order=(order_by(search.order),),
            limit=search.limit,
            continuation=search.continuation,
        )
    )


async def all_purchases(purchases: Purchases, where: Predicate) -> AsyncIterator[Stored[Purchase]]:
    """Every purchase by which `where` holds, a page at a time."""
    continuation = None
    while True:
        found = await purchases.find(Specification(where=where, limit=_PAGE, continuation=continuation))
        for stored in found.items:
            yield stored
        continuation = found.continuation
        if continuation is None:
            return
