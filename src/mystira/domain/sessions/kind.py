"""How sessions are declared to the engine. `events` is what happened, in order; all else follows from it."""

from typing import Final

from manystore.records import Field, FieldType, Kind, Label, Parent, Unique
from mystira.domain.former import with_former_names

GAME_SESSIONS: Final = Kind(
    name="game_sessions",
    container="GameSessions",
    partition_key="accountId",
    fields=with_former_names(
        (
            Field(name="id", type=FieldType.UUID, label=Label.CONFIDENTIAL),
            Field(name="createdAt", type=FieldType.TIMESTAMP, label=Label.CONFIDENTIAL),
            Field(name="updatedAt", type=FieldType.TIMESTAMP, label=Label.CONFIDENTIAL),
            Field(name="scenarioId", type=FieldType.STRING, label=Label.CONFIDENTIAL),
            Field(name="accountId", type=FieldType.UUID, label=Label.CONFIDENTIAL),
            Field(name="profileId", type=FieldType.UUID, label=Label.CONFIDENTIAL),
            Field(name="liveKey", type=FieldType.STRING, label=Label.CONFIDENTIAL),
            Field(name="playerNames", type=FieldType.STRINGS, label=Label.RESTRICTED),
            Field(name="characterAssignments", type=FieldType.JSON, label=Label.RESTRICTED),
            Field(name="status", type=FieldType.STRING, label=Label.CONFIDENTIAL),
            Field(name="currentSceneId", type=FieldType.STRING, label=Label.CONFIDENTIAL),
            Field(name="events", type=FieldType.JSON, label=Label.RESTRICTED),
            Field(name="choiceHistory", type=FieldType.JSON, label=Label.CONFIDENTIAL),
            Field(name="rollHistory", type=FieldType.JSON, label=Label.CONFIDENTIAL),
            Field(name="echoHistory", type=FieldType.JSON, label=Label.CONFIDENTIAL),
            Field(name="revealHistory", type=FieldType.JSON, label=Label.CONFIDENTIAL),
            Field(name="compassValues", type=FieldType.JSON, label=Label.CONFIDENTIAL),
            Field(name="playerCompassTotals", type=FieldType.JSON, label=Label.CONFIDENTIAL),
            Field(name="achievements", type=FieldType.JSON, label=Label.CONFIDENTIAL),
            Field(name="startTime", type=FieldType.TIMESTAMP, label=Label.CONFIDENTIAL),
            Field(name="endTime", type=FieldType.TIMESTAMP, label=Label.CONFIDENTIAL),
            Field(name="pausedAt", type=FieldType.TIMESTAMP, label=Label.CONFIDENTIAL),
            Field(name="accumulatedPause", type=FieldType.NUMBER, label=Label.CONFIDENTIAL),
            Field(name="sceneCount", type=FieldType.INTEGER, label=Label.CONFIDENTIAL),
            Field(name="targetAgeGroup", type=FieldType.STRING, label=Label.CONFIDENTIAL),
            Field(name="selectedCharacterId", type=FieldType.STRING, label=Label.CONFIDENTIAL),
        )
    ),
    uniques=(
        # One live session per account, scenario and profile; null once it has ended.
        Unique(name="live", field="liveKey"),
    ),
    parents=(Parent(field="accountId", kind="accounts"),),
)
