"""Where the content of a platform is kept, put together once for all operations on it."""

from typing import Any, Final

from mystira.clients.app_api import AppApiClient
from mystira.domain.badges.kind import AXIS_ACHIEVEMENTS, BADGES
from mystira.domain.badges.model import AxisAchievement, Badge
from mystira.domain.bundles.importing import Library
from mystira.domain.bundles.kind import CONTENT_BUNDLES
from mystira.domain.bundles.model import ContentBundle
from mystira.domain.definitions.kind import AGE_GROUPS, ARCHETYPES, COMPASS_AXES, ECHO_TYPES, FANTASY_THEMES
from mystira.domain.definitions.model import AgeGroup, Definition
from mystira.domain.definitions.use_cases import Shelf, known_definitions
from mystira.domain.files.reading import Language
from mystira.domain.media.kind import MEDIA_ASSETS
from mystira.domain.media.model import MediaAsset
from mystira.domain.media.use_cases import Bytes
from mystira.domain.scenarios.kind import SCENARIOS
from mystira.domain.scenarios.model import Scenario
from mystira.domain.scenarios.vocabulary import Vocabulary, vocabulary_of
from mystira.gateways.idempotency import IdempotencyKeys
from mystira.http.operations import Call
from mystira.http.transfers import Received
from mystira.platform import Platform

_LANGUAGES: Final[dict[str, Language]] = {
    "application/json": "json",
    "application/yaml": "yaml",
    "text/yaml": "yaml",
}


class Shelves:
    """Everything that operations on content work with."""

    def __init__(self, platform: Platform, keys: IdempotencyKeys, app: AppApiClient) -> None:
        self.platform, self.keys, self.app, self.clock = platform, keys, app, platform.clock
        self.objects = platform.objects
        self.scenarios = platform.repository(Scenario, SCENARIOS)
        self.bundles = platform.repository(ContentBundle, CONTENT_BUNDLES)
        self.media = platform.repository(MediaAsset, MEDIA_ASSETS)
        self.badges = platform.repository(Badge, BADGES)
        self.achievements = platform.repository(AxisAchievement, AXIS_ACHIEVEMENTS)
        self.definitions: Shelf = {
            "axes": platform.repository(Definition, COMPASS_AXES),
            "archetypes": platform.repository(Definition, ARCHETYPES),
            "echo-types": platform.repository(Definition, ECHO_TYPES),
            "themes": platform.repository(Definition, FANTASY_THEMES),
            "age-groups": platform.repository(AgeGroup, AGE_GROUPS),
        }
        self.library = Library(
            scenarios=self.scenarios, bundles=self.bundles, media=self.media, objects=self.objects
        )

    async def vocabulary(self) -> Vocabulary:
        """The words that stories may use, as they are known now."""
        return vocabulary_of(await known_definitions(self.definitions))


def body_of(call: Call[Any]) -> Received:
    """What was uploaded."""
    assert call.body is not None, "an operation that takes uploads has received one"
    return call.body


def language_of(call: Call[Any]) -> Language | None:
    """In which language the upload is said to be; None where it is only bytes."""
    return _LANGUAGES.get(body_of(call).media_type)


def bytes_of(call: Call[Any]) -> Bytes:
    """What was uploaded, as those who keep media take it."""
    body = body_of(call)
    return Bytes(data=body.data, head=body.head, size=body.size, sha256=body.sha256)
