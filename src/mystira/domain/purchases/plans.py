"""What subscriptions cost and how long they last.

A month has thirty days and a year 365, so that what a refund takes away is what the purchase had given.
"""

import datetime as dt
from collections.abc import Mapping
from typing import Final

from mystira.domain.bundles.model import Price
from mystira.domain.purchases.model import Plan

LASTS: Final[Mapping[Plan, dt.timedelta | None]] = {
    Plan.MONTHLY: dt.timedelta(days=30),
    Plan.ANNUAL: dt.timedelta(days=365),
    Plan.LIFETIME: None,
}
"""How long each plan lasts; None is for life."""

PRICES: Final[Mapping[Plan, tuple[Price, ...]]] = {
    Plan.MONTHLY: (
        Price(value="5.99", currency="EUR"),
        Price(value="5.99", currency="USD"),
        Price(value="99.00", currency="ZAR"),
    ),
    Plan.ANNUAL: (
        Price(value="59.00", currency="EUR"),
        Price(value="59.00", currency="USD"),
        Price(value="990.00", currency="ZAR"),
    ),
    Plan.LIFETIME: (
        Price(value="149.00", currency="EUR"),
        Price(value="149.00", currency="USD"),
        Price(value="2490.00", currency="ZAR"),
    ),
}
