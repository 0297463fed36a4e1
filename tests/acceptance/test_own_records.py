"""What members of a family get when they ask for what is theirs, without saying whose it is."""

import uuid
from typing import Any

import httpx
import pytest_asyncio

from tests.callers import Member, let_in
from tests.refusals import check_problem
from tests.serving import Api, quick

__all__ = ["quick"]

PROFILES = "/api/v1/profiles"


@pytest_asyncio.fixture
async def ada(quick: Api) -> Member:
    return await let_in(quick.platform)


@pytest_asyncio.fixture
async def robin(quick: Api) -> Member:
    return await let_in(quick.platform)


async def _profile(api: Api, member: Member, **more: Any) -> httpx.Response:
    return await api.client.post(PROFILES, json={"name": "Robin"} | more, auth=member.shows)


async def test_a_new_profile_is_the_callers(quick: Api, ada: Member) -> None:
    """Where no account is named, and where it is their own."""
    for named in ({}, {"accountId": ada.account_id}):
        made = await _profile(quick, ada, **named)
        assert (made.status_code, made.json()["accountId"]) == (201, ada.account_id)


async def test_a_list_is_of_what_is_the_callers(quick: Api, ada: Member, robin: Member) -> None:
    """Where no account is named; whoever runs the platform gets all."""
    mine = (await _profile(quick, ada)).json()["id"]
    theirs = (await _profile(quick, robin)).json()["id"]

    async def listed(auth: httpx.Auth | None) -> set[str]:
        answer = await quick.client.get(PROFILES, auth=auth or quick.client.auth)
        return {item["id"] for item in answer.json()["items"]}

    assert await listed(ada.shows) == {mine}
    assert await listed(robin.shows) == {theirs}
    assert await listed(None) == {mine, theirs}


async def test_a_profile_is_not_let_go_of(quick: Api, ada: Member) -> None:
    """One that belonged to nobody could not be exported or erased by anybody either."""
    made = (await _profile(quick, ada)).json()
    path, headers = f"{PROFILES}/{made['id']}", {"If-Match": made["etag"]}
    refused = await quick.client.patch(path, json={"accountId": None}, headers=headers, auth=ada.shows)
    assert (check_problem(refused)["code"], refused.json()["path"]) == ("not_allowed", "accountId")
    released = await quick.client.patch(path, json={"accountId": None}, headers=headers)
    assert (released.status_code, released.json()["accountId"]) == (200, None)
    assert (await quick.client.get(path, auth=ada.shows)).status_code == 404


async def test_a_profile_is_not_given_away(quick: Api, ada: Member, robin: Member) -> None:
    """Another family's account looks like one that is not there."""
    made = (await _profile(quick, ada)).json()
    path, headers = f"{PROFILES}/{made['id']}", {"If-Match": made["etag"]}
    content = {"accountId": robin.account_id}
    refused = await quick.client.patch(path, json=content, headers=headers, auth=ada.shows)
    assert (check_problem(refused)["code"], refused.json()["path"]) == ("missing_parent", "accountId")
    assert (await quick.client.get(path, auth=ada.shows)).json() == made


async def test_a_key_is_the_callers_own(quick: Api, ada: Member, robin: Member) -> None:
    """Two families who happen to send the same key and the same words make a profile each."""
    key = {"Idempotency-Key": uuid.uuid4().hex}
    made = [
        await quick.client.post(PROFILES, json={"name": "Robin"}, headers=key, auth=member.shows)
        for member in (ada, robin, ada)
    ]
    owners = [each.json()["accountId"] for each in made]
    assert owners == [ada.account_id, robin.account_id, ada.account_id]
    assert made[0].json() == made[2].json()
    assert "idempotency-replayed" not in made[1].headers


async def test_a_program_that_runs_the_platform_is_nobody_in_particular(quick: Api) -> None:
    """It has a role, and neither an account nor a sign-in to end."""
    me = {"role": "SuperAdmin", "lacksSecondFactor": False, "account": None}
    assert (await quick.client.get("/api/v1/me")).json() == me
    assert check_problem(await quick.client.delete("/api/v1/sign-ins/current"))["code"] == "not_found"
