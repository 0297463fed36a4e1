"""The tables as they are now. Migrations lead here step by step; a test finds no difference.

Text is bounded where an index holds it, for an index has no room for pages; elsewhere it is `text`, because
a name that an older rule let in must move without loss, and new input is held to its bounds where it comes
in. Columns that stand in for what a document may lack have
both defaults: the engine's (`default`), and the server's for those who write by hand (`server_default`).
"""

from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

EMAIL_FORM: Final = "email ~ '^[A-Za-z0-9.!#$%&''*+/=?^_`{|}~-]+@([A-Za-z0-9-]+[.])+[A-Za-z0-9-]{2,}$'"
"""What mystira.domain.forms.EmailAddress admits, lengths aside."""

METADATA: Final = sa.MetaData(
    naming_convention={
        "pk": "%(table_name)s_pkey",
        "fk": "%(table_name)s_%(column_0_name)s_fkey",
        "uq": "%(table_name)s_%(column_0_N_name)s_key",
        "ck": "%(table_name)s_%(constraint_name)s_check",
        "ix": "%(table_name)s_%(column_0_N_name)s_idx",
    }
)


def _made_id() -> sa.Column[Any]:
    return sa.Column("id", sa.Uuid, primary_key=True, server_default=sa.text("gen_random_uuid()"))


def _flag(name: str, *, default: bool) -> sa.Column[bool]:
    standing = sa.true() if default else sa.false()
    return sa.Column(name, sa.Boolean, nullable=False, default=default, server_default=standing)


def _text(name: str, default: str, length: int | None = None) -> sa.Column[str]:
    kind = sa.Text() if length is None else sa.String(length)
    return sa.Column(name, kind, nullable=False, default=default, server_default=default)


def _moment(name: str) -> sa.Column[Any]:
    """A moment that a document may lack; those who write by hand get the present one."""
    return sa.Column(name, sa.DateTime(timezone=True), server_default=sa.func.now())


def _filled_moment(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now())


def _engine_columns() -> tuple[sa.Column[Any], sa.Column[Any]]:
    version = sa.Column("version", sa.BigInteger, nullable=False, server_default=sa.text("1"))
    return version, sa.Column("residue", sa.Text)


def _ordinal() -> sa.Column[int]:
    """The place in the document's list."""
    return sa.Column("ordinal", sa.Integer, nullable=False, server_default=sa.text("0"))


ACCOUNTS_TABLE: Final = sa.Table(
    "accounts",
    METADATA,
    _made_id(),
    sa.Column("external_user_id", sa.String(255), unique=True),
    sa.Column("email", sa.String(255), nullable=False),
    _text("display_name", ""),
    _text("role", "Guest", 50),
    sa.Column("settings", JSONB, server_default=sa.text("'{}'")),
    _filled_moment("created_at"),
    _moment("updated_at"),
    _moment("last_login_at"),
    *_engine_columns(),
    sa.CheckConstraint(EMAIL_FORM, name="email"),
    sa.CheckConstraint("role in ('Guest', 'User', 'Admin', 'SuperAdmin')", name="role"),
)
sa.Index("accounts_email_key", sa.func.lower(ACCOUNTS_TABLE.c.email), unique=True)
sa.Index(None, ACCOUNTS_TABLE.c.role)
sa.Index(None, ACCOUNTS_TABLE.c.created_at)

SUBSCRIPTIONS_TABLE: Final = sa.Table(
    "subscriptions",
    METADATA,
    _made_id(),
    sa.Column(
        "account_id",
        sa.Uuid,
        sa.ForeignKey("accounts.id", ondelete="CASCADE"),
        nullable=False,
        unique=True,
    ),
    _text("type", "Free", 50),
    sa.Column("product_id", sa.Text),
    _text("tier", "Free"),
    _flag("is_active", default=True),
    sa.Column("valid_until", sa.DateTime(timezone=True)),
    sa.Column("start_date", sa.DateTime(timezone=True)),
    sa.Column("end_date", sa.DateTime(timezone=True)),
    sa.Column("purchase_token", sa.Text),
    sa.Column("last_verified", sa.DateTime(timezone=True)),
    sa.Column("purchased_scenarios", ARRAY(sa.Text), server_default=sa.text("'{}'")),
    _filled_moment("created_at"),
    _filled_moment("updated_at"),
    sa.CheckConstraint("type in ('Free', 'Monthly', 'Annual', 'Lifetime', 'Individual')", name="type"),
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
    _made_id(),
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
    _ordinal(),
    sa.UniqueConstraint("account_id", "scenario_id"),
)
sa.Index(None, COMPLETED_SCENARIOS_TABLE.c.scenario_id)

USER_PROFILES_TABLE: Final = sa.Table(
    "user_profiles",
    METADATA,
    _made_id(),
    sa.Column("account_id", sa.Uuid, sa.ForeignKey("accounts.id", ondelete="SET NULL")),
    _text("name", ""),
    _text("age_group", "6-9", 20),
    sa.Column("date_of_birth", sa.Date),
    _flag("is_guest", default=False),
    _flag("is_npc", default=False),
    sa.Column("pronouns", sa.Text),
    sa.Column("bio", sa.Text),
    sa.Column("avatar_media_id", sa.Text),
    sa.Column("selected_avatar_media_id", sa.Text),
    sa.Column("preferred_themes", JSONB, server_default=sa.text("'[]'")),
    _flag("has_completed_onboarding", default=False),
    _filled_moment("created_at"),
    _moment("updated_at"),
    *_engine_columns(),
    sa.CheckConstraint("age_group ~ '^[0-9]+-[0-9]+$'", name="age_group"),
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
    _made_id(),
    sa.Column(
        "user_profile_id", sa.Uuid, sa.ForeignKey("user_profiles.id", ondelete="CASCADE"), nullable=False
    ),
    sa.Column("badge_configuration_id", sa.String(255), nullable=False),
    sa.Column("badge_id", sa.Text),
    sa.Column("badge_name", sa.Text, nullable=False),
    _text("badge_message", ""),
    sa.Column("axis", sa.String(100), nullable=False),
    sa.Column("trigger_value", sa.Double, nullable=False, default=0.0, server_default=sa.text("0")),
    sa.Column("threshold", sa.Double, nullable=False, default=0.0, server_default=sa.text("0")),
    _filled_moment("earned_at"),
    sa.Column("game_session_id", sa.Text),
    sa.Column("scenario_id", sa.Text),
    _text("image_id", ""),
    _ordinal(),
    sa.UniqueConstraint("user_profile_id", "badge_configuration_id"),
)
sa.Index(None, USER_BADGES_TABLE.c.axis)
sa.Index(None, USER_BADGES_TABLE.c.earned_at)
sa.Index(None, USER_BADGES_TABLE.c.badge_configuration_id)
