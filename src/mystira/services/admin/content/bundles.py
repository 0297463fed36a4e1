"""Bundles as staff work on them: brought in and given out as zips, priced, activated."""

import asyncio
import functools
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final, Literal

import msgspec
from litestar.response.streaming import ASGIStreamingResponse
from msgspec import Struct

from manystore.repository import Stored
from mystira.domain.bundles import editing
from mystira.domain.bundles.archive import MOST_COMPRESSED
from mystira.domain.bundles.editing import BundleChange, BundleSearch, NewBundle, bundle_of
from mystira.domain.bundles.exporting import export_bundle
from mystira.domain.bundles.importing import ItemOutcome, Wishes, import_bundle
from mystira.domain.bundles.model import ContentBundle
from mystira.http.callers import STAFF
from mystira.http.etags import etag, expected_version
from mystira.http.idempotency import Creation, create_once
from mystira.http.operations import NOT_KEPT, Answer, Call, Operation, show, show_nothing
from mystira.http.queries import Nothing
from mystira.http.transfers import CHUNK, Download, Upload, as_file
from mystira.http.views import Page, show_page, show_record, show_unless_known, view
from mystira.services.admin.content.shelves import Shelves, body_of

PREFIX: Final = "/admin/api"
ZIP: Final = "application/zip"

BUNDLE_FILE: Final = Upload(
    media_types=(ZIP, "application/octet-stream"),
    most_bytes=MOST_COMPRESSED,
    meaning="A zip with `scenarios/`, `media/` and perhaps `bundle.yaml`",
)


class BundleView(ContentBundle, frozen=True, kw_only=True, rename="camel"):
    """A bundle as it is shown; `etag` goes into If-Match as it stands."""

    etag: str


class BundleBrought(Struct, frozen=True, kw_only=True, rename="camel"):
    """What became of a bundle's items; it `is_whole` where all that it holds is here now."""

    is_whole: bool
    bundle_id: str | None
    items: tuple[ItemOutcome, ...]


class BundleWishes(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to do with what is there and differs, and whether to `publish` the stories."""

    existing: Literal["keep", "replace"] = "keep"
    publish: bool = False


class BundleRoutes:
    """What each operation on bundles does."""

    def __init__(self, shelves: Shelves) -> None:
        self._shelves, self._clock = shelves, shelves.clock
        self._bundles, self._scenarios = shelves.bundles, shelves.scenarios

    async def _read(self, call: Call[Any]) -> Stored[ContentBundle]:
        return await editing.read_bundle(self._bundles, call.path["bundleId"])

    async def bring(self, call: Call[BundleWishes]) -> Answer:
        """Bring a zip in, item by item."""
        body, wishes = body_of(call), call.sent
        wanted = Wishes(
            existing=wishes.existing, publish=wishes.publish, vocabulary=await self._shelves.vocabulary()
        )
        with tempfile.TemporaryDirectory(prefix="mystira-bundle-") as folder:
            path = body.data
            if isinstance(path, bytes):
                path = await asyncio.to_thread(_written, Path(folder) / "bundle.zip", path)
            outcome = await import_bundle(self._shelves.library, path, wanted, clock=self._clock)
        return show(
            BundleBrought(is_whole=outcome.is_whole, bundle_id=outcome.bundle_id, items=outcome.items)
        )

    async def export(self, call: Call[Nothing]) -> Answer:
        """A bundle as a zip."""
        folder = await asyncio.to_thread(tempfile.TemporaryDirectory, prefix="mystira-bundle-")
        path = Path(folder.name) / "bundle.zip"
        try:
            bundle = await export_bundle(self._shelves.library, call.path["bundleId"], path)
        except BaseException:
            await asyncio.to_thread(folder.cleanup)
            raise
        size = (await asyncio.to_thread(path.stat)).st_size
        headers = {
            "Cache-Control": NOT_KEPT,
            "Content-Length": str(size),
            **as_file(f"{bundle.id}.zip"),
        }
        return ASGIStreamingResponse(
            iterator=_chunks(path, folder), status_code=200, media_type=ZIP, headers=headers
        )

    async def create(self, call: Call[NewBundle]) -> Answer:
        """Make the record of one."""
        made = bundle_of(call.sent)

        async def make(_: str | None) -> Stored[ContentBundle]:
            return await editing.create_bundle(self._bundles, self._scenarios, call.sent, clock=self._clock)

        async def recognise() -> Stored[ContentBundle] | None:
            found = await self._bundles.get(made.id)
            if found is None:
                return None
            times = {name: getattr(found.value, name) for name in ("created_at", "updated_at")}
            return found if msgspec.structs.replace(made, **times) == found.value else None

        creation = Creation(
            name="createBundle",
            make=make,
            read=functools.partial(editing.read_bundle, self._bundles),
            headers=lambda stored: {
                "Location": f"{PREFIX}/bundles/{stored.key}",
                "ETag": etag(stored.version),
            },
            view=functools.partial(view, BundleView),
            recognise=recognise,
        )
        return await create_once(self._shelves.keys, call, creation)

    async def search(self, call: Call[BundleSearch]) -> Answer:
        """A page of bundles."""
        return show_page(BundleView, await editing.list_bundles(self._bundles, call.sent))

    async def read(self, call: Call[Nothing]) -> Answer:
        """One bundle."""
        return await show_unless_known(BundleView, call, lambda: self._read(call))

    async def change(self, call: Call[BundleChange]) -> Answer:
        """Change one."""
        expected = await expected_version(call.demand, lambda: self._read(call))
        stored = await editing.change_bundle(
            self._bundles,
            self._scenarios,
            call.path["bundleId"],
            call.sent,
            clock=self._clock,
            expected=expected,
        )
        return show_record(BundleView, stored)

    async def delete(self, call: Call[Nothing]) -> Answer:
        """Take the record of one away."""
        expected = await expected_version(call.demand, lambda: self._read(call))
        await editing.delete_bundle(self._bundles, call.path["bundleId"], expected=expected)
        return show_nothing()


def _written(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


async def _chunks(path: Path, folder: tempfile.TemporaryDirectory[str]) -> AsyncIterator[bytes]:
    """The file's bytes; the folder goes with the last of them, or when nobody listens any more."""
    try:
        with await asyncio.to_thread(path.open, "rb") as file:
            while chunk := await asyncio.to_thread(file.read, CHUNK):
                yield chunk
    finally:
        folder.cleanup()


def bundle_operations(shelves: Shelves) -> tuple[Operation[Any], ...]:
    """What can be asked about bundles."""
    routes = BundleRoutes(shelves)
    return (*_files(routes), *_many(routes), *_one(routes))


def _files(routes: BundleRoutes) -> tuple[Operation[Any], ...]:
    operation = functools.partial(Operation, tag="bundles", allows=STAFF)
    return (
        operation(
            method="POST",
            path="/bundle-imports",
            name="importBundle",
            summary="Bring a bundle in, item by item",
            description=(
                "Each story and each piece of media is kept whole or refused, and the answer says which and "
                "why. A zip that leads out of itself, grows beyond measure or has a broken manifest is "
                "refused whole. Brought in again, what is the same is left as it is."
            ),
            takes=BundleWishes,
            handle=routes.bring,
            answers={200: BundleBrought},
            refuses=("invalid_content", "contended", "not_representable"),
            uploads=BUNDLE_FILE,
        ),
        operation(
            method="GET",
            path="/bundles/{bundleId}/file",
            name="exportBundle",
            summary="A bundle as a zip",
            description="With its stories and the media that they name.",
            takes=Nothing,
            handle=routes.export,
            answers={200: Download(media_types=(ZIP,))},
            refuses=("not_found",),
        ),
    )


def _many(routes: BundleRoutes) -> tuple[Operation[Any], ...]:
    operation = functools.partial(Operation, tag="bundles", allows=STAFF, path="/bundles")
    return (
        operation(
            method="GET",
            name="searchBundles",
            summary="List bundles",
            takes=BundleSearch,
            handle=routes.search,
            answers={200: Page[BundleView]},
            refuses=("invalid_continuation",),
        ),
        operation(
            method="POST",
            name="createBundle",
            summary="Make a bundle of stories that are there",
            takes=NewBundle,
            handle=routes.create,
            answers={201: BundleView},
            refuses=("already_exists", "missing_parent", "not_representable"),
            keyed=True,
            versioned=True,
            example={"title": "Stories of the night", "prices": [{"value": "4.99", "currency": "EUR"}]},
        ),
    )


def _one(routes: BundleRoutes) -> tuple[Operation[Any], ...]:
    operation = functools.partial(Operation, tag="bundles", allows=STAFF, path="/bundles/{bundleId}")
    return (
        operation(
            method="GET",
            name="readBundle",
            summary="Read a bundle",
            takes=Nothing,
            handle=routes.read,
            answers={200: BundleView},
            refuses=("not_found",),
            revalidates=True,
            versioned=True,
        ),
        operation(
            method="PATCH",
            name="changeBundle",
            summary="Change a bundle",
            description="A merge patch (RFC 7396): what is left out stays, null takes a value away.",
            takes=BundleChange,
            handle=routes.change,
            answers={200: BundleView},
            refuses=("not_found", "missing_parent", "contended", "not_representable"),
            guarded=True,
            versioned=True,
            example={"isFree": True},
        ),
        operation(
            method="DELETE",
            name="deleteBundle",
            summary="Take a bundle away; its stories stay",
            takes=Nothing,
            handle=routes.delete,
            answers={204: None},
            refuses=("not_found", "contended"),
            guarded=True,
        ),
    )
