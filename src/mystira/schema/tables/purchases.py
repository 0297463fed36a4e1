"""What was bought. A purchase outlives its account: books are kept, and say no longer whose it was."""

from typing import Final

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

from mystira.schema.tables.columns import METADATA, engine_columns, made_id, moment, open_moment

PURCHASES_TABLE: Final = sa.Table(
    "purchases",
    METADATA,
    made_id(),
    sa.Column("account_id", sa.Uuid, sa.ForeignKey("accounts.id", ondelete="SET NULL")),
    sa.Column("bundle_id", sa.String(255)),
    sa.Column("plan", sa.String(50)),
    sa.Column("request_id", sa.Uuid),
    sa.Column("scenario_ids", ARRAY(sa.Text)),
    sa.Column("status", sa.String(50), nullable=False),
    sa.Column("amount", sa.Text),
    sa.Column("currency", sa.Text),
    sa.Column("gateway", sa.Text),
    sa.Column("reference", sa.String(255)),
    sa.Column("reason", sa.Text),
    open_moment("charged_at"),
    open_moment("granted_at"),
    open_moment("refunded_at"),
    moment("created_at"),
    moment("updated_at"),
    *engine_columns(),
)
sa.Index(None, PURCHASES_TABLE.c.account_id, PURCHASES_TABLE.c.bundle_id)
sa.Index(None, PURCHASES_TABLE.c.reference)
sa.Index(None, PURCHASES_TABLE.c.created_at)
# Workers look all the time for the few that are under way.
sa.Index(None, PURCHASES_TABLE.c.status, PURCHASES_TABLE.c.updated_at)
