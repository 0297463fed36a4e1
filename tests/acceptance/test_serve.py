"""The APIs and the worker as processes: ready when they say so, logs without persons, an end in time."""

import asyncio
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from mystira.clients.service_key import find_service_key
from mystira.clients.service_tokens import ServiceCredentials
from mystira.servers.logs import Log
from mystira.servers.processes import Process, Program, start
from mystira.settings import Settings
from tests.callers import operator
from tests.serving import Api, migrated_database

SERVE = "import sys; from mystira.serve import serve; from mystira.settings import load_settings; "


@asynccontextmanager
async def process(
    name: str, settings: Settings, log: Path, shared: socket.socket | None = None
) -> AsyncIterator[Process]:
    """A service as the supervisor starts it, from when it says that it is ready."""
    reading, writing = os.pipe()
    environment = {**settings.as_environment(), "MYSTIRA_READY_FD": str(writing)}
    descriptors = [writing]
    if shared is not None:
        environment["MYSTIRA_SOCKET_FD"] = str(shared.fileno())
        descriptors.append(shared.fileno())
    program = Program(
        name=name,
        command=(sys.executable, "-c", SERVE + f"serve({name!r}, load_settings())"),
        environment=environment,
        descriptors=tuple(descriptors),
    )
    running = await start(program, Log(log))
    os.close(writing)
    try:
        said = await asyncio.wait_for(asyncio.to_thread(os.read, reading, 10), 120)
        assert said == b"ready\n", log.read_text()
        yield running
    finally:
        os.close(reading)
        await running.stop((signal.SIGTERM, 5.0))


def events(log: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.read_text().splitlines()]


async def test_several_processes_share_one_socket(embedded: Settings, tmp_path: Path) -> None:
    """Callers are answered while one of two is stopped, and the end is quick and clean."""
    async with migrated_database(embedded) as own:
        with socket.create_server(("127.0.0.1", 0)) as shared:
            url = f"http://127.0.0.1:{shared.getsockname()[1]}"
            async with (
                process("api", own, tmp_path / "one.log", shared) as one,
                process("api", own, tmp_path / "two.log", shared),
                httpx.AsyncClient(
                    base_url=url, auth=operator(own), limits=httpx.Limits(max_keepalive_connections=0)
                ) as client,
            ):
                email = "ada@example.org"
                made = await client.post("/api/v1/accounts", json={"email": email})
                assert made.status_code == 201
                one.send(signal.SIGTERM)
                while one.returncode is None:
                    answer = await client.get(made.headers["location"])
                    assert answer.status_code == 200
                assert one.returncode == 0
                assert (await client.get("/health/ready")).json()["status"] == "ready"
            one.log.wait_closed(60.0)
    for log in tmp_path.glob("*.log"):
        assert email not in log.read_text()


async def test_a_request_under_way_is_answered_before_the_end(embedded: Settings, tmp_path: Path) -> None:
    """SIGTERM waits for a request that has begun, for a while; idle connections are not waited for."""
    async with migrated_database(embedded) as own:
        with socket.create_server(("127.0.0.1", 0)) as shared:
            port = shared.getsockname()[1]
            async with process("api", own, tmp_path / "api.log", shared) as running:
                idle = await asyncio.open_connection("127.0.0.1", port)
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                body = b'{"name": "Robin"}'
                shown = ServiceCredentials(find_service_key(own)).header("/api/v1/profiles")
                head = (
                    f"POST /api/v1/profiles HTTP/1.1\r\nHost: localhost\r\nAuthorization: {shown}\r\n"
                    f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
                )
                writer.write(head.encode() + body[:5])
                await asyncio.sleep(0.2)
                running.send(signal.SIGTERM)
                await asyncio.sleep(0.2)
                writer.write(body[5:])
                assert (await reader.readline()).startswith(b"HTTP/1.1 201")
                assert await asyncio.wait_for(running.ended(), 60) == 0
                writer.close()
                idle[1].close()


async def test_a_busy_port_is_one_sentence(embedded: Settings, tmp_path: Path) -> None:
    """A service that is run by hand takes its own address, and says so where it is taken."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        own = embedded.model_copy(update={"data_folder": tmp_path, "port": port})
        program = Program(
            name="api",
            command=(sys.executable, "-c", SERVE + "serve('api', load_settings())"),
            environment=own.as_environment(),
        )
        log = tmp_path / "api.log"
        running = await start(program, Log(log))
        assert await asyncio.wait_for(running.ended(), 120) == 1
        running.log.wait_closed(60.0)
    assert f"AddressError: Cannot listen on 127.0.0.1:{port}" in log.read_text()


async def test_a_worker_takes_up_what_is_asked(embedded: Settings, tmp_path: Path) -> None:
    """Asked through one process, done by another; each line of its log names the service."""
    async with migrated_database(embedded) as own:
        with socket.create_server(("127.0.0.1", 0)) as shared:
            url = f"http://127.0.0.1:{shared.getsockname()[1]}"
            async with (
                process("api", own, tmp_path / "api.log", shared),
                process("worker", own, tmp_path / "worker.log") as worker,
                httpx.AsyncClient(base_url=url, auth=operator(own)) as client,
            ):
                assert (await client.post("/admin/api/moves/accounts/plan")).status_code == 202
                async with asyncio.timeout(120):
                    while (task := await client.get("/admin/api/moves/accounts/task")).json()[
                        "state"
                    ] != "done":
                        await asyncio.sleep(0.05)
                assert task.json()["result"]["isClear"] is True
                worker.send(signal.SIGTERM)
                assert await asyncio.wait_for(worker.ended(), 60) == 0
                worker.log.wait_closed(60.0)
    told = events(tmp_path / "worker.log")
    assert {event["service"] for event in told} == {"worker"}
    assert "move.ended" in {event["event"] for event in told}


async def test_health_tells_each_dependency(api: Api) -> None:
    """Alive at once; ready by the state of four things."""
    assert (await api.client.get("/health/live")).json() == {"status": "alive"}
    answer = await api.client.get("/health/ready")
    body = answer.json()
    assert (answer.status_code, body["status"]) == (200, "ready")
    assert {name: each["state"] for name, each in body["dependencies"].items()} == dict.fromkeys(
        ("documents", "postgres", "redis", "leases"), "up"
    )


@pytest.mark.parametrize("path", ["/health/live?x=1", "/health/ready?x=1"])
async def test_health_takes_no_parameters(api: Api, path: str) -> None:
    """As every other route."""
    assert (await api.client.get(path)).status_code == 400
