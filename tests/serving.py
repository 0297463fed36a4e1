"""The APIs for tests: in memory and at once, or on the embedded servers and over a real socket."""

import asyncio
import contextlib
import socket
import tempfile
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import msgspec
import pytest_asyncio
from redis.asyncio import Redis

from manystore.clock import Clock, SystemClock
from manystore.moves.tasks import Action
from manystore.stores.memory import MemoryStore
from mystira.clients.app_api import AppApiClient
from mystira.clients.service_key import keep_service_key
from mystira.clients.service_tokens import BearerToken
from mystira.gateways.outside import Outside, memory_outside, open_outside
from mystira.http.entrance import Application
from mystira.http.in_process import Neighbour
from mystira.http.service import Service
from mystira.platform import Platform, open_platform
from mystira.serve.api import ApiServer, compose, probes_of
from mystira.services.admin import admin_api
from mystira.services.app_api import app_api
from mystira.services.app_api.internal import app_internal
from mystira.settings import Settings
from tests.acceptance.migrated import template_of
from tests.callers import operator

Body = dict[str, Any]


class Api(msgspec.Struct):
    """An API that runs, what it stands on, and whoever runs it, who asks."""

    platform: Platform
    application: Application
    client: httpx.AsyncClient
    settings: Settings
    outside: Outside

    async def sign_up(self, **more: Any) -> Body:
        """A new account, with an e-mail address that nobody else has."""
        content = {"email": f"{uuid.uuid4().hex}@example.org"} | more
        answer = await self.client.post("/api/v1/accounts", json=content)
        assert answer.status_code == 201, answer.text
        body: Body = answer.json()
        return body

    async def make_profile(self, **more: Any) -> Body:
        """A new profile."""
        answer = await self.client.post("/api/v1/profiles", json={"name": "Robin"} | more)
        assert answer.status_code == 201, answer.text
        body: Body = answer.json()
        return body


@contextlib.asynccontextmanager
async def memory_api(documents: MemoryStore | None = None, clock: Clock | None = None) -> AsyncIterator[Api]:
    """An API over dictionaries, or over the documents given, asked without a socket."""
    documents, tables = documents or MemoryStore("documents"), MemoryStore("postgres")
    await documents.open()
    await tables.open()
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(data_folder=Path(folder))
        platform = Platform(settings, documents, tables, node="test", clock=clock or SystemClock())
        outside = memory_outside(platform.clock)
        application = compose(platform, outside, {})
        async with direct(application, settings, platform.clock) as client:
            yield Api(platform, application, client, settings, outside)


def direct(
    application: Application, settings: Settings | None = None, clock: Clock | None = None
) -> httpx.AsyncClient:
    """A client that asks the application without a socket, for tests that ask a thousand times.

    It is whoever runs the platform of the settings, by the platform's clock; without settings, nobody.
    """
    transport = httpx.ASGITransport(application, raise_app_exceptions=False)
    auth = None if settings is None else operator(settings, clock)
    return httpx.AsyncClient(transport=transport, base_url="http://localhost", auth=auth)


def services_of(platform: Platform) -> tuple[Service, ...]:
    """All documented services, to be looked at."""
    outside = memory_outside(platform.clock)
    return (
        app_api(platform, outside, service_key=keep_service_key(platform.settings)),
        app_internal(platform),
        admin_api(platform, outside.keys, AppApiClient(Neighbour(BearerToken("of nobody")).reach)),
    )


async def move(platform: Platform) -> None:
    """Make PostgreSQL the truth of every kind."""
    for kind in platform.family:
        for action in (Action.START, Action.VERIFY, Action.CUT_OVER):
            await platform.mover.carry_out(action, kind)
        await platform.leases.refresh(kind)


@contextlib.asynccontextmanager
async def migrated_database(settings: Settings) -> AsyncIterator[Settings]:
    """The settings with a database of their own, at the newest revision, and documents beside it."""
    assert settings.postgres_url is not None
    name = f"api_{uuid.uuid4().hex}"
    owner = await asyncpg.connect(settings.postgres_url)
    try:
        await owner.execute(f"create database {name} template {await template_of(settings.postgres_url)}")
        url = f"{settings.postgres_url.rpartition('/')[0]}/{name}"
        with tempfile.TemporaryDirectory() as folder:
            yield settings.model_copy(update={"postgres_url": url, "data_folder": Path(folder)})
        await owner.execute(f"drop database {name} with (force)")
    finally:
        await owner.close()


@contextlib.asynccontextmanager
async def served_api(settings: Settings) -> AsyncIterator[Api]:
    """An API over the embedded servers, with a worker, behind a port of its own."""
    async with (
        migrated_database(settings) as own,
        open_platform(own, role="test") as platform,
        open_outside(own, platform.clock) as outside,
    ):
        application = compose(platform, outside, probes_of(platform, outside))
        working = asyncio.create_task(platform.work())
        try:
            async with served(application, own) as client:
                yield Api(platform, application, client, own, outside)
        finally:
            working.cancel()
            await asyncio.gather(working, return_exceptions=True)


@contextlib.asynccontextmanager
async def served(application: Application, settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    """The application behind a free port, and a client of it: whoever runs the platform of the settings."""
    told = asyncio.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        server = ApiServer(application, trusted_proxies=settings.trusted_proxies)
        serving = asyncio.create_task(server.serve_until(told, listener))
        try:
            async with httpx.AsyncClient(
                base_url=f"http://127.0.0.1:{port}", auth=operator(settings)
            ) as client:
                yield client
        finally:
            told.set()
            await serving


@pytest_asyncio.fixture(scope="module")
async def api(embedded: Settings) -> AsyncIterator[Api]:
    """One API on the embedded servers for the tests of a module.

    Not of the whole run: its worker looks for work in the loop of all tests, a tenth of their time.
    """
    async with served_api(embedded) as running:
        yield running


@pytest_asyncio.fixture(scope="module")
async def moved_api(embedded: Settings) -> AsyncIterator[Api]:
    """Another one, of which PostgreSQL has become the truth."""
    async with served_api(embedded) as running:
        await move(running.platform)
        yield running


@pytest_asyncio.fixture
async def quick() -> AsyncIterator[Api]:
    """An empty API in memory."""
    async with memory_api() as running:
        yield running


@pytest_asyncio.fixture
async def redis(embedded: Settings) -> AsyncIterator[Redis]:
    """The embedded Redis."""
    assert embedded.redis_url is not None
    async with Redis.from_url(embedded.redis_url) as client:
        yield client
