"""A purchase ends well, whatever fails and wherever it dies: charged at most once, granted if charged."""

import asyncio
import datetime as dt
import random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manystore.errors import UnavailableError
from manystore.specifications import EVERYTHING
from mystira.domain.accounts.model import SubscriptionType
from mystira.domain.purchases.buying import reserve_bundle
from mystira.domain.purchases.errors import AlreadyBoughtError, NotForSaleError, NotRefundableError
from mystira.domain.purchases.model import Plan, PurchaseStatus
from mystira.domain.purchases.reading import all_purchases
from mystira.domain.purchases.saga import ACCOUNT_GONE, GIVES_UP_AFTER, NO_ANSWER, carry_on, refund_purchase
from mystira.domain.purchases.sweeping import sweep_purchases
from mystira.gateways.payments import DECLINED as CARD_DECLINED
from tests.unit.purchases.till import ADA, DECLINED, GIFT, LOST, ROADS, WINTER, CrashError, Till, open_till


@pytest.fixture
async def till() -> Till:
    return await open_till()


async def finish(till: Till) -> None:
    """What workers do once nothing fails any more."""
    till.faults.clear()
    for _ in range(2):
        # A gateway that loses its answer does so once.
        till.clock.advance(60.0)
        swept = await sweep_purchases(till.checkout)
    assert swept.put_off == ()


async def check_books(till: Till, key: str) -> None:
    """Money and stories tell the same: granted and charged once, or neither, or both undone."""
    purchase = await till.purchase(key)
    charged, back = till.book.charged.count(key), till.book.given_back.count(key)
    assert charged <= 1
    match purchase.status:
        case PurchaseStatus.GRANTED:
            assert (charged, back) == (1, 0)
            assert set(purchase.scenario_ids) <= set(await till.bought())
        case PurchaseStatus.REFUNDED:
            assert charged == back
        case status:
            assert status is PurchaseStatus.REFUSED
            assert charged == 0


# -- without faults ------------------------------------------------------------------------------------


async def test_a_bundle_is_charged_and_granted(till: Till) -> None:
    """The account has its stories, the record says when and by which payment; done again, nothing changes."""
    key = await till.reserve()
    done = await carry_on(till.checkout, key)
    assert done.value.status is PurchaseStatus.GRANTED
    assert (done.value.reference, done.value.gateway) == (f"sandbox_{key}", "sandbox")
    assert done.value.charged_at is not None
    assert done.value.granted_at is not None
    assert await till.bought() == ["snow", "stars"]
    assert (await carry_on(till.checkout, key)).version == done.version
    assert till.book.charged == [key]


async def test_a_refused_charge_releases_the_reservation(till: Till) -> None:
    """Nothing is granted, the reason is told, and the next attempt is a purchase of its own."""
    key = await till.reserve(DECLINED)
    refused = (await carry_on(till.checkout, key)).value
    assert (refused.status, refused.reason) == (PurchaseStatus.REFUSED, CARD_DECLINED)
    assert await till.bought() == []
    assert await till.reserve(DECLINED) != key
    with pytest.raises(NotRefundableError):
        await refund_purchase(till.checkout, key)


async def test_a_lost_answer_is_asked_for_again(till: Till) -> None:
    """The money was taken although nobody said so: it is not taken twice, and the bundle is granted."""
    key = await till.reserve(LOST)
    with pytest.raises(UnavailableError):
        await carry_on(till.checkout, key)
    assert (await till.purchase(key)).status is PurchaseStatus.CHARGING
    await finish(till)
    assert (await till.purchase(key)).status is PurchaseStatus.GRANTED
    assert till.book.charged == [key]


async def test_what_was_left_only_just_now_is_left_alone(till: Till) -> None:
    """Whoever is at it may still be."""
    key = await till.reserve()
    assert (await sweep_purchases(till.checkout)).ended == 0
    assert (await till.purchase(key)).status is PurchaseStatus.RESERVED


async def test_a_gateway_that_never_answers_is_given_up(till: Till) -> None:
    """After a day the purchase goes back; a charge that comes after that takes nothing."""
    key = await till.reserve()
    till.faults.randomness, till.faults.share = random.Random(0), 0.0
    payments = till.checkout.payments
    gone = msgspec.structs.replace(till.checkout, payments=_Silent(payments))
    with pytest.raises(UnavailableError):
        await carry_on(gone, key)
    till.clock.advance(GIVES_UP_AFTER.total_seconds())
    done = (await carry_on(gone, key)).value
    assert (done.status, done.reason) == (PurchaseStatus.REFUNDED, NO_ANSWER)
    assert till.book.charged == []


class _Silent:
    """Gives back, and says nothing when it is asked for money."""

    name = "silent"

    def __init__(self, payments: object) -> None:
        self._payments = payments

    async def charge(self, *_: object, **__: object) -> object:
        raise UnavailableError(subject="payments", reason="silent")

    def __getattr__(self, name: str) -> object:
        return getattr(self._payments, name)


async def test_an_account_that_went_gets_its_money_back(till: Till) -> None:
    """Whether it went before the charge or after it."""
    first, second = await till.reserve(WINTER), await till.reserve(ROADS)
    till.faults.before = till.faults.calls + 3
    with pytest.raises(CrashError):
        await carry_on(till.checkout, second)
    till.faults.clear()
    await till.close_account()
    await finish(till)
    for key in (first, second):
        purchase = await till.purchase(key)
        assert (purchase.status, purchase.reason) == (PurchaseStatus.REFUNDED, ACCOUNT_GONE)
    assert sorted(till.book.charged) == sorted(till.book.given_back)


async def test_what_cannot_be_bought_is_refused(till: Till) -> None:
    """A gift, another currency, and what one has already; nothing is written."""
    for bundle, currency in ((GIFT, "EUR"), (WINTER, "JPY")):
        with pytest.raises(NotForSaleError):
            await _reserve(till, bundle, currency)
    account = await till.account()
    held = msgspec.structs.replace(account.value.subscription, purchased_scenarios=["stars", "snow"])
    await till.checkout.accounts.change(account, msgspec.structs.replace(account.value, subscription=held))
    with pytest.raises(AlreadyBoughtError):
        await till.reserve(WINTER)


async def _reserve(till: Till, bundle: str, currency: str) -> None:
    await reserve_bundle(till.checkout, ADA, bundle, currency)


# -- racing --------------------------------------------------------------------------------------------


async def test_of_racing_purchases_one_is_made_and_charged(till: Till) -> None:
    """Twenty ask for the same bundle at once, and each carries on with what it was given."""

    async def buy() -> str:
        key = await till.reserve()
        return (await carry_on(till.checkout, key)).key

    keys = await asyncio.gather(*(buy() for _ in range(20)))
    assert len(set(keys)) == 1
    assert till.book.charged == [keys[0]]
    assert await till.bought() == ["snow", "stars"]


async def test_a_repeated_request_finds_its_own_purchase(till: Till) -> None:
    """Also after it was granted, where another request for the same plan would be a renewal."""
    mine, theirs = ADA, ADA.replace("a1", "a2")
    key = await till.subscribe(request_id=mine)
    await carry_on(till.checkout, key)
    assert await till.subscribe(request_id=mine) == key
    assert await till.subscribe(request_id=theirs) != key


# -- subscriptions -------------------------------------------------------------------------------------


async def test_renewals_extend(till: Till) -> None:
    """From the end of what was paid for, not from the day of the renewal; after a lapse, from that day."""
    begun = till.clock.now()
    for _ in range(2):
        await carry_on(till.checkout, await till.subscribe())
    held = await till.subscription()
    assert (held.type, held.is_active) == (SubscriptionType.MONTHLY, True)
    assert held.valid_until == begun + dt.timedelta(days=60)
    till.clock.advance(100 * 86400)
    await carry_on(till.checkout, await till.subscribe(Plan.ANNUAL))
    held = await till.subscription()
    assert held.valid_until == till.clock.now() + dt.timedelta(days=365)
    assert held.start_date == till.clock.now()


async def test_one_for_life_is_the_last(till: Till) -> None:
    """After it there is nothing to subscribe to; given back, what was paid for before still holds."""
    await carry_on(till.checkout, await till.subscribe())
    until = (await till.subscription()).valid_until
    key = await till.subscribe(Plan.LIFETIME)
    await carry_on(till.checkout, key)
    assert (await till.subscription()).type is SubscriptionType.LIFETIME
    with pytest.raises(AlreadyBoughtError):
        await till.subscribe()
    await refund_purchase(till.checkout, key)
    await carry_on(till.checkout, key)
    held = await till.subscription()
    assert (held.type, held.valid_until) == (SubscriptionType.MONTHLY, until)


async def test_a_refund_takes_away_what_no_other_purchase_gave(till: Till) -> None:
    """A story that is in two bundles stays as long as one of them does; done again, it changes nothing."""
    winter, roads = await till.reserve(WINTER), await till.reserve(ROADS)
    for key in (winter, roads):
        await carry_on(till.checkout, key)
    for _ in range(2):
        await refund_purchase(till.checkout, winter)
        assert (await carry_on(till.checkout, winter)).value.status is PurchaseStatus.REFUNDED
        assert await till.bought() == ["roads", "stars"]
    assert till.book.given_back == [winter]


async def test_a_renewal_that_is_given_back_takes_its_own_time_along(till: Till) -> None:
    """Once, however many carry on with it at a time."""
    begun = till.clock.now()
    first = await till.subscribe()
    await carry_on(till.checkout, first)
    await carry_on(till.checkout, await till.subscribe(Plan.ANNUAL))
    await refund_purchase(till.checkout, first)
    await asyncio.gather(*(carry_on(till.checkout, first) for _ in range(8)))
    held = await till.subscription()
    assert (held.type, held.valid_until) == (SubscriptionType.ANNUAL, begun + dt.timedelta(days=365))


# -- dying ---------------------------------------------------------------------------------------------

MOST_CALLS = 24


@pytest.mark.parametrize("bundle", [WINTER, DECLINED, LOST])
@pytest.mark.parametrize("is_refunded", [False, True])
@pytest.mark.parametrize("side", ["before", "after"])
async def test_wherever_it_dies_it_comes_to_its_end(bundle: str, is_refunded: bool, side: str) -> None:
    """Cut off before and after each write and each call to the gateway, there and back."""
    reached = 0
    for number in range(1, MOST_CALLS):
        till = await open_till()
        key = await till.reserve(bundle)
        setattr(till.faults, side, till.faults.calls + number)
        try:
            await _there_and_back(till, key, is_refunded)
        except (CrashError, UnavailableError):
            reached += 1
        await finish(till)
        if is_refunded and (await till.purchase(key)).status is not PurchaseStatus.REFUSED:
            await refund_purchase(till.checkout, key)
            await finish(till)
            assert (await till.purchase(key)).status is PurchaseStatus.REFUNDED
            assert await till.bought() == []
        await check_books(till, key)
    assert reached >= (2 if bundle == DECLINED else 4)


async def _there_and_back(till: Till, key: str, is_refunded: bool) -> None:
    done = await carry_on(till.checkout, key)
    if is_refunded and done.value.status is PurchaseStatus.GRANTED:
        await refund_purchase(till.checkout, key)
        await carry_on(till.checkout, key)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32), share=st.floats(0.02, 0.4), plans=st.booleans())
async def test_random_faults_at_random_calls_leave_the_books_true(
    seed: int, share: float, plans: bool
) -> None:
    """Several processes at once, dying now and then; some purchases are given back meanwhile."""
    till, chance = await open_till(), random.Random(seed)
    begun = till.clock.now()
    till.faults.randomness, till.faults.share = chance, share

    async def act() -> None:
        for _ in range(4):
            try:
                key = await (till.subscribe() if plans else till.reserve(chance.choice((WINTER, ROADS))))
                await asyncio.sleep(0)
                if chance.random() < 0.3:
                    await refund_purchase(till.checkout, key)
                await carry_on(till.checkout, key)
            except (CrashError, UnavailableError, AlreadyBoughtError, NotRefundableError):
                continue

    await asyncio.gather(*(act() for _ in range(3)))
    await finish(till)
    # Of some nobody knows: whoever reserved them died before being told.
    keys = [stored.key async for stored in all_purchases(till.checkout.purchases, EVERYTHING)]
    for key in keys:
        await check_books(till, key)
    granted = [key for key in keys if (await till.purchase(key)).status is PurchaseStatus.GRANTED]
    if plans:
        # Hardly any time passes while they act, so that what was granted lies end to end.
        until = (await till.subscription()).valid_until or begun
        assert round((until - begun) / dt.timedelta(days=30), 2) == len(granted)
    else:
        given = {each for key in granted for each in (await till.purchase(key)).scenario_ids}
        assert set(await till.bought()) == given
