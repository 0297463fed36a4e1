"""What staff do with media: bring them in, describe them, replace them, take them away.

The bytes lie in object storage under their SHA-256, so that equal bytes lie there once, whatever they are
called. They are written before the record that points to them, and taken away, by a sweep, long after the
last record that did: so no record ever points to nothing.
"""

import contextlib
import datetime as dt
import hashlib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Final, Protocol

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from manystore.clock import Clock
from manystore.repository import Found, Repository, Stored
from manystore.specifications import EVERYTHING, Ascending, Predicate, Specification, field
from mystira.domain.errors import DomainError, InvalidValueError
from mystira.domain.forms import FilledLine
from mystira.domain.media.model import MediaAsset, MediaType, Tier
from mystira.domain.media.sniffing import FORMATS, HEAD, MOST_BYTES, Format, identify, measure
from mystira.domain.records import change_record, create_record, delete_record, merge_patch, read_record

Media = Repository[MediaAsset]

FOLDER: Final = "media"
GRACE: Final = dt.timedelta(days=1)
"""For how long bytes stay that no record points to: somebody may be about to write that record."""

_SHA256: Final = re.compile("[0-9a-f]{64}")
_NAME: Final = re.compile(f"{FOLDER}/[0-9a-f]{{2}}/([0-9a-f]{{64}})")


class StoredFile(Protocol):
    """A file in object storage."""

    @property
    def name(self) -> str:
        """Its name."""

    @property
    def written_at(self) -> dt.datetime:
        """When it was last written."""


class Objects(Protocol):
    """Object storage, as far as media need it. Raises FileNotFoundError and UnavailableError."""

    async def put(self, name: str, data: bytes | Path) -> None:
        """Write a file whole."""

    async def get_range(self, name: str, begin: int, end: int) -> bytes:
        """Some bytes of a file."""

    async def size(self, name: str) -> int:
        """How many bytes it has."""

    async def delete(self, name: str) -> None:
        """Remove it."""

    async def list_files(self, prefix: str) -> Sequence[StoredFile]:
        """All files in a folder."""


class UnknownMediaError(DomainError):
    """The bytes are none of the formats taken here: {formats}."""

    code = "unknown_media"

    def __init__(self) -> None:
        super().__init__(formats=", ".join(each.ending.removeprefix(".") for each in FORMATS))


class MediaTooLargeError(DomainError):
    """The {media_type} has {size:,} bytes, and at most {most:,} are taken."""

    code = "media_too_large"

    def __init__(self, *, media_type: MediaType, size: int) -> None:
        super().__init__(media_type=media_type, size=size, most=MOST_BYTES[media_type])


class Bytes(Struct, frozen=True, kw_only=True):
    """Bytes that somebody brings, in memory or in a file of this machine; `head` is how they begin."""

    data: bytes | Path
    head: bytes
    size: int
    sha256: str

    @classmethod
    def of(cls, data: bytes) -> "Bytes":
        """Bytes in memory."""
        return cls(data=data, head=data[:HEAD], size=len(data), sha256=hashlib.sha256(data).hexdigest())


class MediaSearch(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """Which media to list, by id."""

    media_type: MediaType | None = None
    tag: FilledLine | None = None
    sha256: Annotated[str, Meta(pattern=r"^[0-9a-f]{64}(?![\s\S])")] | None = None
    limit: Annotated[int, Meta(ge=1, le=200)] = 50
    continuation: Annotated[str, Meta(max_length=4000)] | None = None


class Measures(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Width and height in pixels, duration in seconds, bits in a second."""

    width: Annotated[int, Meta(ge=1, le=100_000)] | None = None
    height: Annotated[int, Meta(ge=1, le=100_000)] | None = None
    duration: Annotated[float, Meta(ge=0, le=100_000)] | None = None
    bitrate: Annotated[int, Meta(ge=1, le=1_000_000_000)] | None = None


class MediaChange(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """What can be changed of a piece of media without its bytes."""

    tags: Annotated[list[FilledLine], Meta(max_length=100)] | UnsetType = UNSET
    tier: Tier | UnsetType = UNSET
    metadata: Measures | UnsetType = UNSET


def name_of(sha256: str) -> str:
    """Where bytes lie. Folders of 256 keep each listing short."""
    return f"{FOLDER}/{sha256[:2]}/{sha256}"


def url_of(media_id: str, sha256: str) -> str:
    """The address under which these bytes never change."""
    return f"/api/v1/media/{media_id}/{sha256}"


def judge(brought: Bytes) -> Format:
    """What the bytes are. Raises UnknownMediaError and MediaTooLargeError."""
    known = identify(brought.head)
    if known is None:
        raise UnknownMediaError
    if brought.size > MOST_BYTES[known.media_type]:
        raise MediaTooLargeError(media_type=known.media_type, size=brought.size)
    return known


async def add_media(
    media: Media,
    objects: Objects,
    media_id: str,
    brought: Bytes,
    *,
    clock: Clock,
    tags: Sequence[str] = (),
) -> Stored[MediaAsset]:
    """Keep bytes under a new id. Raises UnknownMediaError, MediaTooLargeError, AlreadyExistsError."""
    known, now = judge(brought), clock.now()
    made = MediaAsset(
        id=media_id,
        media_id=media_id,
        created_at=now,
        updated_at=now,
        tags=list(tags),
        **_facts(media_id, brought, known),
    )
    await _keep(objects, brought)
    return await create_record(media, made)


async def replace_media(
    media: Media,
    objects: Objects,
    media_id: str,
    brought: Bytes,
    *,
    clock: Clock,
    expected: int | None,
) -> Stored[MediaAsset]:
    """Put other bytes of the same sort in the place of a piece's, at the `expected` version of its record.

    Raises as `add_media`, but NotFoundError, VersionMismatchError, InvalidValueError (another sort).
    """
    known = judge(brought)
    await read_record(media, media_id)
    await _keep(objects, brought)

    def alter(former: MediaAsset) -> MediaAsset:
        if known.media_type != former.media_type:
            reason = (
                f"{media_id} is {former.media_type}, and cannot become {known.media_type}: choose another id"
            )
            raise InvalidValueError(field="mediaType", reason=reason)
        if former.sha256 == brought.sha256:
            return former
        number = int(former.version) + 1 if former.version.isascii() and former.version.isdigit() else 2
        facts = _facts(media_id, brought, known)
        return msgspec.structs.replace(former, version=str(number), **facts)

    return await change_record(media, media_id, alter, now=clock.now(), expected=expected)


async def read_media(media: Media, media_id: str) -> Stored[MediaAsset]:
    """The record of a piece. Raises NotFoundError."""
    return await read_record(media, media_id)


async def list_media(media: Media, search: MediaSearch) -> Found[MediaAsset]:
    """One page, by id. Raises InvalidSpecificationError for a continuation of another search."""
    where: Predicate = EVERYTHING
    if search.media_type is not None:
        where &= field("mediaType") == search.media_type
    if search.tag is not None:
        where &= field("tags").contains(search.tag)
    if search.sha256 is not None:
        where &= field("sha256") == search.sha256
    return await media.find(
        Specification(
            where=where, order=(Ascending("mediaId"),), limit=search.limit, continuation=search.continuation
        )
    )


async def change_media(
    media: Media, media_id: str, change: MediaChange, *, clock: Clock, expected: int | None
) -> Stored[MediaAsset]:
    """Change what is said of a piece. Raises NotFoundError, VersionMismatchError, ContendedError."""

    def alter(asset: MediaAsset) -> MediaAsset:
        if change.metadata is UNSET:
            return merge_patch(asset, change)
        rest = msgspec.structs.replace(change, metadata=UNSET)
        measured = asset.metadata | msgspec.to_builtins(change.metadata)
        return msgspec.structs.replace(merge_patch(asset, rest), metadata=measured)

    return await change_record(media, media_id, alter, now=clock.now(), expected=expected)


async def delete_media(media: Media, media_id: str, *, expected: int | None) -> None:
    """Take the record of a piece away; its bytes go with the next sweep, unless others have the same.

    Raises NotFoundError, VersionMismatchError, ContendedError.
    """
    await delete_record(media, media_id, expected=expected)


async def sweep_bytes(media: Media, objects: Objects, *, clock: Clock) -> int:
    """Remove bytes to which no record has pointed for a day at least. Returns how many files went."""
    removed = 0
    for listed in await objects.list_files(FOLDER):
        found = _NAME.fullmatch(listed.name)
        if found is None or clock.now() - listed.written_at < GRACE:
            continue
        if (await list_media(media, MediaSearch(sha256=found[1], limit=1))).items:
            continue
        with contextlib.suppress(FileNotFoundError):
            await objects.delete(listed.name)
            removed += 1
    return removed


async def _keep(objects: Objects, brought: Bytes) -> None:
    # Written even where they lie there already: then they count as new, and no sweep under way takes them.
    await objects.put(name_of(brought.sha256), brought.data)


def _facts(media_id: str, brought: Bytes, known: Format) -> dict[str, Any]:
    return {
        "url": url_of(media_id, brought.sha256),
        "media_type": known.media_type,
        "mime_type": known.mime_type,
        "size_bytes": brought.size,
        "sha256": brought.sha256,
        "metadata": measure(brought.head, known),
    }
