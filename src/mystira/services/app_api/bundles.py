"""Bundles as players' apps see them: what is given away, what can be bought, and what is theirs already."""

from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from manystore.clock import Clock
from mystira.domain.accounts.model import Subscription
from mystira.domain.accounts.use_cases import Accounts
from mystira.domain.bundles import editing
from mystira.domain.bundles.access import Access, bundle_access
from mystira.domain.bundles.importing import Bundles
from mystira.domain.bundles.model import ContentBundle, Price
from mystira.domain.errors import NotFoundError
from mystira.domain.forms import AgeGroupSpan
from mystira.http.callers import SIGNED_IN, Caller
from mystira.http.operations import Answer, Call, Operation, show
from mystira.http.queries import Nothing
from mystira.services.app_api.answers import Page

NOTHING_BOUGHT = Subscription()


class BundleOffer(Struct, frozen=True, kw_only=True, rename="camel"):
    """A bundle as it is offered; `access` is what the caller's account has of it."""

    id: str
    title: str
    description: str
    scenario_ids: list[str]
    image_id: str | None
    prices: list[Price]
    is_free: bool
    age_group: str
    access: Access


class OfferSearch(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """Which bundles to list, by title."""

    age_group: AgeGroupSpan | None = None
    limit: Annotated[int, Meta(ge=1, le=100)] = 50
    continuation: Annotated[str, Meta(max_length=4096)] | None = None


async def subscription_of(accounts: Accounts, caller: Caller) -> Subscription:
    """What the caller has paid for; nothing where they have no account."""
    account = None if caller.account_id is None else await accounts.get(caller.account_id)
    return NOTHING_BOUGHT if account is None else account.value.subscription


def bundle_operations(bundles: Bundles, accounts: Accounts, clock: Clock) -> tuple[Operation[Any], ...]:
    """What can be asked about bundles."""

    def offer(bundle: ContentBundle, subscription: Subscription) -> BundleOffer:
        shown = {name: getattr(bundle, name) for name in BundleOffer.__struct_fields__ if name != "access"}
        return BundleOffer(**shown, access=bundle_access(subscription, bundle, clock.now()))

    async def search(call: Call[OfferSearch]) -> Answer:
        wanted = editing.BundleSearch(is_active=True, **msgspec.structs.asdict(call.sent))
        found = await editing.list_bundles(bundles, wanted)
        subscription = await subscription_of(accounts, call.caller)
        items = [offer(stored.value, subscription) for stored in found.items]
        return show(Page(items=items, continuation=found.continuation))

    async def read(call: Call[Nothing]) -> Answer:
        bundle = (await editing.read_bundle(bundles, call.path["bundleId"])).value
        if not bundle.is_active:
            raise NotFoundError(kind=bundles.kind.name, key=bundle.id)
        return show(offer(bundle, await subscription_of(accounts, call.caller)))

    return (
        Operation(
            method="GET",
            path="/bundles",
            tag="purchases",
            name="listOffers",
            summary="List the bundles that are offered",
            description="With what the caller's account has of each.",
            takes=OfferSearch,
            handle=search,
            answers={200: Page[BundleOffer]},
            refuses=("invalid_continuation",),
            allows=SIGNED_IN,
        ),
        Operation(
            method="GET",
            path="/bundles/{bundleId}",
            tag="purchases",
            name="getOffer",
            summary="Read what is in a bundle, and what it costs",
            takes=Nothing,
            handle=read,
            answers={200: BundleOffer},
            refuses=("not_found",),
            allows=SIGNED_IN,
        ),
    )
