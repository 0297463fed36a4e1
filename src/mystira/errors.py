"""Every way in which the platform refuses to start or to go on, in one place.

    PlatformError                   exit code 1
    ├── EnvironmentRefusedError     exit code 2: what was asked for cannot be had here; change it and repeat
    │   ├── SettingError            a setting with a wrong value or an unknown name
    │   ├── FolderError             the data folder cannot be used
    │   ├── FolderInUseError        another platform runs in it
    │   ├── AddressError            the address is taken or not of this machine
    │   ├── NotRunningError         a command needs a platform that is up
    │   └── ProgramMissingError     a program that the embedded platform consists of is not installed
    └── StartError                  a server or service did not come up

As in the engine, the message is the class's docstring filled in from its attributes. Whoever renders one of
these for a person needs nothing but `str(error)` and `error.exit_code`.
"""

from pathlib import Path
from typing import ClassVar


class PlatformError(Exception):
    """The platform refused."""

    exit_code: ClassVar[int] = 1

    def __init__(self, **facts: object) -> None:
        doc = type(self).__doc__ or ""
        # Line breaks are for the reader of this file; since Python 3.13 not even their indentation is kept.
        super().__init__(" ".join(doc.split("\n\n", 1)[0].split()).format(**facts))


class EnvironmentRefusedError(PlatformError):
    """What was asked for cannot be had here."""

    exit_code: ClassVar[int] = 2


class SettingError(EnvironmentRefusedError):
    """{source} {problem}."""

    def __init__(self, *, source: str, problem: str) -> None:
        self.source, self.problem = source, problem
        super().__init__(source=source, problem=problem)


class FolderError(EnvironmentRefusedError):
    """Data folder {folder} cannot be used ({reason}): choose another by --data-folder or
    MYSTIRA_DATA_FOLDER.
    """

    def __init__(self, *, folder: Path, reason: str) -> None:
        self.folder, self.reason = folder, reason
        super().__init__(folder=folder, reason=reason)


class FolderInUseError(EnvironmentRefusedError):
    """Data folder {folder} is in use by {holder}: stop that first, or choose another folder by
    --data-folder or MYSTIRA_DATA_FOLDER.
    """

    def __init__(self, *, folder: Path, holder: str) -> None:
        self.folder, self.holder = folder, holder
        super().__init__(folder=folder, holder=holder)


class NotRunningError(EnvironmentRefusedError):
    """No platform is up in data folder {folder}: start one by `mystira up`, or name its folder by
    --data-folder or MYSTIRA_DATA_FOLDER.
    """

    exit_code: ClassVar[int] = 3

    def __init__(self, *, folder: Path) -> None:
        self.folder = folder
        super().__init__(folder=folder)


class AddressError(EnvironmentRefusedError):
    """Cannot listen on {host}:{port} ({reason}): choose another address by --host and --port, or by
    MYSTIRA_HOST and MYSTIRA_PORT.
    """

    def __init__(self, *, host: str, port: int, reason: str) -> None:
        self.host, self.port, self.reason = host, port, reason
        super().__init__(host=host, port=port, reason=reason)


class ProgramMissingError(EnvironmentRefusedError):
    """Program {program} is missing: {remedy}."""

    def __init__(self, *, program: str, remedy: str) -> None:
        self.program, self.remedy = program, remedy
        super().__init__(program=program, remedy=remedy)


class StartError(PlatformError):
    """{name} did not start: {reason}; its log is {log}."""

    def __init__(self, *, name: str, reason: str, log: Path) -> None:
        self.name, self.reason, self.log = name, reason, log
        super().__init__(name=name, reason=reason, log=log)
