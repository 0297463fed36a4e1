"""A story is judged by the Admin API and published by the App API, in one process or in two."""

import contextlib
import socket
import uuid
from collections.abc import AsyncIterator
from typing import Any

import httpx

from mystira.cli.shipped import ROOT
from mystira.clients.service_key import find_service_key
from mystira.clients.service_tokens import sign_token
from mystira.domain.scenarios.kind import SCENARIOS
from mystira.domain.scenarios.model import Scenario
from mystira.platform import Platform
from mystira.serve.api import compose
from tests.acceptance.table import STONES, shelve
from tests.refusals import check_problem
from tests.serving import Api, direct, memory_api, served

_PUBLISH = "/internal/scenarios/publish"


async def _draft(api: Api) -> str:
    """A story of ours, brought in and not published yet, at its first version."""
    key = f"story-{uuid.uuid4().hex}"
    headers = {"Content-Type": "application/yaml"}
    sent = (ROOT / "scenarios" / "where-is-moon.yaml").read_bytes()
    made = await api.client.post("/admin/api/scenarios", params={"id": key}, content=sent, headers=headers)
    assert (made.status_code, made.headers.get("etag")) == (201, '"1"'), made.text
    return key


async def _is_active(api: Api, key: str) -> bool:
    stored = await api.platform.repository(Scenario, SCENARIOS).get(key)
    assert stored is not None
    return stored.value.is_active


async def _tell(api: Api, key: str, version: int, *, issuer: str = "adminApi") -> httpx.Response:
    """Ask the App API as a service does."""
    now = api.platform.clock.now()
    token = sign_token(find_service_key(api.settings), issuer=issuer, audience="appInternal", now=now)
    headers = {"Authorization": f"Bearer {token}"}
    content = {"scenarioId": key, "version": version}
    return await api.client.post(_PUBLISH, json=content, headers=headers)


async def _publish(client: httpx.AsyncClient, key: str, etag: str = "*") -> httpx.Response:
    return await client.post(f"/admin/api/scenarios/{key}/publish", headers={"If-Match": etag})


async def test_asked_again_it_is_published_once(quick: Api) -> None:
    """The second answer says so, and the record stays as it is; a new edition that is published does too."""
    key = await _draft(quick)
    first = await _tell(quick, key, 1)
    assert (first.status_code, first.json()) == (
        200,
        {"scenarioId": key, "version": 2, "wasPublished": False},
    )
    again = await _tell(quick, key, 1)
    assert again.json() == {"scenarioId": key, "version": 2, "wasPublished": True}


async def test_what_was_changed_since_it_was_judged_is_refused(quick: Api) -> None:
    """Nobody plays a text that nobody looked at."""
    key = await _draft(quick)
    changed = await quick.client.patch(
        f"/admin/api/scenarios/{key}", json={"title": "Another"}, headers={"If-Match": "*"}
    )
    assert changed.status_code == 200, changed.text
    assert check_problem(await _tell(quick, key, 1))["code"] == "version_mismatch"
    assert not await _is_active(quick, key)
    assert (await _publish(quick.client, key, '"1"')).status_code == 412
    assert (await _publish(quick.client, key)).status_code == 200
    assert await _is_active(quick, key)


async def test_nobody_but_the_admin_api_tells_it(quick: Api) -> None:
    """Neither whoever runs the platform nor another service."""
    key = await _draft(quick)
    for issuer in ("operator", "publisher"):
        assert check_problem(await _tell(quick, key, 1, issuer=issuer))["code"] == "not_allowed"
    assert not await _is_active(quick, key)


class _Apart:
    """An Admin API in another process than the App API that it asks, on the same stores."""

    def __init__(self, api: Api, url: str) -> None:
        settings = api.settings.model_copy(update={"app_api_url": url})
        platform = api.platform
        self._platform = Platform(
            settings, platform.documents, platform.tables, node="apart", clock=platform.clock
        )
        self._application: Any = compose(self._platform, api.outside, {})
        self._settings = settings

    @contextlib.asynccontextmanager
    async def client(self) -> AsyncIterator[httpx.AsyncClient]:
        async with direct(self._application, self._settings, self._platform.clock) as client:
            yield client


async def test_the_two_may_run_apart() -> None:
    """The Admin API asks over a socket, by a token of its own; what is broken never gets so far."""
    async with memory_api() as api, served(api.application, api.settings) as app:
        apart = _Apart(api, str(app.base_url))
        async with apart.client() as admin:
            key = await _draft(api)
            answer = await _publish(admin, key, '"1"')
            assert answer.status_code == 200, answer.text
            assert (answer.json()["isActive"], answer.headers["etag"]) == (True, '"2"')
            broken = await shelve(api.platform, STONES | {"isActive": False})
            assert check_problem(await _publish(admin, broken))["code"] == "invalid_content"


async def test_an_app_api_that_is_away_is_told_as_such() -> None:
    """With the time to wait; nothing is published, and asked again it is."""
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        async with memory_api() as api:
            key = await _draft(api)
            async with _Apart(api, f"http://127.0.0.1:{nobody.getsockname()[1]}").client() as admin:
                refused = await _publish(admin, key)
                assert check_problem(refused)["code"] == "unavailable"
                assert "retry-after" in refused.headers
            assert not await _is_active(api, key)
            assert (await _publish(api.client, key)).status_code == 200
