"""What some bytes are, read from the bytes: their name and what is said of them are not asked.

Only what browsers show and play is known here, by the marks that each format must begin with. Libraries that
know hundreds of formats answer with the likeliest one; here the question is the opposite, to let nothing in
that is none of these. Pictures that can carry programs (SVG) are none.
"""

import re
import struct
from typing import Any, Final

import msgspec

from mystira.domain.media.model import MediaType

HEAD: Final = 64 * 1024
"""How many bytes from the beginning are enough to know a file, and to measure a picture."""

MEGABYTE: Final = 1024 * 1024
MOST_BYTES: Final[dict[MediaType, int]] = {
    "image": 10 * MEGABYTE,
    "audio": 50 * MEGABYTE,
    "video": 100 * MEGABYTE,
}


class Format(msgspec.Struct, frozen=True):
    """A sort of file: what it is, its name in HTTP, and how its name on a disk ends."""

    media_type: MediaType
    mime_type: str
    ending: str


PNG: Final = Format("image", "image/png", ".png")
JPEG: Final = Format("image", "image/jpeg", ".jpg")
GIF: Final = Format("image", "image/gif", ".gif")
WEBP: Final = Format("image", "image/webp", ".webp")
AVIF: Final = Format("image", "image/avif", ".avif")
MP3: Final = Format("audio", "audio/mpeg", ".mp3")
AAC: Final = Format("audio", "audio/aac", ".aac")
M4A: Final = Format("audio", "audio/mp4", ".m4a")
OGG: Final = Format("audio", "audio/ogg", ".ogg")
WAV: Final = Format("audio", "audio/wav", ".wav")
FLAC: Final = Format("audio", "audio/flac", ".flac")
MP4: Final = Format("video", "video/mp4", ".mp4")
WEBM: Final = Format("video", "video/webm", ".webm")
OGV: Final = Format("video", "video/ogg", ".ogv")

FORMATS: Final = (PNG, JPEG, GIF, WEBP, AVIF, MP3, AAC, M4A, OGG, WAV, FLAC, MP4, WEBM, OGV)

_MARKS: Final = (
    (re.compile(rb"\x89PNG\r\n\x1a\n"), PNG),
    (re.compile(rb"\xff\xd8\xff"), JPEG),
    (re.compile(rb"GIF8[79]a"), GIF),
    (re.compile(rb"RIFF....WEBP", re.DOTALL), WEBP),
    (re.compile(rb"RIFF....WAVE", re.DOTALL), WAV),
    (re.compile(rb"fLaC"), FLAC),
    (re.compile(rb"ID3[\x02-\x04]"), MP3),
    (re.compile(rb"....ftyp(avif|avis)", re.DOTALL), AVIF),
    (re.compile(rb"....ftyp(M4A |M4B )", re.DOTALL), M4A),
    (re.compile(rb"....ftyp(iso[2-9m]|mp4[12]|avc1|dash|M4V |MSNV)", re.DOTALL), MP4),
    (re.compile(rb"\x1a\x45\xdf\xa3.{0,60}?\x42\x82.webm", re.DOTALL), WEBM),
    # The first page of an Ogg file begins with the mark of what it carries.
    (re.compile(rb"OggS.{24,80}?(OpusHead|\x01vorbis|\x7fFLAC|Speex   )", re.DOTALL), OGG),
    (re.compile(rb"OggS.{24,80}?\x80theora", re.DOTALL), OGV),
    # A frame of sound without anything before it: eleven bits, then no reserved version, layer or rate.
    (re.compile(rb"\xff[\xf0\xf1\xf8\xf9]"), AAC),
    (re.compile(rb"\xff[\xe2\xe3\xf2-\xf7\xfa-\xff][\x10-\xef]"), MP3),
)


def identify(head: bytes) -> Format | None:
    """What a file is that begins so; None for all that is not taken here."""
    return next((known for mark, known in _MARKS if mark.match(head)), None)


def measure(head: bytes, known: Format) -> dict[str, Any]:
    """What the beginning tells: width and height in pixels, duration in seconds, bits in a second."""
    try:
        if known is PNG:
            return _area(*struct.unpack_from(">II", head, 16))
        if known is GIF:
            return _area(*struct.unpack_from("<HH", head, 6))
        if known is JPEG:
            return _measure_jpeg(head)
        if known is WEBP:
            return _measure_webp(head)
        if known is WAV:
            return _measure_wav(head)
    except (struct.error, IndexError):
        # It ends too early: then it cannot be shown either, and nothing is known of it.
        return {}
    return {}


def _area(width: int, height: int) -> dict[str, Any]:
    return {"width": width, "height": height} if width and height else {}


def _measure_jpeg(head: bytes) -> dict[str, Any]:
    at = 2
    while at + 9 < len(head):
        if head[at] != 0xFF:
            return {}
        mark = head[at + 1]
        if 0xC0 <= mark <= 0xCF and mark not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack_from(">HH", head, at + 5)
            return _area(width, height)
        at += 1 if mark == 0xFF else 2 + struct.unpack_from(">H", head, at + 2)[0]
    return {}


def _measure_webp(head: bytes) -> dict[str, Any]:
    sort = head[12:16]
    if sort == b"VP8X":
        return _area(1 + int.from_bytes(head[24:27], "little"), 1 + int.from_bytes(head[27:30], "little"))
    if sort == b"VP8 ":
        width, height = struct.unpack_from("<HH", head, 26)
        return _area(width & 0x3FFF, height & 0x3FFF)
    if sort == b"VP8L":
        bits = struct.unpack_from("<I", head, 21)[0]
        return _area(1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF))
    return {}


def _measure_wav(head: bytes) -> dict[str, Any]:
    at, rate = 12, 0
    while at + 8 <= len(head):
        name, size = head[at : at + 4], struct.unpack_from("<I", head, at + 4)[0]
        if name == b"fmt ":
            rate = struct.unpack_from("<I", head, at + 16)[0]
        if name == b"data":
            return {"duration": round(size / rate, 3), "bitrate": rate * 8} if rate else {}
        at += 8 + size + size % 2
    return {}
