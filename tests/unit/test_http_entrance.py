"""Correlation ids, what is logged, and what becomes of errors that nobody foresaw."""

import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import structlog

from mystira.gateways.outside import memory_outside
from mystira.http.application import make_application
from mystira.http.callers import ANYONE, NOBODY, Caller
from mystira.http.entrance import Entrance
from mystira.http.operations import Answer, Call, Operation
from mystira.http.queries import Nothing
from mystira.http.service import Service
from mystira.serve.api import compose
from tests.refusals import check_problem
from tests.serving import Api, direct, quick

__all__ = ["quick"]

SECRET = "ada@example.org"


@pytest.fixture
def logs() -> Iterator[list[Any]]:
    with structlog.testing.capture_logs(processors=[structlog.contextvars.merge_contextvars]) as captured:
        yield captured


@pytest.mark.parametrize("given", ["a", "4f0c-6a1e_8d7b.4C53", "x" * 64])
async def test_a_correlation_id_is_taken_over(quick: Api, given: str) -> None:
    """What a caller calls the request is what it is called here."""
    answer = await quick.client.get("/api/v1/accounts", headers={"X-Correlation-Id": given})
    assert answer.headers["x-correlation-id"] == given


@pytest.mark.parametrize("given", ["", "x" * 65, "a b", 'a"b', b"a\x0bb", "é".encode()])
async def test_an_id_that_could_do_harm_is_replaced(quick: Api, given: Any) -> None:
    """An id goes into logs and headers, so it is only letters, digits and a few marks."""
    answer = await quick.client.get("/api/v1/accounts", headers={"X-Correlation-Id": given})
    assert re.fullmatch("[0-9a-f]{32}", answer.headers["x-correlation-id"])


async def test_each_request_has_an_id_of_its_own(quick: Api) -> None:
    """No two are alike, whatever they ask for."""
    paths = ["/api/v1/accounts", "/api/v1/accounts", "/nowhere", "/api/v1/docs", "/health/live"]
    found = [(await quick.client.get(path)).headers["x-correlation-id"] for path in paths]
    assert len(set(found)) == len(paths)


async def _nobody(shown: str | None, *, audience: str) -> Caller:
    return NOBODY


def _broken_service(error: Exception) -> Service:
    async def handle(call: Call[Nothing]) -> Answer:
        raise error

    operation = Operation(
        method="GET",
        path="/broken/{name}",
        name="broken",
        summary="Breaks",
        takes=Nothing,
        handle=handle,
        answers={200: Nothing},
        allows=ANYONE,
    )
    return Service(name="b", prefix="/b", title="B", description="", operations=(operation,))


async def test_an_unforeseen_error_says_nothing_of_the_inside(logs: list[Any]) -> None:
    """A problem document for the caller; for us where it arose, by the same id, without its text."""
    application = make_application(
        [], [_broken_service(ValueError(f"no account {SECRET}"))], authenticate=_nobody
    )
    async with direct(application) as client:
        answer = await client.get(f"/b/broken/{SECRET}", headers={"X-Correlation-Id": "here"})
    problem = check_problem(answer)
    assert (problem["code"], problem["correlationId"]) == ("internal_error", "here")
    assert "ValueError" not in answer.text
    failure, request = logs
    assert failure["error"][0]["type"] == "builtins.ValueError"
    assert "test_http_entrance.py" in failure["error"][0]["where"][-1]
    assert (request["status"], request["route"], request["log_level"]) == (
        500,
        "/b/broken/{name}",
        "error",
    )
    assert failure["correlation_id"] == request["correlation_id"] == "here"
    assert SECRET not in str(logs)


async def test_an_error_of_the_framework_is_answered_as_well(logs: list[Any]) -> None:
    """Whatever breaks outside of the routes is caught at the door."""

    async def broken(scope: Any, receive: Any, send: Any) -> None:
        raise RuntimeError(SECRET)

    async with direct(Entrance(broken)) as client:
        answer = await client.get("/anything")
    assert check_problem(answer)["code"] == "internal_error"
    assert SECRET not in str(logs)
    assert SECRET not in answer.text


async def test_an_answer_that_has_begun_is_not_begun_again(logs: list[Any]) -> None:
    """An error in the middle of an answer is noted, and the answer left as it is."""

    async def broken(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise RuntimeError("late")

    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "headers": [], "path": "/", "method": "GET"}
    await Entrance(broken)(scope, _nothing, send)
    assert [message["type"] for message in sent] == ["http.response.start"]
    assert logs[0]["event"] == "request.error"


async def _nothing() -> Any:
    return {"type": "http.disconnect"}


async def test_what_goes_well_is_not_logged(quick: Api, logs: list[Any]) -> None:
    """Neither answers nor refusals fill the log, and nothing that people sent gets into it."""
    await quick.sign_up(email=SECRET)
    await quick.client.post("/api/v1/accounts", json={"email": SECRET})
    await quick.client.get("/api/v1/accounts", params={"email": SECRET})
    assert logs == []


async def test_a_host_that_cannot_be_is_refused(quick: Api) -> None:
    """The framework's own complaints take the same form."""
    answer = await quick.client.get("/api/v1/accounts", headers={"Host": "a b"})
    assert check_problem(answer)["code"] == "bad_request"


async def test_an_application_needs_no_server_of_its_own(quick: Api) -> None:
    """Two applications over one platform answer alike: any number of processes may share a port."""
    account = await quick.sign_up()
    other = compose(quick.platform, memory_outside(quick.platform.clock), {})
    async with direct(other, quick.settings) as client:
        answer: httpx.Response = await client.get(f"/api/v1/accounts/{account['id']}")
    assert answer.json() == account
