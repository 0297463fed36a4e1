"""The tables as they are now. Migrations lead here step by step; a test finds no difference.

Text is bounded where an index holds it, for an index has no room for pages; elsewhere it is `text`, because
a name that an older rule let in must move without loss, and new input is held to its bounds where it comes
in.
"""

from mystira.schema.tables.columns import METADATA
from mystira.schema.tables.people import (
    ACCOUNTS_TABLE,
    COMPLETED_SCENARIOS_TABLE,
    SUBSCRIPTIONS_TABLE,
    USER_BADGES_TABLE,
    USER_PROFILES_TABLE,
)

__all__ = [
    "ACCOUNTS_TABLE",
    "COMPLETED_SCENARIOS_TABLE",
    "METADATA",
    "SUBSCRIPTIONS_TABLE",
    "USER_BADGES_TABLE",
    "USER_PROFILES_TABLE",
]
