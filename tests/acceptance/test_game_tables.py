"""The tables of play, sign-in, consent and purchase: what they refuse, and what they do by themselves."""

import datetime as dt
import uuid
from typing import Any

import asyncpg
import pytest
import pytest_asyncio

from tests.acceptance.migrated import (
    ACCOUNT,
    LONG_AGO,
    OTHER,
    PROFILE,
    Connection,
    connection,
    insert,
    insert_account,
    migrated_url,
    run_as_engine,
)

__all__ = ["connection", "migrated_url"]

SESSION = uuid.UUID(int=4)
SCORE = uuid.UUID(int=5)
PURCHASE = uuid.UUID(int=6)
CHILDREN = ("game_sessions", "player_scenario_scores", "purchases")


@pytest_asyncio.fixture
async def household(connection: Connection) -> Connection:
    """An account that plays, has played, and has bought something; and somebody who signs up."""
    await insert_account(connection)
    session = {"id": SESSION, "account_id": ACCOUNT, "profile_id": PROFILE, "status": "InProgress"}
    await insert(connection, "game_sessions", **session, scenario_id="lantern", live_key="a:l:p")
    score = {"id": SCORE, "profile_id": PROFILE, "scenario_id": "lantern", "game_session_id": SESSION}
    await insert(connection, "player_scenario_scores", **score)
    await insert(connection, "purchases", id=PURCHASE, account_id=ACCOUNT, status="Granted")
    await insert(connection, "pending_signups", email="ada@example.org")
    await insert(connection, "sign_ins", id="a hash", account_id=ACCOUNT)
    await insert(connection, "parental_consents", child_profile_id=PROFILE, status="Verified")
    await insert(connection, "deletion_requests", child_profile_id=PROFILE, status="Completed")
    return connection


# -- what they refuse --------------------------------------------------------------------------------------

_UNIQUE = asyncpg.UniqueViolationError
_CHECK = asyncpg.CheckViolationError
_FOREIGN = asyncpg.ForeignKeyViolationError
_NULL = asyncpg.NotNullViolationError

REFUSALS: list[tuple[str, dict[str, Any], type[Exception], str | None]] = [
    ("game_sessions", {"account_id": OTHER}, _FOREIGN, "game_sessions_account_id_fkey"),
    ("game_sessions", {"status": "Lost"}, _CHECK, "game_sessions_status_check"),
    ("game_sessions", {"status": None}, _NULL, None),
    ("game_sessions", {"target_age_group": "6-"}, _CHECK, "game_sessions_target_age_group_check"),
    ("game_sessions", {"live_key": "a:l:p"}, _UNIQUE, "game_sessions_live_key_key"),
    (
        "player_scenario_scores",
        {"profile_id": PROFILE, "scenario_id": "lantern"},
        _UNIQUE,
        "player_scenario_scores_profile_id_scenario_id_key",
    ),
    (
        "player_scenario_scores",
        {"game_session_id": OTHER},
        _FOREIGN,
        "player_scenario_scores_game_session_id_fkey",
    ),
    ("pending_signups", {"email": None}, _NULL, None),
    ("pending_signups", {"email": "ada"}, _CHECK, "pending_signups_email_check"),
    (
        "pending_signups",
        {"email": "a@b.cd", "failed_attempts": 11},
        _CHECK,
        "pending_signups_failed_attempts_check",
    ),
    (
        "pending_signups",
        {"email": "a@b.cd", "failed_attempts": -1},
        _CHECK,
        "pending_signups_failed_attempts_check",
    ),
    ("sign_ins", {"id": "a hash"}, _UNIQUE, "sign_ins_pkey"),
    ("sign_ins", {"id": "another", "role": "Owner"}, _CHECK, "sign_ins_role_check"),
    (
        "parental_consents",
        {"status": "Pending", "parent_email": "my mother"},
        _CHECK,
        "parental_consents_parent_email_check",
    ),
    (
        "parental_consents",
        {"status": "Pending", "failed_attempts": 11},
        _CHECK,
        "parental_consents_failed_attempts_check",
    ),
    ("parental_consents", {"scope": ["play"]}, _NULL, None),
    ("deletion_requests", {"reason": "we moved"}, _NULL, None),
    ("purchases", {"status": "Granted", "account_id": OTHER}, _FOREIGN, "purchases_account_id_fkey"),
    ("purchases", {"account_id": ACCOUNT}, _NULL, None),
]


@pytest.mark.parametrize(("table", "values", "error", "constraint"), REFUSALS)
async def test_what_must_not_be_is_refused(
    household: Connection,
    table: str,
    values: dict[str, Any],
    error: type[Exception],
    constraint: str | None,
) -> None:
    """Each constraint refuses what it is there for, by its name."""
    with pytest.raises(error) as refused:
        await insert(household, table, **values)
    assert getattr(refused.value, "constraint_name", None) == constraint


async def test_sessions_that_have_ended_share_nothing(household: Connection) -> None:
    """One story can be played again once its former play has ended, and any number of plays have ended."""
    for _ in range(2):
        await household.execute("update game_sessions set status = 'Completed', live_key = null")
        await insert(household, "game_sessions", account_id=ACCOUNT, live_key="a:l:p")
    assert await household.fetchval("select count(*) from game_sessions where live_key is null") == 2


# -- what they do themselves -------------------------------------------------------------------------------

CHANGES = {
    "game_sessions": "update game_sessions set current_scene_id = 'the-cave'",
    "player_scenario_scores": """update player_scenario_scores set axis_scores = '{"Courage": 1}'""",
    "pending_signups": "update pending_signups set is_used = true",
    "sign_ins": "update sign_ins set last_seen_at = now()",
    "parental_consents": "update parental_consents set revoked_at = now()",
    "deletion_requests": "update deletion_requests set reason = null, completed_at = now()",
    "purchases": "update purchases set refunded_at = now()",
}


async def _logged(connection: Connection, kind: str) -> list[int]:
    rows = await connection.fetch(
        "select version from manystore.change_log where kind = $1 order by seq", kind
    )
    return [row[0] for row in rows]


@pytest.mark.parametrize("table", CHANGES)
async def test_a_change_by_hand_is_dated_and_counted(household: Connection, table: str) -> None:
    """It sets updated_at, raises the version and is logged; the engine's own change brings its date along."""
    exact = dt.datetime(2024, 2, 29, 23, 59, 59, 123457, tzinfo=dt.UTC)
    dated = f"update {table} set updated_at = $1, version = version + 1"
    for mode in ("put", "copy"):
        await run_as_engine(household, f"{mode} {table}", dated, exact)
        assert await household.fetchval(f"select updated_at from {table}") == exact
    before = await _logged(household, table)
    await household.execute(CHANGES[table])
    row = await household.fetchrow(f"select version, updated_at from {table}")
    assert row["updated_at"] > exact
    # The copy's write is not logged: its truth has logged it.
    assert await _logged(household, table) == [*before, row["version"]] == [1, 2, 4]


async def test_an_account_takes_its_sessions_along_and_leaves_scores_and_purchases(
    household: Connection,
) -> None:
    """Sessions go, the score loses its session, the purchase its buyer; each as a change that is logged."""
    await household.execute("delete from accounts")
    assert await household.fetchval("select count(*) from game_sessions") == 0
    assert await household.fetchval("select game_session_id is null from player_scenario_scores")
    assert await household.fetchval("select account_id is null from purchases")
    for kind in CHILDREN:
        assert await _logged(household, kind) == [1, 2]
    assert await household.fetchval(
        "select version from manystore.tombstones where kind = 'game_sessions' and key = $1", str(SESSION)
    )
    # Neither has the account in a foreign key: they are proof, and end by their own rules.
    for table in ("sign_ins", "parental_consents", "deletion_requests"):
        assert await household.fetchval(f"select count(*) from {table}") == 1


@pytest.mark.parametrize("mode", ["put accounts", "copy accounts"])
async def test_where_children_are_a_copy_a_parents_end_is_an_echo(household: Connection, mode: str) -> None:
    """Their own truth brings the change, with its version: here nothing is counted, logged or buried."""
    for kind in CHILDREN:
        await _raise_fence(household, kind, admits=False)
    await run_as_engine(household, mode, "delete from accounts")
    assert await household.fetchval("select count(*) from game_sessions") == 0
    for kind in CHILDREN:
        assert await _logged(household, kind) == [1]
    for table in ("player_scenario_scores", "purchases"):
        assert await household.fetchval(f"select version from {table}") == 1
    assert await household.fetchval("select count(*) from manystore.tombstones where kind <> 'accounts'") == 0
    assert await household.fetchval("select count(*) from manystore.rogue_writes") == 0


async def _raise_fence(connection: Connection, kind: str, *, admits: bool) -> None:
    raising = "select manystore.raise_fence($1, null, 3, $2, '{}')"
    assert await connection.fetchval(raising, kind, admits)


async def test_a_step_in_a_play_tells_no_index(household: Connection) -> None:
    """What each choice changes is in no index, so that the row's next version lies beside the former one."""
    async with household.transaction():
        for number in range(10):
            await household.execute(
                "update game_sessions set events = $1, choice_history = $1, current_scene_id = $2,"
                " scene_count = $3, compass_values = $1, updated_at = now(), accumulated_pause = 1",
                f'[{{"scene": {number}}}]',
                f"scene-{number}",
                number,
            )
        updated, hot = await household.fetchrow(
            "select pg_stat_get_xact_tuples_updated(oid), pg_stat_get_xact_tuples_hot_updated(oid)"
            " from pg_class where relname = 'game_sessions'"
        )
    assert (updated, hot) == (10, 10)


# -- sign-ups that ran out ---------------------------------------------------------------------------------


async def _expire(connection: Connection) -> None:
    """Of five sign-ups, two expired more than a day ago."""
    await connection.execute("delete from pending_signups")
    for number, age in enumerate((-1, 1, 23, 25, 1000)):
        expired = dt.datetime.now(dt.UTC) - dt.timedelta(hours=age)
        await insert(connection, "pending_signups", email=f"a{number}@example.org", expires_at=expired)
    await insert(connection, "pending_signups", email="a5@example.org")


async def test_sign_ups_are_removed_a_day_past_their_end(connection: Connection) -> None:
    """As the truth's own deletions: logged, buried, no rogue; the caller's transaction goes on as it was."""
    await _expire(connection)
    await _raise_fence(connection, "pending_signups", admits=True)
    logged = await _logged(connection, "pending_signups")
    async with connection.transaction():
        assert await connection.fetchval("select remove_expired_signups()") == 2
        assert await connection.fetchval("select current_setting('manystore.mode')") == ""
    left = await connection.fetch("select email from pending_signups order by email")
    assert [row["email"][:2] for row in left] == ["a0", "a1", "a2", "a5"]
    assert await _logged(connection, "pending_signups") == [*logged, 2, 2]
    assert await connection.fetchval("select count(*) from manystore.rogue_writes") == 0
    assert await connection.fetchval("select remove_expired_signups()") == 0


@pytest.mark.parametrize("fence", [None, False])
async def test_sign_ups_of_another_truth_are_left_alone(connection: Connection, fence: bool | None) -> None:
    """Where they are a copy, or not yet placed at all, nothing is removed: their truth will see to it."""
    await _expire(connection)
    if fence is not None:
        await _raise_fence(connection, "pending_signups", admits=fence)
    assert await connection.fetchval("select remove_expired_signups()") == 0
    assert await connection.fetchval("select count(*) from pending_signups") == 6


async def test_what_a_row_by_hand_leaves_out_has_a_sensible_value(household: Connection) -> None:
    """Somebody who inserts with psql gets ids, times and defaults from the server."""
    for table in CHANGES:
        row = await household.fetchrow(f"select * from {table}")
        assert row["version"] == 1
        assert row["created_at"] > LONG_AGO
        assert row["residue"] is None
    signup = await household.fetchrow("select * from pending_signups")
    assert (signup["is_used"], signup["is_signin"], signup["failed_attempts"]) == (False, False, 0)
