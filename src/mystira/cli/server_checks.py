"""What `mystira doctor` looks at in the servers that a platform stands on; all of it is only read."""

import time
from collections.abc import Iterator
from typing import Final

from manystore.errors import UnavailableError
from manystore.stores.postgres import inspection as postgres_inspection
from manystore.stores.postgres.inspection import Inspection
from manystore.stores.postgres.sessions import FIT
from manystore.stores.postgres.store import POOL_SIZE
from manystore.stores.sqlite import inspection as sqlite_inspection
from mystira.cli.checks import Check, State
from mystira.gateways.redis_state import inspect_redis
from mystira.schema import upgrades
from mystira.schema.mappings import MAPPINGS
from mystira.settings import Settings

SESSIONS_OF_A_WORKER: Final = 6
"""Beside its pool, in the workflow engine's, and one to examine records before a move."""

_OLD_TRANSACTION: Final = 30.0
_CLOCKS_APART: Final = 2.0
_ROOM: Final = 10
_DURABLE: Final = {
    "fsync": ("on",),
    "full_page_writes": ("on",),
    # All but `off` wait until the server itself has the write on its disk.
    "synchronous_commit": ("on", "local", "remote_write", "remote_apply"),
}
_TERMS: Final = (
    (_DURABLE, "a crash could lose acknowledged writes"),
    (FIT, "fences and the capture of changes would not hold"),
    ({"server_encoding": ("UTF8",)}, "not every letter could be kept"),
    ({"default_transaction_read_only": ("off",)}, "nothing could be written"),
)
"""Settings with the values that will do, and what any other would mean."""


async def check_postgres(settings: Settings) -> list[Check]:
    """Version, settings, connections, clock, schema and capture of PostgreSQL, and a pooler before it."""
    url = settings.postgres_session_url
    if url is None:
        return [Check(name="PostgreSQL", state="skip", found="not running")]
    try:
        found = await postgres_inspection.inspect(url, MAPPINGS)
        at, head = await upgrades.current(url), upgrades.head()
    except UnavailableError as error:
        variable = "MYSTIRA_POSTGRES_DIRECT_URL" if settings.postgres_direct_url else "MYSTIRA_POSTGRES_URL"
        remedy = f"start the platform, or look at {variable} and logs/postgres.log"
        return [Check(name="PostgreSQL", state="fail", found=error.reason, remedy=remedy)]
    return [
        _version(found),
        _settings(found),
        _connections(found, settings),
        *await _pooler(found, settings),
        _transactions(found),
        _clock("clock of PostgreSQL", found.now.timestamp()),
        _schema(at, head),
        _capture(found),
    ]


def _version(found: Inspection) -> Check:
    is_new = found.number >= postgres_inspection.OLDEST_NUMBER
    remedy = "" if is_new else "upgrade to PostgreSQL 15 or newer"
    return Check(name="PostgreSQL", state="ok" if is_new else "fail", found=found.version, remedy=remedy)


def _settings(found: Inspection) -> Check:
    wrong, remedies = [], []
    for allowed, meaning in _TERMS:
        names = [name for name in allowed if found.settings[name] not in allowed[name]]
        wrong += [f"{name} = {found.settings[name]}" for name in names]
        if names:
            remedies.append(f"{meaning}: set {', '.join(f'{name} = {allowed[name][0]}' for name in names)}")
    if wrong:
        remedy = "; ".join(remedies)
        return Check(name="PostgreSQL settings", state="fail", found=", ".join(wrong), remedy=remedy)
    text = f"durable; time zone {found.settings['TimeZone']}, which nothing here depends on"
    return Check(name="PostgreSQL settings", state="ok", found=text)


def _connections(found: Inspection, settings: Settings) -> Check:
    """Whether the server has as many as the processes may open, and some left just now."""
    # Where a pooler stands between, its own settings bound what the pools take.
    pools = 0 if settings.postgres_direct_url else settings.api_processes + settings.worker_processes
    wanted = POOL_SIZE * pools + SESSIONS_OF_A_WORKER * settings.worker_processes
    held_back = ("superuser_reserved_connections", "reserved_connections")
    usable = int(found.settings["max_connections"]) - sum(
        int(found.settings[name] or 0) for name in held_back
    )
    text = f"{found.connections} of {usable} in use; these processes open up to {wanted}"
    if settings.postgres_direct_url:
        text += " beside the pooler's"
    remedy = ""
    if wanted > usable:
        remedy = "raise max_connections, run fewer processes, or put a pooler before the server"
    elif usable - found.connections < _ROOM:
        remedy = "look who has them (pg_stat_activity), or raise max_connections"
    return Check(name="connections", state="warn" if remedy else "ok", found=text, remedy=remedy)


async def _pooler(found: Inspection, settings: Settings) -> list[Check]:
    """What stands between, if anything does, and whether there is a way past it."""
    if settings.postgres_direct_url is None or settings.postgres_url is None:
        if not found.is_pooled:
            return []
        text = "one answers at MYSTIRA_POSTGRES_URL"
        remedy = (
            "changes of the schema and moves need sessions: set MYSTIRA_POSTGRES_DIRECT_URL to the server"
        )
        return [Check(name="pooler", state="fail", found=text, remedy=remedy)]
    if found.is_pooled:
        text, remedy = (
            "MYSTIRA_POSTGRES_DIRECT_URL leads to one as well",
            "set it to the server's own address",
        )
        return [Check(name="pooler", state="fail", found=text, remedy=remedy)]
    try:
        before = await postgres_inspection.inspect(settings.postgres_url, MAPPINGS)
    except UnavailableError as error:
        remedy = "look at MYSTIRA_POSTGRES_URL and at the pooler's log"
        return [Check(name="pooler", state="fail", found=error.reason, remedy=remedy)]
    keeps = settings.postgres_keeps_statements
    kept = keeps or (keeps is None and not before.is_pooled)
    what = "stands between" if before.is_pooled else "none: the server itself answers at MYSTIRA_POSTGRES_URL"
    how = "statements stay prepared" if kept else "no statement stays prepared"
    return [Check(name="pooler", state="ok", found=f"{what}; {how}")]


def _transactions(found: Inspection) -> Check:
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


def _capture(found: Inspection) -> Check:
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
    """Whether the embedded document store is whole, or the Cosmos DB account fit for moves."""
    if settings.cosmos_url is not None and settings.cosmos_key is not None:
        return [await _account(settings.cosmos_url, settings.cosmos_key)]
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


async def _account(url: str, key: str) -> Check:
    # Its client is the heaviest import of all, and most platforms have the embedded store.
    from manystore.stores.cosmos.inspection import SUFFICIENT, inspect  # noqa: PLC0415

    try:
        found = await inspect(url, key)
    except UnavailableError as error:
        remedy = "look at MYSTIRA_COSMOS_URL and MYSTIRA_COSMOS_KEY, and at the account's firewall"
        return Check(name="document store", state="fail", found=error.reason, remedy=remedy)
    regions = ", ".join(found.regions) or "no region named"
    text = f"Azure Cosmos DB at {found.consistency or 'a level that it does not tell'} ({regions})"
    remedies = list(_improvements(found.writes_anywhere, found.consistency in SUFFICIENT))
    return Check(
        name="document store", state="warn" if remedies else "ok", found=text, remedy="; ".join(remedies)
    )


def _improvements(writes_anywhere: bool, is_consistent: bool) -> Iterator[str]:
    if not is_consistent:
        yield "set the account's default consistency to BoundedStaleness or Strong before a kind is moved"
    if writes_anywhere:
        yield "let one region take writes: two would each accept the same version, and one write be dropped"
