"""The change log: the ordered record of accepted writes, captured in the same atomic step as the write.

A change says *that* a record moved on, not what to: a follower fetches the record as it is now, which is
at least as new as the change. So a log that collapses updates (Cosmos DB's feed) serves as well as one that
keeps each (PostgreSQL, SQLite), and applying is idempotent because the newest version wins.
"""

import msgspec

Position = tuple[int, ...]
"""Where a reader of one kind's log in one store stands; opaque but for its order. START is before everything.

Each product gives the numbers its own meaning: SQLite (sequence,), PostgreSQL (transaction, sequence),
Cosmos DB (mark, layout, a number for each range of the feed).
"""

START: Position = ()
"""The beginning of the log, or of what is still there of it."""


def cut_name(kind: str) -> str:
    """The note of a store that tells up to where the kind's log was cut, in the store's own spelling."""
    return f"log/{kind}/cut"


class Change(msgspec.Struct, frozen=True):
    """One accepted write: the record's key and the version that the write gave it."""

    key: str
    version: int


class ChangeBatch(msgspec.Struct, frozen=True):
    """Changes after a position, in the order of the log.

    `position` is where to go on from once all of `changes` are dealt with. It may be past the last change:
    it covers everything that the store knows to be complete, so an idle log still brings its readers up to
    its head.
    """

    changes: tuple[Change, ...]
    position: Position
