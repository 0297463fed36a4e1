"""How bundles of stories are declared to the engine."""

from typing import Final

from manystore.records import Field, FieldType, Kind, Label
from mystira.domain.former import with_former_names

CONTENT_BUNDLES: Final = Kind(
    name="content_bundles",
    container="ContentBundles",
    fields=with_former_names(
        (
            Field(name="id", type=FieldType.STRING, label=Label.INTERNAL),
            Field(name="createdAt", type=FieldType.TIMESTAMP, label=Label.INTERNAL),
            Field(name="updatedAt", type=FieldType.TIMESTAMP, label=Label.INTERNAL),
            Field(name="title", type=FieldType.STRING, label=Label.INTERNAL),
            Field(name="description", type=FieldType.STRING, label=Label.INTERNAL),
            Field(name="scenarioIds", type=FieldType.STRINGS, label=Label.INTERNAL),
            Field(name="imageId", type=FieldType.STRING, label=Label.INTERNAL),
            Field(name="prices", type=FieldType.JSON, label=Label.INTERNAL),
            Field(name="isFree", type=FieldType.BOOLEAN, label=Label.INTERNAL),
            Field(name="isActive", type=FieldType.BOOLEAN, label=Label.INTERNAL),
            Field(name="ageGroup", type=FieldType.STRING, label=Label.INTERNAL),
        )
    ),
)
