"""Letters that nobody sends: what is kept of them, and who sees them."""

import datetime as dt
import uuid

import httpx
import pytest
from redis.asyncio import Redis

from manystore.errors import UnavailableError
from mystira.domain.letters import Letter
from mystira.gateways.connections import open_redis
from mystira.gateways.mailbox import (
    KEPT_SECONDS,
    MOST_LETTERS,
    MOST_RECIPIENTS,
    Mailbox,
    MemoryMailbox,
    RedisMailbox,
)
from mystira.serve.api import compose
from mystira.settings import Settings
from tests.refusals import check_problem
from tests.serving import Api, direct, served
from tests.unit.clocks import ManualClock

CLOCK = ManualClock()


@pytest.fixture(params=["memory", "redis"])
async def mailbox(request: pytest.FixtureRequest, redis: Redis) -> Mailbox:
    """An empty mailbox in either place."""
    if request.param == "memory":
        return MemoryMailbox(CLOCK)
    for name in await redis.keys("mystira:mailbox:*"):
        await redis.delete(name)
    return RedisMailbox(redis, CLOCK)


async def _send(mailbox: Mailbox, to: str, text: str) -> None:
    CLOCK.advance(1.0)
    await mailbox.send(Letter(to=to, subject="A code", text=text, html=f"<p>{text}</p>"))


async def test_letters_are_kept_by_recipient(mailbox: Mailbox) -> None:
    """Newest first, whatever the case of the address, and nobody else's."""
    for to, text in (("Ada@example.org", "one"), ("robin@example.org", "two"), ("ada@EXAMPLE.org", "three")):
        await _send(mailbox, to, text)
    kept = await mailbox.letters("ADA@example.org")
    assert [(each.to, each.text) for each in kept] == [
        ("ada@EXAMPLE.org", "three"),
        ("Ada@example.org", "one"),
    ]
    assert kept[0].at == CLOCK.now()
    assert kept[0].html == "<p>three</p>"
    assert await mailbox.letters("nobody@example.org") == []
    assert [each.text for each in await mailbox.newest(10)] == ["three", "two"]
    assert [each.text for each in await mailbox.newest(1)] == ["three"]


async def test_no_more_is_kept_than_there_is_room_for(mailbox: Mailbox) -> None:
    """Of each recipient the newest letters, and the recipients whose last letter is newest."""
    for number in range(MOST_LETTERS + 2):
        await _send(mailbox, "ada@example.org", str(number))
    assert [each.text for each in await mailbox.letters("ada@example.org")] == [
        str(number) for number in range(MOST_LETTERS + 1, 1, -1)
    ]
    for number in range(MOST_RECIPIENTS):
        await _send(mailbox, f"family-{number}@example.org", "x")
    assert len(await mailbox.newest(MOST_RECIPIENTS * 2)) == MOST_RECIPIENTS
    assert len(await mailbox.letters(f"family-{MOST_RECIPIENTS - 1}@example.org")) == 1


async def test_nothing_is_kept_for_long(redis: Redis) -> None:
    """An hour; Redis sees to it by itself."""
    clock = ManualClock()
    in_memory = MemoryMailbox(clock)
    await in_memory.send(Letter(to="ada@example.org", subject="A code", text="x", html="x"))
    assert len(await in_memory.newest(10)) == 1
    clock.advance(KEPT_SECONDS)
    assert await in_memory.letters("ada@example.org") == []
    assert await in_memory.newest(10) == []
    await _send(RedisMailbox(redis, CLOCK), "ada@example.org", "x")
    names = [name async for name in redis.scan_iter("mystira:mailbox:*")]
    assert len(names) >= 2
    for name in names:
        assert 0 < await redis.ttl(name) <= KEPT_SECONDS


async def test_without_redis_there_is_no_mailbox() -> None:
    """Told as such, by each method."""
    async with open_redis("redis://127.0.0.1:1/0") as nowhere:
        mailbox = RedisMailbox(nowhere, CLOCK)
        for asking in (_send(mailbox, "a@b.cd", "x"), mailbox.letters("a@b.cd"), mailbox.newest(1)):
            with pytest.raises(UnavailableError):
                await asking


# -- the page ------------------------------------------------------------------------------------------


async def test_the_page_shows_letters_and_nothing_else_gets_in(api: Api) -> None:
    """What stands in a letter is text, and the page may load nothing."""
    assert api.outside.mailbox is not None
    await _send(api.outside.mailbox, "ada@example.org", "<script>alert(1)</script> 7KQ2-M4XD")
    page = await api.client.get("/mailbox")
    assert page.status_code == 200
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert page.headers["cache-control"] == "no-store"
    assert "7KQ2-M4XD" in page.text
    assert "<script>" not in page.text
    assert "default-src 'none'" in page.headers["content-security-policy"]


async def test_letters_can_be_asked_for_by_address(api: Api) -> None:
    """As JSON, for programs that try the platform out; strictly, as everywhere."""
    assert api.outside.mailbox is not None
    to = f"{uuid.uuid4().hex}@example.org"
    await _send(api.outside.mailbox, to, "7KQ2-M4XD")
    found = (await api.client.get("/mailbox/messages", params={"to": to})).json()
    assert found["continuation"] is None
    [message] = found["items"]
    assert (message["to"], message["text"]) == (to, "7KQ2-M4XD")
    assert dt.datetime.fromisoformat(message["at"]) <= api.platform.clock.now()
    for query in ({}, {"to": "nobody"}, {"from": to}):
        assert check_problem(await api.client.get("/mailbox/messages", params=query))["status"] == 400


@pytest.mark.parametrize(
    ("client", "host"),
    [
        ("192.0.2.7", "localhost"),
        ("127.0.0.1", "mystira.example.org"),
        ("127.0.0.1", "127.0.0.1.example.org"),
        ("", "localhost"),
    ],
    ids=["another machine", "another name", "a name that looks like it", "nobody knows"],
)
async def test_nobody_else_finds_a_mailbox(api: Api, client: str, host: str) -> None:
    """From another machine, or by a name that somebody else made point here, there is nothing."""
    transport = httpx.ASGITransport(api.application, client=(client, 1))
    async with httpx.AsyncClient(transport=transport, base_url=f"http://{host}:8080") as asking:
        for path in ("/mailbox", "/mailbox/messages?to=ada@example.org"):
            assert check_problem(await asking.get(path))["code"] == "unknown_route"


@pytest.mark.parametrize("host", ["localhost:8080", "127.0.0.1", "[::1]:8080"])
@pytest.mark.parametrize("client", ["127.0.0.1", "127.9.9.9", "::1"])
async def test_this_machine_finds_its_mailbox(api: Api, client: str, host: str) -> None:
    """By each of its own names."""
    transport = httpx.ASGITransport(api.application, client=(client, 1))
    async with httpx.AsyncClient(transport=transport, base_url=f"http://{host}") as asking:
        assert (await asking.get("/mailbox")).status_code == 200


@pytest.mark.parametrize(("trusted", "status"), [("127.0.0.1", 404), ("10.0.0.0/8", 200), ("", 200)])
async def test_a_proxy_says_from_where_a_request_comes(api: Api, trusted: str, status: int) -> None:
    """One that is trusted: then what comes from elsewhere by way of this machine is from elsewhere."""
    settings = api.settings.model_copy(update={"trusted_proxies": trusted})
    async with served(api.application, settings) as client:
        answer = await client.get("/mailbox", headers={"X-Forwarded-For": "192.0.2.7"})
        assert answer.status_code == status
        assert (await client.get("/mailbox")).status_code == 200


async def test_where_mail_is_sent_there_is_no_mailbox(quick: Api) -> None:
    """Nor is there a route that would lead to one."""
    outside = type(quick.outside)(
        keys=quick.outside.keys, limits=quick.outside.limits, outgoing=quick.outside.outgoing
    )
    async with direct(compose(quick.platform, outside, {})) as client:
        for path in ("/mailbox", "/mailbox/messages?to=ada@example.org"):
            assert check_problem(await client.get(path))["code"] == "unknown_route"


@pytest.mark.parametrize(
    ("settings", "redis_url", "has_mailbox"),
    [
        (Settings(), "redis://embedded", True),
        (Settings(smtp_url="smtp://localhost"), "redis://embedded", False),
        (Settings(redis_url="redis://ours"), "redis://ours", False),
        (Settings(redis_url="redis://ours", mailbox=True), "redis://ours", True),
        (Settings(mailbox=False), "redis://embedded", False),
    ],
    ids=["embedded", "smtp", "a Redis of ours", "asked for", "declined"],
)
def test_a_mailbox_is_part_of_the_embedded_platform(
    settings: Settings, redis_url: str, has_mailbox: bool
) -> None:
    """Unless mail can be sent; elsewhere only for whoever asks for it."""
    running = settings.with_servers(postgres_url="postgresql://x", redis_url=redis_url)
    assert running.mailbox is has_mailbox
