"""How second factors are declared to the engine. Secrets are sealed, recovery codes kept as hashes."""

from typing import Final

from manystore.records import Field, FieldType, Kind, Label

SECOND_FACTORS: Final = Kind(
    name="second_factors",
    container="SecondFactors",
    fields=(
        Field(name="id", type=FieldType.UUID, label=Label.CONFIDENTIAL),
        Field(name="createdAt", type=FieldType.TIMESTAMP, label=Label.CONFIDENTIAL),
        Field(name="updatedAt", type=FieldType.TIMESTAMP, label=Label.CONFIDENTIAL),
        Field(name="sealedSecret", type=FieldType.STRING, label=Label.RESTRICTED),
        Field(name="confirmedAt", type=FieldType.TIMESTAMP, label=Label.CONFIDENTIAL),
        Field(name="lastStep", type=FieldType.INTEGER, label=Label.CONFIDENTIAL),
        Field(name="recoveryHashes", type=FieldType.STRINGS, label=Label.RESTRICTED),
        Field(name="failedAttempts", type=FieldType.INTEGER, label=Label.CONFIDENTIAL),
        Field(name="triedAt", type=FieldType.TIMESTAMP, label=Label.CONFIDENTIAL),
    ),
)
