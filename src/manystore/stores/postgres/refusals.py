"""What the server says when it refuses, in the engine's words."""

import json
from collections.abc import Iterator
from typing import Final

import asyncpg
import sqlalchemy as sa

from manystore.errors import (
    MissingParentError,
    NotRepresentableError,
    RefusedError,
    StaleEpochError,
    UnavailableError,
    UniqueError,
)
from manystore.records import Content
from manystore.stores.postgres.control import STALE_EPOCH
from manystore.stores.postgres.mapping import Mapping, OnePart, StringsPart

UNIQUE_VIOLATION: Final = "23505"
FOREIGN_KEY_VIOLATION: Final = "23503"
_REFUSING_CLASSES: Final = ("22", "23", "54")
"""Data exceptions, integrity constraints, limits of the program: the value is to blame, not the server."""

_REPEATABLE: Final = ("40001", "40P01")
"""Serialization failures and deadlocks: the same statement may well succeed the next time."""


def is_repeatable(error: asyncpg.PostgresError) -> bool:
    """Whether the transaction only lost a race and should be run again."""
    return error.sqlstate in _REPEATABLE


def is_refusal(error: asyncpg.PostgresError) -> bool:
    """Whether the server refused a value, so that other records may still be taken."""
    return str(error.sqlstate).startswith(_REFUSING_CLASSES)


def unavailable(store: str, error: Exception) -> UnavailableError:
    """The same, for everything that is not about one record."""
    reason = str(error) or type(error).__name__
    if isinstance(error, TimeoutError):
        reason = "it did not answer in time"
    if isinstance(error, asyncpg.PostgresError) and str(error.sqlstate).startswith("42"):
        reason = f"its schema is not the one declared: {reason}"
    return UnavailableError(subject=store, reason=reason)


def stale_epoch(store: str, kind: str, epoch: int, error: asyncpg.PostgresError) -> StaleEpochError | None:
    """The refusal by `manystore.enter`, or None if the error is something else."""
    if error.sqlstate != STALE_EPOCH:
        return None
    fence = json.loads(error.detail or "{}")
    return StaleEpochError(
        store=store, kind=kind, expected=epoch, actual=fence.get("epoch"), admits=bool(fence.get("admits"))
    )


class Refusals:
    """Reads the server's refusals of records of one mapping."""

    def __init__(self, mapping: Mapping, store: str) -> None:
        self._mapping, self._store = mapping, store
        self._fields = dict(_known_constraints(mapping)) | dict(mapping.constraints)
        self._columns = dict(_known_columns(mapping))
        self._uniques = {unique.field: unique.name for unique in mapping.kind.uniques}
        self._parents = {parent.field: parent.kind for parent in mapping.kind.parents}

    def refusal(self, key: str, content: Content, error: asyncpg.PostgresError) -> RefusedError:
        """The typed error for a refused record; the caller has asked `is_refusal` before."""
        kind, constraint = self._mapping.kind.name, error.constraint_name or ""
        field = self.field_of(error)
        if error.sqlstate == UNIQUE_VIOLATION:
            return UniqueError(
                kind=kind, key=key, constraint=self._uniques.get(field, constraint), field=field
            )
        if error.sqlstate == FOREIGN_KEY_VIOLATION and field in self._parents:
            return MissingParentError(
                kind=kind,
                key=key,
                field=field,
                parent_kind=self._parents[field],
                parent_key=str(content.get(field)),
            )
        return NotRepresentableError(
            store=self._store, kind=kind, key=key, field=field, reason=str(error).splitlines()[0]
        )

    def field_of(self, error: asyncpg.PostgresError) -> str:
        """The property that the error is about, as far as the server and the mapping tell."""
        if error.constraint_name in self._fields:
            return self._fields[error.constraint_name]
        return self._columns.get((error.table_name, error.column_name), "$")

    def field_guarded_by(self, constraint: str) -> str:
        """The property that a constraint or unique index is about."""
        return self._fields.get(constraint, "$")


def _known_columns(mapping: Mapping) -> Iterator[tuple[tuple[str, str], str]]:
    for name, column in mapping.columns.items():
        yield (mapping.table.name, column), name
    for part in mapping.parts:
        if isinstance(part, StringsPart):
            yield (part.table.name, part.column), part.property
            continue
        for name, column in part.columns.items():
            yield (part.table.name, column), f"{part.property}.{name}"


def _known_constraints(mapping: Mapping) -> Iterator[tuple[str, str]]:
    """Constraints by name, as SQLAlchemy knows it or PostgreSQL makes it up, with the property they guard."""
    columns = dict(_known_columns(mapping))
    for table in mapping.tables():
        for constraint in table.constraints:
            names = [column.name for column in getattr(constraint, "columns", ())]
            paths = [columns[table.name, name] for name in names if (table.name, name) in columns]
            if paths:
                yield _name_of(table, constraint, names), paths[0]
        for index in table.indexes:
            paths = [
                columns[table.name, each.name] for each in index.columns if (table.name, each.name) in columns
            ]
            if index.unique and index.name and paths:
                yield str(index.name), paths[0]
    for part in mapping.parts:
        if isinstance(part, OnePart):
            yield f"{part.table.name}_pkey", part.property


def _name_of(table: sa.Table, constraint: sa.Constraint, names: list[str]) -> str:
    if constraint.name:
        return str(constraint.name)
    suffix = {sa.PrimaryKeyConstraint: "pkey", sa.UniqueConstraint: "key", sa.CheckConstraint: "check"}
    ending = suffix.get(type(constraint), "fkey")
    return "_".join([table.name, *([] if ending == "pkey" else names), ending])
