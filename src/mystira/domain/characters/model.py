"""What shared characters and avatars are: a name, a description, media and free tags."""

from typing import Any

import msgspec

from mystira.domain.records import Entity


class CharacterMapFile(Entity, frozen=True, kw_only=True, rename="camel"):
    """A file of characters as it was brought in."""

    name: str
    description: str = ""
    media_ids: list[str] = msgspec.field(default_factory=list)
    tags: dict[str, Any] = msgspec.field(default_factory=dict)


class CharacterMap(CharacterMapFile, frozen=True, kw_only=True, rename="camel"):
    """A character that several stories share."""

    metadata: dict[str, Any] = msgspec.field(default_factory=dict)


class AvatarConfiguration(CharacterMapFile, frozen=True, kw_only=True, rename="camel"):
    """The avatars that profiles of an age group may choose from: its media."""

    age_group: str = "6-9"
