"""Households that play are found to be right about a sound platform, and every planted fault is found."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from typing import Any

import httpx
import msgspec
import pytest

from manystore.records import Kind
from mystira.clients.errors import ProblemError, UnreachableError
from mystira.clients.service import Answer
from mystira.domain.accounts.kind import ACCOUNTS
from mystira.domain.profiles.kind import USER_PROFILES
from mystira.domain.scores.kind import PLAYER_SCENARIO_SCORES
from mystira.domain.sessions.kind import GAME_SESSIONS
from mystira.simulation.asking import Asker
from mystira.simulation.households import Household
from mystira.simulation.judgement import Hearing, Judge
from mystira.simulation.ledger import Ledger
from mystira.simulation.notes import read_notes
from mystira.simulation.witness import Tally
from tests.acceptance.table import STONES, shelve
from tests.serving import Api, memory_api
from tests.unit.clocks import ManualClock


class Wire:
    """Asks an API in this process, and loses a share of what is sent or answered."""

    def __init__(self, client: httpx.AsyncClient, random: Random) -> None:
        self._client, self._random = client, random
        self.faults = 0.0

    async def ask(
        self,
        method: str,
        path: str,
        *,
        content: object = None,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        fate = self._random.random() if method != "GET" else 1.0
        if fate < self.faults / 2:
            raise UnreachableError(url=path, reason="lost on its way there")
        answer = await self._client.request(
            method, path, json=content, params=dict(query or {}), headers=dict(headers or {})
        )
        if fate < self.faults:
            raise UnreachableError(url=path, reason="lost on its way back")
        body: Any = answer.json() if answer.content else None
        if answer.is_error:
            raise ProblemError(status=answer.status_code, code=body["code"], detail=body["detail"])
        return Answer(status=answer.status_code, body=body, etag=answer.headers.get("etag"))


class Street:
    """Some households, and the platform on which they play."""

    def __init__(self, api: Api, wire: Wire, ledger: Ledger, random: Random) -> None:
        self.api, self.wire, self._ledger, self._random = api, wire, ledger, random
        self._clock = ManualClock()
        self._asker = Asker(wire, ledger, self._clock, patience=2.0)
        self._households = [Household(number, "test", random) for number in range(5)]
        self.problems: list[str] = []

    async def live(self, requests: int) -> None:
        for _ in range(requests):
            place = self._random.randrange(len(self._households))
            household = self._households[place]
            ask = household.next_ask()
            experience = await self._asker.carry_out(ask, self._clock.monotonic())
            if experience.problem not in ("", "unreachable"):
                self.problems.append(f"{ask.operation}: {experience.problem}")
            # Letters go out beside the answers.
            await asyncio.sleep(0)
            if household.has_left:
                self._households[place] = Household(100 + place, "test", self._random)

    async def judge(self) -> Tally:
        self.wire.faults = 0.0
        return await Judge(self.wire, Hearing(read_notes([self._ledger.path]))).judge()


@asynccontextmanager
async def street(tmp_path: Path, seed: int) -> AsyncIterator[Street]:
    random = Random(seed)
    async with memory_api() as api:
        for _ in range(3):
            await shelve(api.platform, STONES)
        with Ledger(tmp_path / f"{seed}.jsonl") as ledger:
            yield Street(api, Wire(api.client, random), ledger, random)


@pytest.mark.parametrize("seed", range(3))
async def test_a_sound_platform_is_found_sound(tmp_path: Path, seed: int) -> None:
    """Nothing is refused, nothing is wrong, and stories were played to their ends."""
    async with street(tmp_path, seed) as here:
        await here.live(400)
        tally = await here.judge()
        assert (tally.findings, here.problems, tally.unclear) == ((), [], 0)
        assert len(await _records(here.api, PLAYER_SCENARIO_SCORES)) > 3


@pytest.mark.parametrize("seed", range(8))
async def test_lost_answers_raise_no_alarm(tmp_path: Path, seed: int) -> None:
    """With a third of all changes lost on the way there or back, whoever looks knows what may be."""
    async with street(tmp_path, seed) as here:
        here.wire.faults = 0.33
        await here.live(500)
        tally = await here.judge()
        assert (tally.findings, here.problems) == ((), [])


async def _records(api: Api, kind: Kind) -> list[str]:
    page = await api.platform.documents.versions(
        kind, (await api.platform.documents.ranges(kind, 1))[0], 1000
    )
    return [each.key for each in page]


async def _alter(api: Api, kind: Kind, key: str, **changes: Any) -> None:
    """Behind everybody's back: the same version with other content."""
    held = api.platform.documents
    record = await held.get(kind, key)
    assert record is not None
    assert record.content is not None
    state = await api.platform.leases.state(kind.name)
    await held.put(kind, key, record.content | changes, expected=record.version, epoch=state.epoch)


async def _completed(api: Api) -> tuple[str, dict[str, Any]]:
    for key in await _records(api, GAME_SESSIONS):
        record = await api.platform.documents.get(GAME_SESSIONS, key)
        if record is not None and record.content and record.content["status"] == "Completed":
            return key, msgspec.json.decode(msgspec.json.encode(record.content))
    raise AssertionError("no story was completed")


PLANTED = (
    "a choice that is gone",
    "another sum",
    "a step back",
    "a score that is gone",
    "another score",
    "a badge twice",
    "a story that is not noted",
    "a name that is gone",
)


@pytest.mark.parametrize("fault", PLANTED)
async def test_a_planted_fault_is_found(tmp_path: Path, fault: str) -> None:
    """One record is changed behind the platform's back, and that one is named."""
    async with street(tmp_path, 1) as here:
        await here.live(300)
        assert (await here.judge()).is_clean
        place = await _plant(here.api, fault)
        found = {(each.kind, each.key) for each in (await here.judge()).findings}
    assert place in found


async def _plant(api: Api, fault: str) -> tuple[str, str]:
    key, session = await _completed(api)
    profile, account = session["profileId"], session["accountId"]
    if fault == "a choice that is gone":
        await _alter(api, GAME_SESSIONS, key, choiceHistory=session["choiceHistory"][:-1] or [{}])
    elif fault == "another sum":
        await _alter(api, GAME_SESSIONS, key, playerCompassTotals={profile: {"Courage": 0.5}})
    elif fault == "a step back":
        await _alter(api, GAME_SESSIONS, key, sceneCount=session["sceneCount"] - 1)
    elif fault in ("a score that is gone", "another score"):
        return await _spoil_score(api, profile, session["scenarioId"], is_gone=fault != "another score")
    elif fault == "a badge twice":
        badge = {"id": "b", "badgeConfigurationId": "b", "badgeName": "B", "axis": "Courage"}
        badges = [badge | {"earnedAt": session["endTime"]}] * 2
        await _alter(api, USER_PROFILES, profile, earnedBadges=badges)
        return "user_profiles", profile
    elif fault == "a story that is not noted":
        await _alter(api, ACCOUNTS, account, completedScenarioIds=[])
        return "accounts", account
    else:
        await _alter(api, ACCOUNTS, account, displayName="Somebody Else")
        return "accounts", account
    return "game_sessions", key


async def _spoil_score(api: Api, profile: str, story: str, *, is_gone: bool) -> tuple[str, str]:
    for key in await _records(api, PLAYER_SCENARIO_SCORES):
        record = await api.platform.documents.get(PLAYER_SCENARIO_SCORES, key)
        content = {} if record is None else record.content or {}
        if (content.get("profileId"), content.get("scenarioId")) != (profile, story):
            continue
        changes: dict[str, Any] = {"axisScores": {"Courage": 7.0}}
        if is_gone:
            changes = {"profileId": "00000000-0000-7000-8000-00000000dead"}
        await _alter(api, PLAYER_SCENARIO_SCORES, key, **changes)
    return "player_scenario_scores", profile
