"""How profiles are declared to the engine. What describes a child is Restricted, down to each badge."""

from typing import Final

from manystore.records import Field, FieldType, Kind, Label, Parent
from mystira.domain.former import with_former_names

_BADGE: Final = (
    Field(name="id", type=FieldType.UUID, label=Label.CONFIDENTIAL),
    Field(name="badgeConfigurationId", type=FieldType.STRING, label=Label.RESTRICTED),
    Field(name="badgeName", type=FieldType.STRING, label=Label.RESTRICTED),
    Field(name="axis", type=FieldType.STRING, label=Label.RESTRICTED),
    Field(name="earnedAt", type=FieldType.TIMESTAMP, label=Label.RESTRICTED),
    Field(name="badgeId", type=FieldType.STRING, label=Label.RESTRICTED),
    Field(name="badgeMessage", type=FieldType.STRING, label=Label.RESTRICTED),
    Field(name="triggerValue", type=FieldType.NUMBER, label=Label.RESTRICTED),
    Field(name="threshold", type=FieldType.NUMBER, label=Label.RESTRICTED),
    Field(name="gameSessionId", type=FieldType.STRING, label=Label.RESTRICTED),
    Field(name="scenarioId", type=FieldType.STRING, label=Label.RESTRICTED),
    Field(name="imageId", type=FieldType.STRING, label=Label.RESTRICTED),
)

USER_PROFILES: Final = Kind(
    name="user_profiles",
    container="UserProfiles",
    fields=with_former_names(
        (
            Field(name="id", type=FieldType.UUID, label=Label.CONFIDENTIAL),
            Field(name="createdAt", type=FieldType.TIMESTAMP, label=Label.CONFIDENTIAL),
            Field(name="updatedAt", type=FieldType.TIMESTAMP, label=Label.CONFIDENTIAL),
            Field(name="accountId", type=FieldType.UUID, label=Label.CONFIDENTIAL),
            Field(name="name", type=FieldType.STRING, label=Label.RESTRICTED),
            Field(name="ageGroup", type=FieldType.STRING, label=Label.RESTRICTED),
            Field(name="dateOfBirth", type=FieldType.DATE, label=Label.RESTRICTED),
            Field(name="isGuest", type=FieldType.BOOLEAN, label=Label.CONFIDENTIAL),
            Field(name="isNpc", type=FieldType.BOOLEAN, label=Label.CONFIDENTIAL),
            Field(name="pronouns", type=FieldType.STRING, label=Label.RESTRICTED),
            Field(name="bio", type=FieldType.STRING, label=Label.RESTRICTED),
            Field(name="avatarMediaId", type=FieldType.STRING, label=Label.RESTRICTED),
            Field(name="selectedAvatarMediaId", type=FieldType.STRING, label=Label.RESTRICTED),
            Field(name="preferredThemes", type=FieldType.STRINGS, label=Label.RESTRICTED),
            Field(name="hasCompletedOnboarding", type=FieldType.BOOLEAN, label=Label.CONFIDENTIAL),
            Field(name="earnedBadges", type=FieldType.OBJECTS, label=Label.RESTRICTED, fields=_BADGE),
        )
    ),
    parents=(Parent(field="accountId", kind="accounts"),),
)
