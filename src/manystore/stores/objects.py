"""Object storage: whole files under names, in a folder, in memory, or in a cloud's store.

The library's own asynchronous calls abort the interpreter at its exit every now and then (13 of 40 runs that
ended right after a read, obstore 0.12.1), so its blocking calls run in threads here.
"""

import asyncio
import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Self, TypeVar

import msgspec
import obstore
from obstore.store import LocalStore, MemoryStore, ObjectStore, from_url

from manystore.errors import UnavailableError

R = TypeVar("R")


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """A file that is there: its name, its size in bytes, and when it was last written."""

    name: str
    size: int
    written_at: dt.datetime


class ObjectStorage:
    """Files by name. Methods raise FileNotFoundError for what is not there, UnavailableError for the rest."""

    def __init__(self, store: ObjectStore, name: str = "objects") -> None:
        self.name = name
        self._store = store

    @classmethod
    def in_folder(cls, folder: Path) -> Self:
        """Files of this machine, below a folder that is made when needed."""
        return cls(LocalStore(prefix=str(folder), mkdir=True), str(folder))

    @classmethod
    def in_memory(cls) -> Self:
        """Nothing survives the process."""
        return cls(MemoryStore(), "memory")

    @classmethod
    def at(cls, url: str) -> Self:
        """A cloud's store (`s3://bucket/prefix`, `az://container/prefix`), credentials by environment."""
        return cls(from_url(url), url)

    async def put(self, name: str, data: bytes | Path) -> None:
        """Write a file whole, from memory or from one of this machine; readers see the former or this one."""
        await self._ask(lambda: obstore.put(self._store, name, data))

    async def get(self, name: str) -> bytes:
        """The file's bytes."""
        return await self._ask(lambda: bytes(obstore.get(self._store, name).bytes()))

    async def get_range(self, name: str, begin: int, end: int) -> bytes:
        """The file's bytes from `begin` up to, and without, `end`; fewer where it ends before."""
        return await self._ask(lambda: bytes(obstore.get_range(self._store, name, start=begin, end=end)))

    async def size(self, name: str) -> int:
        """How many bytes the file has."""
        return await self._ask(lambda: int(obstore.head(self._store, name)["size"]))

    async def delete(self, name: str) -> None:
        """Remove a file."""
        await self._ask(lambda: obstore.delete(self._store, name))

    async def names(self, prefix: str) -> list[str]:
        """The names of all files in a folder, sorted."""
        return [each.name for each in await self.list_files(prefix)]

    async def list_files(self, prefix: str) -> list[Listed]:
        """All files in a folder, by name."""

        def listed() -> list[Listed]:
            found = (
                Listed(name=meta["path"], size=meta["size"], written_at=meta["last_modified"])
                for chunk in obstore.list(self._store, prefix=prefix)
                for meta in chunk
            )
            return sorted(found, key=lambda each: each.name)

        return await self._ask(listed)

    async def _ask(self, call: Callable[[], R]) -> R:
        try:
            return await asyncio.to_thread(call)
        except FileNotFoundError:
            raise
        except (OSError, obstore.exceptions.BaseError) as error:
            raise UnavailableError(subject=self.name, reason=str(error)) from error
