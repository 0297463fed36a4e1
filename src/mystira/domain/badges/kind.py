"""How badges and what they are awarded for are declared to the engine. Earned ones lie in the profiles."""

from typing import Final

from manystore.records import Field, FieldType, Kind, Label
from mystira.domain.former import with_former_names

BADGES: Final = Kind(
    name="badges",
    container="Badges",
    fields=with_former_names(
        (
            Field(name="id", type=FieldType.STRING, label=Label.INTERNAL),
            Field(name="createdAt", type=FieldType.TIMESTAMP, label=Label.INTERNAL),
            Field(name="updatedAt", type=FieldType.TIMESTAMP, label=Label.INTERNAL),
            Field(name="ageGroup", type=FieldType.STRING, label=Label.INTERNAL),
            Field(name="axis", type=FieldType.STRING, label=Label.INTERNAL),
            Field(name="tier", type=FieldType.STRING, label=Label.INTERNAL),
            Field(name="title", type=FieldType.STRING, label=Label.INTERNAL),
            Field(name="description", type=FieldType.STRING, label=Label.INTERNAL),
            Field(name="requiredScore", type=FieldType.NUMBER, label=Label.INTERNAL),
            Field(name="imageId", type=FieldType.STRING, label=Label.INTERNAL),
        )
    ),
)

BADGE_IMAGES: Final = Kind(
    name="badge_images",
    container="BadgeImages",
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

AXIS_ACHIEVEMENTS: Final = Kind(
    name="axis_achievements",
    container="AxisAchievements",
    fields=with_former_names(
        (
            Field(name="id", type=FieldType.STRING, label=Label.INTERNAL),
            Field(name="createdAt", type=FieldType.TIMESTAMP, label=Label.INTERNAL),
            Field(name="updatedAt", type=FieldType.TIMESTAMP, label=Label.INTERNAL),
            Field(name="ageGroup", type=FieldType.STRING, label=Label.INTERNAL),
            Field(name="axis", type=FieldType.STRING, label=Label.INTERNAL),
            Field(name="direction", type=FieldType.STRING, label=Label.INTERNAL),
            Field(name="description", type=FieldType.STRING, label=Label.INTERNAL),
        )
    ),
)

BADGE_CONFIGURATIONS: Final = Kind(
    name="badge_configurations",
    container="BadgeConfigurations",
    fields=with_former_names(
        (
            Field(name="id", type=FieldType.STRING, label=Label.INTERNAL),
            Field(name="createdAt", type=FieldType.TIMESTAMP, label=Label.INTERNAL),
            Field(name="updatedAt", type=FieldType.TIMESTAMP, label=Label.INTERNAL),
            Field(name="name", type=FieldType.STRING, label=Label.INTERNAL),
            Field(name="description", type=FieldType.STRING, label=Label.INTERNAL),
            Field(name="axis", type=FieldType.STRING, label=Label.INTERNAL),
            Field(name="threshold", type=FieldType.NUMBER, label=Label.INTERNAL),
            Field(name="message", type=FieldType.STRING, label=Label.INTERNAL),
            Field(name="imageId", type=FieldType.STRING, label=Label.INTERNAL),
            Field(name="mediaIds", type=FieldType.STRINGS, label=Label.INTERNAL),
            Field(name="tags", type=FieldType.JSON, label=Label.INTERNAL),
        )
    ),
)
