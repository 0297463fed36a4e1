"""How each kind lies in the tables: which property feeds which column, and whose fault a refusal is."""

from typing import Final

from mystira.schema.mappings.consents import DELETION_REQUESTS_MAPPING, PARENTAL_CONSENTS_MAPPING
from mystira.schema.mappings.people import ACCOUNTS_MAPPING, USER_PROFILES_MAPPING
from mystira.schema.mappings.play import GAME_SESSIONS_MAPPING, PLAYER_SCENARIO_SCORES_MAPPING
from mystira.schema.mappings.purchases import PURCHASES_MAPPING
from mystira.schema.mappings.signing_in import PENDING_SIGNUPS_MAPPING, SIGN_INS_MAPPING

MAPPINGS: Final = (
    ACCOUNTS_MAPPING,
    USER_PROFILES_MAPPING,
    GAME_SESSIONS_MAPPING,
    PLAYER_SCENARIO_SCORES_MAPPING,
    PENDING_SIGNUPS_MAPPING,
    SIGN_INS_MAPPING,
    PARENTAL_CONSENTS_MAPPING,
    DELETION_REQUESTS_MAPPING,
    PURCHASES_MAPPING,
)
"""Every kind that has a relational home, parents before their children."""
