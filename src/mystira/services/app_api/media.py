"""Pictures, sounds and films, as players' apps get them: whole, in part, or not again.

A piece has two addresses. `/media/{mediaId}` is the piece as it is now, to be asked for again from time to
time. Below it, the address that ends in the digest of its bytes (`url` of its record) never changes what it
answers, so that whoever has it once need never ask again.
"""

import functools
import re
from typing import Annotated, Any, Final

from msgspec import Meta

from manystore.errors import UnavailableError
from mystira.domain.media.model import MediaAsset
from mystira.domain.media.sniffing import FORMATS, HEAD, identify
from mystira.domain.media.use_cases import Media, Objects, name_of, read_media
from mystira.http.callers import ANYONE
from mystira.http.operations import Answer, Call, Operation
from mystira.http.problems import ProblemError
from mystira.http.queries import Nothing
from mystira.http.transfers import FOREVER, Download, read_range, send_range

Digest = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}(?![\s\S])")]

_FOR_A_WHILE: Final = "public, max-age=300"
_DIGEST: Final = re.compile("[0-9a-f]{64}")
_TYPES: Final = tuple(dict.fromkeys(each.mime_type for each in FORMATS))


class MediaRoutes:
    """What each operation on media does."""

    def __init__(self, media: Media, objects: Objects) -> None:
        self._media, self._objects = media, objects

    async def read(self, call: Call[Nothing]) -> Answer:
        """The bytes of a piece as it is now."""
        asset = (await read_media(self._media, call.path["mediaId"])).value
        return await self._send(call, asset.sha256, asset, cache=_FOR_A_WHILE)

    async def read_version(self, call: Call[Nothing]) -> Answer:
        """The bytes of one digest, which a piece has or had."""
        asset = (await read_media(self._media, call.path["mediaId"])).value
        digest = call.path["digest"]
        if not _DIGEST.fullmatch(digest):
            raise ProblemError("not_found", "This is no digest of any bytes.")
        return await self._send(call, digest, asset, cache=FOREVER)

    async def _send(self, call: Call[Any], digest: str, asset: MediaAsset, *, cache: str) -> Answer:
        name, tag = name_of(digest), f'"{digest}"'
        headers = {"Cache-Control": cache, "ETag": tag}
        if _names(call.header("if-none-match"), tag):
            return Answer(status_code=304, headers=headers)
        size = await self._size(name, is_current=digest == asset.sha256)
        wanted = read_range(call.header("range"), size) if _holds(call.header("if-range"), tag) else None
        return send_range(
            size,
            functools.partial(self._objects.get_range, name),
            wanted,
            media_type=await self._type(name, digest, asset, size),
            # No browser is to guess otherwise, or to run what it shows.
            headers=headers | {"Content-Security-Policy": "default-src 'none'; sandbox"},
            is_head=call.is_head,
        )

    async def _size(self, name: str, *, is_current: bool) -> int:
        try:
            return await self._objects.size(name)
        except FileNotFoundError as error:
            if is_current:
                raise UnavailableError(subject="media", reason="the bytes of a record are missing") from error
            raise ProblemError("not_found", "These bytes are no longer kept.") from None

    async def _type(self, name: str, digest: str, asset: MediaAsset, size: int) -> str:
        """What the bytes are: as the record says, and of former bytes as they say themselves."""
        if digest == asset.sha256:
            return asset.mime_type
        known = identify(await self._objects.get_range(name, 0, min(size, HEAD)))
        return "application/octet-stream" if known is None else known.mime_type


def _names(header: str | None, tag: str) -> bool:
    """Whether If-None-Match names the tag, weakly or not (RFC 9110, section 13.1.2)."""
    if header is None:
        return False
    return header.strip() == "*" or tag in {each.strip().removeprefix("W/") for each in header.split(",")}


def _holds(header: str | None, tag: str) -> bool:
    """Whether a range may be answered: without If-Range always, with one only for this very tag."""
    return header is None or header.strip() == tag


def media_operations(media: Media, objects: Objects) -> tuple[Operation[Any], ...]:
    """What can be asked about media."""
    routes = MediaRoutes(media, objects)
    operation = functools.partial(
        Operation,
        method="GET",
        tag="media",
        allows=ANYONE,
        takes=Nothing,
        answers={200: Download(media_types=_TYPES, ranged=True)},
        refuses=("not_found",),
    )
    return (
        operation(
            path="/media/{mediaId}",
            name="getMedia",
            summary="A picture, a sound or a film as it is now",
            handle=routes.read,
        ),
        operation(
            path="/media/{mediaId}/{digest}",
            name="getMediaForever",
            summary="The bytes of a digest",
            description="Never other ones: whoever has them need not ask again.",
            handle=routes.read_version,
        ),
    )
