"""Families play while their sessions and scores move: nothing is lost, and everything counts once."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
import pytest_asyncio

from manystore.moves.tasks import Action, Task
from mystira.clients.admin import AdminClient
from mystira.clients.service import Service
from mystira.clients.service_tokens import ServiceCredentials
from mystira.demonstration.stage import Stage, stage
from tests.commands import Ended, command
from tests.platform_process import gone

pytestmark = pytest.mark.slow

PARENTS = ("accounts", "user_profiles")
PLAYS = ("game_sessions", "player_scenario_scores")
_PATIENCE = 90.0


@pytest_asyncio.fixture(scope="module")
async def up(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    """A platform with the stories that are shipped."""
    folder: Path = tmp_path_factory.mktemp("platform") / "data"
    async with stage(folder) as platform:
        await platform.up()
        assert (await command("seed", folder=folder)).code == 0
        yield platform
    await gone(folder)


async def _take(admin: AdminClient, kind: str, action: Action) -> Task:
    """A step of a move, asked for again while children still wait for their parents."""
    deadline = asyncio.get_running_loop().time() + _PATIENCE
    while True:
        task = await admin.ended(await admin.request(kind, action))
        is_certified = action is not Action.VERIFY or (task.result or {}).get("certificate")
        if task.state == "done" and is_certified:
            return task
        assert asyncio.get_running_loop().time() < deadline, (kind, action, task.reasons, task.result)
        await asyncio.sleep(0.2)


async def _take_each(admin: AdminClient, kinds: Sequence[str], *actions: Action) -> None:
    for kind in kinds:
        for action in actions:
            await _take(admin, kind, action)


async def test_plays_survive_a_move_there_and_back_and_there_again(up: Stage) -> None:
    """Every play is as its family chose it, each completed story counts once, each badge was given once."""
    words = ("simulate", "--rate", "25", "--seconds", "25", "--processes", "2", "--json")
    playing = asyncio.create_task(command(*words, folder=up.folder))
    async with Service.at(up.roster.address, ServiceCredentials(up.service_key)) as service:
        admin = AdminClient(service, actor="test")
        await asyncio.sleep(3.0)
        await _take_each(admin, (*PARENTS, *PLAYS), Action.START)
        await _take_each(admin, (*PARENTS, *PLAYS), Action.VERIFY, Action.CUT_OVER)
        await _take_each(admin, PLAYS[::-1], Action.CUT_BACK)
        await _take_each(admin, PLAYS, Action.VERIFY, Action.CUT_OVER)
        assert not playing.done()
        await asyncio.sleep(1.0)
        told: Ended = await playing
        phases = {kind: (await admin.move(kind))["phase"] for kind in PLAYS}
    assert phases == dict.fromkeys(PLAYS, "DualWritePostgresRead")
    found = told.document
    assert told.code == 0, found
    assert (found["witness"]["lost"], found["witness"]["divergent"]) == (0, 0)
    assert (found["faults"], found["problems"]) == (0, {})
    assert found["operations"]["choose"]["count"] > 20
    assert found["operations"]["list scores"]["count"] > 0
