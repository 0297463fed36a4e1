"""Buying: bundles and subscriptions, and what became of it."""

import asyncio
import contextlib
import functools
from collections.abc import Awaitable, Callable
from typing import Any, Final

import msgspec
from msgspec import Struct

from manystore.errors import UnavailableError
from manystore.repository import Stored
from mystira.domain.accounts.use_cases import read_account
from mystira.domain.bundles.model import Price
from mystira.domain.errors import ContendedError, MissingParentError
from mystira.domain.purchases.buying import Reserved, reserve_bundle, reserve_plan
from mystira.domain.purchases.checkout import Checkout
from mystira.domain.purchases.model import (
    NewPurchase,
    NewSubscription,
    Plan,
    Purchase,
    PurchaseSearch,
)
from mystira.domain.purchases.plans import LASTS, PRICES
from mystira.domain.purchases.reading import list_purchases, read_purchase
from mystira.domain.purchases.saga import carry_on, refund_purchase
from mystira.gateways.idempotency import IdempotencyKeys
from mystira.gateways.payments import NoPayments
from mystira.http.callers import OWN_ACCOUNT, SIGNED_IN, SUPER_STAFF, Owner
from mystira.http.etags import etag
from mystira.http.idempotency import Creation, create_once
from mystira.http.operations import Answer, Call, Operation, show
from mystira.http.problems import ProblemError
from mystira.http.queries import Nothing
from mystira.services.app_api.answers import PREFIX, Page, show_page, show_record, show_unless_known, view

WAITED_SECONDS: Final = 5.0
"""For how long whoever buys is kept waiting; what is not at its end by then goes on without them."""

MayBuy = Callable[[str, str], Awaitable[None]]
"""Raises a DomainError unless something may be bought in the name of the account's profile of that id."""


class PurchaseView(Purchase, frozen=True, kw_only=True, rename="camel"):
    """A purchase as it is shown. `status` says what came of it: Granted and Refused, Refunded are ends; all
    others go on by themselves.
    """

    etag: str


class PlanView(Struct, frozen=True, kw_only=True, rename="camel"):
    """A plan, for how many days it lasts (absent: for life), and what it costs."""

    plan: Plan
    days: int | None
    prices: tuple[Price, ...]


class Plans(Struct, frozen=True, kw_only=True):
    """What can be subscribed to."""

    items: list[PlanView]


class PurchaseRoutes:
    """What each operation on purchases does."""

    def __init__(self, checkout: Checkout, keys: IdempotencyKeys, may_buy: MayBuy) -> None:
        self._checkout, self._keys, self._may_buy = checkout, keys, may_buy

    async def buy(self, call: Call[NewPurchase]) -> Answer:
        """Buy a bundle, for the caller's account where no other is named."""
        self._require_gateway()
        sent, account_id = call.sent, _account_of(call)
        if sent.profile_id is not None:
            await self._may_buy(account_id, sent.profile_id)

        async def reserve(request_id: str | None) -> Reserved:
            return await reserve_bundle(
                self._checkout, account_id, sent.bundle_id, sent.currency, request_id=request_id
            )

        return await create_once(self._keys, call, self._creation("buyBundle", reserve))

    async def subscribe(self, call: Call[NewSubscription]) -> Answer:
        """Buy a subscription, or renew it."""
        self._require_gateway()
        sent, account_id = call.sent, call.path["accountId"]
        await read_account(self._checkout.accounts, account_id)
        if sent.profile_id is not None:
            await self._may_buy(account_id, sent.profile_id)

        async def reserve(request_id: str | None) -> Reserved:
            return await reserve_plan(
                self._checkout, account_id, sent.plan, sent.currency, request_id=request_id
            )

        return await create_once(self._keys, call, self._creation(f"subscribe {account_id}", reserve))

    def _creation(
        self, name: str, reserve: Callable[[str | None], Awaitable[Reserved]]
    ) -> Creation[Stored[Purchase]]:
        async def make(request_id: str | None) -> Stored[Purchase]:
            return await self._carry_on((await reserve(request_id)).stored)

        return Creation(
            name=name,
            make=make,
            read=functools.partial(read_purchase, self._checkout.purchases),
            headers=lambda stored: {
                "Location": f"{PREFIX}/purchases/{stored.key}",
                "ETag": etag(stored.version),
            },
            view=functools.partial(view, PurchaseView),
        )

    async def _carry_on(self, stored: Stored[Purchase]) -> Stored[Purchase]:
        """The purchase at its end, or as far as it came in time; a worker does the rest."""
        with contextlib.suppress(UnavailableError, ContendedError, TimeoutError):
            async with asyncio.timeout(WAITED_SECONDS):
                return await carry_on(self._checkout, stored.key)
        return await read_purchase(self._checkout.purchases, stored.key)

    async def read(self, call: Call[Nothing]) -> Answer:
        """One purchase."""
        key = call.path["purchaseId"]
        return await show_unless_known(
            PurchaseView, call, lambda: read_purchase(self._checkout.purchases, key)
        )

    async def search(self, call: Call[PurchaseSearch]) -> Answer:
        """A page of purchases: the caller's, or all for whoever reaches all."""
        caller, search = call.caller, call.sent
        if search.account_id is None and not caller.reaches_all:
            search = msgspec.structs.replace(search, account_id=caller.account_id)
        elif search.account_id is not None and not caller.reaches(search.account_id):
            return show(Page[PurchaseView](items=[], continuation=None))
        return show_page(PurchaseView, await list_purchases(self._checkout.purchases, search))

    async def refund(self, call: Call[Nothing]) -> Answer:
        """Give the money back."""
        self._require_gateway()
        stored = await refund_purchase(self._checkout, call.path["purchaseId"])
        return show_record(PurchaseView, await self._carry_on(stored))

    async def plans(self, call: Call[Nothing]) -> Answer:
        """What can be subscribed to."""
        items = [
            PlanView(plan=plan, days=lasts.days if lasts else None, prices=PRICES[plan])
            for plan, lasts in LASTS.items()
        ]
        return show(Plans(items=items))

    def _require_gateway(self) -> None:
        if isinstance(self._checkout.payments, NoPayments):
            raise UnavailableError(subject="payments", reason="no gateway is set", retry_after=60.0)


def _account_of(call: Call[NewPurchase]) -> str:
    """The account that buys. Raises MissingParentError for somebody else's, as for one that is not there."""
    named, caller = call.sent.account_id, call.caller
    account_id = caller.account_id if named is None else named
    if account_id is None:
        detail = "Say for which account: this sign-in belongs to none."
        raise ProblemError("missing_field", detail, path="accountId")
    if not caller.reaches(account_id):
        raise MissingParentError(
            kind="purchases", key="", field="accountId", parent_kind="accounts", parent_key=account_id
        )
    return account_id


def purchase_owner(checkout: Checkout) -> Owner:
    """The account of the purchase that `purchaseId` names."""

    async def find(purchase_id: str) -> str | None:
        return (await read_purchase(checkout.purchases, purchase_id)).value.account_id

    return Owner(kind=checkout.purchases.kind.name, parameter="purchaseId", find=find)


def purchase_operations(
    checkout: Checkout, keys: IdempotencyKeys, *, may_buy: MayBuy
) -> tuple[Operation[Any], ...]:
    """What can be asked about purchases."""
    routes = PurchaseRoutes(checkout, keys, may_buy)
    return (*_buying(routes), *_looking(routes, purchase_owner(checkout)))


_BOUGHT_REFUSES: Final = (
    "missing_parent",
    "not_for_sale",
    "already_bought",
    "consent_needed",
    "contended",
    "not_representable",
)


def _buying(routes: PurchaseRoutes) -> tuple[Operation[Any], ...]:
    operation = functools.partial(Operation, method="POST", tag="purchases", keyed=True, versioned=True)
    return (
        operation(
            path="/purchases",
            name="buyBundle",
            summary="Buy a bundle",
            description=(
                "The answer is the purchase as far as it came: Granted, Refused, or on its way, where it "
                "goes on by itself. Asked for again by then, or once it is granted, it is the same purchase."
            ),
            takes=NewPurchase,
            handle=routes.buy,
            answers={201: PurchaseView},
            refuses=_BOUGHT_REFUSES,
            allows=SIGNED_IN,
            example={"bundleId": "winter-lights", "currency": "EUR"},
        ),
        operation(
            path="/accounts/{accountId}/subscription-purchases",
            name="buySubscription",
            summary="Subscribe, or renew a subscription",
            description="A renewal begins where the time that was paid for ends. Otherwise as with bundles.",
            takes=NewSubscription,
            handle=routes.subscribe,
            answers={201: PurchaseView},
            refuses=("not_found", *_BOUGHT_REFUSES),
            allows=SIGNED_IN,
            owner=OWN_ACCOUNT,
            example={"plan": "Monthly", "currency": "EUR"},
        ),
        Operation(
            method="POST",
            tag="purchases",
            path="/purchases/{purchaseId}/refund",
            name="refundPurchase",
            summary="Give the money back",
            description="What was bought is taken away first. Done again, it changes nothing.",
            takes=Nothing,
            handle=routes.refund,
            answers={200: PurchaseView},
            refuses=("not_found", "not_refundable", "contended"),
            allows=SUPER_STAFF,
            versioned=True,
        ),
    )


def _looking(routes: PurchaseRoutes, owner: Owner) -> tuple[Operation[Any], ...]:
    operation = functools.partial(Operation, method="GET", tag="purchases", allows=SIGNED_IN)
    return (
        operation(
            path="/purchases",
            name="listPurchases",
            summary="List purchases",
            description="Those of the caller's account. All conditions given must hold.",
            takes=PurchaseSearch,
            handle=routes.search,
            answers={200: Page[PurchaseView]},
            refuses=("invalid_continuation",),
        ),
        operation(
            path="/purchases/{purchaseId}",
            name="getPurchase",
            summary="Read a purchase",
            takes=Nothing,
            handle=routes.read,
            answers={200: PurchaseView},
            refuses=("not_found",),
            owner=owner,
            revalidates=True,
            versioned=True,
        ),
        operation(
            path="/subscription-plans",
            name="listPlans",
            summary="What can be subscribed to",
            takes=Nothing,
            handle=routes.plans,
            answers={200: Plans},
        ),
    )
