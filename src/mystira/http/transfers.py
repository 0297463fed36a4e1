"""What goes in and out as bytes rather than as JSON: files of stories, bundles, pictures, sounds, films.

    Operation(method="POST", path="/media", takes=MediaPlace, uploads=Upload(media_types=…, most_bytes=…), …)
    Operation(method="GET", path="/media/{mediaId}", answers={200: Download(media_types=…, ranged=True)}, …)

An upload of any size passes through a file of this machine, never through memory whole; the file is gone when
the request has been answered.
"""

import asyncio
import contextlib
import hashlib
import re
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from http import HTTPStatus
from pathlib import Path
from typing import IO, Any, Final

import msgspec
from litestar.response.base import ASGIResponse
from litestar.response.streaming import ASGIStreamingResponse

from mystira.http.problems import ProblemError

Receive = Callable[[], Awaitable[Any]]
ReadRange = Callable[[int, int], Awaitable[bytes]]
"""Gives bytes from one place up to, and without, another."""

HEAD: Final = 64 * 1024
CHUNK: Final = 1024 * 1024
FOREVER: Final = "public, max-age=31536000, immutable"
"""For what never changes under its address."""

_RANGE: Final = re.compile(r"bytes=([0-9]{0,18})-([0-9]{0,18})")


class Upload(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes that an operation takes: under which types, how many at most, and what they are, for the docs."""

    media_types: tuple[str, ...]
    most_bytes: int
    meaning: str


class Download(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes that an operation answers with; some of them, where it is `ranged` and was asked for so."""

    media_types: tuple[str, ...]
    ranged: bool = False


class Received(msgspec.Struct, frozen=True, kw_only=True):
    """What was uploaded: `data` itself where it is small, else the file where it lies for now."""

    data: bytes | Path
    head: bytes
    size: int
    sha256: str
    media_type: str

    async def whole(self) -> bytes:
        """All of it, in memory."""
        return self.data if isinstance(self.data, bytes) else await asyncio.to_thread(self.data.read_bytes)


@contextlib.asynccontextmanager
async def received(
    upload: Upload, receive: Receive, *, headers: Mapping[str, str | None]
) -> AsyncIterator[Received]:
    """The body of a request, until the block ends. Raises ProblemError.

    `headers` are content-type, content-encoding and content-length.
    """
    media_type = _check_headers(upload, headers)
    with contextlib.ExitStack() as stack:
        taken = _Taking(upload, stack)
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ProblemError("incomplete_body", "The connection ended before the body did.")
            await taken.add(message.get("body", b""))
            if not message.get("more_body", False):
                break
        yield await taken.result(media_type)


class _Taking:
    """A body as it comes in: in memory as long as it is small, then in a file."""

    def __init__(self, upload: Upload, stack: contextlib.ExitStack) -> None:
        self._upload, self._stack = upload, stack
        self._digest, self._size, self._head = hashlib.sha256(), 0, b""
        self._chunks: list[bytes] = []
        self._file: IO[bytes] | None = None

    async def add(self, chunk: bytes) -> None:
        """One more piece."""
        self._size += len(chunk)
        if self._size > self._upload.most_bytes:
            raise too_large(self._upload)
        if len(self._head) < HEAD:
            self._head = (self._head + chunk)[:HEAD]
        self._chunks.append(chunk)
        if sum(map(len, self._chunks)) > CHUNK:
            await asyncio.to_thread(self._write)

    def _write(self) -> None:
        if self._file is None:
            file = tempfile.NamedTemporaryFile(prefix="mystira-upload-")  # noqa: SIM115 - the stack closes it
            self._file = self._stack.enter_context(file)
        for chunk in self._chunks:
            self._digest.update(chunk)
            self._file.write(chunk)
        self._chunks.clear()

    def _finish(self) -> bytes | Path:
        if self._file is None:
            data = b"".join(self._chunks)
            self._digest.update(data)
            return data
        self._write()
        self._file.flush()
        return Path(self._file.name)

    async def result(self, media_type: str) -> Received:
        """All of it."""
        if not self._size:
            raise ProblemError("empty_body", "The body is empty.", path="$")
        data = self._finish() if self._file is None else await asyncio.to_thread(self._finish)
        return Received(
            data=data,
            head=self._head,
            size=self._size,
            sha256=self._digest.hexdigest(),
            media_type=media_type,
        )


def _check_headers(upload: Upload, headers: Mapping[str, str | None]) -> str:
    if headers["content-encoding"] not in (None, "", "identity"):
        raise _refuse_type(upload, "Bodies are taken uncompressed.")
    media_type = (headers["content-type"] or "").partition(";")[0].strip().lower()
    if media_type not in upload.media_types:
        raise _refuse_type(
            upload, f"This is taken as {', '.join(upload.media_types)}, not as {media_type[:100]!r}."
        )
    length = headers["content-length"]
    if length is not None and length.isdigit() and int(length[:20]) > upload.most_bytes:
        raise too_large(upload)
    return media_type


def _refuse_type(upload: Upload, detail: str) -> ProblemError:
    return ProblemError("unsupported_media_type", detail, headers={"Accept": ", ".join(upload.media_types)})


def too_large(upload: Upload) -> ProblemError:
    """The refusal of a body that has more bytes than are taken."""
    return ProblemError("body_too_large", f"A body has at most {upload.most_bytes:,} bytes here.")


# -- out -----------------------------------------------------------------------------------------------


class Range(msgspec.Struct, frozen=True):
    """Some bytes of a whole: from `begin` up to, and without, `end`."""

    begin: int
    end: int


def read_range(header: str | None, size: int) -> Range | None:
    """The one range that is asked for, or None for the whole (RFC 9110, section 14).

    What is malformed, or asks for several ranges at once, may be answered with the whole. Raises ProblemError
    where the range lies behind the end.
    """
    found = None if header is None else _RANGE.fullmatch(header.strip())
    if found is None or not (found[1] or found[2]):
        return None
    if not found[1]:
        begin, end = max(0, size - int(found[2])), size
    else:
        begin, end = int(found[1]), min(size, int(found[2]) + 1) if found[2] else size
        if found[2] and int(found[2]) < begin:
            return None
    if begin >= end:
        headers = {"Content-Range": f"bytes */{size}"}
        raise ProblemError("range_not_satisfiable", f"There are {size} bytes.", path="Range", headers=headers)
    return Range(begin, end)


def send_range(
    size: int,
    read: ReadRange,
    wanted: Range | None,
    *,
    media_type: str,
    headers: Mapping[str, str],
    is_head: bool,
) -> ASGIResponse:
    """The answer that is a stream of bytes, or of some of them; no bytes at all for HEAD."""
    here = wanted or Range(0, size)
    named = {**headers, "Accept-Ranges": "bytes", "Content-Length": str(here.end - here.begin)}
    if wanted is not None:
        named["Content-Range"] = f"bytes {here.begin}-{here.end - 1}/{size}"
    status = HTTPStatus.OK if wanted is None else HTTPStatus.PARTIAL_CONTENT
    if is_head:
        named["Content-Type"] = media_type
        return ASGIResponse(status_code=status, headers=named, is_head_response=True)

    async def chunks() -> AsyncIterator[bytes]:
        for begin in range(here.begin, here.end, CHUNK):
            yield await read(begin, min(begin + CHUNK, here.end))

    return ASGIStreamingResponse(iterator=chunks(), status_code=status, media_type=media_type, headers=named)


def as_file(name: str) -> dict[str, str]:
    """The header by which an answer is kept as a file; letters that a header cannot hold are replaced."""
    plain = re.sub(r"[^A-Za-z0-9._~-]", "_", name)
    return {"Content-Disposition": f'attachment; filename="{plain}"'}


def send_file(data: bytes, *, media_type: str, name: str = "", cache: str = "no-store") -> ASGIResponse:
    """The answer that is one file, small enough to be sent at once; with a `name`, to be kept under it."""
    headers = {"Cache-Control": cache, **(as_file(name) if name else {})}
    return ASGIResponse(body=data, status_code=HTTPStatus.OK, media_type=media_type, headers=headers)
