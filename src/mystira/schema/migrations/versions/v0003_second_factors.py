"""When a second factor was shown for a sign-in.

A column that may be empty is a line in the catalogue and touches no row: the lock for which writers of
sign-ins wait is held for as long as it takes to commit.
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column. Whoever is signed in has shown none yet."""
    op.add_column("sign_ins", sa.Column("second_factor_at", sa.DateTime(timezone=True)))


def downgrade() -> None:
    """Take it away: staff sign in by their mail alone again."""
    op.drop_column("sign_ins", "second_factor_at")
