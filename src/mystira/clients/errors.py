"""How a request to a service can fail.

ClientError
├── ProblemError        the service answered, and said no (RFC 9457)
└── UnreachableError    no answer came, so that nobody can say what became of the request
"""

from collections.abc import Mapping, Sequence
from typing import Any


class ClientError(Exception):
    """A request to a service failed."""


class ProblemError(ClientError):
    """A service said no. `code` is stable, `title` says what it means in general; `reasons` are the
    conditions that were not met, if it named any, and `findings` what it found in a file that was sent.

    `retry_after` is the wait in seconds that it asked for.
    """

    def __init__(
        self,
        *,
        status: int,
        code: str,
        detail: str,
        title: str = "",
        reasons: Sequence[str] = (),
        findings: Sequence[Mapping[str, Any]] = (),
        retry_after: float | None = None,
    ) -> None:
        self.status, self.code, self.detail, self.title = status, code, detail, title
        self.reasons, self.retry_after = tuple(reasons), retry_after
        self.findings = tuple(findings)
        super().__init__(detail)

    @property
    def is_passing(self) -> bool:
        """Whether the same request may well succeed a little later."""
        return self.status in (429, 502, 503, 504)


class UnreachableError(ClientError):
    """{url} gave no answer ({reason})."""

    def __init__(self, *, url: str, reason: str) -> None:
        self.url, self.reason = url, reason
        super().__init__(f"{url} gave no answer ({reason}).")
