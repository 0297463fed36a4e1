"""How the movements on each axis are declared to the engine, kept until analytics takes them over."""

from typing import Final

from manystore.records import Field, FieldType, Kind, Label
from mystira.domain.former import with_former_names

COMPASS_TRACKINGS: Final = Kind(
    name="compass_trackings",
    container="CompassTrackings",
    partition_key="axis",
    fields=with_former_names(
        (
            Field(name="id", type=FieldType.STRING, label=Label.CONFIDENTIAL),
            Field(name="createdAt", type=FieldType.TIMESTAMP, label=Label.CONFIDENTIAL),
            Field(name="updatedAt", type=FieldType.TIMESTAMP, label=Label.CONFIDENTIAL),
            Field(name="axis", type=FieldType.STRING, label=Label.CONFIDENTIAL),
            Field(name="profileId", type=FieldType.UUID, label=Label.CONFIDENTIAL),
            Field(name="gameSessionId", type=FieldType.UUID, label=Label.CONFIDENTIAL),
            Field(name="scenarioId", type=FieldType.STRING, label=Label.CONFIDENTIAL),
            Field(name="delta", type=FieldType.NUMBER, label=Label.CONFIDENTIAL),
            Field(name="at", type=FieldType.TIMESTAMP, label=Label.CONFIDENTIAL),
        )
    ),
)
