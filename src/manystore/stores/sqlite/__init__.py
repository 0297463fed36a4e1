"""Documents in one SQLite file, for several processes on one machine.

It offers what a cloud document store does, embedded; each write is on the disk before it is acknowledged.
"""

from manystore.stores.sqlite.store import SqliteStore

__all__ = ["SqliteStore"]
