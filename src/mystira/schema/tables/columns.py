"""The metadata that all tables share, with the columns and the checks that several of them have.

Columns that stand in for what a document may lack have both defaults: the engine's (`default`), and the
server's for those who write by hand (`server_default`).
"""

from typing import Any, Final

import sqlalchemy as sa

METADATA: Final = sa.MetaData(
    naming_convention={
        "pk": "%(table_name)s_pkey",
        "fk": "%(table_name)s_%(column_0_name)s_fkey",
        "uq": "%(table_name)s_%(column_0_N_name)s_key",
        "ck": "%(table_name)s_%(constraint_name)s_check",
        "ix": "%(table_name)s_%(column_0_N_name)s_idx",
    }
)


def made_id() -> sa.Column[Any]:
    """A key that the server makes for those who write by hand."""
    return sa.Column("id", sa.Uuid, primary_key=True, server_default=sa.text("gen_random_uuid()"))


def flag(name: str, *, default: bool) -> sa.Column[bool]:
    """True or false, and never neither."""
    standing = sa.true() if default else sa.false()
    return sa.Column(name, sa.Boolean, nullable=False, default=default, server_default=standing)


def text(name: str, default: str, length: int | None = None) -> sa.Column[str]:
    """Text that is always there; bounded where an index holds it."""
    kind = sa.Text() if length is None else sa.String(length)
    return sa.Column(name, kind, nullable=False, default=default, server_default=default)


def moment(name: str) -> sa.Column[Any]:
    """A moment that a document may lack; those who write by hand get the present one."""
    return sa.Column(name, sa.DateTime(timezone=True), server_default=sa.func.now())


def filled_moment(name: str) -> sa.Column[Any]:
    """A moment that every record has."""
    return sa.Column(name, sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now())


def open_moment(name: str) -> sa.Column[Any]:
    """A moment that may not have come yet, or never comes."""
    return sa.Column(name, sa.DateTime(timezone=True))


def engine_columns() -> tuple[sa.Column[Any], sa.Column[Any]]:
    """What the root table of every kind has for the engine."""
    version = sa.Column("version", sa.BigInteger, nullable=False, server_default=sa.text("1"))
    return version, sa.Column("residue", sa.Text)


def ordinal() -> sa.Column[int]:
    """The place in the document's list."""
    return sa.Column("ordinal", sa.Integer, nullable=False, server_default=sa.text("0"))


def attempts() -> sa.Column[int]:
    """How often a code was guessed wrongly."""
    return sa.Column(
        "failed_attempts", sa.SmallInteger, nullable=False, default=0, server_default=sa.text("0")
    )


def attempts_check() -> sa.CheckConstraint:
    """Whoever failed ten times gets no further try."""
    return sa.CheckConstraint("failed_attempts between 0 and 10", name="failed_attempts")


def email_check(column: str) -> sa.CheckConstraint:
    """What mystira.domain.forms.EmailAddress admits, lengths aside."""
    form = "^[A-Za-z0-9.!#$%&''*+/=?^_`{|}~-]+@([A-Za-z0-9-]+[.])+[A-Za-z0-9-]{2,}$"
    return sa.CheckConstraint(f"{column} ~ '{form}'", name=column)


def age_group_check(column: str) -> sa.CheckConstraint:
    """Two ages with a hyphen in between."""
    return sa.CheckConstraint(f"{column} ~ '^[0-9]+-[0-9]+$'", name=column)


def one_of(column: str, *words: str) -> sa.CheckConstraint:
    """One of a few words."""
    listed = ", ".join(f"'{word}'" for word in words)
    return sa.CheckConstraint(f"{column} in ({listed})", name=column)
