"""The first step of a purchase: what is to be bought is looked up, priced, and reserved.

An account has at most one purchase of a thing under way: the key of a purchase is made of the account, the
thing, and how many purchases of it there were before. So of any number who ask at once, each writes under the
same key, one of them makes the record, and the others find it.
"""

import uuid
from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from manystore.repository import Stored
from manystore.specifications import Predicate, field
from mystira.domain.accounts.model import Account, SubscriptionType
from mystira.domain.bundles.access import holds_all
from mystira.domain.bundles.model import ContentBundle, Price
from mystira.domain.errors import AlreadyExistsError, ContendedError, MissingParentError, NotFoundError
from mystira.domain.purchases.checkout import Checkout
from mystira.domain.purchases.errors import AlreadyBoughtError, NotForSaleError
from mystira.domain.purchases.model import GOING_ON, Plan, Purchase, PurchaseStatus
from mystira.domain.purchases.plans import PRICES
from mystira.domain.purchases.reading import all_purchases
from mystira.domain.records import ATTEMPTS, create_record, read_record

_KIND: Final = "purchases"
_NAMESPACE: Final = uuid.UUID("6f2f6d0e-5a0c-5d0b-9f39-6f1d7d0a8c11")


class Reserved(Struct, frozen=True, kw_only=True):
    """A purchase that goes on from here; `is_new` is False where it was there already."""

    stored: Stored[Purchase]
    is_new: bool

    @property
    def version(self) -> int:
        """The purchase's version."""
        return self.stored.version


class _Product(Struct, frozen=True, kw_only=True):
    """What is to be bought, and at what price."""

    price: Price
    bundle: ContentBundle | None = None
    plan: Plan | None = None

    @property
    def name(self) -> str:
        """By which it is told from everything else."""
        return f"bundle {self.bundle.id}" if self.bundle is not None else f"plan {self.plan}"

    @property
    def where(self) -> Predicate:
        """The purchases of it."""
        return field("bundleId") == self.bundle.id if self.bundle else field("plan") == str(self.plan)


async def reserve_bundle(
    checkout: Checkout, account_id: str, bundle_id: str, currency: str, *, request_id: str | None = None
) -> Reserved:
    """Reserve a bundle for an account; the purchase that is under way, or was granted, where there is one.

    Raises MissingParentError (account, bundle), NotForSaleError, AlreadyBoughtError and ContendedError.
    """
    account = await _account(checkout, account_id)
    bundle = await _bundle(checkout, bundle_id)
    product = _Product(bundle=bundle, price=_bundle_price(bundle, currency))
    return await _reserve(checkout, account, product, request_id)


async def reserve_plan(
    checkout: Checkout, account_id: str, plan: Plan, currency: str, *, request_id: str | None = None
) -> Reserved:
    """Reserve a subscription, or its renewal; the purchase of it that is under way where there is one.

    Raises MissingParentError, NotForSaleError, AlreadyBoughtError (a subscription for life), ContendedError.
    """
    account = await _account(checkout, account_id)
    product = _Product(plan=plan, price=_price(f"plan {plan}", PRICES[plan], currency))
    return await _reserve(checkout, account, product, request_id)


async def _reserve(
    checkout: Checkout, account: Account, product: _Product, request_id: str | None
) -> Reserved:
    for _ in range(ATTEMPTS):
        where = (field("accountId") == account.id) & product.where
        earlier = [stored async for stored in all_purchases(checkout.purchases, where)]
        standing = _standing(earlier, request_id, is_bundle=product.bundle is not None)
        if standing is not None:
            return Reserved(stored=standing, is_new=False)
        _refuse_if_held(account, product)
        purchase = _purchase(checkout, account.id, product, number=len(earlier), request_id=request_id)
        try:
            return Reserved(stored=await create_record(checkout.purchases, purchase), is_new=True)
        except AlreadyExistsError:
            # Somebody reserved it between our look and our write: it is found now.
            continue
    raise ContendedError(kind=_KIND, key=account.id, attempts=ATTEMPTS)


def _standing(
    earlier: Sequence[Stored[Purchase]], request_id: str | None, *, is_bundle: bool
) -> Stored[Purchase] | None:
    """The purchase that answers the request: its own, or the one that makes another needless."""
    stands = GOING_ON | {PurchaseStatus.GRANTED} if is_bundle else GOING_ON
    own = (each for each in earlier if request_id is not None and each.value.request_id == request_id)
    live = (each for each in earlier if each.value.status in stands)
    return next(own, None) or next(live, None)


def _refuse_if_held(account: Account, product: _Product) -> None:
    if product.bundle is not None and holds_all(account.subscription, product.bundle.scenario_ids):
        raise AlreadyBoughtError(product=product.name)
    is_for_life = account.subscription.type is SubscriptionType.LIFETIME and account.subscription.is_active
    if product.plan is not None and is_for_life:
        raise AlreadyBoughtError(product="a subscription for life")


def _purchase(
    checkout: Checkout, account_id: str, product: _Product, *, number: int, request_id: str | None
) -> Purchase:
    now, bundle = checkout.clock.now(), product.bundle
    return Purchase(
        id=str(uuid.uuid5(_NAMESPACE, f"{account_id}\0{product.name}\0{number}")),
        created_at=now,
        updated_at=now,
        account_id=account_id,
        bundle_id=None if bundle is None else bundle.id,
        plan=product.plan,
        request_id=request_id,
        scenario_ids=[] if bundle is None else bundle.scenario_ids,
        amount=product.price.value,
        currency=product.price.currency,
        gateway=checkout.payments.name,
    )


async def _account(checkout: Checkout, account_id: str) -> Account:
    try:
        return (await read_record(checkout.accounts, account_id)).value
    except NotFoundError as error:
        raise _missing("accountId", "accounts", account_id) from error


async def _bundle(checkout: Checkout, bundle_id: str) -> ContentBundle:
    try:
        bundle = (await read_record(checkout.bundles, bundle_id)).value
    except NotFoundError as error:
        raise _missing("bundleId", "content_bundles", bundle_id) from error
    if not bundle.is_active:
        # To players, what is not sold is not there.
        raise _missing("bundleId", "content_bundles", bundle_id)
    return bundle


def _missing(name: str, parent_kind: str, parent_key: str) -> MissingParentError:
    return MissingParentError(kind=_KIND, key="", field=name, parent_kind=parent_kind, parent_key=parent_key)


def _bundle_price(bundle: ContentBundle, currency: str) -> Price:
    product = f"bundle {bundle.id}"
    if bundle.is_free:
        raise NotForSaleError(product=product, currency=currency, reason="it is given away")
    if not bundle.scenario_ids:
        raise NotForSaleError(product=product, currency=currency, reason="there is no story in it yet")
    return _price(product, bundle.prices, currency)


def _price(product: str, prices: Sequence[Price], currency: str) -> Price:
    for price in prices:
        if price.currency == currency:
            return price
    listed = ", ".join(price.currency for price in prices) or "none"
    raise NotForSaleError(product=product, currency=currency, reason=f"its currencies are {listed}")
