"""Carries on with purchases that somebody left unfinished: whoever died, or did not wait for the gateway."""

import datetime as dt
from typing import Final

from msgspec import Struct

from manystore.errors import ManystoreError
from manystore.specifications import field
from mystira.domain.errors import DomainError
from mystira.domain.purchases.checkout import Checkout
from mystira.domain.purchases.model import GOING_BACK, GOING_ON
from mystira.domain.purchases.reading import all_purchases
from mystira.domain.purchases.saga import carry_on

LEFT_AFTER: Final = dt.timedelta(seconds=5)
"""After how long without a step a purchase counts as left. Too short does no harm: two may carry on."""


class Swept(Struct, frozen=True, kw_only=True):
    """How many purchases were brought to an end, and the errors of those that were not."""

    ended: int
    put_off: tuple[str, ...]


async def sweep_purchases(checkout: Checkout, *, left_after: dt.timedelta = LEFT_AFTER) -> Swept:
    """Carry on with each purchase that was left; any number may do so at once.

    What cannot be ended now does not keep the others. Raises UnavailableError (manystore.errors) where none
    can be looked for.
    """
    before = checkout.clock.now() - left_after
    statuses = [status.value for status in sorted(GOING_ON | GOING_BACK)]
    where = field("status").is_in(statuses) & (field("updatedAt") < before.isoformat())
    left = [stored.key async for stored in all_purchases(checkout.purchases, where)]
    ended, put_off = 0, list[str]()
    for key in left:
        try:
            await carry_on(checkout, key)
        except (ManystoreError, DomainError) as error:
            put_off.append(type(error).__name__)
            continue
        ended += 1
    return Swept(ended=ended, put_off=tuple(put_off))
