"""How stories are declared to the engine: the work of authors, which says nothing of any player."""

from typing import Final

from manystore.records import Field, FieldType, Kind, Label
from mystira.domain.former import with_former_names

SCENARIOS: Final = Kind(
    name="scenarios",
    container="Scenarios",
    fields=with_former_names(
        (
            Field(name="id", type=FieldType.STRING, label=Label.INTERNAL),
            Field(name="createdAt", type=FieldType.TIMESTAMP, label=Label.INTERNAL),
            Field(name="updatedAt", type=FieldType.TIMESTAMP, label=Label.INTERNAL),
            Field(name="title", type=FieldType.STRING, label=Label.INTERNAL),
            Field(name="description", type=FieldType.STRING, label=Label.INTERNAL),
            Field(name="tags", type=FieldType.STRINGS, label=Label.INTERNAL),
            Field(name="difficulty", type=FieldType.STRING, label=Label.INTERNAL),
            Field(name="sessionLength", type=FieldType.STRING, label=Label.INTERNAL),
            Field(name="archetypes", type=FieldType.STRINGS, label=Label.INTERNAL),
            Field(name="ageGroup", type=FieldType.STRING, label=Label.INTERNAL),
            Field(name="minimumAge", type=FieldType.INTEGER, label=Label.INTERNAL),
            Field(name="coreAxes", type=FieldType.STRINGS, label=Label.INTERNAL),
            Field(name="characters", type=FieldType.JSON, label=Label.INTERNAL),
            Field(name="scenes", type=FieldType.JSON, label=Label.INTERNAL),
            Field(name="isActive", type=FieldType.BOOLEAN, label=Label.INTERNAL),
            Field(name="isFeatured", type=FieldType.BOOLEAN, label=Label.INTERNAL),
            Field(name="image", type=FieldType.STRING, label=Label.INTERNAL),
            Field(name="musicPalette", type=FieldType.JSON, label=Label.INTERNAL),
            Field(name="ipAsset", type=FieldType.JSON, label=Label.INTERNAL),
        )
    ),
)
