"""Everything that content is kept in, in memory, with a clock that stands still."""

import itertools
from pathlib import Path
from typing import Any

from manystore.placement import Leases
from manystore.records import Content, Kind, Record
from manystore.repository import Repository
from manystore.stores.memory import MemoryStore
from manystore.stores.objects import ObjectStorage
from mystira.domain.badges.kind import AXIS_ACHIEVEMENTS, BADGES
from mystira.domain.badges.model import AxisAchievement, Badge
from mystira.domain.bundles.importing import Library
from mystira.domain.bundles.kind import CONTENT_BUNDLES
from mystira.domain.bundles.model import ContentBundle
from mystira.domain.definitions.kind import AGE_GROUPS, ARCHETYPES, COMPASS_AXES, ECHO_TYPES, FANTASY_THEMES
from mystira.domain.definitions.model import AgeGroup, Definition
from mystira.domain.definitions.use_cases import Shelf
from mystira.domain.media.kind import MEDIA_ASSETS
from mystira.domain.media.model import MediaAsset
from mystira.domain.scenarios.kind import SCENARIOS
from mystira.domain.scenarios.model import Scenario
from mystira.platform import settle
from tests.unit.clocks import ManualClock
from tests.unit.household import InterruptibleStore

PNG = (
    b"\x89PNG\r\n\x1a\n" + b"\x00\x00\x00\rIHDR" + (64).to_bytes(4, "big") + (48).to_bytes(4, "big") + b"rest"
)
GIF = b"GIF89a" + (7).to_bytes(2, "little") + (9).to_bytes(2, "little") + b"rest"
MP3 = b"ID3\x04" + b"sound" * 20


class Shelves:
    """One repository for each kind of content, over one store that can be interrupted before a write."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.store = InterruptibleStore("documents")
        placements = settle(self.store, MemoryStore("tables"))
        self._leases = Leases(placements, node="test", clock=self.clock, lease=3600.0)
        self.objects = ObjectStorage.in_memory()
        self.scenarios = Repository(Scenario, SCENARIOS, self._leases, self.clock)
        self.media = Repository(MediaAsset, MEDIA_ASSETS, self._leases, self.clock)
        self.bundles = Repository(ContentBundle, CONTENT_BUNDLES, self._leases, self.clock)
        self.badges = Repository(Badge, BADGES, self._leases, self.clock)
        self.achievements = Repository(AxisAchievement, AXIS_ACHIEVEMENTS, self._leases, self.clock)
        self.definitions: Shelf = {
            "axes": self._repository(Definition, COMPASS_AXES),
            "archetypes": self._repository(Definition, ARCHETYPES),
            "echo-types": self._repository(Definition, ECHO_TYPES),
            "themes": self._repository(Definition, FANTASY_THEMES),
            "age-groups": self._repository(AgeGroup, AGE_GROUPS),
        }
        self.library = Library(
            scenarios=self.scenarios, bundles=self.bundles, media=self.media, objects=self.objects
        )

    async def write(self, kind: Kind, version: int, content: Content) -> None:
        """Put a record as somebody else left it, past the use cases and past all interruptions."""
        await self.store.apply(kind, [Record(content["id"], version, content)])

    def _repository(self, model: Any, kind: Any) -> Repository[Any]:
        return Repository(model, kind, self._leases, self.clock)


async def open_shelves() -> Shelves:
    """Shelves with their store open, and nothing on them."""
    shelves = Shelves()
    await shelves.store.open()
    return shelves


_numbers = itertools.count()


def fresh(folder: Path, ending: str = "") -> Path:
    """The name of a file that is not there yet."""
    return folder / f"file-{next(_numbers)}{ending}"
