"""Stories as a shelf shows them: with a cover, and never with their scenes."""

from collections.abc import Iterable
from typing import Final

import msgspec

from manystore.repository import Repository
from manystore.specifications import Specification, field
from mystira.domain.media.model import MediaAsset, MediaType
from mystira.domain.records import Entity
from mystira.domain.scenarios.model import SessionLength
from mystira.services.play.drawing.covers import cover_name

_MOST: Final = 100


class Tale(Entity, frozen=True, kw_only=True, rename="camel"):
    """As much of a story as a shelf needs, so that a shelf reads no scenes."""

    title: str
    description: str = ""
    tags: list[str] = msgspec.field(default_factory=list)
    session_length: SessionLength = "Medium"
    age_group: str = "6-9"
    minimum_age: int = 6
    is_featured: bool = False
    image: str | None = None


Tales = Repository[Tale]


async def tales_for(tales: Tales, age_group: str) -> list[Tale]:
    """The published stories that the youngest of an age group may play; those of the group itself first."""
    youngest = age_group.partition("-")[0]
    where = field("isActive") == True  # noqa: E712 - a predicate, not a comparison
    where &= field("minimumAge") <= (int(youngest) if youngest.isdigit() else 0)
    found = await tales.find(Specification(where=where, limit=_MOST))
    # Of the others, those that were written for the oldest come first: they are the nearest.
    return sorted(
        (stored.value for stored in found.items),
        key=lambda tale: (tale.age_group != age_group, -tale.minimum_age, not tale.is_featured, tale.title),
    )


async def addresses(
    media: Repository[MediaAsset], names: Iterable[str | None], media_type: MediaType = "image"
) -> dict[str, str]:
    """The addresses of those of the media that there are, by the names that stories have for them."""
    wanted = sorted({name for name in names if name})
    if not wanted:
        return {}
    where = field("mediaId").is_in(wanted) & (field("mediaType") == media_type)
    found = await media.find(Specification(where=where, limit=_MOST))
    return {stored.value.media_id: stored.value.url for stored in found.items}


def drawn_cover(story_id: str) -> str:
    """The address of the cover that is drawn for a story whose authors gave it none."""
    return f"/play/covers/{cover_name(story_id)}.svg"
