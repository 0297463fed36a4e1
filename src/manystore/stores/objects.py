"""Object storage: whole files under names, in a folder, in memory, or in a cloud's store.

The library's own asynchronous calls abort the interpreter at its exit every now and then (13 of 40 runs that
ended right after a read, obstore 0.12.1), so its blocking calls run in threads here.
"""

import asyncio
from pathlib import Path
from typing import Self

import obstore
from obstore.store import LocalStore, MemoryStore, ObjectStore, from_url

from manystore.errors import UnavailableError


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

    async def put(self, name: str, data: bytes) -> None:
        """Write a file whole; readers see the former one or this one."""
        try:
            await asyncio.to_thread(obstore.put, self._store, name, data)
        except (OSError, obstore.exceptions.BaseError) as error:
            raise UnavailableError(subject=self.name, reason=str(error)) from error

    async def get(self, name: str) -> bytes:
        """The file's bytes."""
        try:
            return await asyncio.to_thread(lambda: bytes(obstore.get(self._store, name).bytes()))
        except FileNotFoundError:
            raise
        except (OSError, obstore.exceptions.BaseError) as error:
            raise UnavailableError(subject=self.name, reason=str(error)) from error

    async def names(self, prefix: str) -> list[str]:
        """The names of all files in a folder, sorted."""

        def listed() -> list[str]:
            return sorted(
                meta["path"] for chunk in obstore.list(self._store, prefix=prefix) for meta in chunk
            )

        try:
            return await asyncio.to_thread(listed)
        except (OSError, obstore.exceptions.BaseError) as error:
            raise UnavailableError(subject=self.name, reason=str(error)) from error
