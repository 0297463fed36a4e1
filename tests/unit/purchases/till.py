"""A till in memory: a family's account, bundles to buy, and a gateway that fails where it is told to.

Every write and every call to the gateway can be cut off just before it is made and just after, as if the
process had died there. What was done stays done; whoever carries on begins anew with what is written.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar

import msgspec

from manystore.errors import UnavailableError
from manystore.placement import Leases, Placement
from manystore.records import Content, Kind, Record
from manystore.repository import Repository, Stored
from manystore.specifications import Page, Specification
from manystore.stores.memory import MemoryStore
from mystira.domain.accounts.kind import ACCOUNTS
from mystira.domain.accounts.model import Account, Subscription
from mystira.domain.bundles.kind import CONTENT_BUNDLES
from mystira.domain.bundles.model import ContentBundle, Price
from mystira.domain.purchases.buying import reserve_bundle, reserve_plan
from mystira.domain.purchases.checkout import Checkout
from mystira.domain.purchases.kind import PURCHASES
from mystira.domain.purchases.model import Plan, Purchase
from mystira.domain.purchases.payments import Payment
from mystira.gateways.payments import MemoryBook, SandboxPayments
from tests.unit.clocks import ManualClock

T = TypeVar("T")

ADA: Final = "00000000-0000-7000-8000-0000000000a1"
WINTER: Final = "winter-lights"
ROADS: Final = "long-roads"
DECLINED: Final = "declined"
LOST: Final = "lost"
SLOW: Final = "slow"
GIFT: Final = "gift"


class CrashError(Exception):
    """The process died."""


class Faults:
    """Cuts calls off: before or after the one of a number, or each with a likelihood."""

    def __init__(self) -> None:
        self.calls = 0
        self.before: int | None = None
        self.after: int | None = None
        self.randomness: random.Random | None = None
        self.share = 0.0

    def clear(self) -> None:
        """No fault any more."""
        self.before = self.after = self.randomness = None

    async def pause(self) -> None:
        """Let others come first, now and then."""
        for _ in range(self.randomness.randrange(4) if self.randomness is not None else 0):
            await asyncio.sleep(0)

    async def meet(self, call: Callable[[], Awaitable[T]]) -> T:
        """Make a call, unless it is cut off."""
        await self.pause()
        self.calls += 1
        number = self.calls
        if self.before == number or self._strikes():
            raise CrashError
        done = await call()
        await self.pause()
        if self.after == number or self._strikes():
            raise CrashError
        return done

    def _strikes(self) -> bool:
        if self.randomness is None or self.randomness.random() >= self.share:
            return False
        if self.randomness.random() < 0.5:
            raise UnavailableError(subject="somebody", reason="it was planned")
        return True


class FaultyStore(MemoryStore):
    """Writes can be cut off, and between reads others may come."""

    def __init__(self, faults: Faults) -> None:
        super().__init__("documents")
        self._faults = faults

    async def put(
        self, kind: Kind, key: str, content: Content, *, expected: int | None, epoch: int, above: int = 0
    ) -> Record:
        put = super().put

        async def call() -> Record:
            return await put(kind, key, content, expected=expected, epoch=epoch, above=above)

        return await self._faults.meet(call)

    async def get(self, kind: Kind, key: str) -> Record | None:
        record = await super().get(kind, key)
        await self._faults.pause()
        return record

    async def find(self, kind: Kind, specification: Specification) -> Page:
        page = await super().find(kind, specification)
        await self._faults.pause()
        return page


class CountingBook(MemoryBook):
    """Counts how often money moved."""

    def __init__(self) -> None:
        super().__init__()
        self.charged: list[str] = []
        self.given_back: list[str] = []

    async def enter(self, purchase_id: str, payment: Payment) -> tuple[Payment, bool]:
        entered, is_new = await super().enter(purchase_id, payment)
        if is_new and entered.state == "charged":
            self.charged.append(purchase_id)
        return entered, is_new

    async def turn(self, purchase_id: str, states: Any, otherwise: Payment) -> Payment:
        before = await self.look(purchase_id)
        turned = await super().turn(purchase_id, states, otherwise)
        if before is not None and before.state == "charged" and turned.state == "refunded":
            self.given_back.append(purchase_id)
        return turned


class FaultyPayments(SandboxPayments):
    """A gateway whose calls can be cut off."""

    def __init__(self, book: MemoryBook, clock: ManualClock, faults: Faults) -> None:
        super().__init__(book, clock)
        self._faults = faults

    async def charge(self, purchase_id: str, *, account_id: str, amount: str, currency: str) -> Payment:
        charge = super().charge

        async def call() -> Payment:
            return await charge(purchase_id, account_id=account_id, amount=amount, currency=currency)

        return await self._faults.meet(call)

    async def refund(self, purchase_id: str) -> Payment:
        refund = super().refund

        async def call() -> Payment:
            return await refund(purchase_id)

        return await self._faults.meet(call)


class Till:
    """What purchases need, and what can be seen of them."""

    def __init__(self) -> None:
        self.clock, self.faults, self.book = ManualClock(), Faults(), CountingBook()
        self.store, self.elsewhere = FaultyStore(self.faults), MemoryStore("tables")
        placements = [
            Placement(kind=kind, source=self.store, target=self.elsewhere) for kind in (ACCOUNTS, PURCHASES)
        ]
        placements.append(Placement.settled(CONTENT_BUNDLES, self.store))
        leases = Leases(placements, node="test", clock=self.clock, lease=3600.0 * 24 * 365)
        self.checkout = Checkout(
            purchases=Repository(Purchase, PURCHASES, leases, self.clock),
            accounts=Repository(Account, ACCOUNTS, leases, self.clock),
            bundles=Repository(ContentBundle, CONTENT_BUNDLES, leases, self.clock),
            payments=FaultyPayments(self.book, self.clock, self.faults),
            clock=self.clock,
        )

    async def reserve(self, bundle: str = WINTER, request_id: str | None = None) -> str:
        """The key of a purchase of a bundle."""
        reserved = await reserve_bundle(self.checkout, ADA, bundle, "EUR", request_id=request_id)
        return reserved.stored.key

    async def subscribe(self, plan: Plan = Plan.MONTHLY, request_id: str | None = None) -> str:
        """The key of a purchase of a plan."""
        reserved = await reserve_plan(self.checkout, ADA, plan, "EUR", request_id=request_id)
        return reserved.stored.key

    async def purchase(self, key: str) -> Purchase:
        stored = await self.checkout.purchases.get(key)
        assert stored is not None
        return stored.value

    async def account(self) -> Stored[Account]:
        stored = await self.checkout.accounts.get(ADA)
        assert stored is not None
        return stored

    async def subscription(self) -> Subscription:
        return (await self.account()).value.subscription

    async def bought(self) -> list[str]:
        return sorted((await self.subscription()).purchased_scenarios)

    async def close_account(self) -> None:
        await self.checkout.accounts.delete(await self.account())


async def open_till() -> Till:
    """A till with an account, and a bundle for each way in which a charge can go."""
    till = Till()
    await till.store.open()
    await till.elsewhere.open()
    now = till.clock.now()
    account = Account(id=ADA, created_at=now, email="ada@example.org")
    await till.checkout.accounts.create(account)
    bundle = ContentBundle(id=WINTER, created_at=now, title="Winter", scenario_ids=["snow", "stars"])
    for key, price, more in (
        (WINTER, "4.99", {}),
        (ROADS, "6.00", {"scenario_ids": ["stars", "roads"]}),
        (DECLINED, "1.02", {}),
        (LOST, "1.03", {}),
        (SLOW, "1.04", {}),
        (GIFT, "0.00", {"is_free": True}),
    ):
        made: dict[str, Any] = {"id": key, "prices": [Price(value=price, currency="EUR")], **more}
        await till.checkout.bundles.create(msgspec.structs.replace(bundle, **made))
    till.faults.calls = 0
    return till
