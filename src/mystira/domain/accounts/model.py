"""What an account is, and what may be said about one from outside.

`Account` and its parts are what is stored: lenient about text, so that old records stay readable, and
silent about properties it does not know. `NewAccount`, `AccountChange` and `SubscriptionChange` are what
people send: every value within its bounds, nothing unknown.
"""

import datetime as dt
import enum
from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from mystira.domain.forms import (
    ContentId,
    EmailAddress,
    FilledLine,
    Instant,
    Language,
    Line,
    Phrase,
    ShortLine,
    Token,
)
from mystira.domain.records import Entity


class Role(enum.StrEnum):
    """What an account may do, from least to most."""

    GUEST = "Guest"
    USER = "User"
    ADMIN = "Admin"
    SUPER_ADMIN = "SuperAdmin"


class SubscriptionType(enum.StrEnum):
    """How an account pays."""

    FREE = "Free"
    MONTHLY = "Monthly"
    ANNUAL = "Annual"
    LIFETIME = "Lifetime"
    INDIVIDUAL = "Individual"


class Settings(Struct, frozen=True, kw_only=True, rename="camel"):
    """How an account likes to be treated."""

    cache_credentials: bool = True
    require_auth_on_startup: bool = False
    preferred_language: str = "en"
    notifications_enabled: bool = True
    theme: str = "system"


class Subscription(Struct, frozen=True, kw_only=True, rename="camel"):
    """What an account has paid for; every account has one, free to begin with."""

    type: SubscriptionType = SubscriptionType.FREE
    tier: str = "Free"
    product_id: str | None = None
    is_active: bool = True
    valid_until: dt.datetime | None = None
    start_date: dt.datetime | None = None
    end_date: dt.datetime | None = None
    purchase_token: str | None = None
    last_verified: dt.datetime | None = None
    purchased_scenarios: list[str] = msgspec.field(default_factory=list)


class Account(Entity, frozen=True, kw_only=True, rename="camel"):
    """One account as it is stored."""

    email: str
    external_user_id: str | None = None
    display_name: str = ""
    role: Role = Role.GUEST
    settings: Settings = msgspec.field(default_factory=Settings)
    subscription: Subscription = msgspec.field(default_factory=Subscription)
    completed_scenario_ids: list[str] = msgspec.field(default_factory=list)
    last_login_at: dt.datetime | None = None


class SettingsChange(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """Settings to set; those left out stay."""

    cache_credentials: bool | UnsetType = UNSET
    require_auth_on_startup: bool | UnsetType = UNSET
    preferred_language: Language | UnsetType = UNSET
    notifications_enabled: bool | UnsetType = UNSET
    theme: ShortLine | UnsetType = UNSET


class NewAccount(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """What is asked of somebody who signs up. Role and subscription are not theirs to choose."""

    email: EmailAddress
    display_name: Line = ""
    external_user_id: FilledLine | None = None
    settings: SettingsChange = msgspec.field(default_factory=SettingsChange)


class AccountChange(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """What an account's owner may change about it; properties left out stay (RFC 7396)."""

    email: EmailAddress | UnsetType = UNSET
    display_name: Line | UnsetType = UNSET
    settings: SettingsChange | UnsetType = UNSET


class SubscriptionChange(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """What a purchase or its lapse changes; properties left out stay, null takes a value away."""

    type: SubscriptionType | UnsetType = UNSET
    tier: Phrase | UnsetType = UNSET
    product_id: ContentId | UnsetType | None = UNSET
    is_active: bool | UnsetType = UNSET
    valid_until: Instant | UnsetType | None = UNSET
    start_date: Instant | UnsetType | None = UNSET
    end_date: Instant | UnsetType | None = UNSET
    purchase_token: Token | UnsetType | None = UNSET
    last_verified: Instant | UnsetType | None = UNSET
    purchased_scenarios: Annotated[list[ContentId], Meta(max_length=1000)] | UnsetType = UNSET


AccountOrder = Literal["createdAt", "-createdAt", "email", "-email", "lastLoginAt", "-lastLoginAt"]


class AccountSearch(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """Which accounts to list: those that satisfy all that is given.

    `email` is compared without regard to case; `created_since` is included, `created_before` is not. A
    minus before the order means largest first. `continuation` is what the page before ended with.
    """

    email: EmailAddress | None = None
    role: Role | None = None
    created_since: Instant | None = None
    created_before: Instant | None = None
    order: AccountOrder = "createdAt"
    limit: Annotated[int, Meta(ge=1, le=200)] = 50
    continuation: Annotated[str, Meta(max_length=4096)] | None = None
