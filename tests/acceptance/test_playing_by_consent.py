"""A child plays once a parent has allowed it, and stops when a parent takes that back."""

import asyncio
from typing import Any

import httpx
import pytest

from mystira.domain.sessions.model import SessionStatus
from tests.acceptance.table import STONES, Body, shelve
from tests.acceptance.test_consents import Home, move_in
from tests.callers import let_in
from tests.refusals import check_problem
from tests.serving import Api


@pytest.fixture
async def home(quick: Api) -> Home:
    return await move_in(quick)


async def _begin(home: Home, story: str, *profiles: str, owner: str | None = None) -> httpx.Response:
    players = [{"profileId": each} for each in profiles or (home.profile,)]
    content = {"scenarioId": story, "profileId": owner or home.profile, "players": players}
    return await home.ask("POST", "sessions", json=content)


async def _made(home: Home, **more: Any) -> str:
    answer = await home.ask("POST", "profiles", json={"name": "Ada"} | more)
    assert answer.status_code == 201, answer.text
    key: str = answer.json()["id"]
    return key


async def _status(home: Home, key: str) -> str:
    body: Body = (await home.ask("GET", f"sessions/{key}")).json()
    return str(body["status"])


async def _revoke(home: Home, consent: str) -> None:
    assert (await home.ask("POST", f"consents/{consent}/revoke")).status_code == 200


async def test_a_child_does_not_begin_a_story_unasked(home: Home) -> None:
    """Refused with what to do, and nothing is kept; a consent to something else does not help; then it
    plays.
    """
    story = await shelve(home.api.platform, STONES)
    refused = check_problem(await _begin(home, story))
    assert (refused["code"], refused["status"], refused["path"]) == ("consent_needed", 403, "profileId")
    assert "askForConsent" in refused["detail"]
    await home.consent("details", "analytics")
    assert check_problem(await _begin(home, story))["code"] == "consent_needed"
    assert (await home.ask("GET", "sessions")).json()["items"] == []
    await home.consent("play")
    assert (await _begin(home, story)).status_code == 201


async def test_whoever_is_of_age_needs_no_consent_but_for_a_child_that_plays_along(home: Home) -> None:
    """Each profile at the table is asked after, not the owner's alone; guests are only named."""
    story, ada = await shelve(home.api.platform, STONES), await _made(home, ageGroup="19-150")
    refused = await _begin(home, story, ada, home.profile, owner=ada)
    assert check_problem(refused)["code"] == "consent_needed"
    assert (await _begin(home, story, ada, owner=ada)).status_code == 201
    assert (await home.ask("GET", "sessions")).json()["items"][0]["profileId"] == ada


async def test_what_is_taken_back_lays_stories_aside(home: Home) -> None:
    """All that the child plays is paused, its own and where it plays along; what others play goes on. It is
    resumed once it is allowed again.
    """
    story, other = [await shelve(home.api.platform, STONES) for _ in range(2)]
    ada, consent = await _made(home, ageGroup="19-150"), await home.consent("play")
    own = (await _begin(home, story)).json()["id"]
    along = (await _begin(home, story, ada, home.profile, owner=ada)).json()["id"]
    apart = (await _begin(home, other, ada, owner=ada)).json()["id"]
    await _revoke(home, consent)
    found = [await _status(home, key) for key in (own, along, apart)]
    assert found == ["Paused", "Paused", "InProgress"]
    for key in (own, along):
        refused = check_problem(await home.ask("POST", f"sessions/{key}/resume"))
        assert refused["code"] == "consent_needed"
        assert (await home.ask("GET", f"sessions/{key}")).status_code == 200
    assert check_problem(await _begin(home, story))["code"] == "consent_needed"
    await home.consent("play")
    for key in (own, along):
        assert (await home.ask("POST", f"sessions/{key}/resume")).status_code == 200


async def test_one_of_two_consents_is_enough(home: Home) -> None:
    """Nothing stops as long as another consent to it holds."""
    story = await shelve(home.api.platform, STONES)
    first, second = await home.consent("play"), await home.consent()
    key = (await _begin(home, story)).json()["id"]
    await _revoke(home, first)
    assert await _status(home, key) == "InProgress"
    await _revoke(home, second)
    assert await _status(home, key) == "Paused"


async def test_a_consent_to_something_else_stops_nothing(home: Home) -> None:
    """Taking back `details` leaves the story where it is."""
    story = await shelve(home.api.platform, STONES)
    await home.consent("play")
    details = await home.consent("details")
    key = (await _begin(home, story)).json()["id"]
    await _revoke(home, details)
    assert await _status(home, key) == "InProgress"


@pytest.mark.parametrize("deed", ["begin", "resume"])
async def test_of_a_race_with_taking_it_back_nothing_goes_on(quick: Api, deed: str) -> None:
    """Whichever comes first, in the end no story of the child's is in progress."""
    sessions = quick.platform.play.sessions
    for _ in range(10):
        home = await move_in(quick)
        story = await shelve(home.api.platform, STONES)
        consent = await home.consent("play")
        if deed == "resume":
            key = (await _begin(home, story)).json()["id"]
            await home.ask("POST", f"sessions/{key}/pause")
            step = home.ask("POST", f"sessions/{key}/resume")
        else:
            step = _begin(home, story)
        answer, _ = await asyncio.gather(step, _revoke(home, consent))
        assert answer.status_code in (200, 201, 403), answer.text
        for each in (await home.ask("GET", "sessions", params={"isLive": True})).json()["items"]:
            stored = await sessions.get(each["id"])
            assert stored is None or stored.value.status is not SessionStatus.IN_PROGRESS


async def test_whoever_runs_the_platform_answers_for_it(quick: Api) -> None:
    """The commands begin what they are told to, as with all of the table."""
    home = await move_in(quick)
    story = await shelve(quick.platform, STONES)
    players = [{"profileId": home.profile}]
    content = {"scenarioId": story, "profileId": home.profile, "players": players}
    content["accountId"] = home.member.account_id
    assert (await quick.client.post("/api/v1/sessions", json=content)).status_code == 201


async def test_a_consent_counts_for_the_account_that_gave_it(home: Home) -> None:
    """Another family with the profile asks anew: the former parent allows nothing there."""
    story = await shelve(home.api.platform, STONES)
    await home.consent("play")
    other = await let_in(home.api.platform)
    moved = await home.api.client.patch(
        f"/api/v1/profiles/{home.profile}",
        json={"accountId": other.account_id},
        headers={"If-Match": "*"},
    )
    assert moved.status_code == 200, moved.text
    there = Home(home.api, other, home.profile)
    assert check_problem(await _begin(there, story))["code"] == "consent_needed"
