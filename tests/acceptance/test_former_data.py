"""Records as the former system left them: served, moved and proved without a rewrite."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from random import Random
from typing import Any

import pytest

from manystore.former import as_declared
from manystore.moves.tasks import Action
from manystore.records import Kind, Record, canonical
from manystore.repository import Repository
from manystore.specifications import Specification, field
from manystore.stores.postgres import PostgresStore
from manystore.stores.sqlite import SqliteStore
from manystore.stores.store import KeyRange
from mystira.domain.accounts.kind import ACCOUNTS
from mystira.domain.accounts.model import Account, AccountChange, NewAccount
from mystira.domain.accounts.use_cases import Accounts, change_account, create_account
from mystira.domain.errors import NotUniqueError
from mystira.domain.profiles.kind import USER_PROFILES
from mystira.domain.scores.kind import PLAYER_SCENARIO_SCORES
from mystira.domain.scores.model import PlayerScenarioScore
from mystira.domain.scores.use_cases import Scores, all_scores, keep_score, release_scores
from mystira.domain.sessions.kind import GAME_SESSIONS
from mystira.domain.sessions.model import GameSession, SessionStatus
from mystira.schema.mappings import MAPPINGS
from mystira.simulation.making import make_uuid
from mystira.simulation.people import leave_behind, make_account, make_former_accounts, make_profile
from mystira.simulation.plays import leave_play_behind, make_score, make_session
from tests.acceptance.migrated import migrated_url
from tests.contract.sqlite_by_hand import by_hand
from tests.unit.moving import Scene

__all__ = ["migrated_url"]

Documents = list[dict[str, Any]]

LEFT = "0193a1c0-0000-4000-8000-00000000f0f0"
ELDER: dict[str, Any] = {
    "id": LEFT,
    "Email": "Elder@Example.org",
    "Auth0UserId": "auth0|1",
    "displayName": "",
    "DisplayName": "Shadowed",
    "Role": "User",
    "Settings": {"Theme": "dark", "FontScale": 1.0},
    "Subscription": {"Type": "Individual", "PurchasedScenarios": "glass-desert, moss-library"},
    "CompletedScenarioIds": "",
    "CreatedAt": "2023-03-04T05:06:07.1234567Z",
    "LoyaltyPoints": -0.0,
}
"""An account of which nearly all is spelled otherwise, and which has what nobody declared besides."""

ELDER_DECLARED: dict[str, Any] = {
    "id": LEFT,
    "email": "Elder@Example.org",
    "externalUserId": "auth0|1",
    "displayName": "",
    "DisplayName": "Shadowed",
    "role": "User",
    "settings": {"theme": "dark", "FontScale": 1.0},
    "subscription": {"type": "Individual", "purchasedScenarios": ["glass-desert", " moss-library"]},
    "completedScenarioIds": [],
    "createdAt": "2023-03-04T05:06:07.1234567Z",
    "LoyaltyPoints": -0.0,
}


@pytest.fixture
def accounts() -> Documents:
    """As they lie in the document store."""
    random = Random(51)
    return [*(leave_behind(random, each) for each in make_former_accounts(random, 400)), ELDER]


@pytest.fixture
def profiles(accounts: Documents) -> Documents:
    random = Random(52)
    return [leave_behind(random, make_profile(random, account["id"])) for account in accounts]


@pytest.fixture
async def scene(
    tmp_path: Path, migrated_url: str, accounts: Documents, profiles: Documents
) -> AsyncIterator[Scene]:
    """SQLite full of what was left behind, and empty tables."""
    source, target = SqliteStore(tmp_path / "documents.sqlite"), PostgresStore(migrated_url, MAPPINGS)
    async with contextlib.AsyncExitStack() as stack:
        for store in (source, target):
            stack.push_async_callback(store.close)
            await store.open()
        await source.adopt(ACCOUNTS, accounts)
        await source.adopt(USER_PROFILES, profiles)
        yield Scene(source, target, tmp_path / "certificates", kinds=(ACCOUNTS, USER_PROFILES))


def repository(scene: Scene) -> Accounts:
    return Repository(Account, ACCOUNTS, scene.leases, scene.clock)


def bodies(scene: Scene) -> dict[str, str]:
    """What really lies in the file."""
    assert isinstance(scene.source, SqliteStore)
    with by_hand(scene.source.path) as connection:
        return dict(connection.execute("select key, body from documents"))


async def assert_moves(scene: Scene, kind: Kind, documents: Documents) -> None:
    """Every step forward is taken, and each record arrives as the kind declares it."""
    planned = await scene.do(Action.PLAN, kind.name)
    assert (planned["isClear"], planned["findings"]) == (True, ())
    await scene.do(Action.START, kind.name)
    verified = await scene.do(Action.VERIFY, kind.name)
    assert (verified["differences"], verified["samples"]) == (0, [])
    arrived = {record.key: record for record in await scene.target.scan(kind, KeyRange(), 1000)}
    for document in documents:
        expected = as_declared(kind, 0, document)
        assert canonical(arrived[document["id"]].content) == canonical(expected)
    await scene.do(Action.CUT_OVER, kind.name)
    await scene.leases.refresh(kind.name)


async def test_former_documents_move_without_a_rewrite(
    scene: Scene, accounts: Documents, profiles: Documents
) -> None:
    """What was left behind arrives as declared, both stores agree, and the file stays as it was."""
    assert sum("Email" in each for each in accounts) > 5
    assert sum("PreferredThemes" in each for each in profiles) > 5
    before = bodies(scene)
    async with scene.working():
        await assert_moves(scene, ACCOUNTS, accounts)
        await assert_moves(scene, USER_PROFILES, profiles)
        assert bodies(scene) == before
        assert (await scene.do(Action.VERIFY, "accounts"))["differences"] == 0
        await scene.do(Action.CUT_BACK, "user_profiles")
        await scene.do(Action.CUT_BACK, "accounts")
        assert (await scene.do(Action.VERIFY, "accounts"))["differences"] == 0
    assert bodies(scene) == before
    elder = await scene.target.get(ACCOUNTS, LEFT)
    assert elder == await scene.source.get(ACCOUNTS, LEFT) == Record(LEFT, 0, ELDER_DECLARED)


async def test_former_account_is_found_served_and_changed_by_its_name(scene: Scene) -> None:
    """By any property under its declared name; a change says all in one spelling and loses nothing."""
    people = repository(scene)
    for where in (
        field("email").equals_ignoring_case("elder@example.org"),
        field("externalUserId") == "auth0|1",
        (field("settings.theme") == "dark") & (field("role") == "User") & (field("displayName") == ""),
        field("subscription.purchasedScenarios").contains(" moss-library"),
    ):
        found = await people.find(Specification(where=where, limit=1000))
        assert LEFT in [each.key for each in found.items]
    taken = NewAccount(email="ELDER@example.org", display_name="Younger")
    with pytest.raises(NotUniqueError):
        await create_account(people, taken, clock=scene.clock)
    changed = await change_account(people, LEFT, AccountChange(display_name="Elder"), clock=scene.clock)
    assert changed.version == 1
    content = changed.record.content
    assert content is not None
    assert content | {"updatedAt": None} == ELDER_DECLARED | {"displayName": "Elder", "updatedAt": None}
    assert changed.value.subscription.purchased_scenarios == ["glass-desert", " moss-library"]


async def test_list_that_cannot_be_cut_is_named_before_the_move(scene: Scene) -> None:
    """Joined text with a nameless entry is neither guessed nor lost: the plan names record and field."""
    assert isinstance(scene.source, SqliteStore)
    key = LEFT[:-1] + "1"
    torn = {"id": key, "Email": "torn@example.org", "CompletedScenarioIds": "a,,b"}
    await scene.source.adopt(ACCOUNTS, [torn | {"CreatedAt": ELDER["CreatedAt"]}])
    planned = await scene.do(Action.PLAN, "accounts")
    (finding,) = planned["findings"]
    assert (finding["problem"], finding["field"]) == ("not representable", "completedScenarioIds")
    assert key in finding["samples"][0]
    held = await scene.source.get(ACCOUNTS, key)
    assert held is not None
    assert held.content is not None
    assert held.content["completedScenarioIds"] == "a,,b"


# -- what they played --------------------------------------------------------------------------------------

OWNER: dict[str, Any] = make_account(Random(53), 0)
PLAYER = "0193a1c0-0000-4000-8000-00000000abcd"
PLAY = "0193a1c0-0000-4000-8000-00000000f0f2"
PLAYED: dict[str, Any] = {
    "id": PLAY,
    "AccountId": OWNER["id"].upper(),
    "ProfileId": PLAYER,
    "ScenarioId": "lantern-harbour-lost-map",
    "PlayerNames": "Mia,Zoe\u0308",
    "CharacterAssignments": [{"CharacterId": "ferryman", "PlayerName": "Mia"}],
    "Status": "Completed",
    "CurrentSceneId": None,
    "ChoiceHistory": [{"SceneId": "harbour", "Choice": "Knock, twice.", "Strength": 1.0}],
    "CompassValues": {"Courage": {"CurrentValue": -0.0}},
    "StartTime": "2023-03-04T05:06:07.1234567Z",
    "AccumulatedPause": 12.5,
    "SceneCount": 14,
    "TargetAgeGroup": "6-9",
    "CreatedAt": "2023-03-04T05:06:07Z",
    "Analytics": {"Device": "tablet"},
}
"""A session of which nearly all is spelled otherwise, down to the insides of its lists."""

PLAYED_DECLARED: dict[str, Any] = {
    **{name[0].lower() + name[1:]: value for name, value in PLAYED.items() if name != "Analytics"},
    "playerNames": ["Mia", "Zoe\u0308"],
    "Analytics": {"Device": "tablet"},
}
SCORED: dict[str, Any] = {
    "id": "0193a1c0-0000-4000-8000-00000000f0f3",
    "ProfileId": PLAYER,
    "ScenarioId": "lantern-harbour-lost-map",
    "GameSessionId": PLAY,
    "AxisScores": {"Courage": 1.0, "Empathy": -0.5},
    "CreatedAt": "2023-03-04T05:36:07Z",
}


@pytest.fixture
async def plays(tmp_path: Path, migrated_url: str) -> AsyncIterator[Scene]:
    """SQLite full of sessions and scores that were left behind; tables that hold their account alone."""
    source, target = SqliteStore(tmp_path / "documents.sqlite"), PostgresStore(migrated_url, MAPPINGS)
    random = Random(54)
    sessions = [make_session(random, OWNER["id"], make_uuid(random)) for _ in range(400)]
    async with contextlib.AsyncExitStack() as stack:
        for store in (source, target):
            stack.push_async_callback(store.close)
            await store.open()
        await target.apply(ACCOUNTS, [Record(OWNER["id"], 1, OWNER)])
        await source.adopt(GAME_SESSIONS, [leave_play_behind(random, each) for each in sessions])
        scores = [leave_play_behind(random, make_score(random, each)) for each in sessions]
        await source.adopt(PLAYER_SCENARIO_SCORES, scores)
        await source.adopt(GAME_SESSIONS, [PLAYED])
        await source.adopt(PLAYER_SCENARIO_SCORES, [SCORED])
        kinds = (GAME_SESSIONS, PLAYER_SCENARIO_SCORES)
        yield Scene(source, target, tmp_path / "certificates", kinds=kinds)


def scores_of(scene: Scene) -> Scores:
    return Repository(PlayerScenarioScore, PLAYER_SCENARIO_SCORES, scene.leases, scene.clock)


async def test_former_plays_move_without_a_rewrite(plays: Scene) -> None:
    """Sessions and scores arrive as declared, the insides of their lists as they were; the file stays."""
    before = bodies(plays)
    assert sum('"PlayerNames"' in body for body in before.values()) > 3
    async with plays.working():
        await assert_moves(plays, GAME_SESSIONS, [PLAYED])
        await assert_moves(plays, PLAYER_SCENARIO_SCORES, [SCORED])
        await plays.do(Action.CUT_BACK, PLAYER_SCENARIO_SCORES.name)
        await plays.do(Action.CUT_BACK, GAME_SESSIONS.name)
        assert (await plays.do(Action.VERIFY, GAME_SESSIONS.name))["differences"] == 0
    assert bodies(plays) == before
    held = await plays.target.get(GAME_SESSIONS, PLAY)
    assert held == await plays.source.get(GAME_SESSIONS, PLAY) == Record(PLAY, 0, PLAYED_DECLARED)


@pytest.mark.parametrize("is_moved", [False, True], ids=["at the documents", "at the tables"])
async def test_former_play_is_served_and_counts(plays: Scene, *, is_moved: bool) -> None:
    """It can be read and found, its score stands in the way of another, and lets go of it when it goes."""
    async with contextlib.AsyncExitStack() as stack:
        if is_moved:
            await stack.enter_async_context(plays.working())
            await assert_moves(plays, GAME_SESSIONS, [PLAYED])
            await assert_moves(plays, PLAYER_SCENARIO_SCORES, [SCORED])
        sessions = Repository(GameSession, GAME_SESSIONS, plays.leases, plays.clock)
        found = await sessions.find(Specification(where=field("profileId") == PLAYER, limit=10))
        (session,) = [each.value for each in found.items]
        assert (session.player_names, session.status) == (["Mia", "Zoe\u0308"], SessionStatus.COMPLETED)
        assert (session.scene_count, session.events, session.live_key) == (14, [], None)

        scores = scores_of(plays)
        (score,) = await all_scores(scores, PLAYER)
        assert score.axis_scores == {"Courage": 1.0, "Empathy": -0.5}
        now = plays.clock.now()
        if is_moved:
            again = {"session_id": PLAY, "account_id": OWNER["id"], "now": now}
            assert not await keep_score(scores, PLAYER, score.scenario_id, {"Courage": 2.0}, **again)
        assert await release_scores(scores, PLAY, now=now) == 1
        (released,) = await all_scores(scores, PLAYER)
        assert (released.game_session_id, released.axis_scores) == (None, score.axis_scores)
