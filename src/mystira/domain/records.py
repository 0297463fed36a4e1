"""What every use case does with records: read or refuse, create, change with retries, delete.

Here the engine's refusals become the domain's, so that no use case handles them by itself.
"""

import contextlib
import datetime as dt
from collections.abc import Callable, Iterator
from typing import Any, Final, TypeVar

import msgspec

from manystore.errors import InvalidRecordError, MissingParentError, UniqueError, VersionConflictError
from manystore.repository import Repository, Stored
from manystore.specifications import Ascending, Descending
from mystira.domain import errors

ATTEMPTS: Final = 8
"""How often a step is made anew after somebody else's came first, where no version was expected."""


UNDATED: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
"""When something was made that was read from a file and that nobody has stored yet."""


class Entity(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What has an id and times. Former accounts never said when they were changed: `updated_at` None."""

    id: str
    created_at: dt.datetime
    updated_at: dt.datetime | None = None


E = TypeVar("E", bound=Entity)
S = TypeVar("S", bound=msgspec.Struct)


async def read_record(repository: Repository[E], key: str) -> Stored[E]:
    """The record. Raises NotFoundError, also for a key that no record can have."""
    kind = repository.kind
    try:
        kind.check_key(key)
    except InvalidRecordError as error:
        raise errors.NotFoundError(kind=kind.name, key=key) from error
    stored = await repository.get(key)
    if stored is None:
        raise errors.NotFoundError(kind=kind.name, key=key)
    return stored


async def create_record(repository: Repository[E], value: E) -> Stored[E]:
    """Write a new record. Raises AlreadyExistsError, NotUniqueError, MissingParentError."""
    try:
        with _domain_errors():
            return await repository.create(value)
    except VersionConflictError as conflict:
        raise errors.AlreadyExistsError(kind=conflict.kind, key=conflict.key) from conflict


async def change_record(
    repository: Repository[E],
    key: str,
    alter: Callable[[E], E],
    *,
    now: dt.datetime,
    expected: int | None = None,
) -> Stored[E]:
    """Replace the value by what `alter` makes of it, marked as changed `now`.

    Where nothing is altered nothing is written, so that a repetition leaves version and time as they were.
    With an `expected` version, the change is made to that version or not at all (VersionMismatchError);
    without one, it is made anew to whatever others wrote meanwhile, up to ATTEMPTS times (ContendedError).
    Also raises NotFoundError, NotUniqueError, MissingParentError.
    """
    for _ in range(ATTEMPTS):
        stored = await _read_at(repository, key, expected)
        altered = alter(stored.value)
        if altered == stored.value:
            return stored
        try:
            with _domain_errors():
                return await repository.change(stored, msgspec.structs.replace(altered, updated_at=now))
        except VersionConflictError as conflict:
            _give_up_if_expected(conflict, expected)
    raise errors.ContendedError(kind=repository.kind.name, key=key, attempts=ATTEMPTS)


async def claim_record(repository: Repository[E], key: str, *, expected: int) -> Stored[E]:
    """Raise the record's version and nothing else: whoever read it before can no longer change it.

    For work of several steps that was asked for at one version. Raises NotFoundError, VersionMismatchError.
    """
    stored = await _read_at(repository, key, expected)
    try:
        return await repository.change(stored, stored.value)
    except VersionConflictError as conflict:
        raise _mismatch(conflict, expected) from conflict


async def delete_record(repository: Repository[E], key: str, *, expected: int | None = None) -> None:
    """Delete the record: at the `expected` version or not at all, and without one, whatever it is.

    Raises NotFoundError, VersionMismatchError, ContendedError.
    """
    for _ in range(ATTEMPTS):
        stored = await _read_at(repository, key, expected)
        try:
            return await repository.delete(stored)
        except VersionConflictError as conflict:
            _give_up_if_expected(conflict, expected)
    raise errors.ContendedError(kind=repository.kind.name, key=key, attempts=ATTEMPTS)


async def _read_at(repository: Repository[E], key: str, expected: int | None) -> Stored[E]:
    stored = await read_record(repository, key)
    if expected is not None and stored.version != expected:
        name = repository.kind.name
        raise errors.VersionMismatchError(kind=name, key=key, expected=expected, actual=stored.version)
    return stored


def _give_up_if_expected(conflict: VersionConflictError, expected: int | None) -> None:
    if expected is not None:
        raise _mismatch(conflict, expected) from conflict


def _mismatch(conflict: VersionConflictError, expected: int) -> errors.VersionMismatchError:
    return errors.VersionMismatchError(
        kind=conflict.kind, key=conflict.key, expected=expected, actual=conflict.actual
    )


@contextlib.contextmanager
def _domain_errors() -> Iterator[None]:
    try:
        yield
    except UniqueError as error:
        raise errors.NotUniqueError(kind=error.kind, key=error.key, field=error.field) from error
    except MissingParentError as error:
        raise errors.MissingParentError(
            kind=error.kind,
            key=error.key,
            field=error.field,
            parent_kind=error.parent_kind,
            parent_key=error.parent_key,
        ) from error


def merge_patch(value: S, patch: msgspec.Struct) -> S:
    """`value` with every property that `patch` sets (RFC 7396): parts are merged, all else is replaced."""
    changes: dict[str, Any] = {}
    for name in patch.__struct_fields__:
        change = getattr(patch, name)
        if change is msgspec.UNSET:
            continue
        is_part = isinstance(change, msgspec.Struct)
        changes[name] = merge_patch(getattr(value, name), change) if is_part else change
    return msgspec.structs.replace(value, **changes)


def order_by(name: str) -> Ascending | Descending:
    """The order by a property, largest first where a minus stands before its name."""
    return Descending(name[1:]) if name.startswith("-") else Ascending(name)
