"""A payment gateway to try things out with, that takes no money and behaves as real ones do on bad days.

The cents of an amount decide what happens, so that anybody can make it happen by a price:

    ….02   the charge is refused (`card_declined`)
    ….03   the money is taken, and the answer is lost: the first attempt says that nothing is known
    ….04   it takes SLOW_SECONDS
    else   the charge is made at once

What it knows of a purchase is kept in Redis, where every process sees it and where it survives them.
"""

from collections.abc import Mapping
from typing import Any, Final, Protocol

import msgspec
from redis.asyncio import Redis

from manystore.clock import Clock
from manystore.errors import UnavailableError
from mystira.domain.purchases.payments import ChargeRefusedError, Payment, PaymentState
from mystira.gateways.connections import redis_errors

SLOW_SECONDS: Final = 8.0
"""More than whoever buys is kept waiting."""
KEPT_SECONDS: Final = 400 * 24 * 3600
DECLINED: Final = "card_declined"
GIVEN_BACK: Final = "refunded"
_PREFIX: Final = "mystira:payments:"


class Book(Protocol):
    """Where the sandbox writes down what became of each purchase; each method is one atomic step."""

    async def enter(self, purchase_id: str, payment: Payment) -> tuple[Payment, bool]:
        """Keep the payment unless there is one; the one that stands, and whether it came by this call."""

    async def turn(self, purchase_id: str, states: Mapping[str, str], otherwise: Payment) -> Payment:
        """Change the state as `states` says, or keep `otherwise` where there is none; what stands then."""

    async def look(self, purchase_id: str) -> Payment | None:
        """What stands, or None."""


class SandboxPayments:
    """Takes no money; see above for what it does with which amounts."""

    name: Final = "sandbox"

    def __init__(self, book: Book, clock: Clock) -> None:
        self._book, self._clock = book, clock

    async def charge(self, purchase_id: str, *, account_id: str, amount: str, currency: str) -> Payment:
        """See Payments.charge."""
        cents = _cents(amount)
        if cents == "04":
            await self._clock.sleep(SLOW_SECONDS)
        made = self._payment(purchase_id, "refused" if cents == "02" else "charged")
        payment, is_new = await self._book.enter(purchase_id, made)
        if payment.state != "charged":
            raise ChargeRefusedError(reason=DECLINED if payment.state == "refused" else GIVEN_BACK)
        if is_new and cents == "03":
            raise UnavailableError(subject="payments", reason="the answer was lost")
        return payment

    async def refund(self, purchase_id: str) -> Payment:
        """See Payments.refund."""
        never = self._payment(purchase_id, "void")
        return await self._book.turn(purchase_id, {"charged": "refunded", "refused": "void"}, never)

    async def find(self, purchase_id: str) -> Payment | None:
        """See Payments.find."""
        return await self._book.look(purchase_id)

    def _payment(self, purchase_id: str, state: PaymentState) -> Payment:
        return Payment(reference=f"sandbox_{purchase_id}", state=state, at=self._clock.now())


def _cents(amount: str) -> str:
    return amount.partition(".")[2][:2]


class MemoryBook:
    """A book that ends with the process, for tests and for trying things out."""

    def __init__(self) -> None:
        self._payments: dict[str, Payment] = {}

    async def enter(self, purchase_id: str, payment: Payment) -> tuple[Payment, bool]:
        """See Book.enter."""
        is_new = purchase_id not in self._payments
        return self._payments.setdefault(purchase_id, payment), is_new

    async def turn(self, purchase_id: str, states: Mapping[str, str], otherwise: Payment) -> Payment:
        """See Book.turn."""
        payment = self._payments.setdefault(purchase_id, otherwise)
        turned = msgspec.structs.replace(payment, state=states.get(payment.state, payment.state))
        self._payments[purchase_id] = turned
        return turned

    async def look(self, purchase_id: str) -> Payment | None:
        """See Book.look."""
        return self._payments.get(purchase_id)


_TURN: Final = """
redis.call('SET', KEYS[1], ARGV[1], 'NX', 'EX', ARGV[2])
local payment = cjson.decode(redis.call('GET', KEYS[1]))
payment['state'] = cjson.decode(ARGV[3])[payment['state']] or payment['state']
local turned = cjson.encode(payment)
redis.call('SET', KEYS[1], turned, 'EX', ARGV[2])
return turned
"""


class RedisBook:
    """A book in Redis."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._turn = redis.register_script(_TURN)

    async def enter(self, purchase_id: str, payment: Payment) -> tuple[Payment, bool]:
        """See Book.enter."""
        key, written = _PREFIX + purchase_id, msgspec.json.encode(payment)
        with redis_errors():
            is_new: Any = await self._redis.set(key, written, nx=True, ex=KEPT_SECONDS)
            standing: Any = written if is_new else await self._redis.get(key)
        return msgspec.json.decode(standing, type=Payment), bool(is_new)

    async def turn(self, purchase_id: str, states: Mapping[str, str], otherwise: Payment) -> Payment:
        """See Book.turn."""
        arguments: list[Any] = [msgspec.json.encode(otherwise), KEPT_SECONDS, msgspec.json.encode(states)]
        with redis_errors():
            turned: Any = await self._turn(keys=[_PREFIX + purchase_id], args=arguments)
        return msgspec.json.decode(turned, type=Payment)

    async def look(self, purchase_id: str) -> Payment | None:
        """See Book.look."""
        with redis_errors():
            found: Any = await self._redis.get(_PREFIX + purchase_id)
        return None if found is None else msgspec.json.decode(found, type=Payment)


class NoPayments:
    """Where no gateway is set: nothing can be bought, and what is under way waits for one."""

    name: Final = "none"

    async def charge(self, purchase_id: str, *, account_id: str, amount: str, currency: str) -> Payment:
        """See Payments.charge."""
        raise _absent()

    async def refund(self, purchase_id: str) -> Payment:
        """See Payments.refund."""
        raise _absent()

    async def find(self, purchase_id: str) -> Payment | None:
        """See Payments.find."""
        raise _absent()


def _absent() -> UnavailableError:
    return UnavailableError(subject="payments", reason="no gateway is set", retry_after=60.0)
