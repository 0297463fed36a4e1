"""Brings what is shipped to a platform: words, pictures, badges, avatars, then bundles with their stories.

Bundles come last, and a platform that has one counts as seeded: where the first start was cut short, the next
one goes on with it.
"""

import asyncio
import tempfile
import zipfile
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Final

from mystira.cli.content_files import ContentFile, What, find_files
from mystira.cli.content_import import Brought, Importing
from mystira.cli.shipped import (
    BADGES,
    DEFINITIONS,
    MEDIA,
    Avatars,
    BundleFile,
    read_avatars,
    read_bundle_files,
)
from mystira.clients.content import ContentClient

_PICTURES: Final[tuple[What, ...]] = ("media",)


class Seeding:
    """Everything that is shipped, on its way to one platform.

    What is there already and differs is replaced or kept, as is wished.
    """

    def __init__(self, client: ContentClient, *, replace: bool) -> None:
        self._client, self._replace = client, replace
        self._importing = Importing(client, replace=replace, publish=True, sort=None)
        self._files = [
            *find_files([DEFINITIONS]),
            *(each for each in find_files([MEDIA]) if each.what in _PICTURES),
            *find_files([BADGES]),
        ]
        self._avatars, self._bundles = read_avatars(), read_bundle_files()

    @property
    def total(self) -> int:
        """How many steps there are."""
        return len(self._files) + len(self._avatars) + len(self._bundles)

    async def run(self) -> AsyncGenerator[list[Brought], None]:
        """Bring it, and tell of each step what became of what it brought.

        Raises ProblemError and UnreachableError.
        """
        for file in self._files:
            yield await self._importing.bring(file)
        for avatars in self._avatars:
            yield [await self._bring_avatars(avatars)]
        for bundle in self._bundles:
            yield await self._bring_bundle(bundle)

    async def _bring_avatars(self, avatars: Avatars) -> Brought:
        key = f"avatars-{avatars.age_group}"
        content = {
            "id": key,
            "name": avatars.name,
            "ageGroup": avatars.age_group,
            "description": avatars.description,
            "mediaIds": avatars.media,
        }
        outcome = await self._client.put_avatars(content, replace=self._replace)
        return Brought(item=avatars.name, what="avatars", outcome=outcome, id=key)

    async def _bring_bundle(self, bundle: BundleFile) -> list[Brought]:
        # A folder of its own is gone with the block, whatever happens in it.
        with tempfile.TemporaryDirectory(prefix="mystira-seed-") as folder:
            path = Path(folder) / f"{bundle.path.stem}.zip"
            await asyncio.to_thread(_pack, bundle, path)
            return await self._importing.bring(ContentFile(path=path, what="bundle"))


def _pack(bundle: BundleFile, path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as zipped:
        zipped.write(bundle.path, "bundle.yaml")
        for story in bundle.stories:
            zipped.write(story, f"scenarios/{story.name}")
