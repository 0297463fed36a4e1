"""Profiles at their final home: what reports ask for in PostgreSQL, what families choose in documents."""

from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest_asyncio

from manystore.moves.tasks import Action
from manystore.placement import Phase, read_state
from mystira.domain.accounts.model import NewAccount
from mystira.domain.accounts.use_cases import create_account
from mystira.domain.profiles.model import NewProfile, ProfileChange, ProfileSearch
from mystira.domain.profiles.use_cases import (
    change_profile,
    create_profile,
    delete_profile,
    list_profiles,
    read_profile,
)
from mystira.placement import PROFILES_SPLIT
from mystira.platform import Platform, open_platform
from mystira.settings import Settings
from tests.acceptance.migrated import migrated_url

__all__ = ["migrated_url"]


@pytest_asyncio.fixture
async def platform(migrated_url: str, tmp_path: Path) -> AsyncIterator[Platform]:
    """A platform whose profiles have the split home to move to."""
    settings = Settings(data_folder=tmp_path, postgres_url=migrated_url, profiles_home="split")
    async with open_platform(settings, role="test") as platform:
        yield platform


async def _move(platform: Platform, kind: str, *actions: Action) -> None:
    for action in actions:
        await platform.mover.carry_out(action, kind)
    await platform.leases.refresh(kind)


async def test_profiles_move_to_their_split_home_and_back(platform: Platform, migrated_url: str) -> None:
    """Halves lie where they belong, join when read, change as one, and move back whole."""
    accounts, profiles, clock = platform.accounts, platform.profiles, platform.clock
    account = await create_account(accounts, NewAccount(email="ada@example.org"), clock=clock)
    asked = NewProfile(
        name="Robin", account_id=account.key, bio="Likes owls.", preferred_themes=["forest", "sea"]
    )
    made = await create_profile(profiles, accounts, asked, clock=clock)
    forward = (Action.START, Action.VERIFY, Action.CUT_OVER)
    await _move(platform, "accounts", *forward)
    await _move(platform, "user_profiles", *forward)
    state = await read_state(platform.placement("user_profiles"))
    assert state.phase is Phase.DUAL_WRITE_TARGET_READ
    assert (await platform.status("user_profiles")).truth == "split"
    assert (await read_profile(profiles, made.key)).record == made.record

    changed = await change_profile(
        profiles, accounts, made.key, ProfileChange(bio="Likes bats.", name="Robyn"), clock=clock
    )
    assert (changed.version, changed.value.bio, changed.value.name) == (2, "Likes bats.", "Robyn")
    found = await list_profiles(profiles, ProfileSearch(account_id=account.key))
    assert [each.value for each in found.items] == [changed.value]
    connection = await asyncpg.connect(migrated_url)
    row = dict(await connection.fetchrow("select * from user_profiles"))
    await connection.close()
    assert (row["name"], row["version"], row["bio"], row["preferred_themes"]) == ("Robyn", 2, None, None)
    sheet = await platform.documents.get(PROFILES_SPLIT.rest_kind, made.key)
    assert sheet is not None
    assert sheet.content is not None
    (part,) = sheet.content["parts"]
    assert (part["content"]["bio"], part["content"]["preferredThemes"]) == ("Likes bats.", ["forest", "sea"])

    await _move(platform, "user_profiles", Action.VERIFY, Action.CUT_BACK)
    assert (await read_profile(profiles, made.key)).record == changed.record
    await delete_profile(profiles, made.key)
    await _move(platform, "user_profiles", Action.VERIFY)
    gone = await platform.documents.get(PROFILES_SPLIT.rest_kind, made.key)
    assert gone is not None
    assert gone.is_deleted
