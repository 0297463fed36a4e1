"""Who brought content in, published, withdrew and deleted it is written down, and read by SuperAdmins."""

from typing import Any

import httpx
import pytest

from manystore.errors import UnavailableError
from manystore.stores.memory import MemoryStore
from mystira.cli.shipped import ROOT
from mystira.domain.accounts.model import Role
from mystira.services.admin.content.noting import NOTED
from tests.callers import Member, let_in
from tests.refusals import check_problem
from tests.serving import Api, memory_api, services_of

_PATH = "/admin/api/scenarios/where-is-moon"


async def _import(api: Api, **headers: str) -> httpx.Response:
    sent = (ROOT / "scenarios" / "where-is-moon.yaml").read_bytes()
    more = {"Content-Type": "application/yaml", **headers}
    params = {"id": "where-is-moon"}
    return await api.client.post("/admin/api/scenarios", params=params, content=sent, headers=more)


async def _steps(api: Api, who: Member | None = None, **search: str) -> list[dict[str, Any]]:
    sent: dict[str, Any] = {} if who is None else {"auth": who.shows}
    answer = await api.client.get("/admin/api/content-steps", params=search, **sent)
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


def _told(steps: list[dict[str, Any]], *names: str) -> list[tuple[Any, ...]]:
    return [tuple(each[name] for name in names) for each in reversed(steps)]


async def test_each_step_says_who_what_and_why(quick: Api) -> None:
    """From its import to its deletion, in order; reasons in any language; what was made is named."""
    headers = {"If-Match": "*", "X-Actor": "grace", "X-Reason": "F%C3%BCr den Herbst"}
    assert (await _import(quick, **{"X-Actor": "grace"})).status_code == 201
    for step in ("publish", "withdraw"):
        assert (await quick.client.post(f"{_PATH}/{step}", headers=headers)).status_code == 200
    assert (await quick.client.delete(_PATH, headers=headers)).status_code == 204
    found = await _steps(quick)
    subject = "scenarios/where-is-moon"
    assert _told(found, "actor", "action", "subject", "reason", "outcome") == [
        ("grace", "importScenario", subject, None, "Done"),
        ("grace", "publishScenario", f"{subject}/publish", "Für den Herbst", "Done"),
        ("grace", "withdrawScenario", f"{subject}/withdraw", "Für den Herbst", "Done"),
        ("grace", "deleteScenario", subject, "Für den Herbst", "Done"),
    ]
    assert [each["createdAt"] for each in found] == sorted((e["createdAt"] for e in found), reverse=True)


async def test_what_was_refused_is_written_down_as_well(quick: Api) -> None:
    """With the code of the refusal; staff who are signed in are named by their account, whatever they say."""
    ada = await let_in(quick.platform, role=Role.ADMIN)
    headers = {"If-Match": "*", "X-Actor": "somebody-else"}
    refused = await quick.client.post(f"{_PATH}/publish", headers=headers, auth=ada.shows)
    assert check_problem(refused)["code"] == "not_found"
    assert _told(await _steps(quick), "actor", "outcome", "code") == [
        (f"account:{ada.account_id}", "Refused", "not_found")
    ]


async def test_steps_are_found_by_who_and_what(quick: Api) -> None:
    """Each condition leaves out what it does not name, page by page."""
    for actor in ("ada", "grace", "ada"):
        await _import(quick, **{"X-Actor": actor})
    assert len(await _steps(quick, actor="ada")) == 2
    assert len(await _steps(quick, action="importScenario")) == 3
    assert await _steps(quick, subject="scenarios/no-such-story") == []
    first = (await quick.client.get("/admin/api/content-steps", params={"limit": 2})).json()
    rest = await _steps(quick, limit="2", continuation=first["continuation"])
    assert len(first["items"]) + len(rest) == 3


async def test_only_super_admins_read_them(quick: Api) -> None:
    """They name staff: an Admin is refused."""
    ada, boss = [await let_in(quick.platform, role=role) for role in (Role.ADMIN, Role.SUPER_ADMIN)]
    refused = await quick.client.get("/admin/api/content-steps", auth=ada.shows)
    assert check_problem(refused)["code"] == "not_allowed"
    assert await _steps(quick, boss) == []


@pytest.mark.parametrize("reason", ["no", "x" * 501, " leading"])
async def test_a_reason_that_is_none_is_refused_before_anything(quick: Api, reason: str) -> None:
    """Nothing is done, and nothing is written."""
    refused = await _import(quick, **{"X-Reason": reason})
    assert check_problem(refused)["code"] == "invalid_header"
    assert await _steps(quick) == []


class _NoSteps(MemoryStore):
    """Documents in which no step can be written."""

    async def put(self, kind: Any, *args: Any, **more: Any) -> Any:
        if kind.name == "content_steps":
            raise UnavailableError(subject="documents", reason="planted", retry_after=1.0)
        return await super().put(kind, *args, **more)


async def test_what_cannot_be_written_down_is_not_done() -> None:
    """A story is not brought in past the book."""
    async with memory_api(_NoSteps("documents")) as api:
        assert check_problem(await _import(api))["code"] == "unavailable"
        assert (await api.client.get(_PATH)).status_code == 404


async def test_what_is_noted_is_there(quick: Api) -> None:
    """Every name in the list is an operation's, which takes who asks and why."""
    admin = next(each for each in services_of(quick.platform) if each.name == "adminApi")
    noted = {each.name for each in admin.operations if each.gives_reason}
    assert noted == NOTED
    assert all(each.names_actor for each in admin.operations if each.name in NOTED)
