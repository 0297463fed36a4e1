"""Accounts with what belongs to them, profiles with their badges."""

from typing import Final

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from mystira.schema.tables.columns import (
    METADATA,
    age_group_check,
    email_check,
    engine_columns,
    filled_moment,
    flag,
    made_id,
    moment,
    one_of,
    open_moment,
    ordinal,
    text,
)

ACCOUNTS_TABLE: Final = sa.Table(
    "accounts",
    METADATA,
    made_id(),
    sa.Column("external_user_id", sa.String(255), unique=True),
    sa.Column("email", sa.String(255), nullable=False),
    text("display_name", ""),
    text("role", "Guest", 50),
    sa.Column("settings", JSONB, server_default=sa.text("'{}'")),
    filled_moment("created_at"),
    moment("updated_at"),
    moment("last_login_at"),
    *engine_columns(),
    email_check("email"),
    one_of("role", "Guest", "User", "Admin", "SuperAdmin"),
)
sa.Index("accounts_email_key", sa.func.lower(ACCOUNTS_TABLE.c.email), unique=True)
sa.Index(None, ACCOUNTS_TABLE.c.role)
sa.Index(None, ACCOUNTS_TABLE.c.created_at)

SUBSCRIPTIONS_TABLE: Final = sa.Table(
    "subscriptions",
    METADATA,
    made_id(),
    sa.Column(
        "account_id",
        sa.Uuid,
        sa.ForeignKey("accounts.id", ondelete="CASCADE"),
        nullable=False,
        unique=True,
    ),
    text("type", "Free", 50),
    sa.Column("product_id", sa.Text),
    text("tier", "Free"),
    flag("is_active", default=True),
    open_moment("valid_until"),
    open_moment("start_date"),
    open_moment("end_date"),
    sa.Column("purchase_token", sa.Text),
    open_moment("last_verified"),
    sa.Column("purchased_scenarios", ARRAY(sa.Text), server_default=sa.text("'{}'")),
    filled_moment("created_at"),
    filled_moment("updated_at"),
    one_of("type", "Free", "Monthly", "Annual", "Lifetime", "Individual"),
)
sa.Index(None, SUBSCRIPTIONS_TABLE.c.type)
# Almost all are active: the few that are not are what an index can find.
sa.Index(
    "subscriptions_inactive_idx",
    SUBSCRIPTIONS_TABLE.c.account_id,
    postgresql_where=sa.not_(SUBSCRIPTIONS_TABLE.c.is_active),
)
sa.Index(
    None,
    SUBSCRIPTIONS_TABLE.c.valid_until,
    postgresql_where=SUBSCRIPTIONS_TABLE.c.valid_until.is_not(None),
)

COMPLETED_SCENARIOS_TABLE: Final = sa.Table(
    "completed_scenarios",
    METADATA,
    made_id(),
    sa.Column("account_id", sa.Uuid, sa.ForeignKey("accounts.id", ondelete="CASCADE"), nullable=False),
    sa.Column("scenario_id", sa.String(255), nullable=False),
    # Documents list what was completed and not when. A row that arrives as a copy was not completed at the
    # moment of its arrival, so there the time stays open.
    sa.Column(
        "completed_at",
        sa.DateTime(timezone=True),
        server_default=sa.text(
            "case when left(current_setting('manystore.mode', true), 5) = 'copy ' then null else now() end"
        ),
    ),
    ordinal(),
    sa.UniqueConstraint("account_id", "scenario_id"),
)
sa.Index(None, COMPLETED_SCENARIOS_TABLE.c.scenario_id)

USER_PROFILES_TABLE: Final = sa.Table(
    "user_profiles",
    METADATA,
    made_id(),
    sa.Column("account_id", sa.Uuid, sa.ForeignKey("accounts.id", ondelete="SET NULL")),
    text("name", ""),
    text("age_group", "6-9", 20),
    sa.Column("date_of_birth", sa.Date),
    flag("is_guest", default=False),
    flag("is_npc", default=False),
    sa.Column("pronouns", sa.Text),
    sa.Column("bio", sa.Text),
    sa.Column("avatar_media_id", sa.Text),
    sa.Column("selected_avatar_media_id", sa.Text),
    sa.Column("preferred_themes", JSONB, server_default=sa.text("'[]'")),
    flag("has_completed_onboarding", default=False),
    filled_moment("created_at"),
    moment("updated_at"),
    *engine_columns(),
    age_group_check("age_group"),
)
sa.Index(None, USER_PROFILES_TABLE.c.account_id)
sa.Index(None, USER_PROFILES_TABLE.c.age_group)
sa.Index(None, USER_PROFILES_TABLE.c.created_at)
sa.Index(
    "user_profiles_guests_idx",
    USER_PROFILES_TABLE.c.created_at,
    postgresql_where=USER_PROFILES_TABLE.c.is_guest,
)
sa.Index(
    "user_profiles_npcs_idx", USER_PROFILES_TABLE.c.created_at, postgresql_where=USER_PROFILES_TABLE.c.is_npc
)
sa.Index(None, USER_PROFILES_TABLE.c.preferred_themes, postgresql_using="gin")

USER_BADGES_TABLE: Final = sa.Table(
    "user_badges",
    METADATA,
    made_id(),
    sa.Column(
        "user_profile_id", sa.Uuid, sa.ForeignKey("user_profiles.id", ondelete="CASCADE"), nullable=False
    ),
    sa.Column("badge_configuration_id", sa.String(255), nullable=False),
    sa.Column("badge_id", sa.Text),
    sa.Column("badge_name", sa.Text, nullable=False),
    text("badge_message", ""),
    sa.Column("axis", sa.String(100), nullable=False),
    sa.Column("trigger_value", sa.Double, nullable=False, default=0.0, server_default=sa.text("0")),
    sa.Column("threshold", sa.Double, nullable=False, default=0.0, server_default=sa.text("0")),
    filled_moment("earned_at"),
    sa.Column("game_session_id", sa.Text),
    sa.Column("scenario_id", sa.Text),
    text("image_id", ""),
    ordinal(),
    sa.UniqueConstraint("user_profile_id", "badge_configuration_id"),
)
sa.Index(None, USER_BADGES_TABLE.c.axis)
sa.Index(None, USER_BADGES_TABLE.c.earned_at)
sa.Index(None, USER_BADGES_TABLE.c.badge_configuration_id)
