"""A purchase from its reservation to its end: reserve, charge, grant; or back again.

    Reserved → Charging → Granting → Granted
                  │           │         │
                  ├→ Refused  │         │         the gateway will not: nothing to undo but the reservation
                  └───────────┴─────────┴→ Refunding → Revoked → Refunded

Each status is written before its step is taken, so whoever finds a purchase knows which step may have been
taken, and takes it again: the gateway charges and refunds a purchase once, and the account is granted it once
(granting.py). Any number may carry on with the same purchase at the same time, and each may die anywhere.
"""

import datetime as dt
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

import msgspec

from manystore.errors import NotRepresentableError, UnavailableError
from manystore.repository import Stored
from mystira.domain.purchases.checkout import Checkout
from mystira.domain.purchases.errors import NotRefundableError
from mystira.domain.purchases.granting import grant, revoke
from mystira.domain.purchases.model import GOING_BACK, Purchase, PurchaseStatus
from mystira.domain.purchases.payments import ChargeRefusedError
from mystira.domain.records import change_record, read_record

GIVES_UP_AFTER: Final = dt.timedelta(days=1)
"""For how long a gateway is asked for money that says neither yes nor no."""

ACCOUNT_GONE: Final = "account_gone"
NO_ANSWER: Final = "no_answer"
NOT_GRANTABLE: Final = "not_grantable"
BY_STAFF: Final = "refunded_by_staff"

Step = Callable[[Checkout, Purchase], Awaitable[Stored[Purchase]]]


async def carry_on(checkout: Checkout, purchase_id: str) -> Stored[Purchase]:
    """Take every step that is left. Returns the purchase at its end.

    Raises NotFoundError, ContendedError, and UnavailableError (manystore.errors) where a gateway or a store
    does not answer; the purchase then stands where it stands, and is to be carried on with later.
    """
    stored = await read_record(checkout.purchases, purchase_id)
    while (step := _STEPS.get(stored.value.status)) is not None:
        stored = await step(checkout, stored.value)
    return stored


async def refund_purchase(checkout: Checkout, purchase_id: str) -> Stored[Purchase]:
    """Begin to give the money back; done again, it changes nothing. `carry_on` does the rest.

    Raises NotFoundError, NotRefundableError and ContendedError.
    """
    now = checkout.clock.now()

    def turn_back(purchase: Purchase) -> Purchase:
        if purchase.status in GOING_BACK or purchase.status is PurchaseStatus.REFUNDED:
            return purchase
        if purchase.status is PurchaseStatus.REFUSED:
            raise NotRefundableError(key=purchase.id, status=purchase.status.value)
        return msgspec.structs.replace(purchase, status=PurchaseStatus.REFUNDING, reason=BY_STAFF)

    return await change_record(checkout.purchases, purchase_id, turn_back, now=now)


async def _begin(checkout: Checkout, purchase: Purchase) -> Stored[Purchase]:
    return await _move(checkout, purchase, PurchaseStatus.CHARGING)


async def _charge(checkout: Checkout, purchase: Purchase) -> Stored[Purchase]:
    if purchase.account_id is None:
        return await _turn_back(checkout, purchase, ACCOUNT_GONE)
    try:
        payment = await checkout.payments.charge(
            purchase.id,
            account_id=purchase.account_id,
            amount=purchase.amount,
            currency=purchase.currency,
        )
    except ChargeRefusedError as error:
        return await _move(checkout, purchase, PurchaseStatus.REFUSED, reason=error.reason)
    except UnavailableError:
        if checkout.clock.now() - purchase.created_at < GIVES_UP_AFTER:
            raise
        return await _turn_back(checkout, purchase, NO_ANSWER)
    return await _move(
        checkout, purchase, PurchaseStatus.GRANTING, reference=payment.reference, charged_at=payment.at
    )


async def _grant(checkout: Checkout, purchase: Purchase) -> Stored[Purchase]:
    try:
        if not await grant(checkout, purchase):
            return await _turn_back(checkout, purchase, ACCOUNT_GONE)
    except NotRepresentableError:
        return await _turn_back(checkout, purchase, NOT_GRANTABLE)
    return await _move(checkout, purchase, PurchaseStatus.GRANTED, granted_at=checkout.clock.now())


async def _revoke(checkout: Checkout, purchase: Purchase) -> Stored[Purchase]:
    await revoke(checkout, purchase)
    return await _move(checkout, purchase, PurchaseStatus.REVOKED)


async def _refund(checkout: Checkout, purchase: Purchase) -> Stored[Purchase]:
    payment = await checkout.payments.refund(purchase.id)
    return await _move(
        checkout,
        purchase,
        PurchaseStatus.REFUNDED,
        reference=payment.reference,
        refunded_at=checkout.clock.now(),
    )


_STEPS: Final[Mapping[PurchaseStatus, Step]] = {
    PurchaseStatus.RESERVED: _begin,
    PurchaseStatus.CHARGING: _charge,
    PurchaseStatus.GRANTING: _grant,
    PurchaseStatus.REFUNDING: _revoke,
    PurchaseStatus.REVOKED: _refund,
}


async def _turn_back(checkout: Checkout, purchase: Purchase, reason: str) -> Stored[Purchase]:
    return await _move(checkout, purchase, PurchaseStatus.REFUNDING, reason=reason)


async def _move(
    checkout: Checkout, purchase: Purchase, to: PurchaseStatus, **facts: object
) -> Stored[Purchase]:
    """Write the next status down, unless somebody else moved the purchase on meanwhile: then as it stands."""

    def alter(current: Purchase) -> Purchase:
        if current.status is not purchase.status:
            return current
        return msgspec.structs.replace(current, status=to, **facts)

    return await change_record(checkout.purchases, purchase.id, alter, now=checkout.clock.now())
