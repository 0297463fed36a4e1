"""Gives a bundle out as a zip that comes in again as the same: manifest, stories, and the media they name."""

import asyncio
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

from mystira.domain.bundles.importing import Library, known_media
from mystira.domain.bundles.manifest import write_manifest
from mystira.domain.bundles.model import ContentBundle
from mystira.domain.media.model import MediaAsset
from mystira.domain.media.sniffing import FORMATS
from mystira.domain.media.use_cases import Objects, name_of
from mystira.domain.records import read_record
from mystira.domain.scenarios.model import Scenario
from mystira.domain.scenarios.vocabulary import media_of
from mystira.domain.scenarios.writing import write_story

Told = Callable[[int, int], None]

_CHUNK: Final = 4 * 1024 * 1024
_MOMENT: Final = (1980, 1, 1, 0, 0, 0)
"""When every file of a bundle was written: so that the same content is the same zip, byte for byte."""


async def export_bundle(
    library: Library, bundle_id: str, path: Path, *, told: Told = lambda done, total: None
) -> ContentBundle:
    """Write the bundle to a new zip file. Raises NotFoundError for a bundle or a story that is not there."""
    bundle = (await read_record(library.bundles, bundle_id)).value
    stories = [(await read_record(library.scenarios, key)).value for key in bundle.scenario_ids]
    taken: set[str] = set()
    files = [_file_name(story.id, ".yaml", taken) for story in stories]
    media = [
        (_file_name(asset.media_id, _ending(asset), taken), asset)
        for asset in await _media(library, bundle, stories)
    ]
    total, done = len(stories) + len(media) + 1, 0
    zipped = zipfile.ZipFile(path, "x", compression=zipfile.ZIP_DEFLATED)
    try:
        await asyncio.to_thread(zipped.writestr, _info("bundle.yaml"), write_manifest(bundle, media))
        for file, story in zip(files, stories, strict=True):
            await asyncio.to_thread(_add_story, zipped, f"scenarios/{file}", story)
            done += 1
            told(done, total)
        for file, asset in media:
            await _copy(library.objects, asset, zipped, f"media/{file}")
            done += 1
            told(done, total)
    finally:
        await asyncio.to_thread(zipped.close)
    told(total, total)
    return bundle


async def _media(library: Library, bundle: ContentBundle, stories: list[Scenario]) -> list[MediaAsset]:
    """The media that the bundle and its stories name, as far as they are here, by id."""
    named = {word for story in stories for word, _ in media_of(story)}
    named |= {bundle.image_id} if bundle.image_id else set()
    known = sorted(await known_media(library.media, named))
    return [(await read_record(library.media, key)).value for key in known]


async def _copy(objects: Objects, asset: MediaAsset, zipped: zipfile.ZipFile, name: str) -> None:
    # Pictures and sounds are compressed already.
    info = _info(name, zipfile.ZIP_STORED)
    with zipped.open(info, "w") as member:
        for begin in range(0, asset.size_bytes, _CHUNK):
            end = min(begin + _CHUNK, asset.size_bytes)
            chunk = await objects.get_range(name_of(asset.sha256), begin, end)
            await asyncio.to_thread(member.write, chunk)


def _info(name: str, method: int = zipfile.ZIP_DEFLATED) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, _MOMENT)
    info.compress_type = method
    info.external_attr = 0o644 << 16
    return info


def _add_story(zipped: zipfile.ZipFile, name: str, story: Scenario) -> None:
    zipped.writestr(_info(name), write_story(story))


def _file_name(key: str, ending: str, taken: set[str]) -> str:
    """A file's name for an id, whatever an older system let ids be; no two alike, even without capitals."""
    plain = re.sub(r"[^A-Za-z0-9._~-]", "_", key).lstrip(".") or "_"
    name, number = f"{plain[:200]}{ending}", 1
    while name.casefold() in taken:
        number += 1
        name = f"{plain[:200]}-{number}{ending}"
    taken.add(name.casefold())
    return name


def _ending(asset: MediaAsset) -> str:
    return next((each.ending for each in FORMATS if each.mime_type == asset.mime_type), "")
