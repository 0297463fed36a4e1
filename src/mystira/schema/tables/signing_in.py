"""Those who asked for a code, and those who are signed in. Both are many, short-lived, and soon removed."""

from typing import Final

import sqlalchemy as sa

from mystira.schema.tables.columns import (
    METADATA,
    attempts,
    attempts_check,
    email_check,
    engine_columns,
    flag,
    made_id,
    moment,
    one_of,
    open_moment,
    text,
)

PENDING_SIGNUPS_TABLE: Final = sa.Table(
    "pending_signups",
    METADATA,
    made_id(),
    sa.Column("email", sa.String(255), nullable=False),
    text("display_name", ""),
    sa.Column("code_hash", sa.Text),
    sa.Column("request_id", sa.String(255)),
    open_moment("expires_at"),
    flag("is_used", default=False),
    flag("is_signin", default=False),
    attempts(),
    moment("created_at"),
    moment("updated_at"),
    *engine_columns(),
    email_check("email"),
    attempts_check(),
)
sa.Index("pending_signups_email_idx", sa.func.lower(PENDING_SIGNUPS_TABLE.c.email))
sa.Index(None, PENDING_SIGNUPS_TABLE.c.request_id)
sa.Index(None, PENDING_SIGNUPS_TABLE.c.expires_at)

SIGN_INS_TABLE: Final = sa.Table(
    "sign_ins",
    METADATA,
    sa.Column("id", sa.String(255, collation="C"), primary_key=True),
    sa.Column("account_id", sa.Uuid),
    sa.Column("role", sa.String(50)),
    open_moment("expires_at"),
    open_moment("last_seen_at"),
    sa.Column("user_agent", sa.Text),
    open_moment("second_factor_at"),
    moment("created_at"),
    moment("updated_at"),
    *engine_columns(),
    one_of("role", "Guest", "User", "Admin", "SuperAdmin"),
    # That somebody was seen is written again and again, and no index holds it.
    postgresql_with={"fillfactor": 80},
)
sa.Index(None, SIGN_INS_TABLE.c.account_id)
sa.Index(None, SIGN_INS_TABLE.c.expires_at)
