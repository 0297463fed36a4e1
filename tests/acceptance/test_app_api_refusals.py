"""Bad input: a problem document with a stable code and the path, never a 500, nothing half written."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterable
from typing import Any

import httpx
import pytest

from mystira.http.bodies import MOST_BYTES
from mystira.http.openapi import describe, refusals_of
from mystira.http.operations import Operation
from mystira.http.service import Service
from tests.refusals import check_problem, written
from tests.serving import Api, direct, services_of

NOBODY = "00000000-0000-7000-8000-000000000000"
ACCOUNTS = "/api/v1/accounts"
JSON = {"Content-Type": "application/json"}

BODIES = [
    # what is sent, the code, the path that is at fault
    (b"", "empty_body", "$"),
    (b" \n", "empty_body", "$"),
    (b'{"email":', "malformed_json", "$"),
    (b'{"email": "a@b.cd"} x', "malformed_json", "$"),
    (b"{'email': 'a@b.cd'}", "malformed_json", "$"),
    (b'\xef\xbb\xbf{"email": "a@b.cd"}', "malformed_json", "$"),
    (b'{"email": "\xff@b.cd"}', "malformed_json", "$"),
    (b'{"email": "\\ud800@b.cd"}', "malformed_json", "$"),
    (b'{"email": "a@b.cd", "displayName": NaN}', "malformed_json", "$"),
    (b"null", "wrong_type", "$"),
    (b"[]", "wrong_type", "$"),
    (b"[" * 100_000, "wrong_type", "$"),
    (b'{"email": ' + b"[" * 100_000, "wrong_type", "email"),
    (b'{"settings": ' + b'{"theme": ' * 10_000, "wrong_type", "settings.theme"),
    (b'{"nested": ' + b"[" * 100_000, "unknown_field", "nested"),
    (b"{}", "missing_field", "email"),
    (b'{"email": "a@b.cd", "role": "Admin"}', "unknown_field", "role"),
    (b'{"email": "a@b.cd", "settings": {"colour": 1}}', "unknown_field", "settings.colour"),
    (b'{"email": "a@b.cd", "` - at `$.x`": 1}', "unknown_field", "` - at `$.x`"),
    (b'{"email": 5}', "wrong_type", "email"),
    (b'{"email": null}', "wrong_type", "email"),
    (b'{"email": 123456789012345678901234567890}', "wrong_type", "email"),
    (b'{"email": 1e400}', "out_of_range", "email"),
    (b'{"email": "a@b.cd", "settings": {"notificationsEnabled": "true"}}', "wrong_type", None),
    (b'{"email": "a@b.cd", "settings": {"notificationsEnabled": 1}}', "wrong_type", None),
    (b'{"email": "no address"}', "invalid_format", "email"),
    (b'{"email": "a@b.cd\\n"}', "invalid_format", "email"),
    (b'{"email": "a@b.cd\\u0000"}', "invalid_format", "email"),
    (b'{"email": "a@b.cd", "displayName": "a\\u0000b"}', "invalid_format", "displayName"),
    (b'{"email": "a@b.cd", "displayName": "' + b"x" * 256 + b'"}', "out_of_range", "displayName"),
    (b'{"email": "a@b.cd", "settings": {"preferredLanguage": "?"}}', "invalid_format", None),
]


@pytest.mark.parametrize(("body", "code", "path"), BODIES, ids=lambda value: repr(value)[:40])
async def test_a_bad_body_is_refused_with_its_place(
    api: Api, body: bytes, code: str, path: str | None
) -> None:
    """Each sort of bad body has its code and its path, and leaves nothing behind."""
    before = await written(api)
    answer = await api.client.post(ACCOUNTS, content=body, headers=JSON)
    problem = check_problem(answer)
    assert problem["code"] == code
    assert path is None or problem["path"] == path
    assert await written(api) == before


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Content-Type": "application/merge-patch+json"},
        {"Content-Type": "application/json; charset=utf-16"},
        {"Content-Type": "application/json; version=2"},
        {"Content-Type": ""},
        {"Content-Type": "application/json", "Content-Encoding": "gzip"},
    ],
    ids=str,
)
async def test_a_body_of_another_type_is_refused(api: Api, headers: dict[str, str]) -> None:
    """415 names what is taken instead."""
    answer = await api.client.post(ACCOUNTS, content=b'{"email": "a@b.cd"}', headers=headers)
    assert check_problem(answer)["code"] == "unsupported_media_type"
    assert answer.headers["accept"] == "application/json"


async def test_a_body_over_the_limit_is_refused_announced_or_not(api: Api) -> None:
    """Whether its length is announced or it comes in chunks; one of exactly the limit is read."""
    before = await written(api)

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(MOST_BYTES // 1024 + 1):
            yield b" " * 1024

    for content in (b" " * (MOST_BYTES + 1), chunks(), b"[" * 10_000_000):
        answer = await api.client.post(ACCOUNTS, content=content, headers=JSON)
        problem = check_problem(answer)
        assert (answer.status_code, problem["code"]) == (413, "body_too_large")
    fits = json.dumps({"email": "a@b.cd", "x": ""}).encode()
    answer = await api.client.post(ACCOUNTS, content=fits.ljust(MOST_BYTES), headers=JSON)
    assert check_problem(answer)["code"] == "unknown_field"
    assert await written(api) == before


QUERIES = [
    ("?colour=red", "unknown_parameter", "colour"),
    ("?limit=5&limit=6", "duplicate_parameter", "limit"),
    ("?limit=0", "invalid_parameter", "limit"),
    ("?limit=201", "invalid_parameter", "limit"),
    ("?limit=ten", "invalid_parameter", "limit"),
    ("?limit=" + "9" * 5000, "invalid_parameter", "limit"),
    ("?limit=1e1", "invalid_parameter", "limit"),
    ("?limit=", "invalid_parameter", "limit"),
    ("?limit", "invalid_parameter", "limit"),
    ("?limit=null", "invalid_parameter", "limit"),
    ("?limit=true", "invalid_parameter", "limit"),
    ("?role=null", "invalid_parameter", "role"),
    ("?role=Emperor", "invalid_parameter", "role"),
    ("?order=role", "invalid_parameter", "order"),
    ("?email=a%00@b.cd", "invalid_parameter", "email"),
    ("?createdSince=yesterday", "invalid_parameter", "createdSince"),
    ("?createdSince=2026-01-01T00:00:00", "invalid_parameter", "createdSince"),
    ("?createdSince=1700000000", "invalid_parameter", "createdSince"),
    ("?email=%ff", "bad_request", None),
    ("?" + "&".join(f"a{n}=" for n in range(200)), "bad_request", None),
    ("?continuation=x", "invalid_continuation", "continuation"),
    ("?continuation=W10=", "invalid_continuation", "continuation"),
    ("?continuation=" + "x" * 5000, "invalid_parameter", "continuation"),
    ("?%E2%82%AC=1", "unknown_parameter", "€"),
]


@pytest.mark.parametrize(("query", "code", "path"), QUERIES, ids=lambda value: str(value)[:40])
async def test_a_bad_query_is_refused_with_its_parameter(
    api: Api, query: str, code: str, path: str | None
) -> None:
    """Nothing in a query string is passed over or guessed at."""
    problem = check_problem(await api.client.get(ACCOUNTS + query))
    assert (problem["code"], problem.get("path")) == (code, path)


async def test_a_continuation_of_another_order_is_refused(api: Api) -> None:
    """A page cannot be continued in an order that it was not begun in."""
    await api.sign_up()
    await api.sign_up()
    first = await api.client.get(ACCOUNTS, params={"limit": "1", "order": "email"})
    query = {"limit": "1", "order": "createdAt", "continuation": first.json()["continuation"]}
    assert check_problem(await api.client.get(ACCOUNTS, params=query))["code"] == "invalid_continuation"


async def test_a_parameter_where_none_is_taken_is_refused(api: Api) -> None:
    """A misspelt or misplaced parameter is told on every route, also where there is a body."""
    account = await api.sign_up()
    before = await written(api)
    path = f"{ACCOUNTS}/{account['id']}?force=true"
    requests = [
        api.client.get(path),
        api.client.patch(path, json={}, headers={"If-Match": "*"}),
        api.client.delete(path, headers={"If-Match": "*"}),
        api.client.post(ACCOUNTS + "?dryRun=1", json={"email": "a@b.cd"}),
    ]
    for answer in await asyncio.gather(*requests):
        assert check_problem(answer)["code"] == "unknown_parameter"
    assert await written(api) == before


@pytest.mark.parametrize("tag", ["3", '"3', "W/3", '"a" "b"', '"1",', "", "*, *", '"1"; "2"'])
async def test_a_malformed_etag_is_refused(api: Api, tag: str) -> None:
    """What is no list of ETags is told as such, before anything is read or written."""
    account = await api.sign_up()
    path = f"{ACCOUNTS}/{account['id']}"
    for answer in (
        await api.client.patch(path, json={"displayName": "x"}, headers={"If-Match": tag}),
        await api.client.delete(path, headers={"If-Match": tag}),
        await api.client.get(path, headers={"If-None-Match": tag}),
    ):
        problem = check_problem(answer)
        assert problem["code"] == "malformed_etag"
    assert (await api.client.get(path)).headers["etag"] == '"1"'


async def test_a_change_without_a_version_is_refused(api: Api) -> None:
    """428 asks for If-Match wherever a record is replaced or removed."""
    account, profile = await api.sign_up(), await api.make_profile()
    before = await written(api)
    for method, path in (
        ("PATCH", f"{ACCOUNTS}/{account['id']}"),
        ("DELETE", f"{ACCOUNTS}/{account['id']}"),
        ("PATCH", f"{ACCOUNTS}/{account['id']}/subscription"),
        ("PATCH", f"/api/v1/profiles/{profile['id']}"),
        ("DELETE", f"/api/v1/profiles/{profile['id']}"),
    ):
        answer = await api.client.request(method, path, json={} if method == "PATCH" else None)
        problem = check_problem(answer)
        assert (problem["code"], problem["path"]) == ("precondition_required", "If-Match")
    assert await written(api) == before


async def test_an_address_belongs_to_one_account(api: Api) -> None:
    """A taken e-mail address is named as the field at fault, in any case, on creation and on change."""
    ada, bob = await api.sign_up(), await api.sign_up()
    before = await written(api)
    taken = {"email": ada["email"].upper()}
    created = await api.client.post(ACCOUNTS, json=taken)
    changed = await api.client.patch(f"{ACCOUNTS}/{bob['id']}", json=taken, headers={"If-Match": bob["etag"]})
    for answer in (created, changed):
        problem = check_problem(answer)
        assert (answer.status_code, problem["code"], problem["path"]) == (409, "not_unique", "email")
    assert await written(api) == before


@pytest.mark.parametrize(
    "key", [NOBODY, "1", "x" * 3000, "%00", "%ff", NOBODY.upper(), NOBODY.replace("-", ""), "..", "a b", "€"]
)
async def test_an_unknown_id_is_not_found(api: Api, key: str) -> None:
    """404 for an id that is no UUID as for one that nobody has, for every method."""
    for suffix in ("", "/subscription", "/completed-scenarios"):
        path = f"{ACCOUNTS}/{key}{suffix}"
        methods = {"": "GET", "/subscription": "PATCH", "/completed-scenarios": "POST"}
        body = {"scenarioId": "a"} if suffix == "/completed-scenarios" else {"tier": "x"}
        answer = await api.client.request(
            methods[suffix], path, headers={"If-Match": "*"}, json=body if suffix else None
        )
        assert check_problem(answer)["status"] == 404


async def test_an_unknown_route_is_not_found(api: Api) -> None:
    """Also at the root, with a wrong prefix, and with a segment too many."""
    for path in (
        "/",
        "/api/v1",
        "/api/v2/accounts",
        "/api/v1/accounts/a/b/c",
        "/%00",
        "/%ff",
        "/favicon.ico",
    ):
        assert check_problem(await api.client.get(path))["code"] in ("unknown_route", "not_found")


async def test_a_method_that_is_not_taken_is_refused(api: Api) -> None:
    """405 names what is taken."""
    for method in ("PUT", "PATCH", "TRACE", "PROPFIND"):
        answer = await api.client.request(method, ACCOUNTS)
        assert check_problem(answer)["code"] == "method_not_allowed"
        assert answer.headers["allow"] == "GET, HEAD, OPTIONS, POST"


@pytest.mark.parametrize(
    "request_line",
    [b"BREW / HTTP/1.1", b"GET  /", b"GET /\xc3\xa9 HTTP/1.1", b"\x16\x03\x01", b"GET / HTTP/9.9"],
)
async def test_what_is_no_http_is_refused_alike(api: Api, request_line: bytes) -> None:
    """Also what the server's parser cannot read is answered with a problem document."""
    url = api.client.base_url
    reader, writer = await asyncio.open_connection(url.host, url.port)
    writer.write(request_line + b"\r\nHost: localhost\r\nX-Name: \x7f\r\n\r\n")
    head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    assert head.startswith(b"HTTP/1.1 400 ")
    assert b"content-type: application/problem+json" in head
    assert json.loads(body)["code"] == "bad_request"


VALUES: list[Any] = [
    None,
    True,
    0,
    -1,
    1.5,
    10**30,
    -(10**30),
    1e308,
    "",
    " ",
    "x",
    "x" * 5000,
    "\x00",
    "a\x00b",
    "\ud800",
    "\U0001f4a5",
    "2026-02-30",
    "9999-12-31T23:59:59.999999999-14:00",
    "0001-01-01T00:00:00+14:00",
    [],
    [None],
    ["\x00"],
    [[[[]]]],
    ["x"] * 2000,
    {},
    {"x": {}},
    {"": None},
]


def _operations(services: Iterable[Service]) -> list[tuple[Service, Operation[Any]]]:
    whole = [(service, operation) for service in services for operation in service.operations]
    return [(service, each) for service, each in whole if each.has_body and not each.takes_nothing]


async def test_no_value_of_any_field_breaks_any_operation(api: Api) -> None:
    """Every field of every body × two dozen values: taken, or refused with a code that is documented."""
    await _try_every_value(api)


async def test_no_value_breaks_any_operation_on_postgres(moved_api: Api) -> None:
    """The same where PostgreSQL is the truth, which has types, lengths and constraints of its own."""
    await _try_every_value(moved_api)


async def _try_every_value(api: Api) -> None:
    account, profile = await api.sign_up(), await api.make_profile()
    asked = 0
    async with direct(api.application, api.settings) as client:
        services = services_of(api.platform)
        schemas = {service.name: describe(service)["components"]["schemas"] for service in services}
        for service, operation in _operations(services):
            path = service.prefix + operation.path
            path = path.replace("{accountId}", account["id"]).replace("{profileId}", profile["id"])
            # A step that was really asked for would move the records under the other tests.
            path = path.replace("{kind}", "nothing").replace("{key}", NOBODY)
            for field in (*schemas[service.name][operation.takes.__name__]["properties"], "unheardOf"):
                await _try_values(api, client, operation, path, field)
                asked += len(VALUES)
    assert asked > 1000


async def _try_values(
    api: Api, client: httpx.AsyncClient, operation: Operation[Any], path: str, field: str
) -> None:
    before = await written(api)
    for value in VALUES:
        content = json.dumps({**(operation.example or {}), field: value}).encode()
        answer = await client.request(
            operation.method, path, content=content, headers={"If-Match": "*", **JSON}
        )
        if answer.status_code < 300:
            before = await written(api)
            continue
        problem = check_problem(answer)
        told = (operation.name, field, value, problem)
        assert problem["status"] < 500, told
        assert problem["code"] in refusals_of(operation), told
    assert await written(api) == before, (operation.name, field)
