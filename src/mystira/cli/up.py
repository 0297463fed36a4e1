"""`mystira up`: start a platform, say where everything is, and keep it up.

With `--json` every event is one document on a line of its own; the one named `PlatformReady` carries the
addresses. A platform that has no stories yet gets those that are shipped, once it is up.
"""

import contextlib
import sys
from collections.abc import Callable
from typing import Annotated, Any, Final

import msgspec
from cyclopts import Parameter
from rich.status import Status
from rich.table import Table

from mystira.cli import exits
from mystira.cli.first_stories import FirstStories, StoriesAbsent, StoriesSeeded
from mystira.cli.options import AsJson, DataFolder
from mystira.cli.output import duration, out, print_json
from mystira.errors import SettingError
from mystira.schema import upgrades
from mystira.settings import Settings, load_settings
from mystira.supervisor import (
    Event,
    PlatformReady,
    PlatformStopped,
    PlatformStopping,
    ProcessEnded,
    ProcessStarted,
    RestartFailed,
    SchemaUpgraded,
    Service,
    supervise,
)

_SERVE: Final = (sys.executable, "-m", "mystira", "serve")


async def up(
    *,
    data_folder: DataFolder = None,
    host: Annotated[str | None, Parameter(help="Where the APIs listen; 127.0.0.1 unless set.")] = None,
    port: Annotated[int | None, Parameter(help="Their port; 8080 unless set, 0 for a free one.")] = None,
    api_processes: Annotated[int | None, Parameter(help="How many processes serve the APIs.")] = None,
    worker_processes: Annotated[int | None, Parameter(help="How many carry out moves.")] = None,
    json: AsJson = False,
) -> int:
    """Start everything, print the addresses, and stay until Ctrl-C or SIGTERM.

    With --json: one document a line, for everything that happens.
    """
    settings = load_settings(
        data_folder=data_folder,
        host=host,
        port=port,
        api_processes=api_processes,
        worker_processes=worker_processes,
    )
    with _teller(settings, json) as tell:
        first = FirstStories(settings, tell)

        def hear(event: Event) -> None:
            tell(event)
            first.hear(event)

        async with first:
            await supervise(settings, services=services_of(settings), upgrade=_upgrade, tell=hear)
    return exits.OK


def services_of(settings: Settings) -> list[Service]:
    """The processes that make up a platform beside its servers."""
    apis, workers = _names("api", settings.api_processes), _names("worker", settings.worker_processes)
    return [
        *(Service(name=name, command=(*_SERVE, "api"), listens=True) for name in apis),
        *(Service(name=name, command=(*_SERVE, "worker")) for name in workers),
    ]


def _names(service: str, count: int) -> list[str]:
    return [service] if count == 1 else [f"{service}-{number + 1}" for number in range(count)]


async def _upgrade(settings: Settings) -> None:
    url = settings.postgres_session_url
    if url is None:
        raise SettingError(source="MYSTIRA_POSTGRES_URL", problem="is missing")
    await upgrades.upgrade(url)


Told = Event | StoriesSeeded | StoriesAbsent
Tell = Callable[[Told], None]


@contextlib.contextmanager
def _teller(settings: Settings, json: bool) -> Any:
    """Tells what happens: as JSON, or as lines under which a spinner turns until everything is up."""
    places: dict[str, str] = {}

    def note(event: Told) -> None:
        if isinstance(event, ProcessStarted) and event.address is not None:
            places[event.name] = event.address

    if json:

        def tell_json(event: Told) -> None:
            note(event)
            document = msgspec.to_builtins(event)
            if isinstance(event, PlatformReady):
                document["addresses"] = addresses(settings, event.address, places)
            print_json(document)

        yield tell_json
        return
    console = out()
    with console.status("starting") as spinner:

        def tell(event: Told) -> None:
            note(event)
            _show(event, spinner)
            if isinstance(event, PlatformReady):
                spinner.stop()
                console.print(_table(addresses(settings, event.address, places)))

        yield tell


def _show(event: Told, spinner: Status) -> None:
    line = describe(event)
    if line:
        spinner.console.print(line)


def describe(event: Told) -> str:
    """What a person is told of an event."""
    match event:
        case ProcessStarted(restarts=0):
            return f"{event.name} is up after {duration(event.seconds)} (process {event.pid})"
        case ProcessStarted():
            return f"{event.name} is up again after {duration(event.seconds)} (process {event.pid})"
        case SchemaUpgraded():
            return f"the tables are up to date after {duration(event.seconds)}"
        case ProcessEnded():
            return f"{event.name} (process {event.pid}) ended by {event.how}; it is started again"
        case RestartFailed():
            return f"{event.name} did not start: {event.reason}; again in {duration(event.restart_in)}"
        case PlatformStopping():
            return f"stopping on {event.signal}"
        case PlatformStopped():
            return f"stopped after {duration(event.seconds)}"
        case PlatformReady():
            return f"Mystira is up after {duration(event.seconds)}. Ctrl-C stops it."
        case StoriesSeeded() | StoriesAbsent():
            return event.sentence


def addresses(settings: Settings, root: str, places: dict[str, str]) -> dict[str, str]:
    """Where everything is, by what people call it, without passwords."""
    secrets = settings.data_folder / "secrets"
    embedded = "postgres" in places
    postgres = f"postgresql://mystira@{places['postgres']}/mystira" if embedded else "external"
    redis = f"redis://{places['redis']}/0" if "redis" in places else "external"
    return {
        "App API": f"{root}/api/v1",
        "App API, pages": f"{root}/api/v1/docs",
        "Admin API": f"{root}/admin/api",
        "Admin API, pages": f"{root}/admin/api/docs",
        "PostgreSQL": postgres + (f"  (password: {secrets / 'postgres'})" if embedded else ""),
        "Redis": redis + (f"  (password: {secrets / 'redis'})" if "redis" in places else ""),
        "documents": str(settings.cosmos_url or settings.documents_path),
        "objects": str(settings.objects_path),
        "logs": str(settings.data_folder / "logs"),
    }


def _table(places: dict[str, str]) -> Table:
    table = Table(show_header=False, box=None, padding=(0, 2))
    for name, place in places.items():
        table.add_row(name, place)
    return table
