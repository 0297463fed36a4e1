"""How parents' consents, and requests to be forgotten, are declared to the engine."""

from typing import Final

from manystore.records import Field, FieldType, Kind, Label
from mystira.domain.former import with_former_names

PARENTAL_CONSENTS: Final = Kind(
    name="parental_consents",
    container="ParentalConsents",
    partition_key="childProfileId",
    fields=with_former_names(
        (
            Field(name="id", type=FieldType.UUID, label=Label.CONFIDENTIAL),
            Field(name="createdAt", type=FieldType.TIMESTAMP, label=Label.CONFIDENTIAL),
            Field(name="updatedAt", type=FieldType.TIMESTAMP, label=Label.CONFIDENTIAL),
            Field(name="childProfileId", type=FieldType.UUID, label=Label.RESTRICTED),
            Field(name="accountId", type=FieldType.UUID, label=Label.CONFIDENTIAL),
            Field(name="parentEmail", type=FieldType.STRING, label=Label.RESTRICTED),
            Field(name="status", type=FieldType.STRING, label=Label.RESTRICTED),
            Field(name="method", type=FieldType.STRING, label=Label.CONFIDENTIAL),
            Field(name="scope", type=FieldType.STRINGS, label=Label.CONFIDENTIAL),
            Field(name="codeHash", type=FieldType.STRING, label=Label.RESTRICTED),
            Field(name="policyVersion", type=FieldType.STRING, label=Label.CONFIDENTIAL),
            Field(name="requestedAt", type=FieldType.TIMESTAMP, label=Label.CONFIDENTIAL),
            Field(name="expiresAt", type=FieldType.TIMESTAMP, label=Label.CONFIDENTIAL),
            Field(name="verifiedAt", type=FieldType.TIMESTAMP, label=Label.CONFIDENTIAL),
            Field(name="revokedAt", type=FieldType.TIMESTAMP, label=Label.CONFIDENTIAL),
            Field(name="failedAttempts", type=FieldType.INTEGER, label=Label.CONFIDENTIAL),
        )
    ),
)

DELETION_REQUESTS: Final = Kind(
    name="deletion_requests",
    container="DataDeletionRequests",
    partition_key="childProfileId",
    fields=with_former_names(
        (
            Field(name="id", type=FieldType.UUID, label=Label.CONFIDENTIAL),
            Field(name="createdAt", type=FieldType.TIMESTAMP, label=Label.CONFIDENTIAL),
            Field(name="updatedAt", type=FieldType.TIMESTAMP, label=Label.CONFIDENTIAL),
            Field(name="childProfileId", type=FieldType.UUID, label=Label.RESTRICTED),
            Field(name="accountId", type=FieldType.UUID, label=Label.CONFIDENTIAL),
            Field(name="status", type=FieldType.STRING, label=Label.CONFIDENTIAL),
            Field(name="reason", type=FieldType.STRING, label=Label.RESTRICTED),
            Field(name="requestedAt", type=FieldType.TIMESTAMP, label=Label.CONFIDENTIAL),
            Field(name="dueAt", type=FieldType.TIMESTAMP, label=Label.CONFIDENTIAL),
            Field(name="completedAt", type=FieldType.TIMESTAMP, label=Label.CONFIDENTIAL),
        )
    ),
)
