"""Media as staff work on them. Families get the bytes from the App API."""

import functools
from typing import Annotated, Any, Final

from msgspec import Meta, Struct

from manystore.repository import Stored
from mystira.domain.forms import ContentId, Line
from mystira.domain.media import use_cases
from mystira.domain.media.model import MediaAsset
from mystira.domain.media.sniffing import FORMATS, MOST_BYTES
from mystira.domain.media.use_cases import MediaChange, MediaSearch
from mystira.http.callers import STAFF
from mystira.http.etags import etag, expected_version
from mystira.http.idempotency import Creation, create_once
from mystira.http.operations import Answer, Call, Operation, show, show_nothing
from mystira.http.queries import Nothing
from mystira.http.transfers import Upload
from mystira.http.views import Page, show_page, show_record, show_unless_known, view
from mystira.services.admin.content.shelves import Shelves, bytes_of

PREFIX: Final = "/admin/api"

MEDIA_FILE: Final = Upload(
    media_types=("application/octet-stream", *dict.fromkeys(each.mime_type for each in FORMATS)),
    most_bytes=max(MOST_BYTES.values()),
    meaning="A picture (at most 10 MB), a sound (50 MB) or a film (100 MB); which, its bytes say. It has",
)


class MediaView(MediaAsset, frozen=True, kw_only=True, rename="camel"):
    """A piece of media as it is shown; `etag` goes into If-Match as it stands."""

    etag: str


class MediaPlace(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """Under which id to keep it, by which stories name it; tags with commas in between."""

    media_id: ContentId
    tags: Annotated[Line, Meta(description="Tags with commas in between.")] = ""


class Swept(Struct, frozen=True, kw_only=True):
    """How many files were removed."""

    removed: int


class MediaRoutes:
    """What each operation on media does."""

    def __init__(self, shelves: Shelves) -> None:
        self._shelves, self._media = shelves, shelves.media
        self._objects, self._clock = shelves.objects, shelves.clock

    async def _read(self, call: Call[Any]) -> Stored[MediaAsset]:
        return await use_cases.read_media(self._media, call.path["mediaId"])

    async def create(self, call: Call[MediaPlace]) -> Answer:
        """Keep bytes under a new id."""
        brought, place = bytes_of(call), call.sent
        tags = [tag.strip() for tag in place.tags.split(",") if tag.strip()]

        async def make(_: str | None) -> Stored[MediaAsset]:
            return await use_cases.add_media(
                self._media, self._objects, place.media_id, brought, clock=self._clock, tags=tags
            )

        async def recognise() -> Stored[MediaAsset] | None:
            found = await self._media.get(place.media_id)
            return found if found is not None and found.value.sha256 == brought.sha256 else None

        creation = Creation(
            name="addMedia",
            make=make,
            read=functools.partial(use_cases.read_media, self._media),
            headers=lambda stored: {
                "Location": f"{PREFIX}/media/{stored.key}",
                "ETag": etag(stored.version),
            },
            view=functools.partial(view, MediaView),
            recognise=recognise,
        )
        return await create_once(self._shelves.keys, call, creation)

    async def replace(self, call: Call[Nothing]) -> Answer:
        """Put other bytes in the place of a piece's."""
        expected = await expected_version(call.demand, lambda: self._read(call))
        stored = await use_cases.replace_media(
            self._media,
            self._objects,
            call.path["mediaId"],
            bytes_of(call),
            clock=self._clock,
            expected=expected,
        )
        return show_record(MediaView, stored)

    async def search(self, call: Call[MediaSearch]) -> Answer:
        """A page of media."""
        return show_page(MediaView, await use_cases.list_media(self._media, call.sent))

    async def read(self, call: Call[Nothing]) -> Answer:
        """One piece."""
        return await show_unless_known(MediaView, call, lambda: self._read(call))

    async def change(self, call: Call[MediaChange]) -> Answer:
        """Change what is said of a piece."""
        expected = await expected_version(call.demand, lambda: self._read(call))
        stored = await use_cases.change_media(
            self._media, call.path["mediaId"], call.sent, clock=self._clock, expected=expected
        )
        return show_record(MediaView, stored)

    async def delete(self, call: Call[Nothing]) -> Answer:
        """Take a piece away."""
        expected = await expected_version(call.demand, lambda: self._read(call))
        await use_cases.delete_media(self._media, call.path["mediaId"], expected=expected)
        return show_nothing()

    async def sweep(self, call: Call[Nothing]) -> Answer:
        """Remove bytes to which nothing points."""
        removed = await use_cases.sweep_bytes(self._media, self._objects, clock=self._clock)
        return show(Swept(removed=removed))


def media_operations(shelves: Shelves) -> tuple[Operation[Any], ...]:
    """What can be asked about media."""
    routes = MediaRoutes(shelves)
    return (*_many(routes), *_one(routes), *_changes(routes))


_BYTES: Final = ("unknown_media", "media_too_large")


def _many(routes: MediaRoutes) -> tuple[Operation[Any], ...]:
    operation = functools.partial(Operation, tag="media", allows=STAFF)
    return (
        operation(
            method="GET",
            path="/media",
            name="listMedia",
            summary="List media",
            takes=MediaSearch,
            handle=routes.search,
            answers={200: Page[MediaView]},
            refuses=("invalid_continuation",),
        ),
        operation(
            method="POST",
            path="/media",
            name="addMedia",
            summary="Bring a picture, a sound or a film in",
            description="What it is, its bytes say; what it is called and sent as is not asked.",
            takes=MediaPlace,
            handle=routes.create,
            answers={201: MediaView},
            refuses=(*_BYTES, "already_exists", "not_representable"),
            keyed=True,
            versioned=True,
            uploads=MEDIA_FILE,
        ),
        operation(
            method="POST",
            path="/media-sweeps",
            name="sweepMedia",
            summary="Remove bytes to which no record has pointed for a day",
            takes=Nothing,
            handle=routes.sweep,
            answers={200: Swept},
        ),
    )


def _one(routes: MediaRoutes) -> tuple[Operation[Any], ...]:
    operation = functools.partial(Operation, tag="media", allows=STAFF, path="/media/{mediaId}")
    return (
        operation(
            method="GET",
            name="getMediaRecord",
            summary="Read what is known of a piece of media",
            description="Its `url` is where the App API has the bytes.",
            takes=Nothing,
            handle=routes.read,
            answers={200: MediaView},
            refuses=("not_found",),
            revalidates=True,
            versioned=True,
        ),
        operation(
            method="PUT",
            path="/media/{mediaId}/content",
            name="replaceMedia",
            summary="Put other bytes of the same sort in the place of a piece's",
            takes=Nothing,
            handle=routes.replace,
            answers={200: MediaView},
            refuses=("not_found", "contended", "invalid_value", "not_representable", *_BYTES),
            guarded=True,
            versioned=True,
            uploads=MEDIA_FILE,
        ),
    )


def _changes(routes: MediaRoutes) -> tuple[Operation[Any], ...]:
    operation = functools.partial(Operation, tag="media", allows=STAFF, path="/media/{mediaId}")
    return (
        operation(
            method="PATCH",
            name="changeMedia",
            summary="Change what is said of a piece of media",
            takes=MediaChange,
            handle=routes.change,
            answers={200: MediaView},
            refuses=("not_found", "contended", "not_representable"),
            guarded=True,
            versioned=True,
            example={"tags": ["night"], "metadata": {"duration": 12.5}},
        ),
        operation(
            method="DELETE",
            name="deleteMedia",
            summary="Take a piece of media away",
            description="Its bytes go with the next sweep, unless another piece has the same.",
            takes=Nothing,
            handle=routes.delete,
            answers={204: None},
            refuses=("not_found", "contended"),
            guarded=True,
        ),
    )
