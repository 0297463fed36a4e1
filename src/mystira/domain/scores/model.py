"""What a score is: how far a player's first completed play of a story moved them, axis by axis."""

import uuid
from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct

from mystira.domain.forms import ContentId
from mystira.domain.records import Entity

_NAMESPACE: Final = uuid.UUID("6f3c1f0a-5d0e-5b8e-9a49-2b8c5d6f7e10")


class PlayerScenarioScore(Entity, frozen=True, kw_only=True, rename="camel"):
    """The score of one profile for one story. Its session may have gone since (None)."""

    profile_id: str
    scenario_id: str
    game_session_id: str | None = None
    account_id: str | None = None
    axis_scores: dict[str, float] = msgspec.field(default_factory=dict)


class ScoreSearch(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """Which of a profile's scores to list, the oldest first."""

    scenario_id: ContentId | None = None
    limit: Annotated[int, Meta(ge=1, le=200)] = 50
    continuation: Annotated[str, Meta(max_length=4096)] | None = None


def score_key(profile_id: str, scenario_id: str) -> str:
    """The one key under which a profile's score for a story can be: a UUID (version 5) made of both ids."""
    return str(uuid.uuid5(_NAMESPACE, f"{profile_id}\n{scenario_id}"))
