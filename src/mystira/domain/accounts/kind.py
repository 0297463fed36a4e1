"""How accounts are declared to the engine: fields, labels, what is unique."""

from typing import Final

from manystore.records import Field, FieldType, Kind, Label, Unique
from mystira.domain.former import with_former_names

_SETTINGS: Final = (
    Field(name="cacheCredentials", type=FieldType.BOOLEAN, label=Label.CONFIDENTIAL),
    Field(name="requireAuthOnStartup", type=FieldType.BOOLEAN, label=Label.CONFIDENTIAL),
    Field(name="preferredLanguage", type=FieldType.STRING, label=Label.CONFIDENTIAL),
    Field(name="notificationsEnabled", type=FieldType.BOOLEAN, label=Label.CONFIDENTIAL),
    Field(name="theme", type=FieldType.STRING, label=Label.CONFIDENTIAL),
)

_SUBSCRIPTION: Final = (
    Field(name="type", type=FieldType.STRING, label=Label.CONFIDENTIAL),
    Field(name="tier", type=FieldType.STRING, label=Label.CONFIDENTIAL),
    Field(name="productId", type=FieldType.STRING, label=Label.CONFIDENTIAL),
    Field(name="isActive", type=FieldType.BOOLEAN, label=Label.CONFIDENTIAL),
    Field(name="validUntil", type=FieldType.TIMESTAMP, label=Label.CONFIDENTIAL),
    Field(name="startDate", type=FieldType.TIMESTAMP, label=Label.CONFIDENTIAL),
    Field(name="endDate", type=FieldType.TIMESTAMP, label=Label.CONFIDENTIAL),
    Field(name="purchaseToken", type=FieldType.STRING, label=Label.RESTRICTED),
    Field(name="lastVerified", type=FieldType.TIMESTAMP, label=Label.CONFIDENTIAL),
    Field(name="purchasedScenarios", type=FieldType.STRINGS, label=Label.CONFIDENTIAL),
)

ACCOUNTS: Final = Kind(
    name="accounts",
    container="Accounts",
    fields=with_former_names(
        (
            Field(name="id", type=FieldType.UUID, label=Label.CONFIDENTIAL),
            Field(name="createdAt", type=FieldType.TIMESTAMP, label=Label.CONFIDENTIAL),
            Field(name="updatedAt", type=FieldType.TIMESTAMP, label=Label.CONFIDENTIAL),
            Field(name="email", type=FieldType.STRING, label=Label.RESTRICTED),
            Field(
                name="externalUserId",
                type=FieldType.STRING,
                label=Label.RESTRICTED,
                # After the provider that there was first.
                aliases=("Auth0UserId",),
            ),
            Field(name="displayName", type=FieldType.STRING, label=Label.RESTRICTED),
            Field(name="role", type=FieldType.STRING, label=Label.CONFIDENTIAL),
            Field(name="settings", type=FieldType.OBJECT, label=Label.CONFIDENTIAL, fields=_SETTINGS),
            Field(name="subscription", type=FieldType.OBJECT, label=Label.RESTRICTED, fields=_SUBSCRIPTION),
            Field(name="completedScenarioIds", type=FieldType.STRINGS, label=Label.CONFIDENTIAL),
            Field(name="lastLoginAt", type=FieldType.TIMESTAMP, label=Label.CONFIDENTIAL),
        )
    ),
    uniques=(
        Unique(name="email", field="email", ignoring_case=True),
        # An identity at the sign-in provider opens one account; two would make sign-in a matter of luck.
        Unique(name="external_user_id", field="externalUserId"),
    ),
)
