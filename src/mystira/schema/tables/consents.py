"""What parents consented to, and who asked to be forgotten.

Neither has a foreign key: both outlive the profile that they speak of, as proof of what was asked and done.
"""

from typing import Final

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

from mystira.schema.tables.columns import (
    METADATA,
    attempts,
    attempts_check,
    email_check,
    engine_columns,
    made_id,
    moment,
    open_moment,
)

PARENTAL_CONSENTS_TABLE: Final = sa.Table(
    "parental_consents",
    METADATA,
    made_id(),
    sa.Column("child_profile_id", sa.Uuid),
    sa.Column("account_id", sa.Uuid),
    sa.Column("parent_email", sa.String(255)),
    sa.Column("status", sa.String(50), nullable=False),
    sa.Column("method", sa.Text),
    sa.Column("scope", ARRAY(sa.Text)),
    sa.Column("code_hash", sa.Text),
    sa.Column("policy_version", sa.Text),
    open_moment("requested_at"),
    open_moment("expires_at"),
    open_moment("verified_at"),
    open_moment("revoked_at"),
    attempts(),
    moment("created_at"),
    moment("updated_at"),
    *engine_columns(),
    email_check("parent_email"),
    attempts_check(),
)
sa.Index(None, PARENTAL_CONSENTS_TABLE.c.child_profile_id)
sa.Index(None, PARENTAL_CONSENTS_TABLE.c.account_id)
# Who waits for an answer are few at any time.
sa.Index(
    "parental_consents_unanswered_idx",
    PARENTAL_CONSENTS_TABLE.c.expires_at,
    postgresql_where=PARENTAL_CONSENTS_TABLE.c.verified_at.is_(None),
)

DELETION_REQUESTS_TABLE: Final = sa.Table(
    "deletion_requests",
    METADATA,
    made_id(),
    sa.Column("child_profile_id", sa.Uuid),
    sa.Column("account_id", sa.Uuid),
    sa.Column("status", sa.String(50), nullable=False),
    sa.Column("reason", sa.Text),
    open_moment("requested_at"),
    open_moment("due_at"),
    open_moment("completed_at"),
    moment("created_at"),
    moment("updated_at"),
    *engine_columns(),
)
sa.Index(None, DELETION_REQUESTS_TABLE.c.child_profile_id)
sa.Index(None, DELETION_REQUESTS_TABLE.c.account_id)
# What is still to be done, most urgent first.
sa.Index(
    "deletion_requests_open_idx",
    DELETION_REQUESTS_TABLE.c.due_at,
    postgresql_where=DELETION_REQUESTS_TABLE.c.completed_at.is_(None),
)
