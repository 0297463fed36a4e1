"""Every way in which a use case refuses.

    DomainError
    ├── InvalidValueError       a value that has the right form and yet cannot be
    ├── NotFoundError           there is no such record
    ├── AlreadyExistsError      the id is taken
    ├── NotUniqueError          another record holds a value that must be unique
    ├── MissingParentError      the record that a field points to is not there
    ├── TooOftenError           it was asked for too often; there is a time after which to ask again
    ├── VersionMismatchError    the record is not at the version that the caller expected
    └── ContendedError          others kept changing the record; nothing was written

`code` is part of the programming interface and never changes; the message is the class's docstring, filled
in from the attributes. Where the engine itself cannot go on (no lease, no store), its own errors pass
through.
"""

from typing import ClassVar


class DomainError(Exception):
    """A use case refused."""

    code: ClassVar[str] = "refused"

    def __init__(self, **facts: object) -> None:
        for name, fact in facts.items():
            setattr(self, name, fact)
        super().__init__((type(self).__doc__ or "").split("\n\n", 1)[0].format(**facts))


class InvalidValueError(DomainError):
    """The value of {field} cannot be taken: {reason}."""

    code = "invalid_value"

    def __init__(self, *, field: str, reason: str) -> None:
        self.field, self.reason = field, reason
        super().__init__(field=field, reason=reason)


class NotFoundError(DomainError):
    """There is no record {key!r} of {kind}."""

    code = "not_found"

    def __init__(self, *, kind: str, key: str) -> None:
        self.kind, self.key = kind, key
        super().__init__(kind=kind, key=key)


class AlreadyExistsError(DomainError):
    """There is a record {key} of {kind} already; choose another id, or change the one that is there."""

    code = "already_exists"

    def __init__(self, *, kind: str, key: str) -> None:
        self.kind, self.key = kind, key
        super().__init__(kind=kind, key=key)


class NotUniqueError(DomainError):
    """Another record of {kind} has this value of {field} already; nothing was written."""

    code = "not_unique"

    def __init__(self, *, kind: str, key: str, field: str) -> None:
        self.kind, self.key, self.field = kind, key, field
        super().__init__(kind=kind, key=key, field=field)


class MissingParentError(DomainError):
    """Field {field} of {kind} names {parent_key!r}, and there is no such record of {parent_kind}."""

    code = "missing_parent"

    def __init__(self, *, kind: str, key: str, field: str, parent_kind: str, parent_key: str) -> None:
        self.kind, self.key, self.field = kind, key, field
        self.parent_kind, self.parent_key = parent_kind, parent_key
        super().__init__(kind=kind, key=key, field=field, parent_kind=parent_kind, parent_key=parent_key)


class TooOftenError(DomainError):
    """It was asked for too often; nothing was done."""

    code = "too_often"

    def __init__(self, *, retry_after: float) -> None:
        self.retry_after = retry_after
        super().__init__(retry_after=retry_after)


class VersionMismatchError(DomainError):
    """Record {key} of {kind} is at version {actual}, not {expected}: read it again, then repeat the change.

    `actual` is None where the record has gone meanwhile.
    """

    code = "version_mismatch"

    def __init__(self, *, kind: str, key: str, expected: int, actual: int | None) -> None:
        self.kind, self.key, self.expected, self.actual = kind, key, expected, actual
        super().__init__(kind=kind, key=key, expected=expected, actual=actual)


class ContendedError(DomainError):
    """Record {key} of {kind} was changed by others at each of {attempts} attempts; try again."""

    code = "contended"

    def __init__(self, *, kind: str, key: str, attempts: int) -> None:
        self.kind, self.key, self.attempts = kind, key, attempts
        super().__init__(kind=kind, key=key, attempts=attempts)
