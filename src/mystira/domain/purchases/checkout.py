"""What purchases work with, put together once by whoever runs them."""

from typing import Protocol, TypeVar

from msgspec import Struct

from manystore.clock import Clock
from manystore.records import Kind
from manystore.repository import Repository
from mystira.domain.accounts.use_cases import Accounts
from mystira.domain.bundles.kind import CONTENT_BUNDLES
from mystira.domain.bundles.model import ContentBundle
from mystira.domain.purchases.kind import PURCHASES
from mystira.domain.purchases.model import Purchase
from mystira.domain.purchases.payments import Payments
from mystira.domain.records import Entity

E = TypeVar("E", bound=Entity)
Purchases = Repository[Purchase]


class Checkout(Struct, frozen=True, kw_only=True):
    """Repositories, the gateway, and a clock."""

    purchases: Purchases
    accounts: Accounts
    bundles: Repository[ContentBundle]
    payments: Payments
    clock: Clock


class Records(Protocol):
    """Where repositories come from."""

    @property
    def accounts(self) -> Accounts:
        """All accounts."""

    @property
    def clock(self) -> Clock:
        """The time."""

    def repository(self, model: type[E], kind: Kind) -> Repository[E]:
        """The records of a kind."""


def checkout_of(records: Records, payments: Payments) -> Checkout:
    """What purchases through a gateway work with."""
    return Checkout(
        purchases=records.repository(Purchase, PURCHASES),
        accounts=records.accounts,
        bundles=records.repository(ContentBundle, CONTENT_BUNDLES),
        payments=payments,
        clock=records.clock,
    )
