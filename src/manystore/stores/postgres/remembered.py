"""What was last read of records, so that a write which follows a read touches only the parts that differ.

A version says what a record holds, and a write is only accepted over the version that it expects. So what
was read at that version is what lies there, however long ago it was read; nothing here can be stale, only
of another version, and then it is of no use.
"""

from typing import Any, Final

from manystore.records import Content, canonical
from manystore.stores.postgres.codec import Codec

_MOST: Final = 2048


class Remembered:
    """The rows last read of records of one kind; the oldest give way."""

    def __init__(self, codec: Codec) -> None:
        self._codec = codec
        self._names = [part.property for part in codec.mapping.parts]
        self._rows: dict[str, Any] = {}

    def remember(self, key: str, row: Any) -> None:
        """Keep a selected row; nothing is kept of kinds without parts."""
        if self._names:
            if len(self._rows) >= _MOST:
                del self._rows[next(iter(self._rows))]
            self._rows[key] = row

    def same_parts(self, key: str, version: int, content: Content) -> list[bool]:
        """For each part whether the record at that version is known to have it as `content` has it."""
        row = self._rows.pop(key, None)
        if row is None or row[1] != version or not self._codec.has_settled_parts(row):
            return [False] * len(self._names)
        before = self._codec.decode(row).content or {}
        return [
            (name in before) == (name in content)
            and canonical(before.get(name)) == canonical(content.get(name))
            for name in self._names
        ]
