"""The tables as they are now. Migrations lead here step by step; a test finds no difference.

Text is bounded where an index holds it, for an index has no room for pages; elsewhere it is `text`, because
a name that an older rule let in must move without loss, and new input is held to its bounds where it comes
in.
"""

from mystira.schema.tables.columns import METADATA
from mystira.schema.tables.consents import DELETION_REQUESTS_TABLE, PARENTAL_CONSENTS_TABLE
from mystira.schema.tables.people import (
    ACCOUNTS_TABLE,
    COMPLETED_SCENARIOS_TABLE,
    SUBSCRIPTIONS_TABLE,
    USER_BADGES_TABLE,
    USER_PROFILES_TABLE,
)
from mystira.schema.tables.play import GAME_SESSIONS_TABLE, PLAYER_SCENARIO_SCORES_TABLE
from mystira.schema.tables.purchases import PURCHASES_TABLE
from mystira.schema.tables.signing_in import PENDING_SIGNUPS_TABLE, SIGN_INS_TABLE

__all__ = [
    "ACCOUNTS_TABLE",
    "COMPLETED_SCENARIOS_TABLE",
    "DELETION_REQUESTS_TABLE",
    "GAME_SESSIONS_TABLE",
    "METADATA",
    "PARENTAL_CONSENTS_TABLE",
    "PENDING_SIGNUPS_TABLE",
    "PLAYER_SCENARIO_SCORES_TABLE",
    "PURCHASES_TABLE",
    "SIGN_INS_TABLE",
    "SUBSCRIPTIONS_TABLE",
    "USER_BADGES_TABLE",
    "USER_PROFILES_TABLE",
]
