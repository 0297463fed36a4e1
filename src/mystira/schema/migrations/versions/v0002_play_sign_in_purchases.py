"""Sessions and scores, sign-ups and sign-ins, consents, requests to be forgotten, purchases.

Creates empty tables. What points to accounts is tied to them at the very end, because a foreign key needs a
lock for which writers of accounts wait: it is held for as long as it takes to commit, and no longer.
"""

from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_STATEMENTS = Path(__file__).parents[1] / "statements"

_TABLES = (
    "game_sessions",
    "player_scenario_scores",
    "pending_signups",
    "sign_ins",
    "parental_consents",
    "deletion_requests",
    "purchases",
)
_TIED = {"game_sessions": "CASCADE", "purchases": "SET NULL"}
"""Those that point to accounts, with what becomes of a row whose account goes."""


def upgrade() -> None:
    """Make the seven tables, their indexes and triggers, and what clears sign-ups away."""
    _create_game_sessions()
    _create_player_scenario_scores()
    _create_pending_signups()
    _create_sign_ins()
    _create_parental_consents()
    _create_deletion_requests()
    _create_purchases()
    _create_indexes()
    _keep_updated_at()
    _execute("0002_capture_up.sql")
    _execute("0002_sign_ups_up.sql")
    _tie_to_accounts()


def downgrade() -> None:
    """Remove all of it, with every row; last what is tied to accounts, which is locked by its going."""
    op.execute("drop function remove_expired_signups()")
    _execute("0002_capture_down.sql")
    for table in reversed(_TABLES):
        if table not in _TIED:
            op.drop_table(table)
    for table in reversed(_TIED):
        op.drop_table(table)


def _execute(name: str) -> None:
    """Run the statements of a file, which are parted by lines of `--;`."""
    text = (_STATEMENTS / name).read_text(encoding="utf-8")
    for statement in text.split("\n--;\n"):
        op.get_bind().exec_driver_sql(statement)


def _id() -> sa.Column[Any]:
    return sa.Column("id", sa.Uuid, nullable=False, server_default=sa.text("gen_random_uuid()"))


def _word(name: str, length: int, *, nullable: bool = True, default: str | None = None) -> sa.Column[Any]:
    return sa.Column(name, sa.String(length), nullable=nullable, server_default=default)


def _columns(kind: Any, *names: str) -> list[sa.Column[Any]]:
    return [sa.Column(name, kind) for name in names]


def _times(*names: str) -> list[sa.Column[Any]]:
    return _columns(sa.DateTime(timezone=True), *names)


def _kept_by_the_row() -> list[sa.Column[Any]]:
    """When it was made and changed, and what the engine keeps of it."""
    moment, now = sa.DateTime(timezone=True), sa.text("now()")
    return [
        sa.Column("created_at", moment, server_default=now),
        sa.Column("updated_at", moment, server_default=now),
        sa.Column("version", sa.BigInteger, nullable=False, server_default=sa.text("1")),
        sa.Column("residue", sa.Text),
    ]


def _flag(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.Boolean, nullable=False, server_default=sa.text("false"))


def _attempts() -> sa.Column[Any]:
    return sa.Column("failed_attempts", sa.SmallInteger, nullable=False, server_default=sa.text("0"))


def _key(table: str) -> sa.PrimaryKeyConstraint:
    return sa.PrimaryKeyConstraint("id", name=f"{table}_pkey")


def _check(table: str, column: str, condition: str) -> sa.CheckConstraint:
    return sa.CheckConstraint(f"{column} {condition}", name=op.f(f"{table}_{column}_check"))


def _email_check(table: str, column: str) -> sa.CheckConstraint:
    form = "^[A-Za-z0-9.!#$%&''*+/=?^_`{|}~-]+@([A-Za-z0-9-]+[.])+[A-Za-z0-9-]{2,}$"
    return _check(table, column, f"~ '{form}'")


def _create_game_sessions() -> None:
    op.create_table(
        "game_sessions",
        _id(),
        *_columns(sa.Uuid, "account_id", "profile_id"),
        _word("scenario_id", 255),
        _word("live_key", 400),
        _word("status", 50, nullable=False, default="NotStarted"),
        *_columns(sa.Text, "current_scene_id", "target_age_group", "selected_character_id"),
        sa.Column("scene_count", sa.Integer),
        *_times("start_time", "end_time", "paused_at"),
        sa.Column("accumulated_pause", sa.Double),
        *_columns(JSONB, "player_names", "character_assignments", "events"),
        *_columns(JSONB, "choice_history", "roll_history", "echo_history", "reveal_history"),
        *_columns(JSONB, "compass_values", "player_compass_totals", "achievements"),
        *_kept_by_the_row(),
        _key("game_sessions"),
        _check(
            "game_sessions",
            "status",
            "in ('NotStarted', 'InProgress', 'Paused', 'Completed', 'Abandoned')",
        ),
        _check("game_sessions", "target_age_group", "~ '^[0-9]+-[0-9]+$'"),
        postgresql_with={"fillfactor": 70},
    )


def _create_player_scenario_scores() -> None:
    op.create_table(
        "player_scenario_scores",
        _id(),
        *_columns(sa.Uuid, "profile_id", "game_session_id", "account_id"),
        _word("scenario_id", 255),
        sa.Column("axis_scores", JSONB),
        *_kept_by_the_row(),
        _key("player_scenario_scores"),
        sa.UniqueConstraint(
            "profile_id", "scenario_id", name="player_scenario_scores_profile_id_scenario_id_key"
        ),
        # Both tables are new, so nobody waits for either.
        sa.ForeignKeyConstraint(
            ["game_session_id"],
            ["game_sessions.id"],
            name="player_scenario_scores_game_session_id_fkey",
            ondelete="SET NULL",
        ),
    )


def _create_pending_signups() -> None:
    op.create_table(
        "pending_signups",
        _id(),
        _word("email", 255, nullable=False),
        sa.Column("display_name", sa.Text, nullable=False, server_default=""),
        sa.Column("code_hash", sa.Text),
        _word("request_id", 255),
        *_times("expires_at"),
        _flag("is_used"),
        _flag("is_signin"),
        _attempts(),
        *_kept_by_the_row(),
        _key("pending_signups"),
        _email_check("pending_signups", "email"),
        _check("pending_signups", "failed_attempts", "between 0 and 10"),
    )


def _create_sign_ins() -> None:
    op.create_table(
        "sign_ins",
        sa.Column("id", sa.String(255, collation="C"), nullable=False),
        sa.Column("account_id", sa.Uuid),
        _word("role", 50),
        *_times("expires_at", "last_seen_at"),
        sa.Column("user_agent", sa.Text),
        *_kept_by_the_row(),
        _key("sign_ins"),
        _check("sign_ins", "role", "in ('Guest', 'User', 'Admin', 'SuperAdmin')"),
        postgresql_with={"fillfactor": 80},
    )


def _create_parental_consents() -> None:
    op.create_table(
        "parental_consents",
        _id(),
        *_columns(sa.Uuid, "child_profile_id", "account_id"),
        _word("parent_email", 255),
        _word("status", 50, nullable=False),
        *_columns(sa.Text, "method", "code_hash", "policy_version"),
        sa.Column("scope", ARRAY(sa.Text)),
        *_times("requested_at", "expires_at", "verified_at", "revoked_at"),
        _attempts(),
        *_kept_by_the_row(),
        _key("parental_consents"),
        _email_check("parental_consents", "parent_email"),
        _check("parental_consents", "failed_attempts", "between 0 and 10"),
    )


def _create_deletion_requests() -> None:
    op.create_table(
        "deletion_requests",
        _id(),
        *_columns(sa.Uuid, "child_profile_id", "account_id"),
        _word("status", 50, nullable=False),
        sa.Column("reason", sa.Text),
        *_times("requested_at", "due_at", "completed_at"),
        *_kept_by_the_row(),
        _key("deletion_requests"),
    )


def _create_purchases() -> None:
    op.create_table(
        "purchases",
        _id(),
        sa.Column("account_id", sa.Uuid),
        _word("bundle_id", 255),
        _word("plan", 50),
        sa.Column("request_id", sa.Uuid),
        sa.Column("scenario_ids", ARRAY(sa.Text)),
        _word("status", 50, nullable=False),
        *_columns(sa.Text, "amount", "currency", "gateway", "reason"),
        _word("reference", 255),
        *_times("charged_at", "granted_at", "refunded_at"),
        *_kept_by_the_row(),
        _key("purchases"),
    )


def _create_indexes() -> None:
    for definition in (
        "index game_sessions_account_id_status_idx on game_sessions (account_id, status)",
        "index game_sessions_profile_id_idx on game_sessions (profile_id)",
        "index game_sessions_scenario_id_idx on game_sessions (scenario_id)",
        "index game_sessions_created_at_idx on game_sessions (created_at)",
        "unique index game_sessions_live_key_key on game_sessions (live_key) where live_key is not null",
        "index player_scenario_scores_game_session_id_idx on player_scenario_scores (game_session_id)",
        "index player_scenario_scores_account_id_idx on player_scenario_scores (account_id)",
        "index player_scenario_scores_scenario_id_idx on player_scenario_scores (scenario_id)",
        "index pending_signups_email_idx on pending_signups (lower(email))",
        "index pending_signups_request_id_idx on pending_signups (request_id)",
        "index pending_signups_expires_at_idx on pending_signups (expires_at)",
        "index sign_ins_account_id_idx on sign_ins (account_id)",
        "index sign_ins_expires_at_idx on sign_ins (expires_at)",
        "index parental_consents_child_profile_id_idx on parental_consents (child_profile_id)",
        "index parental_consents_account_id_idx on parental_consents (account_id)",
        "index parental_consents_unanswered_idx on parental_consents (expires_at) where verified_at is null",
        "index deletion_requests_child_profile_id_idx on deletion_requests (child_profile_id)",
        "index deletion_requests_account_id_idx on deletion_requests (account_id)",
        "index deletion_requests_open_idx on deletion_requests (due_at) where completed_at is null",
        "index purchases_account_id_bundle_id_idx on purchases (account_id, bundle_id)",
        "index purchases_reference_idx on purchases (reference)",
        "index purchases_created_at_idx on purchases (created_at)",
        "index purchases_status_updated_at_idx on purchases (status, updated_at)",
    ):
        op.execute(f"create {definition}")


def _keep_updated_at() -> None:
    """Stamp changes made by hand. The engine's writes bring their own `updated_at`, which must stay exact."""
    for table in _TABLES:
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


def _tie_to_accounts() -> None:
    for table, action in _TIED.items():
        op.create_foreign_key(
            f"{table}_account_id_fkey", table, "accounts", ["account_id"], ["id"], ondelete=action
        )
