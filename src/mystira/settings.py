"""What can be set, from where, and what is allowed.

A setting is taken from the first place that has it:

1. the command line (`--port 9000`),
2. the environment (`MYSTIRA_PORT=9000`; an empty variable counts as absent),
3. the file (`port = 9000`): `MYSTIRA_CONFIG` where that is set, else `mystira.toml` in the data folder,
4. the default given here.

A wrong value or an unknown name, wherever it stands, is one sentence that names the place and what is
allowed. Silence about a misspelt name would be the most expensive answer of all.
"""

import difflib
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self
from urllib.parse import urlsplit

import msgspec
from pydantic import AfterValidator, Field, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from mystira.errors import SettingError

PREFIX: Final = "MYSTIRA_"
CONFIG: Final = "MYSTIRA_CONFIG"
FILE_NAME: Final = "mystira.toml"

NOT_SETTINGS: Final = frozenset({CONFIG, "MYSTIRA_SOCKET_FD", "MYSTIRA_READY_FD"})
"""Variables under our prefix that are no settings: where the file is, and what a supervisor hands over."""


class Allowed(msgspec.Struct, frozen=True):
    """What a setting may be, as a phrase that ends the sentence of a refusal."""

    phrase: str


def _of_scheme(*schemes: str) -> AfterValidator:
    def check(url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme not in schemes or not parts.hostname or (parts.port or 0) < 0:
            raise ValueError("not such a URL")
        return url

    return AfterValidator(check)


PostgresUrl = Annotated[
    str,
    _of_scheme("postgresql", "postgres"),
    Allowed("a URL such as postgresql://user:password@host:5432/database"),
]
RedisUrl = Annotated[
    str, _of_scheme("redis", "rediss"), Allowed("a URL such as redis://:password@host:6379/0")
]
SmtpUrl = Annotated[
    str,
    _of_scheme("smtp", "smtp+starttls", "smtps"),
    Allowed("a URL such as smtps://user:password@host:465 or smtp+starttls://user:password@host:587"),
]
Mailbox = Annotated[
    str,
    Field(max_length=254, pattern=r"^[^@\s<>]{1,64}@[^@\s<>]{1,189}$"),
    Allowed("an e-mail address"),
]
Days = Annotated[int, Field(ge=1, le=3650), Allowed("a whole number of days from 1 to 3650")]
Count = Annotated[int, Field(ge=1, le=1_000_000), Allowed("a whole number from 1 to 1000000")]
CosmosUrl = Annotated[
    str, _of_scheme("https", "http"), Allowed("a URL such as https://account.documents.azure.com:443/")
]
HttpUrl = Annotated[str, _of_scheme("https", "http"), Allowed("a URL such as http://app.internal:8080")]
Seconds = Annotated[
    float,
    Field(gt=0, le=600, allow_inf_nan=False),
    Allowed("a number of seconds above 0 and up to 600"),
]


class Settings(BaseSettings):
    """All settings of one platform. Made by `load_settings`; nobody else reads the environment."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_ignore_empty=True, extra="forbid", frozen=True, validate_default=False
    )

    data_folder: Annotated[Path, Allowed("the path of a folder")] = Field(
        default=Path(".mystira"), description="Everything that the platform keeps on this machine."
    )
    host: Annotated[str, Field(min_length=1), Allowed("a host name or an IP address")] = Field(
        default="127.0.0.1", description="Where the APIs listen."
    )
    port: Annotated[
        int, Field(ge=0, le=65535), Allowed("a whole number from 0 to 65535 (0 takes a free port)")
    ] = Field(default=8080, description="The one port behind which all APIs are.")
    api_processes: Annotated[int, Field(ge=1, le=64), Allowed("a whole number from 1 to 64")] = Field(
        default=1, description="How many processes serve the APIs."
    )
    worker_processes: Annotated[int, Field(ge=1, le=64), Allowed("a whole number from 1 to 64")] = Field(
        default=1, description="How many processes follow changes and carry out moves."
    )
    app_api_url: HttpUrl | None = Field(
        default=None,
        description="Where the Admin API finds the App API; absent: in its own process.",
    )
    postgres_url: PostgresUrl | None = Field(
        default=None, repr=False, description="PostgreSQL 15 or newer; absent: an embedded one."
    )
    postgres_direct_url: PostgresUrl | None = Field(
        default=None,
        repr=False,
        description="The server itself, where a pooler answers at `postgres_url`; absent: the same.",
    )
    postgres_keeps_statements: Annotated[bool, Allowed("true or false")] | None = Field(
        default=None,
        description="Whether statements stay prepared; absent: unless a pooler answers at `postgres_url`.",
    )
    redis_url: RedisUrl | None = Field(
        default=None, repr=False, description="Redis 6.2 or newer; absent: an embedded one."
    )
    cosmos_url: CosmosUrl | None = Field(
        default=None, description="Azure Cosmos DB; absent: the embedded document store."
    )
    cosmos_key: Annotated[str, Allowed("the account's key")] | None = Field(
        default=None, repr=False, description="The key to `cosmos_url`."
    )
    lease_seconds: Seconds = Field(
        default=2.0, description="How long a process may go on writing after it last heard of the placement."
    )
    log_days: Days = Field(
        default=7,
        description="How long entries of change logs, and records of ended tasks, are kept at least.",
    )
    secondary: Annotated[Literal["deferred", "inline"], Allowed("deferred or inline")] = Field(
        default="deferred",
        description="Whether a write waits for the copy (inline) or leaves it to the follower (deferred).",
    )
    compensation: Annotated[bool, Allowed("true or false")] = Field(
        default=False, description="Whether a write is taken back where its inline copy fails."
    )
    dual_write_timeout: Seconds = Field(
        default=5.0,
        description="How long an inline copy may take before it is left to the follower, in seconds.",
    )
    shadow_share: Annotated[
        float, Field(ge=0, le=1, allow_inf_nan=False), Allowed("a number from 0 to 1")
    ] = Field(default=0.0, description="Which share of reads also asks the copy, and is compared.")
    profiles_home: Annotated[Literal["relational", "split"], Allowed("relational or split")] = Field(
        default="relational",
        description="Whether profiles move to PostgreSQL whole, or leave their preferences in documents.",
    )

    seed_stories: Annotated[bool, Allowed("true or false")] = Field(
        default=True,
        description=(
            "Whether the stories that come with the platform are brought in where its embedded document "
            "store has no bundle yet."
        ),
    )
    service_key: (
        Annotated[str, Field(min_length=32, max_length=512), Allowed("a text of 32 to 512 characters")] | None
    ) = Field(
        default=None,
        repr=False,
        description=(
            "Signs the tokens of services and the codes that are mailed; the same for all processes. "
            "Absent: made once, and kept in the data folder."
        ),
    )
    sign_in_idle_days: Days = Field(
        default=30, description="After how many days without a request somebody has to sign in again."
    )
    sign_in_days: Days = Field(
        default=90, description="After how many days somebody has to sign in again in any case."
    )
    codes_per_email: Count = Field(
        default=5, description="How many codes an hour are mailed to one address at most."
    )
    codes_per_address: Count = Field(
        default=30, description="How many codes an hour can be asked for from one network address."
    )
    confirmations_per_address: Count = Field(
        default=100, description="How many codes an hour can be tried from one network address."
    )
    trusted_proxies: Annotated[
        str,
        Field(max_length=1000, pattern=r"^[0-9A-Fa-f.:/, ]*$"),
        Allowed("addresses or networks with commas in between, such as 10.0.0.0/8, 127.0.0.1"),
    ] = Field(
        default="127.0.0.1",
        description="Whose header `X-Forwarded-For` is believed about where a request comes from.",
    )
    smtp_url: SmtpUrl | None = Field(
        default=None, repr=False, description="The server that sends mail; absent: see `mailbox`."
    )
    mail_from: Mailbox = Field(default="mystira@localhost", description="From which address mail is sent.")
    mailbox: Annotated[bool, Allowed("true or false")] | None = Field(
        default=None,
        description=(
            "Whether mail is kept for the page `/mailbox` instead of being sent; unless set, where Redis "
            "is the embedded one and there is no `smtp_url`."
        ),
    )
    payments: Annotated[Literal["sandbox", "none"], Allowed("sandbox or none")] | None = Field(
        default=None,
        description=(
            "Through which gateway purchases are paid; the sandbox takes no money. Unless set, the sandbox "
            "where Redis is the embedded one, and none elsewhere."
        ),
    )

    @property
    def service_key_path(self) -> Path:
        """Where the key is kept that nobody set."""
        return self.data_folder / "secrets" / "service-key"

    @property
    def documents_path(self) -> Path:
        """The embedded document store's file."""
        return self.data_folder / "documents" / "documents.sqlite"

    @property
    def postgres_session_url(self) -> str | None:
        """Where PostgreSQL gives sessions of one's own, for what a pooler cannot carry."""
        return self.postgres_direct_url or self.postgres_url

    @property
    def objects_path(self) -> Path:
        """The folder of the embedded object storage."""
        return self.data_folder / "objects"

    def with_servers(self, *, postgres_url: str | None, redis_url: str | None) -> Self:
        """The same settings, pointing to servers that are now there."""
        is_embedded = self.redis_url is None
        mailbox = is_embedded and self.smtp_url is None if self.mailbox is None else self.mailbox
        payments = self.payments or ("sandbox" if is_embedded else "none")
        return self.model_copy(
            update={
                "postgres_url": postgres_url,
                "redis_url": redis_url,
                "mailbox": mailbox,
                "payments": payments,
            }
        )

    def as_environment(self) -> dict[str, str]:
        """Variables from which another process loads these very settings, whatever file it reads."""
        values = ((name, getattr(self, name)) for name in type(self).model_fields)
        return {PREFIX + name.upper(): str(value) for name, value in values if value is not None}

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Two sources alone; `load_settings` puts the file's values below both."""
        return (init_settings, env_settings)


def load_settings(**options: object) -> Settings:
    """The settings in force, `options` being those of the command line that were given (None: was not).

    Raises SettingError.
    """
    given = {name: value for name, value in options.items() if value is not None}
    _refuse_unknown_variables()
    path, values = _read_file(given)
    # What neither the command line nor the environment has, the file decides; so it is passed as given.
    missing = {name: value for name, value in values.items() if PREFIX + name.upper() not in _variables()}
    try:
        settings = Settings(**{**missing, **given})
    except ValidationError as error:
        raise _refusal(error, given, path) from None
    if settings.postgres_direct_url and not settings.postgres_url:
        problem = "is absent, and MYSTIRA_POSTGRES_DIRECT_URL leads past what it leads to"
        raise SettingError(source="MYSTIRA_POSTGRES_URL", problem=problem)
    if settings.cosmos_url and not settings.cosmos_key:
        raise SettingError(source="MYSTIRA_COSMOS_KEY", problem="is absent, and MYSTIRA_COSMOS_URL needs it")
    if settings.smtp_url and settings.mailbox:
        raise SettingError(source="MYSTIRA_MAILBOX", problem="cannot be true where MYSTIRA_SMTP_URL is set")
    return settings.model_copy(update={"data_folder": settings.data_folder.expanduser().absolute()})


def _variables() -> Mapping[str, str]:
    return {name: value for name, value in os.environ.items() if name.startswith(PREFIX) and value}


def _refuse_unknown_variables() -> None:
    known = {PREFIX + name.upper() for name in Settings.model_fields} | NOT_SETTINGS
    for name in _variables():
        if name not in known:
            raise SettingError(source=name, problem="is not a setting" + _nearest(name, known))


def _nearest(name: str, known: set[str]) -> str:
    found = difflib.get_close_matches(name, sorted(known), n=1)
    return f"; perhaps {found[0]} is meant" if found else f"; there are {', '.join(sorted(known))}"


def _read_file(given: Mapping[str, object]) -> tuple[Path, dict[str, Any]]:
    """The file and what it says; empty if there is none and none was named."""
    named = os.environ.get(CONFIG)
    folder = given.get("data_folder") or _variables().get("MYSTIRA_DATA_FOLDER") or ".mystira"
    path = Path(named) if named else Path(str(folder)).expanduser() / FILE_NAME
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError) as error:
        if named:
            raise SettingError(source=CONFIG, problem=f"names {path}, which is not there") from error
        return path, {}
    except OSError as error:
        raise SettingError(source=f"File {path}", problem=f"cannot be read ({error.strerror})") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingError(source=f"File {path}", problem=f"is not TOML ({error})") from error
    known = set(Settings.model_fields)
    for name in values:
        if name not in known:
            raise SettingError(source=f"{name} in {path}", problem="is not a setting" + _nearest(name, known))
    if "data_folder" in values and not named:
        raise SettingError(source=f"data_folder in {path}", problem="cannot be set by a file inside it")
    return path, values


def _refusal(error: ValidationError, given: Mapping[str, object], path: Path) -> SettingError:
    """The first mistake, told by where it stands rather than by how it was found."""
    mistake = error.errors()[0]
    name = str(mistake["loc"][0])
    field = Settings.model_fields[name]
    variable = PREFIX + name.upper()
    source = f"{name} in {path}"
    if name in given:
        source = f"--{name.replace('_', '-')}"
    elif variable in _variables():
        source = variable
    allowed = next((fact.phrase for fact in _facts(field.annotation, field.metadata)), "another value")
    # URLs and keys carry passwords: a refusal that ends in a log must not.
    shown = f"is {mistake['input']!r}, and must be" if field.repr else "must be"
    return SettingError(source=source, problem=f"{shown} {allowed}")


def _facts(annotation: Any, metadata: list[Any]) -> list[Allowed]:
    """The Allowed of a field, also where it is one side of `… | None`."""
    sides = (
        fact for side in getattr(annotation, "__args__", ()) for fact in getattr(side, "__metadata__", ())
    )
    return [fact for fact in (*metadata, *sides) if isinstance(fact, Allowed)]
