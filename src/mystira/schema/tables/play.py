"""Sessions with all that happened in them, and the scores that they left."""

from typing import Final

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from mystira.schema.tables.columns import (
    METADATA,
    age_group_check,
    engine_columns,
    made_id,
    moment,
    one_of,
    open_moment,
    text,
)

GAME_SESSIONS_TABLE: Final = sa.Table(
    "game_sessions",
    METADATA,
    made_id(),
    sa.Column("account_id", sa.Uuid, sa.ForeignKey("accounts.id", ondelete="CASCADE")),
    sa.Column("profile_id", sa.Uuid),
    sa.Column("scenario_id", sa.String(255)),
    # Three ids and what parts them.
    sa.Column("live_key", sa.String(400)),
    text("status", "NotStarted", 50),
    sa.Column("current_scene_id", sa.Text),
    sa.Column("scene_count", sa.Integer),
    sa.Column("target_age_group", sa.Text),
    sa.Column("selected_character_id", sa.Text),
    open_moment("start_time"),
    open_moment("end_time"),
    open_moment("paused_at"),
    sa.Column("accumulated_pause", sa.Double),
    moment("created_at"),
    moment("updated_at"),
    sa.Column("player_names", JSONB),
    sa.Column("character_assignments", JSONB),
    sa.Column("events", JSONB),
    sa.Column("choice_history", JSONB),
    sa.Column("roll_history", JSONB),
    sa.Column("echo_history", JSONB),
    sa.Column("reveal_history", JSONB),
    sa.Column("compass_values", JSONB),
    sa.Column("player_compass_totals", JSONB),
    sa.Column("achievements", JSONB),
    *engine_columns(),
    one_of("status", "NotStarted", "InProgress", "Paused", "Completed", "Abandoned"),
    age_group_check("target_age_group"),
    # Each choice writes the row anew. In a page with room the new row lies beside the old one, and no index
    # has to be told, for none holds what a choice changes.
    postgresql_with={"fillfactor": 70},
)
sa.Index(None, GAME_SESSIONS_TABLE.c.account_id, GAME_SESSIONS_TABLE.c.status)
sa.Index(None, GAME_SESSIONS_TABLE.c.profile_id)
sa.Index(None, GAME_SESSIONS_TABLE.c.scenario_id)
sa.Index(None, GAME_SESSIONS_TABLE.c.created_at)
# Few are live at a time, and nobody asks for the others by what they once were.
sa.Index(
    "game_sessions_live_key_key",
    GAME_SESSIONS_TABLE.c.live_key,
    unique=True,
    postgresql_where=GAME_SESSIONS_TABLE.c.live_key.is_not(None),
)

PLAYER_SCENARIO_SCORES_TABLE: Final = sa.Table(
    "player_scenario_scores",
    METADATA,
    made_id(),
    sa.Column("profile_id", sa.Uuid),
    sa.Column("scenario_id", sa.String(255)),
    sa.Column("game_session_id", sa.Uuid, sa.ForeignKey("game_sessions.id", ondelete="SET NULL")),
    sa.Column("account_id", sa.Uuid),
    sa.Column("axis_scores", JSONB),
    moment("created_at"),
    moment("updated_at"),
    *engine_columns(),
    sa.UniqueConstraint("profile_id", "scenario_id"),
)
sa.Index(None, PLAYER_SCENARIO_SCORES_TABLE.c.game_session_id)
sa.Index(None, PLAYER_SCENARIO_SCORES_TABLE.c.account_id)
sa.Index(None, PLAYER_SCENARIO_SCORES_TABLE.c.scenario_id)
