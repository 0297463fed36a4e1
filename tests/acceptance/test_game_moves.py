"""The kinds of the game go to the tables and back: the same records, parents before their children."""

import asyncio
import contextlib
import functools
import random
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest

from manystore.clock import SystemClock
from manystore.errors import StepRefusedError
from manystore.followers.runner import SyncRunner
from manystore.moves.tasks import Action
from manystore.records import Content, Kind, canonical
from manystore.repository import Repository
from manystore.specifications import Specification, field
from manystore.stores.postgres import PostgresStore
from manystore.stores.sqlite import SqliteStore
from manystore.stores.store import KeyRange, Store
from mystira.domain.accounts.kind import ACCOUNTS
from mystira.domain.accounts.use_cases import delete_account
from mystira.domain.consents.kind import DELETION_REQUESTS, PARENTAL_CONSENTS
from mystira.domain.purchases.buyers import Bought, release_purchases
from mystira.domain.purchases.kind import PURCHASES
from mystira.domain.records import Entity
from mystira.domain.scores.kind import PLAYER_SCENARIO_SCORES
from mystira.domain.sessions.kind import GAME_SESSIONS
from mystira.domain.sessions.model import GameSession
from mystira.domain.sessions.reading import sessions_release
from mystira.domain.signing_in.kind import PENDING_SIGNUPS
from mystira.placement import PLACEMENT
from mystira.platform import Platform
from mystira.schema.mappings import MAPPINGS
from mystira.settings import Settings
from mystira.simulation.making import make_uuid
from mystira.simulation.paperwork import make_consent, make_deletion_request, make_purchase, make_signup
from mystira.simulation.people import make_former_accounts
from mystira.simulation.plays import leave_play_behind, make_score, make_session
from tests.acceptance.migrated import migrated_url

__all__ = ["migrated_url"]

Documents = dict[Kind, list[Content]]
EACH = 200
FORWARD = (Action.START, Action.VERIFY, Action.CUT_OVER, Action.VERIFY)
BACK = (Action.CUT_BACK, Action.VERIFY)
MOVED = (
    ACCOUNTS,
    *(entry.kind for entry in PLACEMENT if entry.kind.name not in ("accounts", "user_profiles")),
)


def _documents() -> Documents:
    """A few hundred of each kind, awkward ones and former ones among them, for one set of accounts."""
    made = Random(61)
    accounts = list(make_former_accounts(made, EACH))
    sessions = [make_session(made, account["id"], make_uuid(made)) for account in accounts]
    return {
        ACCOUNTS: accounts,
        GAME_SESSIONS: [leave_play_behind(made, session) for session in sessions],
        PLAYER_SCENARIO_SCORES: [leave_play_behind(made, make_score(made, each)) for each in sessions],
        PENDING_SIGNUPS: [make_signup(made, index) for index in range(EACH)],
        PARENTAL_CONSENTS: [
            make_consent(made, make_uuid(made), account["id"], index)
            for index, account in enumerate(accounts)
        ],
        DELETION_REQUESTS: [
            make_deletion_request(made, make_uuid(made), account["id"]) for account in accounts
        ],
        PURCHASES: [make_purchase(made, account["id"]) for account in accounts],
    }


@pytest.fixture
async def platform(tmp_path: Path, migrated_url: str) -> AsyncIterator[Platform]:
    """SQLite full of old data, empty tables, and followers that run."""
    documents, tables = SqliteStore(tmp_path / "documents.sqlite"), PostgresStore(migrated_url, MAPPINGS)
    async with contextlib.AsyncExitStack() as stack:
        for store in (documents, tables):
            stack.push_async_callback(store.close)
            await store.open()
        for kind, contents in _documents().items():
            assert await documents.adopt(kind, contents) == EACH
        settings = Settings(data_folder=tmp_path / "data", lease_seconds=0.4)
        made = Platform(settings, documents, tables, node="node-1", clock=SystemClock())
        async with _following(made):
            yield made


@contextlib.asynccontextmanager
async def _following(platform: Platform) -> AsyncIterator[None]:
    runner = SyncRunner(
        list(platform.family.values()),
        platform.leases,
        owner="worker-1",
        clock=platform.clock,
        randomness=random.Random(7),
    )
    tasks = [asyncio.create_task(each) for each in (runner.run(), platform.leases.keep())]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _do(platform: Platform, actions: Sequence[Action], kind: Kind) -> list[dict[str, Any]]:
    results = [await platform.mover.carry_out(action, kind.name) for action in actions]
    await platform.leases.refresh(kind.name)
    return results


async def _contents(store: Store, kind: Kind) -> dict[str, bytes]:
    records = await store.scan(kind, KeyRange(), 10_000)
    return {record.key: canonical(record.content) for record in records if record.content is not None}


async def test_every_kind_goes_forward_and_back(platform: Platform) -> None:
    """All plans are clear, every verification finds nothing, a write at either truth arrives at the other."""
    before = {kind: await _contents(platform.documents, kind) for kind in MOVED}
    for kind in MOVED:
        (plan,) = await _do(platform, [Action.PLAN], kind)
        assert (plan["isClear"], plan["findings"], plan["records"]) == (True, (), EACH)
        _, first, _, second = await _do(platform, FORWARD, kind)
        assert (first["differences"], second["differences"]) == (0, 0)
        assert await _contents(platform.tables, kind) == before[kind]
        await _touch(platform, kind)
    for kind in reversed(MOVED):
        _, verified = await _do(platform, BACK, kind)
        assert (verified["differences"], verified["samples"]) == (0, [])
        await _touch(platform, kind)
        (again,) = await _do(platform, [Action.VERIFY], kind)
        assert again["differences"] == 0
        after = await _contents(platform.documents, kind)
        assert after == await _contents(platform.tables, kind)
        assert sum(after[key] != content for key, content in before[kind].items()) == 1


async def _touch(platform: Platform, kind: Kind) -> None:
    """Date the kind's first record anew, through a repository."""
    records: Repository[Entity] = Repository(Entity, kind, platform.leases, platform.clock)
    truth = platform.placement(kind.name).truth(await platform.leases.state(kind.name))
    (first,) = await truth.scan(kind, KeyRange(), 1)
    stored = await records.get(first.key)
    assert stored is not None
    dated = msgspec.structs.replace(stored.value, updated_at=platform.clock.now())
    assert (await records.change(stored, dated)).version == first.version + 1


async def test_children_wait_for_their_parents(platform: Platform) -> None:
    """Sessions and purchases are refused before accounts, scores before sessions, by the parent's name."""
    for child in (GAME_SESSIONS, PURCHASES):
        with pytest.raises(StepRefusedError, match="parent accounts"):
            await _do(platform, [Action.START], child)
    await _do(platform, FORWARD, ACCOUNTS)
    with pytest.raises(StepRefusedError, match="parent game_sessions"):
        await _do(platform, [Action.START], PLAYER_SCENARIO_SCORES)
    await _do(platform, [Action.START, Action.VERIFY], GAME_SESSIONS)
    await _do(platform, [Action.START, Action.VERIFY], PLAYER_SCENARIO_SCORES)
    # A child may follow as far as its parent has gone, and no further; nor may the parent go back alone.
    with pytest.raises(StepRefusedError, match="parent game_sessions"):
        await _do(platform, [Action.CUT_OVER], PLAYER_SCENARIO_SCORES)
    await _do(platform, [Action.CUT_OVER], GAME_SESSIONS)
    with pytest.raises(StepRefusedError, match="child game_sessions"):
        await _do(platform, [Action.CUT_BACK], ACCOUNTS)


async def test_what_a_table_would_refuse_is_planned(platform: Platform) -> None:
    """A second score of one pair, a session without its account, a status by its number: found beforehand."""
    assert isinstance(platform.documents, SqliteStore)
    made = _documents()
    score, session = made[PLAYER_SCENARIO_SCORES][0], made[GAME_SESSIONS][0]
    twin = {name: value for name, value in score.items() if name != "id"}
    await platform.documents.adopt(PLAYER_SCENARIO_SCORES, [twin | {"id": make_uuid(Random(62))}])
    lost = session | {"id": make_uuid(Random(63)), "liveKey": None, "accountId": make_uuid(Random(64))}
    numbered = session | {"id": make_uuid(Random(65)), "liveKey": None, "status": 3}
    await platform.documents.adopt(GAME_SESSIONS, [lost, numbered])
    (plan,) = await _do(platform, [Action.PLAN], PLAYER_SCENARIO_SCORES)
    (finding,) = plan["findings"]
    assert (finding["problem"], finding["field"], finding["count"]) == ("not unique", "scenarioId", 1)
    assert score["id"] in finding["samples"][0]
    (plan,) = await _do(platform, [Action.PLAN], GAME_SESSIONS)
    found = {(each["problem"], each["field"]): each["samples"][0] for each in plan["findings"]}
    assert set(found) == {("missing parent", "accountId"), ("not representable", "status")}
    assert found["missing parent", "accountId"].startswith(lost["id"])
    assert found["not representable", "status"].startswith(numbered["id"])


# -- when an account goes ----------------------------------------------------------------------------------

CHILDREN = (GAME_SESSIONS, PLAYER_SCENARIO_SCORES, PURCHASES)
PLACES: dict[str, tuple[Sequence[Action], Sequence[Action]]] = {
    "all in documents": ((), ()),
    "accounts in tables": (FORWARD, ()),
    "children on their way": (FORWARD, (Action.START, Action.VERIFY)),
    "all in tables": (FORWARD, FORWARD),
    "all in tables for good": ((*FORWARD, Action.FINISH), (*FORWARD, Action.FINISH)),
}
"""What is done with accounts, and then with their children, before one of them goes."""


@pytest.mark.parametrize("place", PLACES)
async def test_an_account_goes_alike_wherever_its_children_are(platform: Platform, place: str) -> None:
    """Its sessions go with it, scores and purchases stay without it; what follows agrees in the end."""
    for_accounts, for_children = PLACES[place]
    await _do(platform, for_accounts, ACCOUNTS)
    for kind in CHILDREN:
        await _do(platform, for_children, kind)
    purchases = platform.repository(Bought, PURCHASES)
    session = await _one(platform.play.sessions)
    owner = session.account_id
    releases = (
        sessions_release(platform.play.sessions, platform.play.scores, clock=platform.clock),
        functools.partial(release_purchases, purchases, clock=platform.clock),
    )
    await delete_account(platform.accounts, owner, releases=releases)
    assert await platform.accounts.get(owner) is None
    assert await platform.play.sessions.get(session.id) is None
    scores = await platform.play.scores.find(Specification(where=field("accountId") == owner, limit=10))
    assert [each.value.game_session_id for each in scores.items] == [None]
    theirs = Specification(where=field("accountId") == owner, limit=10)
    assert (await purchases.find(theirs)).items == ()
    orphaned = await purchases.find(Specification(where=field("accountId").is_missing(), limit=10))
    assert len(orphaned.items) == 1
    for kind in (ACCOUNTS, *CHILDREN):
        if (await platform.leases.state(kind.name)).phase.has_copy:
            (verified,) = await _do(platform, [Action.VERIFY], kind)
            assert (verified["differences"], verified["queued"]) == (0, 0)


async def _one(sessions: Repository[GameSession]) -> GameSession:
    """A session that its score still points to."""
    found = await sessions.find(Specification(where=field("status") == "Completed", limit=1))
    return found.items[0].value
