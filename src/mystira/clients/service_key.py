"""The key that all programs of one platform share: set, or made once and kept in the data folder.

Whoever can read it is trusted with everything, as whoever can read the databases' passwords beside it is.
"""

import contextlib
import os
import secrets
from pathlib import Path
from typing import Final

from mystira.clients.service_tokens import SHORTEST_KEY
from mystira.errors import FolderError, SettingError
from mystira.settings import Settings

_BYTES: Final = 32


def keep_service_key(settings: Settings) -> str:
    """The key of this platform, made and kept if there is none yet. For the services.

    Several processes may come here at once; all leave with the same key. Raises FolderError, SettingError.
    """
    if settings.service_key is not None:
        return settings.service_key
    path = settings.service_key_path
    try:
        if not path.exists():
            _make(path)
        return _read(path)
    except OSError as error:
        raise FolderError(folder=settings.data_folder, reason=error.strerror or str(error)) from error


def find_service_key(settings: Settings) -> str:
    """The key of a platform that is there. For the commands. Raises SettingError."""
    if settings.service_key is not None:
        return settings.service_key
    try:
        return _read(settings.service_key_path)
    except OSError as error:
        kept = f"{settings.service_key_path} cannot be read ({error.strerror})"
        problem = f"is missing, and {kept}: set it, or name the platform's folder by --data-folder"
        raise SettingError(source="MYSTIRA_SERVICE_KEY", problem=problem) from error


def _make(path: Path) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with open(descriptor, "w", encoding="ascii") as file:
            file.write(secrets.token_urlsafe(_BYTES))
            file.flush()
            os.fsync(file.fileno())
        # Unlike a rename this never replaces a key that another process made, and may already use.
        with contextlib.suppress(FileExistsError):
            path.hardlink_to(draft)
    finally:
        draft.unlink()


def _read(path: Path) -> str:
    key = path.read_text(encoding="ascii", errors="replace").strip()
    if len(key) < SHORTEST_KEY:
        raise SettingError(source=f"File {path}", problem="holds no service key: remove it, and start anew")
    return key
