"""How sign-ups, and who is signed in, are declared to the engine. Codes and tokens are kept as hashes."""

from typing import Final

from manystore.records import Field, FieldType, Kind, Label
from mystira.domain.former import with_former_names

PENDING_SIGNUPS: Final = Kind(
    name="pending_signups",
    container="PendingSignups",
    partition_key="email",
    fields=with_former_names(
        (
            Field(name="id", type=FieldType.UUID, label=Label.CONFIDENTIAL),
            Field(name="createdAt", type=FieldType.TIMESTAMP, label=Label.CONFIDENTIAL),
            Field(name="updatedAt", type=FieldType.TIMESTAMP, label=Label.CONFIDENTIAL),
            Field(name="email", type=FieldType.STRING, label=Label.RESTRICTED),
            Field(name="displayName", type=FieldType.STRING, label=Label.RESTRICTED),
            Field(name="codeHash", type=FieldType.STRING, label=Label.RESTRICTED),
            Field(name="requestId", type=FieldType.STRING, label=Label.RESTRICTED),
            Field(name="expiresAt", type=FieldType.TIMESTAMP, label=Label.CONFIDENTIAL),
            Field(name="isUsed", type=FieldType.BOOLEAN, label=Label.CONFIDENTIAL),
            Field(name="isSignin", type=FieldType.BOOLEAN, label=Label.CONFIDENTIAL),
            Field(name="failedAttempts", type=FieldType.INTEGER, label=Label.CONFIDENTIAL),
        )
    ),
)

SIGN_INS: Final = Kind(
    name="sign_ins",
    container="SignIns",
    fields=with_former_names(
        (
            Field(name="id", type=FieldType.STRING, label=Label.RESTRICTED),
            Field(name="createdAt", type=FieldType.TIMESTAMP, label=Label.CONFIDENTIAL),
            Field(name="updatedAt", type=FieldType.TIMESTAMP, label=Label.CONFIDENTIAL),
            Field(name="accountId", type=FieldType.UUID, label=Label.CONFIDENTIAL),
            Field(name="role", type=FieldType.STRING, label=Label.CONFIDENTIAL),
            Field(name="expiresAt", type=FieldType.TIMESTAMP, label=Label.CONFIDENTIAL),
            Field(name="lastSeenAt", type=FieldType.TIMESTAMP, label=Label.CONFIDENTIAL),
            Field(name="userAgent", type=FieldType.STRING, label=Label.RESTRICTED),
            Field(name="secondFactorAt", type=FieldType.TIMESTAMP, label=Label.CONFIDENTIAL),
        )
    ),
)
