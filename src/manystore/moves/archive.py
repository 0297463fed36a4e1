"""What a store held when its part ended, kept in object storage: compressed, checked, and restorable.

An archive is a folder of chunks (gzip of one JSON line a record, in key order) and a manifest, written last,
that names each chunk with its count and SHA-256. An archive without a manifest was never finished.
"""

import asyncio
import datetime as dt
import gzip
import hashlib
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Final

import msgspec

from manystore.errors import MoveError
from manystore.moves.plan import scan_pages
from manystore.moves.progress import Report, progress_at, unreported
from manystore.records import Kind, Record, canonical, parse
from manystore.stores.store import Diverged, KeyRange, Refused, Store

if TYPE_CHECKING:
    # Brings a library along, which only who has an object storage needs.
    from manystore.stores.objects import ObjectStorage

CHUNK: Final = 5000
"""Records a chunk, tombstones included."""


class ArchiveError(MoveError):
    """Archive {archive} cannot be relied on: {reason}."""

    def __init__(self, *, archive: str, reason: str) -> None:
        self.archive, self.reason = archive, reason
        super().__init__(archive=archive, reason=reason)


class Chunk(msgspec.Struct, frozen=True, kw_only=True):
    """One file of an archive."""

    name: str
    records: int
    sha256: str


class Manifest(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What an archive holds. `digest` is the SHA-256 over the uncompressed lines of all chunks."""

    kind: str
    store: str
    written_at: dt.datetime
    records: int
    digest: str
    chunks: tuple[Chunk, ...]


async def write_archive(
    store: Store,
    kind: Kind,
    objects: "ObjectStorage",
    folder: str,
    *,
    now: dt.datetime,
    report: Report = unreported,
) -> Manifest:
    """Write everything a store holds of a kind below `folder`, then read it back and check it.

    Repeating an interrupted archive overwrites its chunks. Raises UnavailableError and ArchiveError.
    """
    total, done = await store.count(kind), 0
    chunks: list[Chunk] = []
    running = hashlib.sha256()
    began = asyncio.get_running_loop().time()
    async for page in scan_pages(store, kind, KeyRange(), CHUNK):
        name = f"{folder}/{len(chunks):06}.jsonl.gz"
        lines = b"".join(_line(record) for record in page)
        running.update(lines)
        packed = await asyncio.to_thread(gzip.compress, lines, 6, mtime=0)
        await objects.put(name, packed)
        chunks.append(Chunk(name=name, records=len(page), sha256=hashlib.sha256(packed).hexdigest()))
        done += len(page)
        seconds = asyncio.get_running_loop().time() - began
        await report(progress_at("archive", done, max(total, done), seconds))
    manifest = Manifest(
        kind=kind.name,
        store=store.name,
        written_at=now,
        records=done,
        digest=running.hexdigest(),
        chunks=tuple(chunks),
    )
    await objects.put(f"{folder}/manifest.json", msgspec.json.encode(manifest))
    await check_archive(objects, folder)
    return manifest


def _line(record: Record) -> bytes:
    return canonical([record.key, record.version, record.content]) + b"\n"


async def read_manifest(objects: "ObjectStorage", folder: str) -> Manifest:
    """The manifest of an archive. Raises ArchiveError where there is none, or none that can be read."""
    try:
        return msgspec.json.decode(await objects.get(f"{folder}/manifest.json"), type=Manifest)
    except FileNotFoundError as error:
        raise ArchiveError(archive=folder, reason="it has no manifest, so it was never finished") from error
    except msgspec.MsgspecError as error:
        raise ArchiveError(archive=folder, reason="its manifest cannot be read") from error


async def read_archive(objects: "ObjectStorage", folder: str) -> AsyncIterator[list[Record]]:
    """The records of an archive, a chunk at a time, each checked against the manifest before it is given."""
    manifest = await read_manifest(objects, folder)
    running = hashlib.sha256()
    for chunk in manifest.chunks:
        lines = await _unpack(objects, folder, chunk)
        running.update(lines)
        records = [Record(*parse(line)) for line in lines.splitlines()]
        if len(records) != chunk.records:
            reason = f"chunk {chunk.name} has {len(records)} records, not {chunk.records}"
            raise ArchiveError(archive=folder, reason=reason)
        yield records
    if running.hexdigest() != manifest.digest:
        raise ArchiveError(archive=folder, reason="its chunks are not the ones that were written together")


async def _unpack(objects: "ObjectStorage", folder: str, chunk: Chunk) -> bytes:
    try:
        packed = await objects.get(chunk.name)
    except FileNotFoundError as error:
        raise ArchiveError(archive=folder, reason=f"chunk {chunk.name} is missing") from error
    if hashlib.sha256(packed).hexdigest() != chunk.sha256:
        raise ArchiveError(archive=folder, reason=f"chunk {chunk.name} was altered")
    return await asyncio.to_thread(gzip.decompress, packed)


async def check_archive(objects: "ObjectStorage", folder: str) -> int:
    """Read an archive from end to end; how many records it holds. Raises ArchiveError."""
    return sum([len(records) async for records in read_archive(objects, folder)])


async def restore_archive(objects: "ObjectStorage", folder: str, store: Store, kind: Kind) -> int:
    """Bring an archive's records back into a store where they are newer; how many were read.

    Raises ArchiveError where the archive cannot be relied on or the store refuses one of its records.
    """
    restored = 0
    async for records in read_archive(objects, folder):
        for record, outcome in zip(records, await store.apply(kind, records), strict=True):
            if isinstance(outcome, (Refused, Diverged)):
                raise ArchiveError(archive=folder, reason=f"{store.name} refused {record.key}: {outcome}")
        restored += len(records)
    return restored
