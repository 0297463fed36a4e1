"""Signing up and in over HTTP, on the embedded servers: the way in, its limits, and the way out."""

import asyncio
import re
import uuid
from collections.abc import AsyncIterator
from typing import Any

import httpx
import msgspec
import pytest
import pytest_asyncio
import structlog

from manystore.stores.memory import MemoryStore
from mystira.domain.accounts.model import Role
from mystira.domain.accounts.use_cases import set_role
from mystira.gateways.outgoing import Outgoing
from mystira.gateways.outside import Outside, memory_outside
from mystira.platform import Platform
from mystira.serve.api import compose
from mystira.services.worker import keep_tidy
from tests.callers import let_in, operator
from tests.refusals import check_problem
from tests.serving import Api, direct, memory_api
from tests.unit.clocks import ManualClock

Body = dict[str, Any]
HOUR = 3600.0


def _address() -> str:
    return f"{uuid.uuid4().hex}@example.org"


@pytest_asyncio.fixture
async def visitor(api: Api) -> AsyncIterator[httpx.AsyncClient]:
    """Somebody who shows nothing, from a network address of their own."""
    number = uuid.uuid4().int
    address = f"10.{number % 250}.{number // 250 % 250}.{number // 62500 % 250}"
    transport = httpx.ASGITransport(api.application, client=(address, 1))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        yield client


async def _mailed(api: Api, to: str, *, count: int = 1) -> str:
    """The code in the newest of so many letters, once they are there."""
    async with asyncio.timeout(120):
        while len(kept := await _letters(api, to)) < count:
            await asyncio.sleep(0.01)
    [code] = re.findall(r"^    (\w{4}-\w{4})$", kept[0]["text"], flags=re.MULTILINE)
    return str(code)


async def _letters(api: Api, to: str) -> list[Body]:
    found = await api.client.get("/mailbox/messages", params={"to": to})
    items: list[Body] = found.json()["items"]
    return items


async def _ask(client: httpx.AsyncClient, email: str, name: str | None = None) -> httpx.Response:
    if name is None:
        return await client.post("/api/v1/sign-ins", json={"email": email})
    return await client.post("/api/v1/sign-ups", json={"email": email, "displayName": name})


async def _confirm(client: httpx.AsyncClient, asked: httpx.Response, code: str) -> httpx.Response:
    content = {"requestId": asked.json()["requestId"], "code": code}
    return await client.post("/api/v1/sign-ins/confirm", json=content)


async def _come_in(api: Api, client: httpx.AsyncClient, email: str, name: str | None = None) -> Body:
    before = len(await _letters(api, email))
    asked = await _ask(client, email, name)
    assert asked.status_code == 202, asked.text
    answer = await _confirm(client, asked, await _mailed(api, email, count=before + 1))
    assert answer.status_code == 200, answer.text
    body: Body = answer.json()
    return body


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


# -- in, and out again ---------------------------------------------------------------------------------


async def test_a_family_comes_in_and_goes_out(api: Api) -> None:
    """By the letter that came; the token is theirs until they give it up."""
    await _come_and_go(api)


async def test_a_family_comes_in_and_goes_out_on_postgres(moved_api: Api) -> None:
    """The same where accounts and requests for codes live in tables."""
    await _come_and_go(moved_api)


async def _come_and_go(api: Api) -> None:
    email = _address()
    async with direct(api.application) as client:
        came = await _come_in(api, client, email, "Ada")
        account = came["account"]
        assert (account["email"], account["displayName"], account["role"]) == (email, "Ada", "User")
        me = await client.get("/api/v1/me", headers=_bearer(came["token"]))
        assert me.json() == {"role": "User", "lacksSecondFactor": False, "account": account}
        again = await _come_in(api, client, email.upper())
        assert again["account"]["id"] == account["id"]
        out = await client.delete("/api/v1/sign-ins/current", headers=_bearer(came["token"]))
        assert (out.status_code, out.content) == (204, b"")
        refused = await client.get("/api/v1/me", headers=_bearer(came["token"]))
        assert check_problem(refused)["code"] == "not_signed_in"
        assert refused.headers["www-authenticate"] == 'Bearer error="invalid_token"'
        assert (await client.get("/api/v1/me", headers=_bearer(again["token"]))).status_code == 200


async def test_a_code_is_taken_however_it_is_typed(api: Api, visitor: httpx.AsyncClient) -> None:
    """In small letters and without the hyphen."""
    email = _address()
    asked = await _ask(visitor, email, "Ada")
    code = (await _mailed(api, email)).lower().replace("-", "")
    assert (await _confirm(visitor, asked, code)).status_code == 200


async def test_everywhere_means_everywhere(api: Api, visitor: httpx.AsyncClient) -> None:
    """All tokens of the account open nothing any more; another family's do."""
    ada, robin = await let_in(api.platform), await let_in(api.platform)
    more = await let_in(api.platform, account_id=ada.account_id)
    path = f"/api/v1/accounts/{ada.account_id}/sign-ins"
    assert (await visitor.delete(path, auth=robin.shows)).status_code == 404
    assert (await visitor.delete(path, auth=more.shows)).status_code == 204
    found = [(await visitor.get("/api/v1/me", auth=each.shows)).status_code for each in (ada, more, robin)]
    assert found == [401, 401, 200]


async def test_who_deletes_their_account_is_signed_out(api: Api, visitor: httpx.AsyncClient) -> None:
    """Of every device, with the very next request; the address may sign up anew, and finds nothing."""
    ada = await let_in(api.platform)
    more = await let_in(api.platform, account_id=ada.account_id)
    path = f"/api/v1/accounts/{ada.account_id}"
    assert (await visitor.delete(path, auth=ada.shows, headers={"If-Match": "*"})).status_code == 204
    found = [(await visitor.get("/api/v1/me", auth=each.shows)).status_code for each in (ada, more)]
    assert found == [401, 401]


async def test_a_role_counts_from_the_next_request_on(api: Api, visitor: httpx.AsyncClient) -> None:
    """Given and taken away, in the hands of the same token."""
    ada = await let_in(api.platform)
    found = []
    for role in (Role.USER, Role.ADMIN, Role.GUEST, Role.SUPER_ADMIN):
        await set_role(api.platform.accounts, ada.account_id, role, clock=api.platform.clock)
        moves = await visitor.get("/admin/api/moves", auth=ada.shows)
        accounts = await visitor.get("/api/v1/accounts", auth=ada.shows)
        found.append((moves.status_code, accounts.status_code))
    assert found == [(403, 403), (200, 403), (403, 403), (200, 200)]


async def test_a_super_admin_makes_staff(api: Api, visitor: httpx.AsyncClient) -> None:
    """By the Admin API, which writes down who gave which role to whom and why, before it counts."""
    ada, boss = await let_in(api.platform), await let_in(api.platform, role=Role.SUPER_ADMIN)
    path, asked = f"/admin/api/people/{ada.account_id}/role", {"role": "Admin", "reason": "Writes with us"}
    assert (await visitor.put(path, json=asked, auth=ada.shows)).status_code == 403
    given = await visitor.put(path, json=asked, auth=boss.shows)
    assert given.status_code == 200, given.text
    assert given.json() == {"accountId": ada.account_id, "role": "Admin", "former": "User"}
    assert (await visitor.get("/admin/api/moves", auth=ada.shows)).status_code == 200
    assert (await visitor.put(path, json=asked, auth=ada.shows)).status_code == 403
    audited = [msgspec.json.decode(each.value) for each in await api.platform.documents.notes("audit/")]
    noted = [
        (each["actor"], each["action"], each["reason"])
        for each in audited
        if each["subject"] == f"accounts/{ada.account_id}"
    ]
    assert noted == [(f"account:{boss.account_id}", "role:Admin", "Writes with us")]


async def test_staff_are_written_down_by_their_account(api: Api, visitor: httpx.AsyncClient) -> None:
    """Whatever name they give; the commands' word for who typed them is taken."""
    ada = await let_in(api.platform, role=Role.ADMIN)
    headers = {"X-Actor": "somebody-else"}
    planned = await visitor.post("/admin/api/moves/accounts/plan", auth=ada.shows, headers=headers)
    assert planned.status_code == 202, planned.text
    assert planned.json()["actor"] == f"account:{ada.account_id}"


# -- what nobody is told -------------------------------------------------------------------------------


async def test_an_unknown_address_looks_like_a_known_one(api: Api, visitor: httpx.AsyncClient) -> None:
    """Asked for and guessed at: the same answers, to the letter, and the same heads."""
    known, unknown = _address(), _address()
    await _come_in(api, visitor, known, "Ada")
    for name in (None, "Ada"):
        told = []
        for email in (known, unknown if name is None else _address()):
            asked = await _ask(visitor, email, name)
            guesses = [await _confirm(visitor, asked, "0000-0000") for _ in range(6)]
            told.append([_plain(each, asked) for each in (asked, *guesses)])
        assert told[0] == told[1]
        assert [status for status, *_ in told[0]] == [202, 422, 422, 422, 422, 422, 410]
    assert await _letters(api, unknown) == []


def _plain(answer: httpx.Response, asked: httpx.Response) -> tuple[int, list[str], str]:
    text = answer.text.replace(asked.json()["requestId"], "…")
    text = text.replace(answer.headers["x-correlation-id"], "…").replace(asked.json()["expiresAt"], "…")
    return answer.status_code, sorted(answer.headers), text


class CountingStore(MemoryStore):
    """Counts what it is asked to do."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.asked: list[str] = []

    def __getattribute__(self, name: str) -> Any:
        if name in ("get", "find", "put", "delete"):
            object.__getattribute__(self, "asked").append(name)
        return object.__getattribute__(self, name)


async def test_an_unknown_address_costs_as_much_work_as_a_known_one() -> None:
    """The same reads and writes in the same order, so that the time that it takes tells nothing."""
    documents = CountingStore("documents")
    async with memory_api(documents) as api, direct(api.application) as client:
        known = (await api.sign_up())["email"]
        for name in (None, "Ada"):
            asked = []
            for email in (known, _address(), known, _address()):
                documents.asked.clear()
                assert (await _ask(client, email, name)).status_code == 202
                asked.append(list(documents.asked))
            assert asked == [["put", "find"]] * 4


async def test_logs_tell_of_nobody(api: Api, visitor: httpx.AsyncClient) -> None:
    """Neither address nor code nor token, also where something is refused."""
    email = _address()
    with structlog.testing.capture_logs() as logs:
        asked = await _ask(visitor, email, "Ada")
        code = await _mailed(api, email)
        await _confirm(visitor, asked, "0000-0000")
        came = await _confirm(visitor, asked, code)
        await visitor.get("/api/v1/me", headers=_bearer(came.json()["token"] + "x"))
    for secret in (email, code, code.replace("-", ""), came.json()["token"], "Ada"):
        assert secret not in str(logs)


# -- limits --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_known", [True, False])
async def test_one_address_is_mailed_five_codes_an_hour(
    api: Api, visitor: httpx.AsyncClient, is_known: bool
) -> None:
    """Signing up and in together, whatever the case, and whether or not there is an account."""
    email = (await api.sign_up())["email"] if is_known else _address()
    for number in range(5):
        asked = await _ask(visitor, email.upper() if number % 2 else email, "Ada" if number % 2 else None)
        assert asked.status_code == 202
    refused = await _ask(visitor, email)
    assert check_problem(refused)["code"] == "too_often"
    assert 700 < int(refused.headers["retry-after"]) <= 720
    assert (await _ask(visitor, _address())).status_code == 202


async def test_from_one_place_thirty_codes_an_hour_are_asked_for(
    api: Api, visitor: httpx.AsyncClient
) -> None:
    """For whomever; what runs the platform may ask for more, since it speaks for many."""
    for _ in range(30):
        assert (await _ask(visitor, _address())).status_code == 202
    refused = await _ask(visitor, _address())
    assert check_problem(refused)["code"] == "too_often"
    visitor.auth = operator(api.settings)
    assert (await _ask(visitor, _address())).status_code == 202


async def test_from_one_place_a_hundred_codes_an_hour_are_tried(api: Api, visitor: httpx.AsyncClient) -> None:
    """For whichever requests, and from no other place."""
    asked = await _ask(visitor, _address())
    codes = [(await _confirm(visitor, asked, "0000-0000")).status_code for _ in range(101)]
    assert codes == [422] * 5 + [410] * 95 + [429]
    async with direct(api.application, api.settings) as elsewhere:
        assert (await _confirm(elsewhere, asked, "0000-0000")).status_code == 410


async def test_limits_are_settings(quick: Api) -> None:
    """Whoever runs a platform decides how many."""
    before = quick.platform
    settings = quick.settings.model_copy(update={"codes_per_email": 1})
    platform = Platform(settings, before.documents, before.tables, node="strict", clock=before.clock)
    async with direct(compose(platform, memory_outside(platform.clock), {})) as client:
        email = _address()
        assert [(await _ask(client, email)).status_code for _ in range(2)] == [202, 429]


async def test_a_hundred_who_show_one_code_at_once_get_one_token(
    api: Api, visitor: httpx.AsyncClient
) -> None:
    """Over HTTP and on real stores: one comes in, and one sign-in is kept."""
    email = _address()
    asked = await _ask(visitor, email, "Ada")
    code = await _mailed(api, email)
    answers = await asyncio.gather(*(_confirm(visitor, asked, code) for _ in range(100)))
    statuses = sorted(each.status_code for each in answers)
    assert statuses.count(200) == 1
    assert set(statuses) <= {200, 409, 410}
    found = await api.client.get("/api/v1/accounts", params={"email": email})
    assert len(found.json()["items"]) == 1


async def test_two_who_sign_up_at_once_share_the_account(api: Api, visitor: httpx.AsyncClient) -> None:
    """Each by a letter of their own; the address has one account, and both are in it."""
    email = _address()
    asked = []
    for number in (1, 2):
        answer = await _ask(visitor, email, f"Parent {number}")
        asked.append((answer, await _mailed(api, email, count=number)))
    came = await asyncio.gather(*(_confirm(visitor, answer, code) for answer, code in asked))
    assert [each.status_code for each in came] == [200, 200]
    assert len({each.json()["account"]["id"] for each in came}) == 1
    assert len({each.json()["token"] for each in came}) == 2


# -- what is not there ---------------------------------------------------------------------------------


async def test_where_no_mail_is_sent_nobody_is_asked_to_wait_for_it(quick: Api) -> None:
    """503, for every address alike, with nothing written."""
    outside = Outside(
        keys=quick.outside.keys,
        limits=quick.outside.limits,
        outgoing=Outgoing(None, quick.platform.clock),
    )
    known = (await quick.sign_up())["email"]
    async with direct(compose(quick.platform, outside, {})) as client:
        for email in (known, _address()):
            refused = await _ask(client, email)
            assert check_problem(refused)["code"] == "unavailable"


async def test_what_ran_out_goes_while_the_worker_runs() -> None:
    """Codes and sign-ins a day after their end, hour after hour; a store that is away ends nothing."""
    clock = ManualClock()
    documents = MemoryStore("documents")
    async with memory_api(documents, clock) as api, direct(api.application) as client:
        member = await let_in(api.platform)
        asked = await _ask(client, _address())
        tidying = asyncio.create_task(keep_tidy(api.platform))
        kind = api.platform.family["pending_signups"].kind
        try:
            clock.advance(25 * HOUR)
            async with asyncio.timeout(120):
                while (record := await documents.get(kind, asked.json()["requestId"])) is not None:
                    assert not record.is_deleted or record.content is None
                    if record.is_deleted:
                        break
                    await asyncio.sleep(0)
            assert not tidying.done()
        finally:
            tidying.cancel()
            await asyncio.gather(tidying, return_exceptions=True)
        assert member.token
