"""How a command finds the platform that it is about."""

import contextlib
import getpass
import os
import re
from collections.abc import AsyncIterator
from pathlib import Path

from mystira.clients.admin import AdminClient
from mystira.clients.service import ANSWER_SECONDS, Service
from mystira.clients.service_key import find_service_key
from mystira.clients.service_tokens import ServiceCredentials
from mystira.errors import NotRunningError, SettingError
from mystira.settings import Settings, load_settings
from mystira.supervisor import read_roster


def find_address(url: str | None, data_folder: Path | None) -> str:
    """The address that was given, else that of the platform which runs in the data folder.

    Raises NotRunningError and SettingError.
    """
    if url is not None:
        return url
    folder = load_settings(data_folder=data_folder).data_folder
    roster = read_roster(folder)
    if roster is None:
        raise NotRunningError(folder=folder)
    return roster.address


@contextlib.asynccontextmanager
async def service_of(
    url: str | None, data_folder: Path | None, *, seconds: float = ANSWER_SECONDS
) -> AsyncIterator[Service]:
    """The platform that a command is about, asked as whoever runs it, if its key can be found, and in the
    name of whoever types the command.

    Each answer is waited for so many seconds. Raises NotRunningError and SettingError.
    """
    address = find_address(url, data_folder)
    credentials = _credentials(load_settings(data_folder=data_folder))
    headers = {"X-Actor": _user()}
    async with Service.at(address, credentials, seconds=seconds, headers=headers) as service:
        yield service


def _credentials(settings: Settings) -> ServiceCredentials | None:
    try:
        return ServiceCredentials(find_service_key(settings))
    except SettingError:
        # A platform elsewhere may not be there at all, which is worth more to know than that it has no key
        # here. Where it is, it refuses, and the refusal tells how to name the key.
        return None


@contextlib.asynccontextmanager
async def admin_of(url: str | None, data_folder: Path | None) -> AsyncIterator[AdminClient]:
    """The Admin API of the platform that a command is about. Raises NotRunningError and SettingError."""
    async with service_of(url, data_folder) as service:
        yield AdminClient(service, actor=_user())


def _user() -> str:
    """Who types the command, as the Admin API writes it down."""
    try:
        name = getpass.getuser()
    except OSError:
        # A number that no user is listed under, as in some containers.
        name = f"uid-{os.getuid()}"
    return re.sub(r"[^A-Za-z0-9@._:+-]", "_", name)[:100]
