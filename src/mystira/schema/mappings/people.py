"""How accounts and profiles lie in the tables."""

from typing import Final

from manystore.stores.postgres import ManyPart, Mapping, OnePart, StringsPart
from mystira.domain.accounts.kind import ACCOUNTS
from mystira.domain.profiles.kind import USER_PROFILES
from mystira.schema.tables.people import (
    ACCOUNTS_TABLE,
    COMPLETED_SCENARIOS_TABLE,
    SUBSCRIPTIONS_TABLE,
    USER_BADGES_TABLE,
    USER_PROFILES_TABLE,
)

ACCOUNTS_MAPPING: Final = Mapping(
    kind=ACCOUNTS,
    table=ACCOUNTS_TABLE,
    columns={
        "id": "id",
        "createdAt": "created_at",
        "updatedAt": "updated_at",
        "email": "email",
        "externalUserId": "external_user_id",
        "displayName": "display_name",
        "role": "role",
        "settings": "settings",
        "lastLoginAt": "last_login_at",
    },
    parts=(
        OnePart(
            property="subscription",
            table=SUBSCRIPTIONS_TABLE,
            parent="account_id",
            columns={
                "type": "type",
                "tier": "tier",
                "productId": "product_id",
                "isActive": "is_active",
                "validUntil": "valid_until",
                "startDate": "start_date",
                "endDate": "end_date",
                "purchaseToken": "purchase_token",
                "lastVerified": "last_verified",
                "purchasedScenarios": "purchased_scenarios",
            },
        ),
        StringsPart(
            property="completedScenarioIds",
            table=COMPLETED_SCENARIOS_TABLE,
            parent="account_id",
            column="scenario_id",
            ordinal="ordinal",
        ),
    ),
    constraints={
        "accounts_email_key": "email",
        "accounts_email_check": "email",
        "accounts_external_user_id_key": "externalUserId",
        "accounts_role_check": "role",
        "subscriptions_type_check": "subscription.type",
    },
)

USER_PROFILES_MAPPING: Final = Mapping(
    kind=USER_PROFILES,
    table=USER_PROFILES_TABLE,
    columns={
        "id": "id",
        "createdAt": "created_at",
        "updatedAt": "updated_at",
        "accountId": "account_id",
        "name": "name",
        "ageGroup": "age_group",
        "dateOfBirth": "date_of_birth",
        "isGuest": "is_guest",
        "isNpc": "is_npc",
        "pronouns": "pronouns",
        "bio": "bio",
        "avatarMediaId": "avatar_media_id",
        "selectedAvatarMediaId": "selected_avatar_media_id",
        "preferredThemes": "preferred_themes",
        "hasCompletedOnboarding": "has_completed_onboarding",
    },
    parts=(
        ManyPart(
            property="earnedBadges",
            table=USER_BADGES_TABLE,
            parent="user_profile_id",
            ordinal="ordinal",
            key="badgeConfigurationId",
            columns={
                "id": "id",
                "badgeConfigurationId": "badge_configuration_id",
                "badgeName": "badge_name",
                "axis": "axis",
                "earnedAt": "earned_at",
                "badgeId": "badge_id",
                "badgeMessage": "badge_message",
                "triggerValue": "trigger_value",
                "threshold": "threshold",
                "gameSessionId": "game_session_id",
                "scenarioId": "scenario_id",
                "imageId": "image_id",
            },
        ),
    ),
    constraints={
        "user_profiles_age_group_check": "ageGroup",
        "user_badges_pkey": "earnedBadges.id",
    },
)
