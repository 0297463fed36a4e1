"""How steps with content are declared to the engine. They name staff, and are nobody's to change."""

from typing import Final

from manystore.records import Field, FieldType, Kind, Label

CONTENT_STEPS: Final = Kind(
    name="content_steps",
    container="ContentSteps",
    fields=(
        Field(name="id", type=FieldType.UUID, label=Label.INTERNAL),
        Field(name="createdAt", type=FieldType.TIMESTAMP, label=Label.INTERNAL),
        Field(name="updatedAt", type=FieldType.TIMESTAMP, label=Label.INTERNAL),
        Field(name="actor", type=FieldType.STRING, label=Label.CONFIDENTIAL),
        Field(name="action", type=FieldType.STRING, label=Label.INTERNAL),
        Field(name="subject", type=FieldType.STRING, label=Label.INTERNAL),
        Field(name="reason", type=FieldType.STRING, label=Label.CONFIDENTIAL),
        Field(name="outcome", type=FieldType.STRING, label=Label.INTERNAL),
        Field(name="code", type=FieldType.STRING, label=Label.INTERNAL),
    ),
)
