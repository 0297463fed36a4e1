"""Versions as ETags, and what a caller demands of them (RFC 9110, section 13).

The ETag of a record is its version in quotes. So If-Match says which version a change was made to, and
If-None-Match which version the caller has already.
"""

import re
from collections.abc import Awaitable, Callable
from typing import Final, Protocol

import msgspec

from mystira.http.problems import ProblemError

_LIST: Final = re.compile(
    r'(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"(?:[ \t]*,[ \t]*(?:W/)?"[\x21\x23-\x7e\x80-\xff]*")*'
)
_TAG: Final = re.compile(r'(W/)?"([^"]*)"')
_VERSION: Final = re.compile(r"0|[1-9][0-9]{0,18}")


class Versioned(Protocol):
    """A record as it stands, with its version."""

    @property
    def version(self) -> int:
        """The version."""


class Demand(msgspec.Struct, frozen=True):
    """The versions that a header names; `any_version` for `*`, any that there is.

    Weak tags (`W/"3"`) count for If-None-Match alone: they never match strongly.
    """

    any_version: bool
    strong: frozenset[int] = frozenset()
    weak: frozenset[int] = frozenset()

    def is_known(self, version: int) -> bool:
        """Whether the caller has this version already."""
        return self.any_version or version in self.strong or version in self.weak


def etag(version: int) -> str:
    """The ETag of a version."""
    return f'"{version}"'


def read_demand(value: str, header: str) -> Demand:
    """What the header demands. Raises ProblemError for what is no list of ETags."""
    text = value.strip()
    if text == "*":
        return Demand(any_version=True)
    if not _LIST.fullmatch(text):
        detail = f'{header} holds ETags in their quotes, such as "3", or *.'
        raise ProblemError("malformed_etag", detail, path=header)
    strong: set[int] = set()
    weak: set[int] = set()
    for prefix, tag in _TAG.findall(text):
        # A tag that is none of ours is well-formed and matches no version.
        if _VERSION.fullmatch(tag):
            (weak if prefix else strong).add(int(tag))
    return Demand(any_version=False, strong=frozenset(strong), weak=frozenset(weak))


def require(value: str | None) -> Demand:
    """The demand of If-Match, which must be there. Raises ProblemError."""
    if value is None:
        detail = "A change names the version it was made to: send the ETag that you read as If-Match."
        raise ProblemError("precondition_required", detail, path="If-Match")
    return read_demand(value, "If-Match")


async def expected_version(demand: Demand, read: Callable[[], Awaitable[Versioned]]) -> int | None:
    """The version that a change may be made to; None where any will do.

    Several versions are allowed by the standard, so the present one is asked for (`read`) and chosen if it
    is among them. Raises ProblemError if none can match.
    """
    if demand.any_version:
        return None
    if len(demand.strong) == 1:
        return next(iter(demand.strong))
    version = (await read()).version
    if version not in demand.strong:
        detail = f"The record is at version {version}, and If-Match names another."
        raise ProblemError("version_mismatch", detail)
    return version
