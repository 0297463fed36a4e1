"""Moves from the command line, each of a platform that no other test has moved anything of."""

from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest
import pytest_asyncio

from mystira.clients.service import Service
from mystira.clients.service_tokens import ServiceCredentials
from mystira.demonstration.stage import Stage
from tests.acceptance.populated import populated
from tests.commands import command

pytestmark = pytest.mark.slow


@pytest_asyncio.fixture
async def with_twins(tmp_path: Path) -> AsyncIterator[Stage]:
    """A platform in which one pair of accounts shares an e-mail address."""
    async with populated(tmp_path / "data", twins=1) as platform:
        yield platform


@pytest_asyncio.fixture
async def copied(tmp_path: Path) -> AsyncIterator[Stage]:
    """A platform whose accounts have a copy in PostgreSQL."""
    async with populated(tmp_path / "data") as platform:
        assert (await command("move", "start", "accounts", folder=platform.folder)).code == 0
        yield platform


async def test_a_move_from_the_command_line(with_twins: Stage) -> None:
    """Plan finds the twins (1), and with them settled everything up to a cut-over ends with 0."""
    plan = await command("move", "plan", "accounts", "--json", folder=with_twins.folder)
    assert plan.code == 1
    findings = plan.document["result"]["findings"]
    assert [(finding["problem"], finding["count"]) for finding in findings] == [("not unique", 1)]
    shown = await command("move", "plan", "accounts", folder=with_twins.folder)
    assert "give all but one" in shown.output.replace("\n", " ")

    await _settle(with_twins, findings[0]["samples"][0].split(", ")[1])
    for step in ("plan", "start", "verify", "cut-over", "cut-back"):
        told = await command("move", step, "accounts", "--json", folder=with_twins.folder)
        assert told.code == 0, told.output
    recheck = await command("move", "recheck", "accounts", folder=with_twins.folder)
    assert recheck.code == 1, "a certificate of a former epoch speaks of nothing"
    assert (await command("move", "verify", "accounts", folder=with_twins.folder)).code == 0
    assert (await command("move", "recheck", "accounts", folder=with_twins.folder)).code == 0
    status = await command("move", "status", "accounts", "--json", folder=with_twins.folder)
    assert status.document["phase"] == "DualWriteCosmosRead"
    assert status.document["certificate"].startswith("accounts-")


async def _settle(up: Stage, key: str) -> None:
    async with Service.at(up.roster.address, ServiceCredentials(up.service_key)) as service:
        answer = await service.ask("GET", f"/api/v1/accounts/{key}")
        content, headers = {"email": "settled@example.org"}, {"If-Match": answer.etag or ""}
        await service.ask("PATCH", f"/api/v1/accounts/{key}", content=content, headers=headers)


async def _psql(up: Stage, statement: str, *arguments: object) -> None:
    connection = await asyncpg.connect(up.settings.postgres_url)
    try:
        await connection.execute(statement, *arguments)
    finally:
        await connection.close()


async def _a_former_account(up: Stage) -> str:
    async with Service.at(up.roster.address, ServiceCredentials(up.service_key)) as service:
        found = (await service.ask("GET", "/api/v1/accounts", query={"limit": "1"})).body
    return str(found["items"][0]["id"])


async def test_rogue_writes_from_the_command_line(copied: Stage) -> None:
    """What psql did to a copy is listed, compared, found, repaired and decided about; exit codes tell."""
    key = await _a_former_account(copied)
    nobody = await command("rogue", "list", "accounts", folder=copied.folder)
    assert (nobody.code, "Nobody wrote accounts" in nobody.output) == (0, True)
    same = await command("store", "compare", "accounts", key, folder=copied.folder)
    assert (same.code, "both agree" in same.output) == (0, True)
    await _psql(copied, "update accounts set display_name = 'Eve' where id = $1::uuid", key)
    status = await command("move", "status", "accounts", "--json", folder=copied.folder)
    assert status.document["rogueWrites"] == {"documents": 0, "postgres": 1}
    assert "1 in postgres" in (await command("status", folder=copied.folder)).output
    listed = await command("rogue", "list", "accounts", "--json", folder=copied.folder)
    [rogue] = listed.document
    assert (rogue["store"], rogue["key"], "Eve" in listed.output) == ("postgres", key, False)
    assert key in (await command("rogue", "list", "accounts", folder=copied.folder)).output
    reason = ("--reason", "ticket 4711")
    assert (
        "Eve" in (await command("rogue", "list", "accounts", "--json", *reason, folder=copied.folder)).output
    )
    compare = ("store", "compare", "accounts", key)
    differing = await command(*compare, *reason, folder=copied.folder)
    assert differing.code == 1
    assert "postgres is ahead in displayName" in differing.output
    assert '"Eve"' in differing.output
    assert "Eve" not in (await command(*compare, folder=copied.folder)).output
    for depth, code in (("versions", 1), ("full", 1)):
        told = await command("move", "verify", "accounts", "--depth", depth, "--json", folder=copied.folder)
        assert (told.code, told.document["result"]["differences"]) == (code, 1)
    assert (await command("move", "repair", "accounts", folder=copied.folder)).code == 2
    repair = ("move", "repair", "accounts", *reason)
    repaired = await command(*repair, "--json", folder=copied.folder)
    assert (repaired.code, repaired.document["result"]["repeated"]) == (0, 1)
    assert "repeated" in (await command(*repair, folder=copied.folder)).output
    settle = ("rogue", "settle", "accounts", key, str(rogue["version"]), "--store", "postgres")
    late = await command(*settle, "--keep", "rogue", *reason, folder=copied.folder)
    assert (late.code, "has been replaced since" in late.notes) == (1, True)
    done = await command(*settle, "--keep", "truth", *reason, folder=copied.folder)
    assert (done.code, "nothing had to be written" in done.output) == (0, True)
    assert (await command(*settle, "--keep", "truth", *reason, folder=copied.folder)).code == 1
    for depth in ("versions", "full", "since"):
        assert (await command("move", "verify", "accounts", "--depth", depth, folder=copied.folder)).code == 0
