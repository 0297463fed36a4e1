"""How characters and avatars are declared to the engine."""

from typing import Final

from manystore.records import Field, FieldType, Kind, Label
from mystira.domain.former import with_former_names

CHARACTER_MAPS: Final = Kind(
    name="character_maps",
    container="CharacterMaps",
    fields=with_former_names(
        (
            Field(name="id", type=FieldType.STRING, label=Label.INTERNAL),
            Field(name="createdAt", type=FieldType.TIMESTAMP, label=Label.INTERNAL),
            Field(name="updatedAt", type=FieldType.TIMESTAMP, label=Label.INTERNAL),
            Field(name="name", type=FieldType.STRING, label=Label.INTERNAL),
            Field(name="description", type=FieldType.STRING, label=Label.INTERNAL),
            Field(name="mediaIds", type=FieldType.STRINGS, label=Label.INTERNAL),
            Field(name="tags", type=FieldType.JSON, label=Label.INTERNAL),
            Field(name="metadata", type=FieldType.JSON, label=Label.INTERNAL),
        )
    ),
)

CHARACTER_MAP_FILES: Final = Kind(
    name="character_map_files",
    container="CharacterMapFiles",
    fields=with_former_names(
        (
            Field(name="id", type=FieldType.STRING, label=Label.INTERNAL),
            Field(name="createdAt", type=FieldType.TIMESTAMP, label=Label.INTERNAL),
            Field(name="updatedAt", type=FieldType.TIMESTAMP, label=Label.INTERNAL),
            Field(name="name", type=FieldType.STRING, label=Label.INTERNAL),
            Field(name="description", type=FieldType.STRING, label=Label.INTERNAL),
            Field(name="mediaIds", type=FieldType.STRINGS, label=Label.INTERNAL),
            Field(name="tags", type=FieldType.JSON, label=Label.INTERNAL),
        )
    ),
)

AVATAR_CONFIGURATIONS: Final = Kind(
    name="avatar_configurations",
    container="AvatarConfigurationFiles",
    fields=with_former_names(
        (
            Field(name="id", type=FieldType.STRING, label=Label.INTERNAL),
            Field(name="createdAt", type=FieldType.TIMESTAMP, label=Label.INTERNAL),
            Field(name="updatedAt", type=FieldType.TIMESTAMP, label=Label.INTERNAL),
            Field(name="name", type=FieldType.STRING, label=Label.INTERNAL),
            Field(name="description", type=FieldType.STRING, label=Label.INTERNAL),
            Field(name="ageGroup", type=FieldType.STRING, label=Label.INTERNAL),
            Field(name="mediaIds", type=FieldType.STRINGS, label=Label.INTERNAL),
            Field(name="tags", type=FieldType.JSON, label=Label.INTERNAL),
        )
    ),
)
