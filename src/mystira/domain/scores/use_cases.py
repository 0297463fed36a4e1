"""What can be done with scores: keep one for good, list them, sum them up."""

import datetime as dt
from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from manystore.repository import Found, Repository
from manystore.specifications import Ascending, Predicate, Specification, field
from mystira.domain.errors import AlreadyExistsError, NotUniqueError
from mystira.domain.records import change_record, create_record
from mystira.domain.scores.model import PlayerScenarioScore, ScoreSearch, score_key

Scores = Repository[PlayerScenarioScore]

_PAGE: Final = 500


async def keep_score(
    scores: Scores,
    profile_id: str,
    scenario_id: str,
    axis_scores: Mapping[str, float],
    *,
    session_id: str,
    account_id: str,
    now: dt.datetime,
) -> bool:
    """Keep what a completed play came to, unless an earlier one counts already; whether it was kept.

    Of two that race, one is kept: both go under the same key. Raises MissingParentError where the session has
    gone meanwhile.
    """
    score = PlayerScenarioScore(
        id=score_key(profile_id, scenario_id),
        created_at=now,
        updated_at=now,
        profile_id=profile_id,
        scenario_id=scenario_id,
        game_session_id=session_id,
        account_id=account_id,
        axis_scores=dict(axis_scores),
    )
    try:
        await create_record(scores, score)
    except (AlreadyExistsError, NotUniqueError):
        # A former system's score has another key, and is as good.
        return False
    return True


async def list_scores(scores: Scores, profile_id: str, search: ScoreSearch) -> Found[PlayerScenarioScore]:
    """One page of a profile's scores.

    Raises InvalidSpecificationError (manystore.errors) for a continuation of another search.
    """
    where: Predicate = field("profileId") == profile_id
    if search.scenario_id is not None:
        where &= field("scenarioId") == search.scenario_id
    return await scores.find(
        Specification(
            where=where,
            order=(Ascending("createdAt"),),
            limit=search.limit,
            continuation=search.continuation,
        )
    )


async def all_scores(scores: Scores, profile_id: str) -> list[PlayerScenarioScore]:
    """All scores of a profile that count, the oldest first: one for each story."""
    first: dict[str, PlayerScenarioScore] = {}
    continuation: str | None = None
    while True:
        found = await scores.find(
            Specification(
                where=field("profileId") == profile_id,
                order=(Ascending("createdAt"),),
                limit=_PAGE,
                continuation=continuation,
            )
        )
        for stored in found.items:
            first.setdefault(stored.value.scenario_id, stored.value)
        continuation = found.continuation
        if continuation is None:
            return list(first.values())


def totals(axis_scores: Iterable[Mapping[str, float]]) -> dict[str, float]:
    """The sum on each axis."""
    summed: dict[str, float] = {}
    for each in axis_scores:
        for axis, value in each.items():
            summed[axis] = round(summed.get(axis, 0.0) + value, 6) + 0.0
    return summed


async def release_scores(scores: Scores, session_id: str, *, now: dt.datetime) -> int:
    """Take a session that goes off the scores that it left; the scores stay. Returns how many there were.

    Raises ContendedError.
    """

    def alter(score: PlayerScenarioScore) -> PlayerScenarioScore:
        if score.game_session_id != session_id:
            return score
        return msgspec.structs.replace(score, game_session_id=None)

    released = 0
    pointing = Specification(where=field("gameSessionId") == session_id, limit=100)
    while items := (await scores.find(pointing)).items:
        for stored in items:
            await change_record(scores, stored.key, alter, now=now)
            released += 1
    return released
