"""What a purchase is, and what people send to make one."""

import datetime as dt
import enum
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta, Struct

from mystira.domain.forms import ContentId, RecordId
from mystira.domain.purchases.buyers import Bought


class PurchaseStatus(enum.StrEnum):
    """Where a purchase stands. Each status but the last of a way is written down before its step is taken:
    Charging before the gateway is asked for the money, Granting before the account gets anything, Refunding
    before that is taken away again, Revoked before the money goes back.
    """

    RESERVED = "Reserved"
    CHARGING = "Charging"
    GRANTING = "Granting"
    GRANTED = "Granted"
    REFUSED = "Refused"
    REFUNDING = "Refunding"
    REVOKED = "Revoked"
    REFUNDED = "Refunded"


GOING_ON: Final = frozenset({PurchaseStatus.RESERVED, PurchaseStatus.CHARGING, PurchaseStatus.GRANTING})
"""On the way to what was asked for."""
GOING_BACK: Final = frozenset({PurchaseStatus.REFUNDING, PurchaseStatus.REVOKED})
"""On the way back, which nothing stops."""


class Plan(enum.StrEnum):
    """What can be subscribed to; the names are those of the types of subscription."""

    MONTHLY = "Monthly"
    ANNUAL = "Annual"
    LIFETIME = "Lifetime"


class Purchase(Bought, frozen=True, kw_only=True, rename="camel"):
    """One purchase as it is stored: of a bundle, with the stories that were in it, or of a `plan`.

    `amount` is a decimal number as text. `request_id` tells the request apart that asked for it first.
    `reference` is what the gateway calls the payment; `reason` says in a word why it was refused, or went
    back.
    """

    bundle_id: str | None = None
    plan: Plan | None = None
    request_id: str | None = None
    scenario_ids: list[str] = msgspec.field(default_factory=list)
    status: PurchaseStatus = PurchaseStatus.RESERVED
    amount: str
    currency: str
    gateway: str | None = None
    reference: str | None = None
    reason: str | None = None
    charged_at: dt.datetime | None = None
    granted_at: dt.datetime | None = None
    refunded_at: dt.datetime | None = None


Currency = Annotated[str, Meta(pattern=r"^[A-Z]{3}(?![\s\S])", description="A code of ISO 4217.")]


class NewPurchase(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """A bundle to be bought, for an account (absent: the caller's). `profile_id` is who asks for it, if that
    is one of the account's profiles: for a child's, its parent must have consented.
    """

    bundle_id: ContentId
    currency: Currency
    account_id: RecordId | None = None
    profile_id: RecordId | None = None


class NewSubscription(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """A plan to be subscribed to, or to be renewed. `profile_id` as with bundles."""

    plan: Plan
    currency: Currency
    profile_id: RecordId | None = None


PurchaseOrder = Literal["createdAt", "-createdAt"]


class PurchaseSearch(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """Which purchases to list: those that satisfy all that is given."""

    account_id: RecordId | None = None
    bundle_id: ContentId | None = None
    status: PurchaseStatus | None = None
    order: PurchaseOrder = "-createdAt"
    limit: Annotated[int, Meta(ge=1, le=200)] = 50
    continuation: Annotated[str, Meta(max_length=4096)] | None = None
