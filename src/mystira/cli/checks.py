"""What `mystira doctor` looks at on this machine: each check says how a thing is, and what to do about it.

The servers that a platform stands on are looked at by `server_checks`.
"""

import os
import shutil
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, Literal

import msgspec

from mystira.clients.admin import AdminClient, Document
from mystira.clients.errors import ClientError
from mystira.clients.service import Service
from mystira.clients.service_key import find_service_key
from mystira.clients.service_tokens import ServiceCredentials
from mystira.errors import ProgramMissingError, SettingError
from mystira.servers import postgres, redis
from mystira.servers.folder import is_free
from mystira.settings import Settings
from mystira.supervisor import Roster

State = Literal["ok", "warn", "fail", "skip"]

_ENOUGH: Final = 2 * 1024**3
_TOO_LITTLE: Final = 200 * 1024**2
"""Bytes of free disk: below the first it is time to look, below the second writes will soon fail."""
_LAG: Final = 5.0


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that was looked at: how it is, and what to do, where something is to be done."""

    name: str
    state: State
    found: str
    remedy: str = ""


def check_machine(settings: Settings) -> Iterator[Check]:
    """Python, the programs of the embedded servers, the data folder and its disk."""
    yield Check(
        name="Python",
        state="ok" if sys.version_info >= (3, 11) else "fail",
        found=sys.version.split()[0],
        remedy="" if sys.version_info >= (3, 11) else "use Python 3.11 or newer: make PYTHON=python3.12",
    )
    yield _program("setpriv", shutil.which("setpriv"), "install util-linux")
    if settings.postgres_url is None:
        yield _found("PostgreSQL program", lambda: postgres.find_binary("postgres"))
    if settings.redis_url is None:
        yield _found("Redis program", redis.find_binary)
    yield _folder(settings.data_folder)
    yield _disk(settings.data_folder)


def _program(name: str, path: str | None, remedy: str) -> Check:
    return Check(
        name=name, state="ok" if path else "fail", found=path or "missing", remedy="" if path else remedy
    )


def _found(name: str, find: Any) -> Check:
    try:
        return Check(name=name, state="ok", found=find())
    except ProgramMissingError as error:
        return Check(name=name, state="fail", found="missing", remedy=error.remedy)


def _nearest(folder: Path) -> Path:
    """The folder, or the nearest one above it that is there."""
    return next(path for path in (folder, *folder.parents) if path.exists())


def _folder(folder: Path) -> Check:
    is_writable = os.access(_nearest(folder), os.W_OK | os.X_OK)
    found = str(folder) if folder.exists() else f"{folder} (will be made)"
    remedy = "" if is_writable else "choose another by --data-folder or MYSTIRA_DATA_FOLDER"
    return Check(name="data folder", state="ok" if is_writable else "fail", found=found, remedy=remedy)


def _disk(folder: Path) -> Check:
    free = shutil.disk_usage(_nearest(folder)).free
    state: State = "fail" if free < _TOO_LITTLE else "warn" if free < _ENOUGH else "ok"
    remedy = "" if state == "ok" else "make room, or move the data folder"
    return Check(name="disk", state=state, found=f"{free / 1024**3:.1f} GB free", remedy=remedy)


async def check_address(settings: Settings, roster: Roster | None) -> list[Check]:
    """Whether the platform answers; where none is up, whether its port is free."""
    if roster is not None:
        return await _check_services(roster, settings)
    down = Check(name="platform", state="skip", found="not up", remedy="start it by `mystira up`")
    if settings.port == 0 or is_free(settings.port, _numeric(settings.host)):
        return [down, Check(name="port", state="ok", found=f"{settings.port} is free")]
    remedy = "stop what listens there, or choose another by --port or MYSTIRA_PORT"
    return [down, Check(name="port", state="fail", found=f"{settings.port} is taken", remedy=remedy)]


def _numeric(host: str) -> str:
    try:
        return socket.gethostbyname(host)
    except OSError:
        return host


async def _check_services(roster: Roster, settings: Settings) -> list[Check]:
    checks = [
        Check(
            name=f"process {process.name}",
            state="warn" if process.restarts else "ok",
            found=f"process {process.pid}, restarted {process.restarts}×",
            remedy=f"look at logs/{process.name}.log" if process.restarts else "",
        )
        for process in roster.processes
    ]
    try:
        credentials = ServiceCredentials(find_service_key(settings))
        async with Service.at(roster.address, credentials, seconds=10.0) as service:
            ready = (await service.ask("GET", "/health/ready")).body
            kinds = await AdminClient(service).moves()
    except (ClientError, SettingError) as error:
        found = Check(name="APIs", state="fail", found=str(error), remedy="look at logs/api.log")
        return [*checks, found]
    down = [name for name, each in ready["dependencies"].items() if each["state"] != "up"]
    found = Check(
        name="APIs",
        state="warn" if down else "ok",
        found=f"{roster.address} is {ready['status']}",
        remedy=f"without an answer: {', '.join(down)}" if down else "",
    )
    return [*checks, found, *(_check_kind(kind) for kind in kinds)]


def _check_kind(kind: Document) -> Check:
    """A kind's place among phases, and whether its copy follows."""
    queue, lag = kind["queue"], (kind["lagSeconds"] or {}).get("last", 0.0)
    state: State = "ok"
    remedy = ""
    if queue["dead"]:
        state, remedy = "fail", f"look at them: mystira queue list {kind['kind']}"
    elif queue["parked"] or queue["retrying"]:
        state, remedy = "warn", f"look at what waits: mystira queue list {kind['kind']}"
    elif kind["following"] and lag > _LAG:
        state, remedy = "warn", "look at logs/worker.log"
    waiting = ", ".join(f"{count} {name}" for name, count in queue.items() if count) or "nothing waits"
    found = f"{kind['phase']}, epoch {kind['epoch']}, {waiting}"
    return Check(name=f"kind {kind['kind']}", state=state, found=found, remedy=remedy)
