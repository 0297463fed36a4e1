"""How scores are declared to the engine: one for each profile and scenario, kept under a key made of both."""

from typing import Final

from manystore.records import Field, FieldType, Kind, Label, Parent
from mystira.domain.former import with_former_names

PLAYER_SCENARIO_SCORES: Final = Kind(
    name="player_scenario_scores",
    container="PlayerScenarioScores",
    partition_key="profileId",
    fields=with_former_names(
        (
            Field(name="id", type=FieldType.UUID, label=Label.CONFIDENTIAL),
            Field(name="createdAt", type=FieldType.TIMESTAMP, label=Label.CONFIDENTIAL),
            Field(name="updatedAt", type=FieldType.TIMESTAMP, label=Label.CONFIDENTIAL),
            Field(name="profileId", type=FieldType.UUID, label=Label.CONFIDENTIAL),
            Field(name="scenarioId", type=FieldType.STRING, label=Label.CONFIDENTIAL),
            Field(name="gameSessionId", type=FieldType.UUID, label=Label.CONFIDENTIAL),
            Field(name="accountId", type=FieldType.UUID, label=Label.CONFIDENTIAL),
            Field(name="axisScores", type=FieldType.JSON, label=Label.CONFIDENTIAL),
        )
    ),
    parents=(Parent(field="gameSessionId", kind="game_sessions"),),
)
