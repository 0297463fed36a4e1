"""Play over HTTP on real servers: in documents and in PostgreSQL, raced, interrupted, and looked back at."""

import asyncio

import httpx
import pytest

from mystira.domain.accounts.model import Role
from mystira.domain.accounts.use_cases import read_account, set_role
from mystira.domain.sessions.fold import extend, fold
from mystira.domain.sessions.model import Choose
from mystira.domain.sessions.reading import read_session
from mystira.domain.sessions.rules import choose
from mystira.domain.signing_in.kind import SIGN_INS
from mystira.domain.signing_in.model import SignIn
from mystira.domain.signing_in.sign_ins import Terms, open_sign_in
from tests.acceptance.table import Family, sit_down, until_badges
from tests.refusals import check_problem
from tests.serving import Api
from tests.unit.playroom import CALM


@pytest.fixture(params=["documents", "postgres"])
async def family(request: pytest.FixtureRequest, api: Api, moved_api: Api) -> Family:
    """A family whose sessions live in the documents, and one whose sessions have moved to PostgreSQL."""
    return await sit_down(api if request.param == "documents" else moved_api)


async def test_a_story_is_played_to_its_end(family: Family) -> None:
    """Each answer has what comes next; the last one has the badge, and the profile has it too."""
    begun = await family.start()
    assert (begun["currentScene"]["id"], begun["currentScene"]["step"]) == ("bank", "readOn")
    key = begun["id"]
    first = (await family.post(f"{key}/read-on", {"sceneId": "bank"})).json()
    here = first["session"]["currentScene"]
    assert (here["step"], here["activePlayerId"]) == ("choose", family.profile)
    assert [each["choice"] for each in here["choices"]] == ["wait for the fish", "look under them", "jump"]
    assert "nextScene" not in str(here)
    last = (await family.post(f"{key}/choices", {"sceneId": "stones", "branch": 0})).json()
    assert last["movement"] == {
        "playerId": family.profile,
        "axis": CALM,
        "delta": 1.0,
        "value": 1.0,
        "total": 1.0,
    }
    assert last["session"]["status"] == "Completed"
    assert [each["badgeId"] for each in last["badges"]] == [family.badge]
    assert not last["areBadgesPending"]
    assert await family.badges() == [family.badge]
    (score,) = await family.scores()
    assert (score["axisScores"], score["gameSessionId"]) == ({CALM: 1.0}, key)
    assert (await family.read(f"accounts/{family.account}"))["completedScenarioIds"] == [family.scenario]


async def test_what_is_stored_is_the_fold_of_its_events(family: Family) -> None:
    """Read back from either store, floats, times and gaps included."""
    key = await family.at_the_stones()
    for _ in range(3):
        await family.post(f"{key}/choices", {"sceneId": "stones", "branch": 1})
    await family.post(f"{key}/choices", {"sceneId": "stones", "branch": 2})
    await family.post(f"{key}/rolls", {"sceneId": "splash"})
    session = (await read_session(family.api.platform.play.sessions, key)).value
    assert session.status.value == "Completed"
    assert fold(session.events) == session


async def test_a_session_is_read_as_of_an_earlier_moment(family: Family) -> None:
    """By the number of events, and by the instant; what has not happened yet is refused."""
    key = await family.at_the_stones()
    await family.post(f"{key}/choices", {"sceneId": "stones", "branch": 2})
    whole = await family.read(f"sessions/{key}")
    assert [each["type"] for each in whole["events"]] == ["SessionStarted", "SceneLeft", "ChoiceMade"]
    assert (await family.read(f"sessions/{key}?at=1"))["currentSceneId"] == "bank"
    left = whole["events"][1]["at"]
    earlier = await family.read(f"sessions/{key}?asOf={left}")
    assert (earlier["currentSceneId"], earlier["playerCompassTotals"]) == ("stones", {})
    assert earlier["currentScene"]["id"] == "stones"
    for query in ("at=4", f"at=1&asOf={left}"):
        refused = await family.api.client.get(f"/api/v1/sessions/{key}?{query}")
        assert check_problem(refused)["code"] == "invalid_value"
    before = await family.api.client.get(f"/api/v1/sessions/{key}?asOf=2020-01-01T00:00:00Z")
    assert check_problem(before)["code"] == "not_found"


async def test_of_racing_choices_one_is_made(family: Family) -> None:
    """Twenty players choose at once: one answer is a step, all others say that the scene has passed."""
    key = await family.at_the_stones()
    answers = await asyncio.gather(
        *(family.post(f"{key}/choices", {"sceneId": "stones", "branch": n % 3}) for n in range(20))
    )
    made = [answer for answer in answers if answer.status_code == 200]
    refused = [check_problem(answer)["code"] for answer in answers if answer.status_code != 200]
    assert len(made) == 1
    # Whoever comes when the story is over already is told so.
    assert set(refused) <= {"scene_not_current", "session_not_in_progress"}
    assert len((await family.read(f"sessions/{key}"))["choiceHistory"]) == 1


async def test_of_a_hundred_racing_completions_one_counts(family: Family) -> None:
    """One score, the badge once, although the follower of the change log does the same at the same time."""
    key = await family.at_the_stones()
    for _ in range(2):
        await family.post(f"{key}/choices", {"sceneId": "stones", "branch": 1})
    content = {"sceneId": "stones", "branch": 0}
    answers = await asyncio.gather(
        *(family.post(f"{key}/complete") for _ in range(100)), family.post(f"{key}/choices", content)
    )
    assert {answer.status_code for answer in answers[:100]} == {200}
    await asyncio.sleep(1.0)
    assert len(await family.scores()) == 1
    badges = await family.badges()
    assert len(badges) == len(set(badges))
    assert "curious-bronze" in badges
    whole = await family.read(f"sessions/{key}")
    ends = [each for each in whole["events"] if each["type"] == "SessionCompleted"]
    assert len(ends) == 1
    assert [each["badgeId"] for each in whole["achievements"]] == badges


async def test_racing_starts_begin_one_session(family: Family) -> None:
    """All are answered with the same one; one alone with 201."""
    asked = {
        "scenarioId": family.scenario,
        "profileId": family.profile,
        "accountId": family.account,
        "players": [{"name": "Grandma"}],
    }
    client = family.api.client
    answers = await asyncio.gather(*(client.post("/api/v1/sessions", json=asked) for _ in range(12)))
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert sorted(answer.status_code for answer in answers) == [200] * 11 + [201]
    found = await family.read(f"sessions?accountId={family.account}&isLive=true")
    assert len(found["items"]) == 1


async def test_a_repeated_start_is_answered_alike(family: Family) -> None:
    """With an Idempotency-Key, also after the session has ended."""
    asked = {
        "scenarioId": family.scenario,
        "profileId": family.profile,
        "accountId": family.account,
        "players": [{"name": "Grandma"}],
    }
    headers = {"Idempotency-Key": f"start-{family.profile}"}
    first = await family.api.client.post("/api/v1/sessions", json=asked, headers=headers)
    await family.post(f"{first.json()['id']}/abandon")
    again = await family.api.client.post("/api/v1/sessions", json=asked, headers=headers)
    assert (again.status_code, again.json()) == (201, first.json())
    assert again.headers["idempotency-replayed"] == "true"


async def test_what_a_dead_process_did_not_award_follows(family: Family) -> None:
    """The end of the session is written and nothing else: score, badge and their names come by the log."""
    key = await family.at_the_stones()
    play = family.api.platform.play
    stored = await read_session(play.sessions, key)
    story = await play.stories.story(family.scenario)
    events = choose(stored.value, story, Choose(scene_id="stones", branch=0), play.clock.now())
    await play.sessions.change(stored, extend(stored.value, events))
    assert await until_badges(family, 1) == [family.badge]
    assert len(await family.scores()) == 1
    async with asyncio.timeout(120):
        while not (await family.read(f"sessions/{key}"))["achievements"]:
            await asyncio.sleep(0.05)


async def test_an_account_takes_its_sessions_along(family: Family) -> None:
    """In the documents by the use case, in PostgreSQL by the foreign key: afterwards there is none."""
    key = await family.at_the_stones()
    account = await family.api.client.get(f"/api/v1/accounts/{family.account}")
    gone = await family.api.client.delete(
        f"/api/v1/accounts/{family.account}", headers={"If-Match": account.headers["etag"]}
    )
    assert gone.status_code == 204
    assert (await family.api.client.get(f"/api/v1/sessions/{key}")).status_code == 404


async def _signed_in(api: Api, account_id: str) -> dict[str, str]:
    """The header of somebody who is signed in to an account."""
    platform = api.platform
    await set_role(platform.accounts, account_id, Role.USER, clock=platform.clock)
    account = (await read_account(platform.accounts, account_id)).value
    opened = await open_sign_in(
        platform.repository(SignIn, SIGN_INS),
        account,
        clock=platform.clock,
        randomness=platform.play.dice,
        terms=Terms(),
    )
    return {"Authorization": f"Bearer {opened.token}"}


async def test_nobody_reaches_another_family_s_play(api: Api) -> None:
    """Whatever is asked of somebody else's session is answered as if there were none; one's own is served."""
    ours, theirs = await sit_down(api), await sit_down(api)
    key = await ours.at_the_stones()
    at_home, stranger = await _signed_in(api, ours.account), await _signed_in(api, theirs.account)
    client = api.client

    async def ask(headers: dict[str, str]) -> list[httpx.Response]:
        here = f"/api/v1/sessions/{key}"
        answers = [
            await client.get(here, headers=headers),
            await client.post(f"{here}/choices", json={"sceneId": "stones", "branch": 1}, headers=headers),
            *[await client.post(f"{here}/{deed}", headers=headers) for deed in ("pause", "resume")],
            await client.get(f"/api/v1/profiles/{ours.profile}/badges", headers=headers),
            await client.get(f"/api/v1/profiles/{ours.profile}/scores", headers=headers),
        ]
        return [*answers, await client.post(f"{here}/abandon", headers=headers)]

    assert [check_problem(answer)["code"] for answer in await ask(stranger)] == ["not_found"] * 7
    assert [answer.status_code for answer in await ask(at_home)] == [200] * 7
    begin = {
        "scenarioId": ours.scenario,
        "profileId": ours.profile,
        "players": [{"name": "A"}],
    }
    refused = await client.post("/api/v1/sessions", json=begin, headers=stranger)
    assert check_problem(refused)["code"] == "missing_parent"
    refused = await client.post(
        "/api/v1/sessions", json=begin | {"accountId": ours.account}, headers=stranger
    )
    assert (check_problem(refused)["code"], check_problem(refused)["path"]) == ("missing_parent", "accountId")
    listed = await client.get("/api/v1/sessions", headers=stranger)
    assert key not in listed.text
    assert key in (await client.get("/api/v1/sessions", headers=at_home)).text


async def test_stories_are_listed_without_their_scenes(api: Api) -> None:
    """By age group and age, published ones alone; a story shows its characters and no text of its scenes."""
    family = await sit_down(api)
    listed = await family.read("scenarios?ageGroup=6-9&age=6&limit=100&order=-createdAt")
    (item,) = [each for each in listed["items"] if each["id"] == family.scenario]
    assert "scenes" not in item
    assert all(each["id"] != family.scenario for each in (await family.read("scenarios?age=5"))["items"])
    shown = await family.read(f"scenarios/{family.scenario}")
    assert ([each["id"] for each in shown["characters"]], shown["sceneCount"]) == (["heron"], 4)
    assert "wait for the fish" not in str(shown)
    absent = await api.client.get("/api/v1/scenarios/absent")
    assert check_problem(absent)["code"] == "not_found"


async def test_a_group_that_is_too_young_is_refused(api: Api) -> None:
    """With a code of its own, and the path of what to change."""
    family = await sit_down(api)
    asked = {
        "scenarioId": family.scenario,
        "profileId": family.profile,
        "accountId": family.account,
        "players": [{"name": "A"}],
        "targetAgeGroup": "3-5",
    }
    problem = check_problem(await api.client.post("/api/v1/sessions", json=asked))
    assert (problem["code"], problem["path"]) == ("too_young", "targetAgeGroup")
