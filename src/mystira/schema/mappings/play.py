"""How sessions and scores lie in the tables."""

from typing import Final

from manystore.stores.postgres import Mapping
from mystira.domain.scores.kind import PLAYER_SCENARIO_SCORES
from mystira.domain.sessions.kind import GAME_SESSIONS
from mystira.schema.mappings.naming import columns_by_name
from mystira.schema.tables.play import GAME_SESSIONS_TABLE, PLAYER_SCENARIO_SCORES_TABLE

GAME_SESSIONS_MAPPING: Final = Mapping(
    kind=GAME_SESSIONS,
    table=GAME_SESSIONS_TABLE,
    columns=columns_by_name(GAME_SESSIONS),
    constraints={
        "game_sessions_status_check": "status",
        "game_sessions_target_age_group_check": "targetAgeGroup",
    },
)

PLAYER_SCENARIO_SCORES_MAPPING: Final = Mapping(
    kind=PLAYER_SCENARIO_SCORES,
    table=PLAYER_SCENARIO_SCORES_TABLE,
    columns=columns_by_name(PLAYER_SCENARIO_SCORES),
    # Of the two that must differ together, the one by which a player would look.
    constraints={"player_scenario_scores_profile_id_scenario_id_key": "scenarioId"},
)
