"""What purchases work with, put together once by whoever runs them."""

from msgspec import Struct

from manystore.clock import Clock
from manystore.repository import Repository
from mystira.domain.accounts.use_cases import Accounts
from mystira.domain.bundles.model import ContentBundle
from mystira.domain.purchases.model import Purchase
from mystira.domain.purchases.payments import Payments

Purchases = Repository[Purchase]


class Checkout(Struct, frozen=True, kw_only=True):
    """Repositories, the gateway, and a clock."""

    purchases: Purchases
    accounts: Accounts
    bundles: Repository[ContentBundle]
    payments: Payments
    clock: Clock
