"""What could not be done after a change is seen by staff, and tried again when they say so."""

import asyncio
import contextlib

import httpx

from manystore.errors import NotRepresentableError
from manystore.records import Content, Kind, Record
from manystore.stores.memory import MemoryStore
from mystira.domain.scores.kind import PLAYER_SCENARIO_SCORES
from mystira.domain.sessions.kind import GAME_SESSIONS
from tests.acceptance.table import sit_down
from tests.refusals import check_problem
from tests.serving import memory_api


class Scoreless(MemoryStore):
    """A store that cannot keep scores."""

    is_broken = True

    async def put(
        self,
        kind: Kind,
        key: str,
        content: Content,
        *,
        expected: int | None,
        epoch: int,
        above: int = 0,
    ) -> Record:
        if kind is PLAYER_SCENARIO_SCORES and self.is_broken:
            reason = "no room for scores"
            raise NotRepresentableError(store=self.name, kind=kind.name, key=key, field="id", reason=reason)
        return await super().put(kind, key, content, expected=expected, epoch=epoch, above=above)


async def test_a_failed_award_is_shown_and_replayed() -> None:
    """The session is complete all the same; its follower says what it fails of, and goes on when told to."""
    store = Scoreless("documents")
    async with memory_api(store) as api:
        family = await sit_down(api)
        key = await family.at_the_stones()
        stuck = await family.post(f"{key}/choices", {"sceneId": "stones", "branch": 0})
        assert stuck.json()["areBadgesPending"]
        assert stuck.json()["session"]["status"] == "Completed"
        (reaction,) = api.platform.reactions
        task = asyncio.create_task(reaction.run())
        try:
            (failure,) = await _until(api.client, 1)
            assert (failure["key"], failure["error"]) == (key, "NotRepresentableError")
            assert "no room for scores" in failure["reason"]
            store.is_broken = False
            answer = await api.client.post("/admin/api/reactions/play/replay")
            assert answer.json() == {"replayed": 1}
            await _until(api.client, 0)
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        assert await family.badges() == [family.badge]
        assert (await store.count(PLAYER_SCENARIO_SCORES), await store.count(GAME_SESSIONS)) == (1, 1)
        unknown = await api.client.post("/admin/api/reactions/none/replay")
        assert check_problem(unknown)["code"] == "not_found"


async def _until(client: httpx.AsyncClient, count: int) -> list[dict[str, str]]:
    """The failures of the only reaction, once there are so many."""
    async with asyncio.timeout(120):
        while True:
            (play,) = (await client.get("/admin/api/reactions")).json()["items"]
            assert (play["reaction"], play["kind"]) == ("play", "game_sessions")
            failures: list[dict[str, str]] = play["failures"]
            if len(failures) == count:
                return failures
            await asyncio.sleep(0.02)
