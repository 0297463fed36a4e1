"""What a bundle is: stories that are given away or sold together."""

import msgspec
from msgspec import Struct

from mystira.domain.records import Entity


class Price(Struct, frozen=True, kw_only=True, rename="camel"):
    """A price: `value` is a decimal number as text, such as `4.99`, `currency` a code of ISO 4217."""

    value: str
    currency: str


class ContentBundle(Entity, frozen=True, kw_only=True, rename="camel"):
    """One bundle as it is stored. What it makes of the stories in it, `access.py` says."""

    title: str
    description: str = ""
    scenario_ids: list[str] = msgspec.field(default_factory=list)
    image_id: str | None = None
    prices: list[Price] = msgspec.field(default_factory=list)
    is_free: bool = False
    is_active: bool = True
    age_group: str = "6-9"
