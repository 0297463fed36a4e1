"""What a player's completed stories came to, as players' apps see it."""

from typing import Any

from mystira.domain.scores.model import PlayerScenarioScore, ScoreSearch
from mystira.domain.scores.use_cases import Scores, list_scores
from mystira.http.callers import SIGNED_IN, Owner
from mystira.http.operations import Answer, Call, Operation
from mystira.services.app_api.answers import Page, show_page


class ScoreView(PlayerScenarioScore, frozen=True, kw_only=True, rename="camel"):
    """A score as it is shown: the sums of the first completed play of a story, axis by axis."""

    etag: str


def score_operations(scores: Scores, owner: Owner) -> tuple[Operation[Any], ...]:
    """What can be asked about scores."""

    async def search(call: Call[ScoreSearch]) -> Answer:
        return show_page(ScoreView, await list_scores(scores, call.path["profileId"], call.sent))

    return (
        Operation(
            method="GET",
            path="/profiles/{profileId}/scores",
            tag="play",
            name="listScores",
            summary="List a profile's scores",
            description="One for each story that was completed, the oldest first.",
            takes=ScoreSearch,
            handle=search,
            answers={200: Page[ScoreView]},
            refuses=("not_found", "invalid_continuation"),
            allows=SIGNED_IN,
            owner=owner,
        ),
    )
