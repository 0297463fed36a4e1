"""What was found in a file: what is broken, what is only unusual, where, and what to do about it."""

from collections.abc import Iterable
from typing import Final, Literal

import msgspec

Severity = Literal["error", "warning"]
Path = tuple[str | int, ...]
"""The way to a value: names of keys, and places in lists from 0."""

MOST: Final = 1000
"""How many findings one file may have: of one that is wrong all over nobody reads ten thousand lines."""


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that an author should know.

    An `error` is something broken, and the file is refused; a `warning` is unusual and taken all the same.
    `code` never changes its meaning. `line` and `column` count from 1, and are null where there is no text
    to point at. `path` leads to the value, such as `scenes[3].branches[0].next_scene`.
    """

    severity: Severity
    code: str
    message: str
    path: str = ""
    line: int | None = None
    column: int | None = None

    @property
    def is_error(self) -> bool:
        """Whether it keeps the file out."""
        return self.severity == "error"


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """A finding before anybody knows on which line it is: what rules tell, which see no text."""

    severity: Severity
    code: str
    message: str
    path: Path = ()


def error(code: str, message: str, *path: str | int) -> Fault:
    """Something broken."""
    return Fault(severity="error", code=code, message=message, path=path)


def warning(code: str, message: str, *path: str | int) -> Fault:
    """Something unusual."""
    return Fault(severity="warning", code=code, message=message, path=path)


def spell(path: Path) -> str:
    """A path as people write it: `scenes[3].title`."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return text.removeprefix(".")


def is_sound(findings: Iterable[Finding]) -> bool:
    """Whether nothing is broken."""
    return not any(finding.is_error for finding in findings)


def in_order(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """From the top of the file to its end; on one line, errors first. At most MOST, and a last word."""
    ordered = sorted(findings, key=lambda each: (each.line or 0, not each.is_error, each.column or 0))
    if len(ordered) <= MOST:
        return tuple(ordered)
    # What is broken must not be cut away by what is only unusual.
    first = sorted(ordered, key=lambda each: not each.is_error)[:MOST]
    severity: Severity = "error" if sum(each.is_error for each in ordered) > MOST else "warning"
    told = "More was found, and is not listed: mend these first."
    return (*in_order(first), Finding(severity=severity, code="more", message=told))
