"""What went wrong, in sentences for a person and a number for a script."""

from collections.abc import Sequence
from typing import Final

import msgspec

from manystore.errors import ManystoreError, StepRefusedError, UnavailableError, UnknownKindError
from mystira.cli import exits
from mystira.clients.errors import ProblemError, UnreachableError
from mystira.errors import PlatformError

_NO_KEY: Final = (
    "Set MYSTIRA_SERVICE_KEY to the key of its services, or name its data folder by --data-folder. "
    "Clocks that differ by more than a minute do it as well."
)


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """What to tell: the first line says what happened, each further one a condition that was not met."""

    lines: tuple[str, ...]
    code: str
    exit_code: int


class CommandError(Exception):
    """A command cannot do what it was asked to, for reasons that it knows best itself."""

    def __init__(
        self, message: str, reasons: Sequence[str] = (), *, exit_code: int = exits.NO, code: str = "refused"
    ) -> None:
        self.reasons, self.exit_code, self.code = tuple(reasons), exit_code, code
        super().__init__(message)


def explain(error: BaseException) -> Refusal | None:
    """How to tell of an error, or None for one that nobody expected."""
    if isinstance(error, BaseExceptionGroup):
        # Of tasks that ran together the first to fail is the cause; the others only stopped with it.
        return explain(error.exceptions[0])
    if isinstance(error, CommandError):
        return _refusal(str(error), error.reasons, error.code, error.exit_code)
    if isinstance(error, ProblemError):
        return _problem(error)
    if isinstance(error, UnreachableError):
        return _refusal(str(error), ("Is a platform up there? Start one by `mystira up`.",), "unreachable", 3)
    if isinstance(error, PlatformError):
        return _refusal(str(error), (), _code(error), error.exit_code)
    if isinstance(error, ManystoreError):
        return _engine(error)
    return None


def _problem(error: ProblemError) -> Refusal:
    gone = error.is_passing or error.status >= 500
    # The detail runs all reasons together, which then have a line each.
    message = f"{error.title}." if error.reasons and error.title else error.detail
    if error.status == 401:
        return _refusal("The platform does not know who asks.", (_NO_KEY,), error.code, exits.USAGE)
    return _refusal(message, error.reasons, error.code, exits.UNAVAILABLE if gone else exits.NO)


def _engine(error: ManystoreError) -> Refusal:
    if isinstance(error, StepRefusedError):
        return _refusal(
            f"Step {error.step} of {error.kind} is refused.", error.conditions, "refused", exits.NO
        )
    if isinstance(error, UnavailableError):
        return _refusal(str(error), (), "unavailable", exits.UNAVAILABLE)
    code = exits.USAGE if isinstance(error, UnknownKindError) else exits.NO
    return _refusal(str(error), (), _code(error), code)


def _refusal(message: str, reasons: Sequence[str], code: str, exit_code: int) -> Refusal:
    conditions = (f"  - {reason}" for reason in reasons)
    return Refusal(lines=(message, *conditions), code=code, exit_code=exit_code)


def _code(error: Exception) -> str:
    """`FolderInUseError` is told as `folder_in_use`."""
    name = type(error).__name__.removesuffix("Error")
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in name).lstrip("_")
