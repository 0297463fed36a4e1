"""How a purchase is refused.

DomainError
├── AlreadyBoughtError      the account has it already
├── NotForSaleError         it is given away, or has no price in this currency
└── NotRefundableError      no money was taken
"""

from mystira.domain.errors import DomainError


class AlreadyBoughtError(DomainError):
    """The account has {product} already; nothing was charged."""

    code = "already_bought"

    def __init__(self, *, product: str) -> None:
        self.product = product
        super().__init__(product=product)


class NotForSaleError(DomainError):
    """{product} cannot be bought in {currency}: {reason}."""

    code = "not_for_sale"
    field = "currency"

    def __init__(self, *, product: str, currency: str, reason: str) -> None:
        self.product, self.currency, self.reason = product, currency, reason
        super().__init__(product=product, currency=currency, reason=reason)


class NotRefundableError(DomainError):
    """Purchase {key} is {status}: no money was taken for it."""

    code = "not_refundable"

    def __init__(self, *, key: str, status: str) -> None:
        self.key, self.status = key, status
        super().__init__(key=key, status=status)
