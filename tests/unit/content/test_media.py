"""Media: known by their bytes, kept once, found under addresses that never change."""

import datetime as dt
import hashlib
import struct
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mystira.domain.errors import AlreadyExistsError, InvalidValueError, NotFoundError, VersionMismatchError
from mystira.domain.media import sniffing
from mystira.domain.media.sniffing import FORMATS, MEGABYTE, Format, identify, measure
from mystira.domain.media.use_cases import (
    GRACE,
    Bytes,
    Measures,
    MediaChange,
    MediaSearch,
    MediaTooLargeError,
    UnknownMediaError,
    add_media,
    change_media,
    delete_media,
    list_media,
    name_of,
    read_media,
    replace_media,
    sweep_bytes,
)
from tests.unit.content.shelves import GIF, MP3, PNG, Shelves, open_shelves


def _ogg(mark: bytes) -> bytes:
    return b"OggS" + b"\0" * 24 + mark


HEADS: dict[Format, list[bytes]] = {
    sniffing.PNG: [PNG],
    sniffing.JPEG: [b"\xff\xd8\xff\xe0\0\x10JFIF"],
    sniffing.GIF: [GIF, b"GIF87a"],
    sniffing.WEBP: [b"RIFF\x01\x02\x03\x04WEBPVP8 "],
    sniffing.AVIF: [b"\0\0\0\x1cftypavif"],
    sniffing.MP3: [MP3, b"\xff\xfb\x90\x00", b"\xff\xf3\x40\x00"],
    sniffing.AAC: [b"\xff\xf1\x50\x80"],
    sniffing.M4A: [b"\0\0\0\x1cftypM4A "],
    sniffing.OGG: [_ogg(b"OpusHead"), _ogg(b"\x01vorbis")],
    sniffing.WAV: [b"RIFF\x01\x02\x03\x04WAVEfmt "],
    sniffing.FLAC: [b"fLaC\0"],
    sniffing.MP4: [b"\0\0\0\x1cftypisom", b"\0\0\0\x1cftypmp42"],
    sniffing.WEBM: [b"\x1a\x45\xdf\xa3\x9f\x42\x86\x81\x01\x42\xf7\x81\x01\x42\x82\x84webm"],
    sniffing.OGV: [_ogg(b"\x80theora")],
}


def test_each_format_is_known_by_how_it_begins() -> None:
    """Every one that is taken, in each of its forms."""
    assert set(HEADS) == set(FORMATS)
    for known, heads in HEADS.items():
        for head in heads:
            assert identify(head + b"\0" * 40) is known, head


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"MZ\x90",
        b"%PDF-1.7",
        b"<svg xmlns='x'/>",
        b"<html>",
        b"PK\x03\x04",
        b"\x7fELF",
        b"RIFF\x01\x02\x03\x04AVI ",
        b"\0\0\0\x1cftypheic",
        b"\x1a\x45\xdf\xa3\x9f\x42\x82\x88matroska",
        _ogg(b"\x80kate"),
        b"\xff\xff\xff\xff",
        b"\x89PNG",
    ],
)
def test_all_else_is_none_of_them(head: bytes) -> None:
    """Programs, pages, archives, and relatives of the formats that no browser shows."""
    assert identify(head + b"\0" * 8) is None


def _jpeg(width: int, height: int) -> bytes:
    first = b"\xff\xd8\xff\xe0\x00\x10" + b"J" * 14
    return first + b"\xff\xc2\x00\x11\x08" + struct.pack(">HH", height, width) + b"\0" * 20


def _wav() -> bytes:
    head = struct.pack("<HHIIHH", 1, 1, 8000, 16000, 2, 16)
    return b"RIFF....WAVEfmt " + struct.pack("<I", 16) + head + b"data" + struct.pack("<I", 8000)


@pytest.mark.parametrize(
    ("head", "measured"),
    [
        (PNG, {"width": 64, "height": 48}),
        (GIF, {"width": 7, "height": 9}),
        (_jpeg(640, 480), {"width": 640, "height": 480}),
        (b"RIFF....WEBPVP8X" + b"\0" * 8 + b"\x3f\0\0\x2f\0\0", {"width": 64, "height": 48}),
        (b"RIFF....WEBPVP8 " + b"\0" * 10 + struct.pack("<HH", 64, 48), {"width": 64, "height": 48}),
        (b"RIFF....WEBPVP8L" + b"\0" * 5 + struct.pack("<I", 63 | 47 << 14), {"width": 64, "height": 48}),
        (_wav(), {"duration": 0.5, "bitrate": 128_000}),
        (MP3, {}),
    ],
)
def test_pictures_are_measured(head: bytes, measured: dict[str, Any]) -> None:
    """Their size stands at the beginning; so does how long an uncompressed sound is."""
    known = identify(head)
    assert known is not None
    assert measure(head, known) == measured


@given(st.sampled_from([head for heads in HEADS.values() for head in heads]), st.binary(max_size=60))
def test_nothing_that_follows_a_beginning_raises_anything(head: bytes, more: bytes) -> None:
    """Cut off, or followed by anything, it is measured or it is not."""
    for data in (head + more, head[: len(more)]):
        known = identify(data)
        if known is not None:
            measure(data, known)


async def _add(shelves: Shelves, key: str, data: bytes = PNG, **more: Any) -> Any:
    return await add_media(shelves.media, shelves.objects, key, Bytes.of(data), clock=shelves.clock, **more)


async def test_media_are_described_by_what_they_are() -> None:
    """Type, size, digest and measures come from the bytes; the address holds the digest."""
    shelves = await open_shelves()
    asset = (await _add(shelves, "cover", tags=["night"])).value
    digest = hashlib.sha256(PNG).hexdigest()
    assert (asset.media_type, asset.mime_type, asset.size_bytes) == ("image", "image/png", len(PNG))
    assert (asset.sha256, asset.url) == (digest, f"/api/v1/media/cover/{digest}")
    assert (asset.metadata, asset.tags, asset.version) == ({"width": 64, "height": 48}, ["night"], "1")
    assert await shelves.objects.get(name_of(digest)) == PNG


async def test_equal_bytes_lie_there_once() -> None:
    """Under two ids, in one file."""
    shelves = await open_shelves()
    await _add(shelves, "a")
    await _add(shelves, "b")
    assert len(await shelves.objects.names("media")) == 1
    found = await list_media(shelves.media, MediaSearch(sha256=hashlib.sha256(PNG).hexdigest()))
    assert [each.key for each in found.items] == ["a", "b"]


async def test_an_id_is_given_once() -> None:
    """Another piece under it is refused, and the first stays."""
    shelves = await open_shelves()
    await _add(shelves, "a")
    with pytest.raises(AlreadyExistsError):
        await _add(shelves, "a", GIF)
    assert (await read_media(shelves.media, "a")).value.mime_type == "image/png"


async def test_each_sort_has_its_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten megabytes for pictures, fifty for sounds, a hundred for films; and what is none is refused."""
    assert sniffing.MOST_BYTES == {"image": 10 * MEGABYTE, "audio": 50 * MEGABYTE, "video": 100 * MEGABYTE}
    shelves = await open_shelves()
    for head, most in ((PNG, 10), (MP3, 50), (HEADS[sniffing.MP4][0], 100)):
        big = msgspec.structs.replace(Bytes.of(head), size=most * MEGABYTE + 1)
        with pytest.raises(MediaTooLargeError):
            await add_media(shelves.media, shelves.objects, "x", big, clock=shelves.clock)
        fits = msgspec.structs.replace(big, size=most * MEGABYTE)
        await add_media(shelves.media, shelves.objects, f"x{most}", fits, clock=shelves.clock)
    with pytest.raises(UnknownMediaError, match="png, jpg"):
        await _add(shelves, "y", b"MZ")


async def test_a_piece_can_be_replaced_by_one_of_its_sort() -> None:
    """Its version counts up and its address changes; a picture does not become a sound."""
    shelves = await open_shelves()
    first = await _add(shelves, "a")

    async def replace(data: bytes, expected: int) -> Any:
        return await replace_media(
            shelves.media, shelves.objects, "a", Bytes.of(data), clock=shelves.clock, expected=expected
        )

    second = await replace(GIF, first.version)
    assert (second.value.version, second.value.mime_type) == ("2", "image/gif")
    assert second.value.url != first.value.url
    assert (await replace(GIF, second.version)).version == second.version
    with pytest.raises(VersionMismatchError):
        await replace(PNG, first.version)
    with pytest.raises(InvalidValueError, match="cannot become audio"):
        await replace(MP3, second.version)


async def test_what_is_said_of_a_piece_can_be_changed() -> None:
    """Tags, tier, and measures that the bytes do not tell; those that they do stay."""
    shelves = await open_shelves()
    first = await _add(shelves, "a")
    change = MediaChange(tags=["x"], tier="cool", metadata=Measures(duration=1.5))
    changed = await change_media(shelves.media, "a", change, clock=shelves.clock, expected=first.version)
    asset = changed.value
    assert (asset.tags, asset.tier) == (["x"], "cool")
    assert asset.metadata == {"width": 64, "height": 48, "duration": 1.5}


async def test_bytes_go_a_day_after_the_last_record_that_points_to_them() -> None:
    """Not before, not those that another record has, and nothing that is no media."""
    shelves = await open_shelves()
    # Object storage has a clock of its own.
    shelves.clock.advance((dt.datetime.now(dt.UTC) - shelves.clock.now()).total_seconds())
    for key, data in (("a", PNG), ("b", PNG), ("c", GIF)):
        await _add(shelves, key, data)
    await shelves.objects.put("media/readme.txt", b"x")
    await delete_media(shelves.media, "a", expected=1)
    await delete_media(shelves.media, "c", expected=None)
    with pytest.raises(NotFoundError):
        await read_media(shelves.media, "c")
    assert await sweep_bytes(shelves.media, shelves.objects, clock=shelves.clock) == 0
    shelves.clock.advance(GRACE.total_seconds() + 60)
    assert await sweep_bytes(shelves.media, shelves.objects, clock=shelves.clock) == 1
    png = hashlib.sha256(PNG).hexdigest()
    assert await shelves.objects.names("media") == sorted([name_of(png), "media/readme.txt"])


async def test_bytes_come_from_a_file_as_well(tmp_path: Path) -> None:
    """A film is never held in memory whole."""
    shelves = await open_shelves()
    path = tmp_path / "film"
    path.write_bytes(PNG)
    brought = msgspec.structs.replace(Bytes.of(PNG), data=path)
    await add_media(shelves.media, shelves.objects, "a", brought, clock=shelves.clock)
    name = name_of(brought.sha256)
    assert await shelves.objects.size(name) == len(PNG)
    assert await shelves.objects.get_range(name, 1, 4) == b"PNG"
