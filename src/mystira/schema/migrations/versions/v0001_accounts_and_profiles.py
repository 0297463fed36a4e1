"""Accounts with subscriptions and completed scenarios; profiles with badges; capture of their changes.

Creates empty tables only, so no write of anybody's waits for it.
"""

from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_STATEMENTS = Path(__file__).parents[1] / "statements"


def upgrade() -> None:
    """Make the five tables, their indexes, triggers and views."""
    _create_accounts()
    _create_subscriptions()
    _create_completed_scenarios()
    _create_user_profiles()
    _create_user_badges()
    _create_indexes()
    _keep_updated_at()
    _create_views()
    _execute("0001_capture_up.sql")


def downgrade() -> None:
    """Remove all of it, with every row."""
    op.execute("drop view user_profiles_with_account")
    op.execute("drop view active_subscriptions")
    _execute("0001_capture_down.sql")
    for table in ("user_badges", "user_profiles", "completed_scenarios", "subscriptions", "accounts"):
        op.drop_table(table)
    op.execute("drop function touch_updated_at()")


def _execute(name: str) -> None:
    """Run the statements of a file, which are parted by lines of `--;`."""
    text = (_STATEMENTS / name).read_text(encoding="utf-8")
    for statement in text.split("\n--;\n"):
        op.get_bind().exec_driver_sql(statement)


def _id() -> sa.Column[Any]:
    return sa.Column("id", sa.Uuid, nullable=False, server_default=sa.text("gen_random_uuid()"))


def _text(name: str, default: str | None = None) -> sa.Column[Any]:
    return sa.Column(name, sa.Text, nullable=default is None, server_default=default)


def _word(name: str, length: int, default: str | None = None) -> sa.Column[Any]:
    return sa.Column(name, sa.String(length), nullable=False, server_default=default)


def _flag(name: str, default: str) -> sa.Column[Any]:
    return sa.Column(name, sa.Boolean, nullable=False, server_default=sa.text(default))


def _time(name: str, *, nullable: bool, default: str | None) -> sa.Column[Any]:
    text = None if default is None else sa.text(default)
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable, server_default=text)


def _version() -> sa.Column[Any]:
    return sa.Column("version", sa.BigInteger, nullable=False, server_default=sa.text("1"))


def _ordinal() -> sa.Column[Any]:
    return sa.Column("ordinal", sa.Integer, nullable=False, server_default=sa.text("0"))


def _create_accounts() -> None:
    op.create_table(
        "accounts",
        _id(),
        sa.Column("external_user_id", sa.String(255)),
        _word("email", 255),
        _text("display_name", ""),
        _word("role", 50, "Guest"),
        sa.Column("settings", JSONB, server_default=sa.text("'{}'")),
        _time("created_at", nullable=False, default="now()"),
        _time("updated_at", nullable=True, default="now()"),
        _time("last_login_at", nullable=True, default="now()"),
        _version(),
        sa.Column("residue", sa.Text),
        sa.PrimaryKeyConstraint("id", name="accounts_pkey"),
        sa.UniqueConstraint("external_user_id", name="accounts_external_user_id_key"),
        sa.CheckConstraint(
            "email ~ '^[A-Za-z0-9.!#$%&''*+/=?^_`{|}~-]+@([A-Za-z0-9-]+[.])+[A-Za-z0-9-]{2,}$'",
            name=op.f("accounts_email_check"),
        ),
        sa.CheckConstraint(
            "role in ('Guest', 'User', 'Admin', 'SuperAdmin')", name=op.f("accounts_role_check")
        ),
    )


def _create_subscriptions() -> None:
    op.create_table(
        "subscriptions",
        _id(),
        sa.Column("account_id", sa.Uuid, nullable=False),
        _word("type", 50, "Free"),
        _text("product_id"),
        _text("tier", "Free"),
        _flag("is_active", "true"),
        _time("valid_until", nullable=True, default=None),
        _time("start_date", nullable=True, default=None),
        _time("end_date", nullable=True, default=None),
        _text("purchase_token"),
        _time("last_verified", nullable=True, default=None),
        sa.Column("purchased_scenarios", ARRAY(sa.Text), server_default=sa.text("'{}'")),
        _time("created_at", nullable=False, default="now()"),
        _time("updated_at", nullable=False, default="now()"),
        sa.PrimaryKeyConstraint("id", name="subscriptions_pkey"),
        sa.UniqueConstraint("account_id", name="subscriptions_account_id_key"),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name="subscriptions_account_id_fkey", ondelete="CASCADE"
        ),
        sa.CheckConstraint(
            "type in ('Free', 'Monthly', 'Annual', 'Lifetime', 'Individual')",
            name=op.f("subscriptions_type_check"),
        ),
    )


def _create_completed_scenarios() -> None:
    unless_copied = (
        "case when left(current_setting('manystore.mode', true), 5) = 'copy ' then null else now() end"
    )
    op.create_table(
        "completed_scenarios",
        _id(),
        sa.Column("account_id", sa.Uuid, nullable=False),
        _word("scenario_id", 255),
        _time("completed_at", nullable=True, default=unless_copied),
        _ordinal(),
        sa.PrimaryKeyConstraint("id", name="completed_scenarios_pkey"),
        sa.UniqueConstraint(
            "account_id", "scenario_id", name="completed_scenarios_account_id_scenario_id_key"
        ),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name="completed_scenarios_account_id_fkey", ondelete="CASCADE"
        ),
    )


def _create_user_profiles() -> None:
    op.create_table(
        "user_profiles",
        _id(),
        sa.Column("account_id", sa.Uuid),
        _text("name", ""),
        _word("age_group", 20, "6-9"),
        sa.Column("date_of_birth", sa.Date),
        _flag("is_guest", "false"),
        _flag("is_npc", "false"),
        _text("pronouns"),
        _text("bio"),
        _text("avatar_media_id"),
        _text("selected_avatar_media_id"),
        sa.Column("preferred_themes", JSONB, server_default=sa.text("'[]'")),
        _flag("has_completed_onboarding", "false"),
        _time("created_at", nullable=False, default="now()"),
        _time("updated_at", nullable=True, default="now()"),
        _version(),
        sa.Column("residue", sa.Text),
        sa.PrimaryKeyConstraint("id", name="user_profiles_pkey"),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name="user_profiles_account_id_fkey", ondelete="SET NULL"
        ),
        sa.CheckConstraint("age_group ~ '^[0-9]+-[0-9]+$'", name=op.f("user_profiles_age_group_check")),
    )


def _create_user_badges() -> None:
    op.create_table(
        "user_badges",
        _id(),
        sa.Column("user_profile_id", sa.Uuid, nullable=False),
        _word("badge_configuration_id", 255),
        _text("badge_id"),
        sa.Column("badge_name", sa.Text, nullable=False),
        _text("badge_message", ""),
        _word("axis", 100),
        sa.Column("trigger_value", sa.Double, nullable=False, server_default=sa.text("0")),
        sa.Column("threshold", sa.Double, nullable=False, server_default=sa.text("0")),
        _time("earned_at", nullable=False, default="now()"),
        _text("game_session_id"),
        _text("scenario_id"),
        _text("image_id", ""),
        _ordinal(),
        sa.PrimaryKeyConstraint("id", name="user_badges_pkey"),
        sa.UniqueConstraint(
            "user_profile_id",
            "badge_configuration_id",
            name="user_badges_user_profile_id_badge_configuration_id_key",
        ),
        sa.ForeignKeyConstraint(
            ["user_profile_id"],
            ["user_profiles.id"],
            name="user_badges_user_profile_id_fkey",
            ondelete="CASCADE",
        ),
    )


def _create_indexes() -> None:
    for definition in (
        "unique index accounts_email_key on accounts (lower(email))",
        "index accounts_role_idx on accounts (role)",
        "index accounts_created_at_idx on accounts (created_at)",
        "index subscriptions_type_idx on subscriptions (type)",
        "index subscriptions_inactive_idx on subscriptions (account_id) where not is_active",
        "index subscriptions_valid_until_idx on subscriptions (valid_until) where valid_until is not null",
        "index completed_scenarios_scenario_id_idx on completed_scenarios (scenario_id)",
        "index user_profiles_account_id_idx on user_profiles (account_id)",
        "index user_profiles_age_group_idx on user_profiles (age_group)",
        "index user_profiles_created_at_idx on user_profiles (created_at)",
        "index user_profiles_guests_idx on user_profiles (created_at) where is_guest",
        "index user_profiles_npcs_idx on user_profiles (created_at) where is_npc",
        "index user_profiles_preferred_themes_idx on user_profiles using gin (preferred_themes)",
        "index user_badges_axis_idx on user_badges (axis)",
        "index user_badges_earned_at_idx on user_badges (earned_at)",
        "index user_badges_badge_configuration_id_idx on user_badges (badge_configuration_id)",
    ):
        op.execute(f"create {definition}")


def _keep_updated_at() -> None:
    """Stamp changes made by hand. The engine's writes bring their own `updated_at`, which must stay exact."""
    op.execute(
        """
        create function touch_updated_at() returns trigger language plpgsql as $$
        begin
            new.updated_at := now();
            return new;
        end $$
        """
    )
    for table in ("accounts", "user_profiles"):
        op.execute(
            f"""
            create trigger touch_updated_at before update on {table} for each row
            when (
                old.* is distinct from new.*
                and coalesce(current_setting('manystore.mode', true), '')
                    not in ('put {table}', 'copy {table}')
            )
            execute function touch_updated_at()
            """
        )
    # A subscription's times are those of its row; no document has them.
    op.execute(
        """
        create trigger touch_updated_at before update on subscriptions for each row
        when (old.* is distinct from new.*) execute function touch_updated_at()
        """
    )


def _create_views() -> None:
    op.execute(
        """
        create view active_subscriptions as
        select held.account_id, holder.email, holder.display_name, held.type, held.tier, held.product_id,
               held.start_date, held.valid_until, held.last_verified, held.purchased_scenarios
        from subscriptions as held
        join accounts as holder on holder.id = held.account_id
        where held.is_active and (held.valid_until is null or held.valid_until > now())
        """
    )
    op.execute(
        """
        create view user_profiles_with_account as
        select profile.id, profile.account_id, profile.name, profile.age_group, profile.date_of_birth,
               profile.is_guest, profile.is_npc, profile.pronouns, profile.bio, profile.avatar_media_id,
               profile.selected_avatar_media_id, profile.preferred_themes,
               profile.has_completed_onboarding, profile.created_at, profile.updated_at,
               owner.email as account_email, owner.display_name as account_display_name,
               owner.role as account_role, held.type as subscription_type,
               held.tier as subscription_tier, held.is_active as subscription_active
        from user_profiles as profile
        left join accounts as owner on owner.id = profile.account_id
        left join subscriptions as held on held.account_id = owner.id
        """
    )
