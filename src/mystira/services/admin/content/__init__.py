"""Content as staff work on it: stories, definitions, badge sets, media, bundles, characters."""

from typing import Any, Final

from mystira.clients.app_api import AppApiClient
from mystira.domain.definitions.reading import Sort
from mystira.domain.forms import AgeGroupSpan, ContentId
from mystira.gateways.idempotency import IdempotencyKeys
from mystira.http.operations import Operation
from mystira.http.service import PathParameter
from mystira.platform import Platform
from mystira.services.admin.content.badge_sets import badge_set_operations
from mystira.services.admin.content.bundles import bundle_operations
from mystira.services.admin.content.characters import character_operations
from mystira.services.admin.content.definitions import definition_operations
from mystira.services.admin.content.media import media_operations
from mystira.services.admin.content.noting import Notary, step_operations
from mystira.services.admin.content.shelves import Shelves
from mystira.services.admin.content.story_operations import story_operations

PATH_PARAMETERS: Final = {
    "scenarioId": PathParameter(meaning="The story's id.", form=ContentId, example="the-lost-lantern"),
    "sort": PathParameter(meaning="The sort of definitions.", form=Sort, example="axes"),
    "definitionId": PathParameter(meaning="The definition's id.", form=ContentId, example="patience"),
    "ageGroup": PathParameter(meaning="The age group.", form=AgeGroupSpan, example="6-9"),
    "mediaId": PathParameter(meaning="The id of the media.", form=ContentId, example="cover"),
    "bundleId": PathParameter(meaning="The bundle's id.", form=ContentId, example="stories-of-the-night"),
    "characterId": PathParameter(meaning="The character's id.", form=ContentId, example="mara"),
    "avatarsId": PathParameter(meaning="The id of the avatars.", form=ContentId, example="avatars-6-9"),
}

TAGS: Final = {
    "stories": "Stories: checked, brought in, published, drawn and given out.",
    "definitions": "Axes, archetypes, echo types, themes and age groups.",
    "badge sets": "The badges of each age group, as sets.",
    "media": "Pictures, sounds and films.",
    "bundles": "Stories and media that travel and are sold together.",
    "content steps": "Who brought content in, published, withdrew or deleted it.",
    "characters": "Characters that stories share, and the avatars that players choose from.",
}


def content_operations(
    platform: Platform, keys: IdempotencyKeys, app: AppApiClient
) -> tuple[Operation[Any], ...]:
    """What can be asked about content."""
    shelves, notary = Shelves(platform, keys, app), Notary(platform)
    operations: tuple[Operation[Any], ...] = (
        *story_operations(shelves),
        *definition_operations(shelves),
        *badge_set_operations(shelves),
        *media_operations(shelves),
        *bundle_operations(shelves),
        *character_operations(shelves),
    )
    return (*(notary.noted(each) for each in operations), *step_operations(notary))
