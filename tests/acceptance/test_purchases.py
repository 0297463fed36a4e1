"""Buying over HTTP: what is offered, what it opens, what is charged once, what a dead process left behind."""

import asyncio
import uuid
from typing import Any

import httpx
import pytest
from redis.asyncio import Redis

from manystore.errors import UnavailableError
from mystira.domain.purchases.buying import reserve_bundle
from mystira.domain.purchases.checkout import checkout_of
from mystira.domain.purchases.model import PurchaseStatus
from mystira.domain.purchases.payments import Payment
from mystira.gateways.outside import Outside
from mystira.gateways.payments import MemoryBook, RedisBook
from mystira.serve.api import compose
from mystira.services.worker import keep_selling
from tests.acceptance.table import Body, Family, sit_down
from tests.callers import Member, let_in
from tests.refusals import check_problem
from tests.serving import Api, direct


class Shop:
    """A family that is signed in, with a story of its own that a bundle sells."""

    def __init__(self, family: Family, member: Member, bundle: str) -> None:
        self.family, self.member, self.bundle = family, member, bundle
        self.client = family.api.client

    async def ask(self, method: str, path: str, **sent: Any) -> httpx.Response:
        """As a member of the family."""
        return await self.client.request(method, f"/api/v1/{path}", auth=self.member.shows, **sent)

    async def buy(self, key: str | None = None, **more: Any) -> httpx.Response:
        headers = {} if key is None else {"Idempotency-Key": key}
        content = {"bundleId": self.bundle, "currency": "EUR"} | more
        return await self.ask("POST", "purchases", json=content, headers=headers)

    async def start(self) -> httpx.Response:
        players = [{"profileId": self.family.profile, "characterId": "heron"}]
        content = {"scenarioId": self.family.scenario, "profileId": self.family.profile, "players": players}
        return await self.ask("POST", "sessions", json=content)

    async def access(self) -> str:
        """What the list of stories says of the family's own."""
        continuation = None
        while True:
            query: dict[str, str] = {} if continuation is None else {"continuation": continuation}
            page = (await self.ask("GET", "scenarios", params={"limit": "100"} | query)).json()
            for each in page["items"]:
                if each["id"] == self.family.scenario:
                    return str(each["access"])
            continuation = page["continuation"]
            assert continuation is not None, "the story is listed"


async def open_shop(api: Api, price: str = "4.99") -> Shop:
    family = await sit_down(api)
    member = await let_in(api.platform, account_id=family.account)
    content = {
        "title": f"Stories {uuid.uuid4().hex}",
        "scenarioIds": [family.scenario],
        "prices": [{"value": price, "currency": "EUR"}],
    }
    made = await api.client.post("/admin/api/bundles", json=content)
    assert made.status_code == 201, made.text
    # For as long as bundles may be as they were.
    await asyncio.sleep(2.1)
    return Shop(family, member, made.json()["id"])


@pytest.fixture(params=["documents", "postgres"])
async def shop(request: pytest.FixtureRequest, api: Api, moved_api: Api) -> Shop:
    """Once with purchases in documents, once in PostgreSQL."""
    return await open_shop(api if request.param == "documents" else moved_api)


async def until(shop: Shop, key: str, status: str) -> Body:
    """Wait for what goes on by itself."""
    async with asyncio.timeout(20):
        while True:
            body: Body = (await shop.ask("GET", f"purchases/{key}")).json()
            if body["status"] == status:
                return body
            await asyncio.sleep(0.1)


async def test_a_story_opens_when_its_bundle_is_bought_and_closes_with_a_refund(shop: Shop) -> None:
    """Until then it is refused by name of the bundle; offers and lists say what one has."""
    refused = check_problem(await shop.start())
    assert (refused["status"], refused["code"], refused["bundles"]) == (403, "not_bought", [shop.bundle])
    assert await shop.access() == "none"
    assert (await shop.ask("GET", f"bundles/{shop.bundle}")).json()["access"] == "none"
    bought = await shop.buy()
    assert (bought.status_code, bought.json()["status"]) == (201, "Granted")
    key = bought.json()["id"]
    assert bought.headers["location"] == f"/api/v1/purchases/{key}"
    assert await shop.access() == "bought"
    assert (await shop.ask("GET", f"bundles/{shop.bundle}")).json()["access"] == "bought"
    listed = (await shop.ask("GET", "purchases")).json()["items"]
    assert [(each["id"], each["amount"], each["currency"]) for each in listed] == [(key, "4.99", "EUR")]
    begun = await shop.start()
    assert begun.status_code == 201
    assert check_problem(await shop.ask("POST", f"purchases/{key}/refund"))["code"] == "not_allowed"
    for _ in range(2):
        back = await shop.client.post(f"/api/v1/purchases/{key}/refund")
        assert (back.status_code, back.json()["status"]) == (200, "Refunded")
    assert await shop.access() == "none"
    # What was begun goes on.
    assert (await shop.start()).json()["id"] == begun.json()["id"]


async def test_a_subscription_opens_all_and_a_renewal_extends_it(shop: Shop) -> None:
    """From where it ends; the lists say why a story is open."""
    path = f"accounts/{shop.member.account_id}/subscription-purchases"
    ends = []
    for plan in ("Monthly", "Monthly", "Annual"):
        made = await shop.ask("POST", path, json={"plan": plan, "currency": "EUR"})
        assert (made.status_code, made.json()["status"]) == (201, "Granted"), made.text
        account = (await shop.ask("GET", f"accounts/{shop.member.account_id}")).json()
        assert account["subscription"]["type"] == plan
        ends.append(account["subscription"]["validUntil"])
    assert ends == sorted(set(ends))
    assert await shop.access() == "subscribed"
    assert (await shop.start()).status_code == 201
    # A subscription that has lapsed opens nothing.
    etag = (await shop.ask("GET", f"accounts/{shop.member.account_id}")).headers["etag"]
    change = {"validUntil": "2026-01-01T00:00:00Z"}
    lapsed = await shop.client.patch(
        f"/api/v1/accounts/{shop.member.account_id}/subscription", json=change, headers={"If-Match": etag}
    )
    assert lapsed.status_code == 200
    assert await shop.access() == "none"


async def test_racing_and_repeated_purchases_charge_once(shop: Shop) -> None:
    """With the same key, with other keys, and without any; all are answered with the one purchase."""
    answers = await asyncio.gather(*(shop.buy(key) for key in [None] * 4 + ["a", "b", "c"] + ["d"] * 4))
    made = [answer for answer in answers if answer.status_code == 201]
    assert len({answer.json()["id"] for answer in made}) == 1
    assert {check_problem(each)["code"] for each in answers if each not in made} <= {"request_in_progress"}
    again = await shop.buy("d")
    assert again.json()["id"] == made[0].json()["id"]
    assert len((await shop.ask("GET", "purchases")).json()["items"]) == 1


async def test_what_a_gateway_answers_is_told(api: Api) -> None:
    """A refusal grants nothing; a lost answer is found again by a worker, which charges nothing more."""
    declined = await open_shop(api, "5.02")
    refused = (await declined.buy()).json()
    assert (refused["status"], refused["reason"]) == ("Refused", "card_declined")
    assert await declined.access() == "none"
    lost = await open_shop(api, "5.03")
    waiting = (await lost.buy()).json()
    assert waiting["status"] == "Charging"
    working = asyncio.create_task(keep_selling(checkout_of(api.platform, api.outside.payments)))
    try:
        await until(lost, waiting["id"], "Granted")
    finally:
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)
    assert await lost.access() == "bought"


async def test_what_a_dead_process_reserved_is_carried_on(shop: Shop) -> None:
    """A worker finds it a few seconds later; asked for again meanwhile, it is the same purchase."""
    checkout = checkout_of(shop.family.api.platform, shop.family.api.outside.payments)
    reserved = await reserve_bundle(checkout, shop.member.account_id, shop.bundle, "EUR")
    assert reserved.stored.value.status is PurchaseStatus.RESERVED
    working = asyncio.create_task(keep_selling(checkout))
    try:
        await until(shop, reserved.stored.key, "Granted")
    finally:
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)
    assert (await shop.buy()).json()["id"] == reserved.stored.key


async def test_purchases_stay_when_their_buyer_goes(shop: Shop) -> None:
    """And say no more whose they were."""
    key = (await shop.buy()).json()["id"]
    path = f"/api/v1/accounts/{shop.member.account_id}"
    gone = await shop.client.delete(path, headers={"If-Match": "*"})
    assert gone.status_code == 204, gone.text
    left = (await shop.client.get(f"/api/v1/purchases/{key}")).json()
    assert (left["accountId"], left["status"]) == (None, "Granted")


async def test_without_a_gateway_nothing_can_be_bought(quick: Api) -> None:
    """And nothing is reserved for later."""
    bare = Outside(keys=quick.outside.keys, limits=quick.outside.limits, outgoing=quick.outside.outgoing)
    member = await let_in(quick.platform)
    async with direct(compose(quick.platform, bare, {})) as client:
        answer = await client.post(
            "/api/v1/purchases", auth=member.shows, json={"bundleId": "any", "currency": "EUR"}
        )
    assert check_problem(answer)["code"] == "unavailable"


@pytest.fixture(params=["memory", "redis"])
def book(request: pytest.FixtureRequest, redis: Any) -> MemoryBook | RedisBook:
    """The sandbox's book, in memory and in Redis."""
    return MemoryBook() if request.param == "memory" else RedisBook(redis)


async def test_a_payment_is_entered_once_and_turned_once(api: Api, book: MemoryBook | RedisBook) -> None:
    """Both books keep to it: the first payment stands, and what was never charged never will be."""
    key, now = uuid.uuid4().hex, api.platform.clock.now()
    first = Payment(reference="one", state="charged", at=now)
    other = Payment(reference="two", state="void", at=now)
    assert await book.look(key) is None
    assert await book.enter(key, first) == (first, True)
    assert await book.enter(key, other) == (first, False)
    turned = await book.turn(key, {"charged": "refunded"}, other)
    assert (turned.reference, turned.state) == ("one", "refunded")
    assert await book.look(key) == turned
    never = uuid.uuid4().hex
    assert await book.turn(never, {"charged": "refunded"}, other) == other
    assert await book.enter(never, first) == (other, False)


async def test_a_book_that_is_away_says_so() -> None:
    """Whoever asks knows that nothing is known."""
    async with Redis.from_url("redis://127.0.0.1:1") as away:
        with pytest.raises(UnavailableError):
            await RedisBook(away).look("any")
