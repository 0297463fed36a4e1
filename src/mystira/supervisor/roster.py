"""What runs in a data folder, and where: how one command finds what another has started.

The supervisor rewrites `platform.json` at every change and removes it at the end. A platform that was killed
leaves one behind, so the file counts only while the process that wrote it holds the folder's lock. It
contains passwords and is readable by its owner alone.
"""

import datetime as dt
from pathlib import Path
from typing import Final

import msgspec

from mystira.errors import NotRunningError
from mystira.servers.folder import in_use_by
from mystira.settings import Settings

FILE_NAME: Final = "platform.json"


class RunningProcess(msgspec.Struct, frozen=True, kw_only=True):
    """A server or service. `restarts` counts how often it ended by itself since the platform started."""

    name: str
    pid: int
    restarts: int
    since: dt.datetime


class Roster(msgspec.Struct, frozen=True, kw_only=True):
    """A platform that is up. `address` is the common root of its APIs."""

    pid: int
    since: dt.datetime
    address: str
    postgres_url: str
    redis_url: str
    processes: tuple[RunningProcess, ...]


def read_roster(data_folder: Path) -> Roster | None:
    """The roster of the platform that runs in the folder; None while there is none, or it is not up yet."""
    holder = in_use_by(data_folder)
    try:
        roster = msgspec.json.decode((data_folder / FILE_NAME).read_bytes(), type=Roster)
    except (OSError, msgspec.DecodeError):
        return None
    return roster if roster.pid == holder else None


def reach(settings: Settings) -> Settings:
    """The settings with the addresses of the platform that runs in their data folder.

    Raises NotRunningError, unless all servers are given by URL, so that no platform has to run here.
    """
    if settings.postgres_url and settings.redis_url:
        return settings
    roster = read_roster(settings.data_folder)
    if roster is None:
        raise NotRunningError(folder=settings.data_folder)
    return settings.with_servers(postgres_url=roster.postgres_url, redis_url=roster.redis_url)
