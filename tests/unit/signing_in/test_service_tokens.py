"""How programs of the platform show who they are, and where their key comes from."""

import asyncio
import datetime as dt
import json
import stat
import sys
from pathlib import Path
from typing import Any

import jwt
import pytest

from mystira.clients.service_key import find_service_key, keep_service_key
from mystira.clients.service_tokens import (
    AUDIENCES,
    LEEWAY,
    LIFETIME,
    OPERATOR,
    BearerToken,
    ServiceCredentials,
    read_issuer,
    sign_token,
)
from mystira.errors import FolderError, SettingError
from mystira.settings import Settings
from tests.serving import memory_api, services_of
from tests.unit.clocks import ManualClock

KEY, OTHER = "a" * 40, "b" * 40
NOW = dt.datetime(2026, 11, 20, 12, 0, tzinfo=dt.UTC)
CLAIMS: dict[str, Any] = {"iss": "publisher", "aud": "appApi", "iat": NOW, "exp": NOW + LIFETIME}


def _read(token: str, *, key: str = KEY, audience: str = "appApi", now: dt.datetime = NOW) -> str | None:
    return read_issuer(key, token, audience=audience, now=now)


def test_a_token_says_who_issued_it() -> None:
    """To the service that it is meant for, under the key that both share."""
    token = sign_token(KEY, issuer="publisher", audience="appApi", now=NOW)
    assert _read(token) == "publisher"
    assert _read(token, audience="adminApi") is None
    assert _read(token, key=OTHER) is None


@pytest.mark.parametrize(
    ("offset", "holds"),
    [
        (-LEEWAY - dt.timedelta(seconds=1), False),
        (-LEEWAY, True),
        (LIFETIME + LEEWAY - dt.timedelta(seconds=1), True),
        (LIFETIME + LEEWAY, False),
    ],
    ids=["too early", "a clock behind", "a clock ahead", "too late"],
)
def test_a_token_holds_for_a_minute(offset: dt.timedelta, holds: bool) -> None:
    """And for the few seconds by which clocks may differ, either way."""
    token = sign_token(KEY, issuer="publisher", audience="appApi", now=NOW)
    assert (_read(token, now=NOW + offset) == "publisher") is holds


@pytest.mark.parametrize("name", sorted(CLAIMS))
def test_a_token_that_leaves_something_out_is_refused(name: str) -> None:
    """Issuer, audience, begin and end: each is needed."""
    claims = {each: value for each, value in CLAIMS.items() if each != name}
    assert _read(jwt.encode(claims, KEY, algorithm="HS256")) is None


@pytest.mark.parametrize(
    "change",
    [
        {"exp": NOW + dt.timedelta(days=365)},
        {"iss": ""},
        {"iss": 7},
        {"aud": ["appApi", 7]},
        {"exp": "never"},
        {"iat": "once"},
    ],
    ids=str,
)
def test_a_token_that_claims_too_much_is_refused(change: dict[str, Any]) -> None:
    """Signed with our key or not: one that holds for a year, names nobody, or is no token of this form."""
    try:
        token = jwt.encode(CLAIMS | change, KEY, algorithm="HS256")
    except TypeError:
        token = jwt.api_jws.encode(_json(CLAIMS | change), KEY, algorithm="HS256")
    assert _read(token) is None


def _json(claims: dict[str, Any]) -> bytes:
    seconds = {n: v.timestamp() if isinstance(v, dt.datetime) else v for n, v in claims.items()}
    return json.dumps(seconds).encode()


def test_a_token_without_a_signature_is_refused() -> None:
    """Nor one that is signed in another way, whatever its head says of that."""
    assert _read(jwt.encode(CLAIMS, "", algorithm="none")) is None
    assert _read(jwt.encode(CLAIMS, KEY * 2, algorithm="HS512")) is None
    for torn in (
        "",
        ".",
        "..",
        "a.b.c",
        "é.é.é",
        sign_token(KEY, issuer="x", audience="appApi", now=NOW)[:-2],
    ):
        assert _read(torn) is None


async def test_every_service_has_its_audience() -> None:
    """The paths and names by which callers sign are those of the services."""
    async with memory_api() as api:
        services = services_of(api.platform)
    assert {service.prefix: service.name for service in services} == AUDIENCES


def test_credentials_sign_for_the_service_that_is_asked() -> None:
    """A token each, used for half of its time; none for what is open to everybody."""
    clock = ManualClock()
    credentials = ServiceCredentials(KEY, clock=clock)

    def issuer(path: str, audience: str) -> str | None:
        shown = credentials.header(path)
        assert shown is not None
        return _read(shown.removeprefix("Bearer "), audience=audience, now=clock.now())

    assert issuer("/api/v1/me", "appApi") == OPERATOR
    assert issuer("/admin/api/moves", "adminApi") == OPERATOR
    assert issuer("/admin/api/moves", "appApi") is None
    assert credentials.header("/health/ready") is None
    assert credentials.header("/api/v1evil") is None
    first = credentials.header("/api/v1/me")
    clock.advance(29.0)
    assert credentials.header("/api/v1/me") == first
    clock.advance(1.0)
    assert credentials.header("/api/v1/me") != first
    assert BearerToken("t").header("/anything") == "Bearer t"


def test_a_key_that_is_set_is_the_key(tmp_path: Path) -> None:
    """Nothing is made or read beside it."""
    settings = Settings(data_folder=tmp_path / "data", service_key=KEY)
    assert keep_service_key(settings) == find_service_key(settings) == KEY
    assert not settings.data_folder.exists()


def test_a_key_is_made_once_and_for_its_owner_alone(tmp_path: Path) -> None:
    """Where none is set: found again by every process, readable by nobody else."""
    settings = Settings(data_folder=tmp_path / "data")
    key = keep_service_key(settings)
    assert len(key) >= 43
    assert keep_service_key(settings) == find_service_key(settings) == key
    assert stat.S_IMODE(settings.service_key_path.stat().st_mode) == 0o600
    assert stat.S_IMODE(settings.service_key_path.parent.stat().st_mode) == 0o700
    assert list(settings.service_key_path.parent.iterdir()) == [settings.service_key_path]


def test_two_platforms_have_two_keys(tmp_path: Path) -> None:
    """A token of one says nothing to the other."""
    keys = {keep_service_key(Settings(data_folder=tmp_path / name)) for name in ("one", "other")}
    assert len(keys) == 2


async def test_processes_that_make_a_key_at_once_agree(tmp_path: Path) -> None:
    """Whoever comes second takes what is there, also between the look and the making."""
    program = (
        "import sys; from pathlib import Path; from mystira.settings import Settings; "
        "from mystira.clients.service_key import _make, keep_service_key; "
        "settings = Settings(data_folder=Path(sys.argv[1])); "
        "_make(settings.service_key_path); print(keep_service_key(settings))"
    )
    started = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-c", program, str(tmp_path), stdout=asyncio.subprocess.PIPE
        )
        for _ in range(4)
    ]
    told = {(await each.communicate())[0] for each in started}
    assert len(told) == 1
    assert len(told.pop().strip()) >= 43


def test_a_command_makes_no_key(tmp_path: Path) -> None:
    """It would be the key of no platform: the refusal says how to name the right one."""
    with pytest.raises(SettingError, match="MYSTIRA_SERVICE_KEY is missing"):
        find_service_key(Settings(data_folder=tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_a_key_that_was_damaged_is_refused(tmp_path: Path) -> None:
    """A file that is empty or cut short would sign with a key that anybody can guess."""
    settings = Settings(data_folder=tmp_path)
    settings.service_key_path.parent.mkdir()
    settings.service_key_path.write_text("short\n")
    for reading in (keep_service_key, find_service_key):
        with pytest.raises(SettingError, match="holds no service key"):
            reading(settings)


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """Instead of a traceback."""
    (tmp_path / "data").write_text("a file")
    with pytest.raises(FolderError, match="cannot be used"):
        keep_service_key(Settings(data_folder=tmp_path / "data"))
