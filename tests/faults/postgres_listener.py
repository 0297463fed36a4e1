"""Understands what a client says to PostgreSQL, as far as to know which statement it runs just now."""

from collections.abc import Iterator
from typing import Final

_HEAD: Final = 5
_UNTYPED_HEAD: Final = 4
_PROTOCOL: Final = 3 << 16

COPY_DATA: Final = "copy data"
"""What is heard where rows of a COPY come by."""


class PostgresListener:
    """One connection, from its first byte on. Statements are told by their text each time they are run."""

    def __init__(self) -> None:
        self._rest = b""
        self._has_begun = False
        self._texts: dict[bytes, str] = {}

    def hear(self, piece: bytes) -> Iterator[str]:
        """The statements that are run by this piece, as far as it is complete."""
        self._rest += piece
        while (message := self._next()) is not None:
            sort, body = message
            if sort == b"Q":
                yield body.rstrip(b"\0").decode()
            elif sort == b"P":
                name, text, _ = body.split(b"\0", 2)
                self._texts[name] = text.decode()
            elif sort == b"B":
                _, name, _ = body.split(b"\0", 2)
                yield self._texts.get(name, "")
            elif sort == b"d":
                yield COPY_DATA

    def _next(self) -> tuple[bytes, bytes] | None:
        if not self._has_begun:
            return self._greeting()
        if len(self._rest) < _HEAD:
            return None
        end = 1 + int.from_bytes(self._rest[1:_HEAD])
        if len(self._rest) < end:
            return None
        sort, body, self._rest = self._rest[:1], self._rest[_HEAD:end], self._rest[end:]
        return sort, body

    def _greeting(self) -> tuple[bytes, bytes] | None:
        """What comes before messages have sorts: whether to encrypt, to cancel, and who it is."""
        if len(self._rest) < 2 * _UNTYPED_HEAD:
            return None
        end = int.from_bytes(self._rest[:_UNTYPED_HEAD])
        if len(self._rest) < end:
            return None
        self._has_begun = int.from_bytes(self._rest[_UNTYPED_HEAD : 2 * _UNTYPED_HEAD]) == _PROTOCOL
        self._rest = self._rest[end:]
        return b"", b""
