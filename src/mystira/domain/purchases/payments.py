"""The port behind which money is taken and given back.

Whoever implements it promises two things, on which the saga builds: everything is said of one purchase and is
done to it once, however often it is asked for; and a refund is final, so that a charge which was under way
when it came, or is repeated after it, takes nothing.
"""

import datetime as dt
from typing import Literal, Protocol

from msgspec import Struct

PaymentState = Literal["charged", "refused", "refunded", "void"]
"""`void`: refunded before it was ever charged."""


class Payment(Struct, frozen=True, kw_only=True):
    """What the gateway knows of a purchase."""

    reference: str
    state: PaymentState
    at: dt.datetime
    reason: str | None = None


class ChargeRefusedError(Exception):
    """The gateway will not charge this purchase: {reason}.

    Asked again it will say the same. `reason` is a word for programs, such as `card_declined`.
    """

    def __init__(self, *, reason: str) -> None:
        self.reason = reason
        super().__init__((type(self).__doc__ or "").split("\n\n", 1)[0].format(reason=reason))


class Payments(Protocol):
    """A payment gateway. Every method raises UnavailableError (manystore.errors) where it is not known what
    became of it; then it is to be asked again, until it is.
    """

    @property
    def name(self) -> str:
        """By which its payments are told from another's."""

    async def charge(self, purchase_id: str, *, account_id: str, amount: str, currency: str) -> Payment:
        """Take the amount by what the account pays with, once a purchase. Raises ChargeRefusedError."""

    async def refund(self, purchase_id: str) -> Payment:
        """Give back what was taken; what was not taken never will be."""

    async def find(self, purchase_id: str) -> Payment | None:
        """What became of a purchase; None where it was never spoken of."""
