"""What a first start brings beside an empty platform: the stories that are shipped.

It waits until everything is up, so that no start takes longer for it, and a platform without stories is still
a platform: whatever goes wrong is told, and is no reason to stop.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Self

import msgspec

from mystira.cli.output import duration
from mystira.settings import Settings
from mystira.supervisor import Event, PlatformReady


class StoriesSeeded(msgspec.Struct, frozen=True, kw_only=True, tag_field="event"):
    """The platform had no bundle, and has so many stories now, `seconds` after it was up."""

    stories: int
    seconds: float

    @property
    def sentence(self) -> str:
        """The same for people."""
        return f"{self.stories} stories are there to be played, after {duration(self.seconds)}"


class StoriesAbsent(msgspec.Struct, frozen=True, kw_only=True, tag_field="event"):
    """The stories could not all be brought in, for this reason."""

    reason: str

    @property
    def sentence(self) -> str:
        """The same for people."""
        return f"the stories could not be brought in ({self.reason}); `mystira seed` does it"


Told = Callable[[StoriesSeeded | StoriesAbsent], None]


class FirstStories:
    """Brings the stories in once the platform is up; given up when the block is left."""

    def __init__(self, settings: Settings, tell: Told) -> None:
        self._settings, self._tell = settings, tell
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def hear(self, event: Event) -> None:
        """Begin when the platform is up, unless it keeps its documents elsewhere or the settings say no."""
        is_wanted = self._settings.seed_stories and self._settings.cosmos_url is None
        if isinstance(event, PlatformReady) and is_wanted and self._task is None:
            self._task = asyncio.create_task(self._run(event.address))

    async def done(self) -> None:
        """Wait until they are there, or are known not to be wanted or not to come."""
        if self._task is not None:
            await self._task

    async def _run(self, address: str) -> None:
        began = time.monotonic()
        try:
            stories = await _seed(address, self._settings)
        except Exception as error:  # noqa: BLE001  # a platform that is up stays up, whatever became of this
            self._tell(StoriesAbsent(reason=str(error) or type(error).__name__))
            return
        if stories is not None:
            self._tell(StoriesSeeded(stories=stories, seconds=time.monotonic() - began))


async def _seed(address: str, settings: Settings) -> int | None:
    """How many stories there are now; None where there was a bundle already."""
    # All that reads content is imported here, so that it costs the start nothing.
    from mystira.cli.connection import service_of  # noqa: PLC0415
    from mystira.cli.refusals import CommandError  # noqa: PLC0415
    from mystira.cli.seeding import Seeding  # noqa: PLC0415
    from mystira.clients.content import PATIENCE, ContentClient  # noqa: PLC0415

    async with service_of(address, settings.data_folder, seconds=PATIENCE) as service:
        client = ContentClient(service)
        if await client.bundles():
            return None
        # Nothing that staff have written is replaced by a start.
        seeding = Seeding(client, replace=False)
        items = [item async for some in seeding.run() for item in some]
        refused = [item.item for item in items if item.outcome == "refused"]
        if refused:
            raise CommandError(f"refused: {', '.join(refused[:3])}")
        return len(await client.stories())
