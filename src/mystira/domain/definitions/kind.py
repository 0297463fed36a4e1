"""How the words that stories are made of are declared to the engine: public, and cached hard."""

from typing import Final

from manystore.records import Field, FieldType, Kind, Label
from mystira.domain.former import with_former_names

COMPASS_AXES: Final = Kind(
    name="compass_axes",
    container="CompassAxisDefinitions",
    fields=with_former_names(
        (
            Field(name="id", type=FieldType.STRING, label=Label.PUBLIC),
            Field(name="createdAt", type=FieldType.TIMESTAMP, label=Label.PUBLIC),
            Field(name="updatedAt", type=FieldType.TIMESTAMP, label=Label.PUBLIC),
            Field(name="name", type=FieldType.STRING, label=Label.PUBLIC),
            Field(name="description", type=FieldType.STRING, label=Label.PUBLIC),
            Field(name="mediaIds", type=FieldType.STRINGS, label=Label.PUBLIC),
            Field(name="tags", type=FieldType.JSON, label=Label.PUBLIC),
            Field(name="isDeleted", type=FieldType.BOOLEAN, label=Label.PUBLIC),
        )
    ),
)

ARCHETYPES: Final = Kind(
    name="archetypes",
    container="ArchetypeDefinitions",
    fields=with_former_names(
        (
            Field(name="id", type=FieldType.STRING, label=Label.PUBLIC),
            Field(name="createdAt", type=FieldType.TIMESTAMP, label=Label.PUBLIC),
            Field(name="updatedAt", type=FieldType.TIMESTAMP, label=Label.PUBLIC),
            Field(name="name", type=FieldType.STRING, label=Label.PUBLIC),
            Field(name="description", type=FieldType.STRING, label=Label.PUBLIC),
            Field(name="mediaIds", type=FieldType.STRINGS, label=Label.PUBLIC),
            Field(name="tags", type=FieldType.JSON, label=Label.PUBLIC),
            Field(name="isDeleted", type=FieldType.BOOLEAN, label=Label.PUBLIC),
        )
    ),
)

ECHO_TYPES: Final = Kind(
    name="echo_types",
    container="EchoTypeDefinitions",
    fields=with_former_names(
        (
            Field(name="id", type=FieldType.STRING, label=Label.PUBLIC),
            Field(name="createdAt", type=FieldType.TIMESTAMP, label=Label.PUBLIC),
            Field(name="updatedAt", type=FieldType.TIMESTAMP, label=Label.PUBLIC),
            Field(name="name", type=FieldType.STRING, label=Label.PUBLIC),
            Field(name="description", type=FieldType.STRING, label=Label.PUBLIC),
            Field(name="mediaIds", type=FieldType.STRINGS, label=Label.PUBLIC),
            Field(name="tags", type=FieldType.JSON, label=Label.PUBLIC),
            Field(name="isDeleted", type=FieldType.BOOLEAN, label=Label.PUBLIC),
        )
    ),
)

FANTASY_THEMES: Final = Kind(
    name="fantasy_themes",
    container="FantasyThemeDefinitions",
    fields=with_former_names(
        (
            Field(name="id", type=FieldType.STRING, label=Label.PUBLIC),
            Field(name="createdAt", type=FieldType.TIMESTAMP, label=Label.PUBLIC),
            Field(name="updatedAt", type=FieldType.TIMESTAMP, label=Label.PUBLIC),
            Field(name="name", type=FieldType.STRING, label=Label.PUBLIC),
            Field(name="description", type=FieldType.STRING, label=Label.PUBLIC),
            Field(name="mediaIds", type=FieldType.STRINGS, label=Label.PUBLIC),
            Field(name="tags", type=FieldType.JSON, label=Label.PUBLIC),
            Field(name="isDeleted", type=FieldType.BOOLEAN, label=Label.PUBLIC),
        )
    ),
)

AGE_GROUPS: Final = Kind(
    name="age_groups",
    container="AgeGroupDefinitions",
    fields=with_former_names(
        (
            Field(name="id", type=FieldType.STRING, label=Label.PUBLIC),
            Field(name="createdAt", type=FieldType.TIMESTAMP, label=Label.PUBLIC),
            Field(name="updatedAt", type=FieldType.TIMESTAMP, label=Label.PUBLIC),
            Field(name="name", type=FieldType.STRING, label=Label.PUBLIC),
            Field(name="description", type=FieldType.STRING, label=Label.PUBLIC),
            Field(name="mediaIds", type=FieldType.STRINGS, label=Label.PUBLIC),
            Field(name="tags", type=FieldType.JSON, label=Label.PUBLIC),
            Field(name="isDeleted", type=FieldType.BOOLEAN, label=Label.PUBLIC),
            Field(name="minimumAge", type=FieldType.INTEGER, label=Label.PUBLIC),
            Field(name="maximumAge", type=FieldType.INTEGER, label=Label.PUBLIC),
        )
    ),
)
