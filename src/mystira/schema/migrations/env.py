"""Where Alembic comes in: it runs on the connection that `mystira.schema.upgrades` hands over."""

from alembic import context
from sqlalchemy import Connection

from mystira.schema.tables import METADATA


def _run(connection: Connection) -> None:
    # Each step in a transaction of its own, so that a step that must build an index beside running writes
    # can leave it, and one that has been refused leaves the former ones standing.
    context.configure(connection=connection, target_metadata=METADATA, transaction_per_migration=True)
    with context.begin_transaction():
        context.run_migrations()


_run(context.config.attributes["connection"])
