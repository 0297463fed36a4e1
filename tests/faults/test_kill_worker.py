"""Processes killed with SIGKILL in each step of a move, on real stores and under traffic: nothing is lost."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from random import Random

import pytest

from manystore.moves.tasks import Action
from manystore.stores.sqlite import SqliteStore
from mystira.clients.admin import AdminClient
from mystira.clients.service import Service
from mystira.clients.service_tokens import ServiceCredentials
from mystira.demonstration.comparison import compare_copy, compare_truth, open_pairs
from mystira.demonstration.deaths import open_deaths
from mystira.demonstration.stage import Stage, stage
from mystira.domain.accounts.kind import ACCOUNTS
from mystira.simulation.ledger import read_ledgers
from mystira.simulation.people import make_former_accounts
from mystira.simulation.processes import share_out, traffic_processes
from mystira.simulation.reading import read_back
from mystira.simulation.witness import Evidence, conclude

pytestmark = pytest.mark.slow

RECORDS = 1500
STEPS = (Action.PLAN, Action.START, Action.VERIFY, Action.CUT_OVER, Action.CUT_BACK)


@contextlib.asynccontextmanager
async def platform(folder: Path, *, workers: int = 1) -> AsyncIterator[tuple[Stage, Service]]:
    """A platform with former accounts, and somebody to ask it."""
    async with stage(folder, workers=workers) as running:
        roster = await running.up()
        store = SqliteStore(running.settings.documents_path)
        await store.open()
        await store.adopt(ACCOUNTS, make_former_accounts(Random(3), RECORDS))
        await store.close()
        async with Service.at(roster.address, ServiceCredentials(running.service_key)) as service:
            yield running, service


async def _restarted(running: Stage, name: str, times: int) -> None:
    async with asyncio.timeout(120.0):
        while running.restarts(name) < times:
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("workers", [1, 2])
async def test_a_move_survives_its_worker_s_death_in_every_step(tmp_path: Path, workers: int) -> None:
    """Every step loses the worker that is at it, and is ended by another that was there, or comes then."""
    folder = tmp_path / "data"
    async with platform(folder, workers=workers) as (running, service), open_deaths(running) as deaths:
        admin = AdminClient(service)
        orders = share_out(
            url=service.url, folder=folder / "w", run="kill", rate=20.0, seconds=0.0, processes=2, seed=5
        )
        async with traffic_processes(folder / "w", orders, service_key=running.service_key) as traffic:
            for action in STEPS:
                async with asyncio.timeout(120.0):
                    await deaths.healed()
                async with deaths.during("accounts", action.value):
                    await _take(admin, action)
            await traffic.stop()
        assert [death.step for death in deaths.all] == [action.value for action in STEPS]
        # Nobody kills this one, and it finds that both stores agree.
        task = await admin.ended(await admin.request("accounts", Action.VERIFY))
        assert task.result is not None
        assert task.result["certificate"] is not None, task.result
        await _nothing_is_lost(running, service, Evidence(read_ledgers(traffic.ledgers)))


async def _take(admin: AdminClient, action: Action) -> None:
    task = await admin.ended(await admin.request("accounts", action), every=0.05)
    if action is Action.VERIFY and (task.result or {}).get("certificate") is None:
        pytest.fail(f"no certificate: {task}")
    assert task.state == "done", task


async def test_families_survive_the_death_of_what_answers_them(tmp_path: Path) -> None:
    """The API killed thrice under traffic: unclear writes are settled, acknowledged ones are there."""
    folder = tmp_path / "data"
    async with platform(folder) as (running, service):
        orders = share_out(
            url=service.url, folder=folder / "w", run="api", rate=40.0, seconds=0.0, processes=2, seed=6
        )
        async with traffic_processes(folder / "w", orders, service_key=running.service_key) as traffic:
            for times in range(1, 4):
                await asyncio.sleep(1.0)
                running.kill("api")
                await _restarted(running, "api", times)
            await asyncio.sleep(1.0)
            await traffic.stop()
        evidence = Evidence(read_ledgers(traffic.ledgers))
        assert evidence.acknowledged > 50
        await _nothing_is_lost(running, service, evidence)


async def _nothing_is_lost(running: Stage, service: Service, evidence: Evidence) -> None:
    findings = await read_back(service, evidence, sorted(evidence.touched))
    async with open_pairs(running.settings) as pairs:
        for pair in pairs:
            findings += await compare_truth(pair, evidence, lambda _: None)
            findings += await compare_copy(pair, lambda _: None)
    tally = conclude(evidence, findings)
    assert tally.acknowledged > 0
    assert tally.findings == ()
