"""What a purchase gives to an account, and how that is taken away again; each exactly once.

Both change the account at the version at which it was read *before* the purchase's record was looked at. So
if the record still asked for the step, nobody had begun the opposite one by then; and since each of them
raises the account's version, also where nothing else changes, of two that meet one fails and looks again.

Stories are a set, to which they can be added twice. Time is not: for that, `purchaseToken` of a subscription
names what was done last. Before anybody puts another name there, they write into the record of the named
purchase that it was done. A purchase that is not named and whose record says nothing has not been applied.
"""

import datetime as dt
from collections.abc import Awaitable, Callable
from typing import Final

import msgspec

from manystore.errors import VersionConflictError
from manystore.specifications import field
from mystira.domain.accounts.model import Account, Subscription, SubscriptionType
from mystira.domain.errors import ContendedError, NotFoundError
from mystira.domain.purchases.checkout import Checkout
from mystira.domain.purchases.model import Plan, Purchase, PurchaseStatus
from mystira.domain.purchases.plans import LASTS
from mystira.domain.purchases.reading import all_purchases
from mystira.domain.records import ATTEMPTS, change_record, read_record

_GIVING: Final = (PurchaseStatus.GRANTING, PurchaseStatus.GRANTED)
_TAKEN_BACK: Final = ":refund"

Apply = Callable[[Checkout, Account, Purchase], Awaitable[Subscription]]


async def grant(checkout: Checkout, purchase: Purchase) -> bool:
    """Give the account what was bought. False where there is no such account any more.

    Raises ContendedError. Does nothing to a purchase that is no longer Granting.
    """
    return await _apply(checkout, purchase, PurchaseStatus.GRANTING, purchase.id, _given)


async def revoke(checkout: Checkout, purchase: Purchase) -> bool:
    """Take away from the account what this purchase, and no other, gave. False as with `grant`.

    Raises ContendedError. Does nothing to a purchase that is no longer Refunding.
    """
    return await _apply(checkout, purchase, PurchaseStatus.REFUNDING, purchase.id + _TAKEN_BACK, _taken)


async def _apply(
    checkout: Checkout, purchase: Purchase, status: PurchaseStatus, token: str, apply: Apply
) -> bool:
    if purchase.account_id is None:
        return False
    for _ in range(ATTEMPTS):
        account = await checkout.accounts.get(purchase.account_id)
        if account is None:
            return False
        current = (await read_record(checkout.purchases, purchase.id)).value
        if current.status is not status or account.value.subscription.purchase_token == token:
            return True
        if current.plan is not None:
            await _note_applied(checkout, account.value.subscription.purchase_token)
        subscription = await apply(checkout, account.value, current)
        if current.plan is not None:
            subscription = msgspec.structs.replace(subscription, purchase_token=token)
        changed = msgspec.structs.replace(
            account.value, subscription=subscription, updated_at=checkout.clock.now()
        )
        try:
            await checkout.accounts.change(account, changed)
        except VersionConflictError:
            continue
        return True
    raise ContendedError(kind="accounts", key=purchase.account_id, attempts=ATTEMPTS)


async def _given(checkout: Checkout, account: Account, purchase: Purchase) -> Subscription:
    """The subscription with what was bought."""
    held = account.subscription
    if purchase.plan is None:
        new = [each for each in purchase.scenario_ids if each not in held.purchased_scenarios]
        return msgspec.structs.replace(held, purchased_scenarios=[*held.purchased_scenarios, *new])
    now, lasts = checkout.clock.now(), LASTS[purchase.plan]
    given = msgspec.structs.replace(
        held,
        type=SubscriptionType(purchase.plan.value),
        tier=purchase.plan.value,
        product_id=purchase.plan.value,
        is_active=True,
        start_date=now if _is_new(held, now) else held.start_date,
        last_verified=now,
    )
    # A subscription for life leaves the end of the former one, to which a refund leads back.
    until = held.valid_until if lasts is None else _begins(held, now) + lasts
    return msgspec.structs.replace(given, valid_until=until)


def _is_new(held: Subscription, now: dt.datetime) -> bool:
    return held.valid_until is None or held.valid_until <= now


def _begins(held: Subscription, now: dt.datetime) -> dt.datetime:
    """A renewal begins where the time paid for ends."""
    return now if held.valid_until is None else max(now, held.valid_until)


async def _taken(checkout: Checkout, account: Account, purchase: Purchase) -> Subscription:
    """The subscription without what this purchase gave, if it did give anything."""
    held = account.subscription
    others = await _other_purchases(checkout, purchase)
    if purchase.plan is None:
        kept = {scenario_id for each in others for scenario_id in each.scenario_ids}
        # Without a charge there was no grant, and what the account has is from elsewhere.
        gone = set(purchase.scenario_ids) - kept if purchase.charged_at is not None else set[str]()
        left = [each for each in held.purchased_scenarios if each not in gone]
        return msgspec.structs.replace(held, purchased_scenarios=left)
    if purchase.granted_at is None and held.purchase_token != purchase.id:
        return held
    now, lasts = checkout.clock.now(), LASTS[purchase.plan]
    until = held.valid_until if lasts is None or held.valid_until is None else held.valid_until - lasts
    granted = [each.plan for each in others if each.plan is not None and each.granted_at is not None]
    kind = _type_left(granted, is_over=until is None or until <= now)
    return msgspec.structs.replace(held, type=kind, tier=kind.value, product_id=kind.value, valid_until=until)


def _type_left(plans: list[Plan], *, is_over: bool) -> SubscriptionType:
    """The type of what is left by other purchases, oldest first: one for life outlasts all others. Time that
    no purchase tells of is of a former system's subscription.
    """
    if Plan.LIFETIME in plans:
        return SubscriptionType.LIFETIME
    if is_over:
        return SubscriptionType.FREE
    return SubscriptionType(plans[-1].value) if plans else SubscriptionType.MONTHLY


async def _other_purchases(checkout: Checkout, purchase: Purchase) -> list[Purchase]:
    """What the account was given, or is being given, by its other purchases; oldest first."""
    given = field("status").is_in([status.value for status in _GIVING])
    where = given & (field("accountId") == str(purchase.account_id))
    found = [each.value async for each in all_purchases(checkout.purchases, where)]
    return sorted((each for each in found if each.id != purchase.id), key=lambda each: each.created_at)


async def _note_applied(checkout: Checkout, token: str | None) -> None:
    """Write into the record that a token names that it was done, before the token goes."""
    if token is None:
        return
    key, is_refund = token.removesuffix(_TAKEN_BACK), token.endswith(_TAKEN_BACK)
    now = checkout.clock.now()

    def note(purchase: Purchase) -> Purchase:
        if is_refund and purchase.status is PurchaseStatus.REFUNDING:
            return msgspec.structs.replace(purchase, status=PurchaseStatus.REVOKED)
        if is_refund or purchase.granted_at is not None:
            return purchase
        is_done = purchase.status is PurchaseStatus.GRANTING
        status = PurchaseStatus.GRANTED if is_done else purchase.status
        return msgspec.structs.replace(purchase, status=status, granted_at=now)

    try:
        await change_record(checkout.purchases, key, note, now=now)
    except NotFoundError:
        # A token of a former system's, or a purchase of an account that was merged: nobody waits for it.
        return
