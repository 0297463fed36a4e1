"""How media and what is said about them are declared to the engine. The bytes lie in object storage."""

from typing import Final

from manystore.records import Field, FieldType, Kind, Label
from mystira.domain.former import with_former_names

MEDIA_ASSETS: Final = Kind(
    name="media_assets",
    container="MediaAssets",
    partition_key="mediaType",
    fields=with_former_names(
        (
            Field(name="id", type=FieldType.STRING, label=Label.INTERNAL),
            Field(name="createdAt", type=FieldType.TIMESTAMP, label=Label.INTERNAL),
            Field(name="updatedAt", type=FieldType.TIMESTAMP, label=Label.INTERNAL),
            Field(name="mediaId", type=FieldType.STRING, label=Label.INTERNAL),
            Field(name="url", type=FieldType.STRING, label=Label.INTERNAL),
            Field(name="mediaType", type=FieldType.STRING, label=Label.INTERNAL),
            Field(name="mimeType", type=FieldType.STRING, label=Label.INTERNAL),
            Field(name="sizeBytes", type=FieldType.INTEGER, label=Label.INTERNAL),
            Field(name="sha256", type=FieldType.STRING, label=Label.INTERNAL),
            Field(name="version", type=FieldType.STRING, label=Label.INTERNAL),
            Field(name="tags", type=FieldType.STRINGS, label=Label.INTERNAL),
            Field(name="tier", type=FieldType.STRING, label=Label.INTERNAL),
            Field(name="lastAccessedAt", type=FieldType.TIMESTAMP, label=Label.INTERNAL),
            Field(name="thumbnailUrl", type=FieldType.STRING, label=Label.INTERNAL),
            Field(name="metadata", type=FieldType.JSON, label=Label.INTERNAL),
        )
    ),
)

MEDIA_METADATA: Final = Kind(
    name="media_metadata",
    container="MediaMetadataFiles",
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

CHARACTER_MEDIA_METADATA: Final = Kind(
    name="character_media_metadata",
    container="CharacterMediaMetadataFiles",
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
