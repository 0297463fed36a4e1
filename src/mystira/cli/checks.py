"""What `mystira doctor` looks at: each check says how a thing is, and what to do if it is not well."""

import os
import shutil
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, Literal

import msgspec

from manystore.errors import UnavailableError
from manystore.stores.postgres import inspection as postgres_inspection
from manystore.stores.sqlite import inspection as sqlite_inspection
from mystira.clients.admin import AdminClient, Document
from mystira.clients.errors import ClientError
from mystira.clients.service import Service
from mystira.clients.service_key import find_service_key
from mystira.clients.service_tokens import ServiceCredentials
from mystira.errors import ProgramMissingError, SettingError
from mystira.gateways.redis_state import inspect_redis
from mystira.schema import upgrades
from mystira.schema.mappings import MAPPINGS
from mystira.servers import postgres, redis
from mystira.servers.folder import is_free
from mystira.settings import Settings
from mystira.supervisor import Roster

State = Literal["ok", "warn", "fail", "skip"]

_ENOUGH: Final = 2 * 1024**3
_TOO_LITTLE: Final = 200 * 1024**2
"""Bytes of free disk: below the first it is time to look, below the second writes will soon fail."""
_OLD_TRANSACTION: Final = 30.0
_CLOCKS_APART: Final = 2.0
_LAG: Final = 5.0
_SAFE: Final = {
    "fsync": "on",
    "full_page_writes": "on",
    "synchronous_commit": "on",
    "server_encoding": "UTF8",
}


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


async def check_postgres(url: str | None) -> list[Check]:
    """Version, settings, clock, schema and capture of PostgreSQL."""
    if url is None:
        return [Check(name="PostgreSQL", state="skip", found="not running")]
    try:
        found = await postgres_inspection.inspect(url, MAPPINGS)
        at, head = await upgrades.current(url), upgrades.head()
    except UnavailableError as error:
        remedy = "start the platform, or look at MYSTIRA_POSTGRES_URL and logs/postgres.log"
        return [Check(name="PostgreSQL", state="fail", found=error.reason, remedy=remedy)]
    return [
        _version(found),
        _settings(found),
        _transactions(found),
        _clock("clock of PostgreSQL", found.now.timestamp()),
        _schema(at, head),
        _capture(found),
    ]


def _version(found: postgres_inspection.Inspection) -> Check:
    is_new = found.number >= postgres_inspection.OLDEST_NUMBER
    remedy = "" if is_new else "upgrade to PostgreSQL 15 or newer"
    return Check(name="PostgreSQL", state="ok" if is_new else "fail", found=found.version, remedy=remedy)


def _settings(found: postgres_inspection.Inspection) -> Check:
    wrong = [
        f"{name} = {found.settings[name]}" for name, safe in _SAFE.items() if found.settings[name] != safe
    ]
    room = int(found.settings["max_connections"]) - found.connections
    if wrong:
        wanted = ", ".join(f"{name} = {safe}" for name, safe in _SAFE.items())
        remedy = f"a crash could lose acknowledged writes: set {wanted}"
        return Check(name="PostgreSQL settings", state="fail", found=", ".join(wrong), remedy=remedy)
    text = f"durable; {found.connections} of {found.settings['max_connections']} connections in use"
    remedy = "raise max_connections" if room < 10 else ""
    return Check(name="PostgreSQL settings", state="warn" if room < 10 else "ok", found=text, remedy=remedy)


def _transactions(found: postgres_inspection.Inspection) -> Check:
    is_old = found.oldest_transaction > _OLD_TRANSACTION
    remedy = (
        "it holds back the change log: end it, or set idle_in_transaction_session_timeout" if is_old else ""
    )
    text = f"the oldest is {found.oldest_transaction:.0f} s old"
    return Check(name="transactions", state="warn" if is_old else "ok", found=text, remedy=remedy)


def _clock(name: str, there: float) -> Check:
    apart = abs(there - time.time())
    remedy = "" if apart < _CLOCKS_APART else "let both machines keep time by NTP"
    state: State = "ok" if apart < _CLOCKS_APART else "warn"
    return Check(name=name, state=state, found=f"{apart:.1f} s from ours", remedy=remedy)


def _schema(at: str | None, head: str | None) -> Check:
    is_current = at == head
    found = f"at {at or 'no revision'}" + ("" if is_current else f", the newest is {head}")
    remedy = "" if is_current else "mystira schema upgrade"
    return Check(name="schema", state="ok" if is_current else "fail", found=found, remedy=remedy)


def _capture(found: postgres_inspection.Inspection) -> Check:
    missing = found.missing_triggers
    if not missing:
        return Check(name="capture", state="ok", found="every trigger is in place and enabled")
    remedy = "changes go unseen: mystira schema upgrade, or enable them; then verify every kind"
    return Check(name="capture", state="fail", found=", ".join(missing), remedy=remedy)


async def check_redis(url: str | None) -> list[Check]:
    """Version and clock of Redis."""
    if url is None:
        return [Check(name="Redis", state="skip", found="not running")]
    try:
        found = await inspect_redis(url)
    except UnavailableError as error:
        remedy = "start the platform, or look at MYSTIRA_REDIS_URL and logs/redis.log"
        return [Check(name="Redis", state="fail", found=error.reason, remedy=remedy)]
    kept = "writes are kept" if found.appends else "nothing outlives a restart"
    remedy = "" if found.appends else "set appendonly yes"
    redis_check = Check(
        name="Redis",
        state="ok" if found.appends else "warn",
        found=f"{found.version}, {kept}",
        remedy=remedy,
    )
    return [redis_check, _clock("clock of Redis", found.now)]


async def check_documents(settings: Settings) -> list[Check]:
    """Whether the embedded document store is whole."""
    if settings.cosmos_url is not None:
        return [Check(name="document store", state="skip", found="Azure Cosmos DB, which looks after itself")]
    path = settings.documents_path
    if not path.exists():
        return [Check(name="document store", state="skip", found=f"{path} is not there yet")]
    try:
        found = await sqlite_inspection.inspect(path)
    except UnavailableError as error:
        remedy = "look at the file's permissions; restore it from a backup if it is damaged"
        return [Check(name="document store", state="fail", found=error.reason, remedy=remedy)]
    if found.problems:
        remedy = "restore it from a backup, and keep the damaged file"
        return [Check(name="document store", state="fail", found="; ".join(found.problems), remedy=remedy)]
    text = f"{found.records:,} records in {found.size / 1024**2:.0f} MB, whole (SQLite {found.version})"
    return [Check(name="document store", state="ok", found=text)]
