"""The commands against a platform that runs: what they answer, how they end, and that they move records."""

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from random import Random

import asyncpg
import pytest
import pytest_asyncio

from manystore.stores.sqlite import SqliteStore
from mystira.clients.service import Service
from mystira.clients.service_tokens import ServiceCredentials
from mystira.demonstration.stage import Stage, stage
from mystira.domain.accounts.kind import ACCOUNTS
from mystira.placement import PLACEMENT
from mystira.servers.logs import Log
from mystira.servers.processes import Program, start
from mystira.simulation.people import make_former_accounts
from tests.commands import command
from tests.platform_process import gone

pytestmark = pytest.mark.slow
RECORDS = 300


@pytest_asyncio.fixture(scope="module")
async def up(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    """A platform with some former accounts, one pair of which shares an e-mail address."""
    folder = tmp_path_factory.mktemp("platform") / "data"
    async with stage(folder) as platform:
        await platform.up()
        store = SqliteStore(platform.settings.documents_path)
        await store.open()
        await store.adopt(ACCOUNTS, make_former_accounts(Random(1), RECORDS, twins=1))
        await store.close()
        yield platform
    await gone(folder)


async def test_status_tells_where_everything_is(up: Stage) -> None:
    """Kinds, processes and address, as one JSON document, and as a table for people."""
    told = await command("status", "--json", folder=up.folder)
    assert told.code == 0, told.notes
    phases = {kind["kind"]: kind["phase"] for kind in told.document["kinds"]}
    assert phases == {entry.kind.name: "CosmosOnly" for entry in PLACEMENT}
    names = {process["name"] for process in told.document["processes"]}
    assert names == {"postgres", "redis", "api", "worker"}
    shown = await command("status", folder=up.folder)
    assert "CosmosOnly" in shown.output


async def test_a_doctor_finds_a_sound_platform_sound(up: Stage) -> None:
    """Nothing fails; schema, capture and document store were really looked at."""
    told = await command("doctor", "--json", folder=up.folder)
    checks = {check["name"]: check["state"] for check in told.document["checks"]}
    assert told.code == 0, told.output
    looked_at = ("schema", "capture", "document store", "PostgreSQL settings", "Redis", "APIs")
    assert {checks[name] for name in looked_at} == {"ok"}


async def test_schema_is_current(up: Stage) -> None:
    """The tables are at the newest revision, and going up again changes nothing."""
    told = await command("schema", "current", "--json", folder=up.folder)
    assert (told.code, told.document["isCurrent"]) == (0, True)
    again = await command("schema", "upgrade", "--json", folder=up.folder)
    assert again.document["current"] == told.document["current"]
    unknown = await command("schema", "upgrade", "nowhere", folder=up.folder)
    assert unknown.code == 1
    assert unknown.notes.startswith("Revision nowhere cannot be reached")


async def test_a_step_out_of_turn_is_refused_with_reasons(up: Stage) -> None:
    """Each unmet condition on a line of its own, exit code 1, no traceback."""
    told = await command("move", "cut-over", "accounts", folder=up.folder)
    assert told.code == 1
    assert told.output == ""
    assert "Traceback" not in told.notes
    assert any(line.startswith("  - ") for line in told.notes.splitlines())
    as_json = await command("move", "cut-over", "accounts", "--json", folder=up.folder)
    assert as_json.document["error"]["code"] == "step_refused"


async def test_an_unknown_kind_is_refused(up: Stage) -> None:
    """By name, in one sentence."""
    told = await command("move", "status", "unicorns", folder=up.folder)
    assert told.code == 1
    assert "unicorns" in told.notes


async def test_the_queue_is_empty_and_what_is_not_there_cannot_be_dropped(up: Stage) -> None:
    """Lists nothing; a key that does not wait is a no, and so is a replay without a key."""
    assert (await command("queue", "list", "accounts", "--json", folder=up.folder)).document == []
    key = "00000000-0000-4000-8000-000000000001"
    assert (await command("queue", "show", "accounts", key, folder=up.folder)).code == 1
    dropped = await command("queue", "drop", "accounts", key, "--reason", "a test", folder=up.folder)
    assert dropped.code == 1
    assert (await command("queue", "replay", "accounts", folder=up.folder)).code == 2
    everything = await command("queue", "replay", "accounts", "--all", "--json", folder=up.folder)
    assert everything.document == {"replayed": 0}


async def test_simulated_families_find_nothing_lost(up: Stage) -> None:
    """Traffic from two processes, read back: every acknowledged write is there, and the figures say so."""
    told = await command(
        *("simulate", "--rate", "60", "--seconds", "3", "--processes", "2", "--json"), folder=up.folder
    )
    found = told.document
    assert told.code == 0, found
    assert found["requests"] > 60
    assert found["witness"]["acknowledged"] > 20
    assert (found["witness"]["lost"], found["witness"]["divergent"]) == (0, 0)
    assert found["operations"]["sign up"]["count"] > 10
    assert found["problems"] == {}


async def test_interrupted_families_still_report(up: Stage, tmp_path: Path) -> None:
    """Ctrl-C ends the load, not the report: 130, one document, nothing lost."""
    log = Log(tmp_path / "simulate.log")
    words = ("-m", "mystira", "simulate", "--seconds", "60", "--rate", "40", "--json")
    folder = ("--data-folder", str(up.folder))
    program = Program(name="simulate", command=(sys.executable, *words, *folder))
    process = await start(program, log)
    await asyncio.sleep(4.0)
    process.send(signal.SIGINT)
    async with asyncio.timeout(120):
        code = await process.ended()
    log.wait_closed(60.0)
    said = (tmp_path / "simulate.log").read_text()
    assert code == 130, said
    found = json.loads(next(line for line in said.splitlines() if line.startswith("{")))
    assert found["interrupted"] is True
    assert found["witness"]["lost"] == 0


async def test_a_move_from_the_command_line(up: Stage) -> None:
    """Plan finds the twins (1), and with them settled everything up to a cut-over ends with 0."""
    plan = await command("move", "plan", "accounts", "--json", folder=up.folder)
    assert plan.code == 1
    findings = plan.document["result"]["findings"]
    assert [(finding["problem"], finding["count"]) for finding in findings] == [("not unique", 1)]
    shown = await command("move", "plan", "accounts", folder=up.folder)
    assert "give all but one" in shown.output.replace("\n", " ")

    await _settle(up, findings[0]["samples"][0].split(", ")[1])
    for step in ("plan", "start", "verify", "cut-over", "cut-back"):
        told = await command("move", step, "accounts", "--json", folder=up.folder)
        assert told.code == 0, told.output
    recheck = await command("move", "recheck", "accounts", folder=up.folder)
    assert recheck.code == 1, "a certificate of a former epoch speaks of nothing"
    assert (await command("move", "verify", "accounts", folder=up.folder)).code == 0
    assert (await command("move", "recheck", "accounts", folder=up.folder)).code == 0
    status = await command("move", "status", "accounts", "--json", folder=up.folder)
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


async def test_rogue_writes_from_the_command_line(up: Stage) -> None:
    """What psql did to a copy is listed, compared, found, repaired and decided about; exit codes tell."""
    key = await _a_former_account(up)
    nobody = await command("rogue", "list", "accounts", folder=up.folder)
    assert (nobody.code, "Nobody wrote accounts" in nobody.output) == (0, True)
    same = await command("store", "compare", "accounts", key, folder=up.folder)
    assert (same.code, "both agree" in same.output) == (0, True)
    await _psql(up, "update accounts set display_name = 'Eve' where id = $1::uuid", key)
    status = await command("move", "status", "accounts", "--json", folder=up.folder)
    assert status.document["rogueWrites"] == {"documents": 0, "postgres": 1}
    assert "1 in postgres" in (await command("status", folder=up.folder)).output
    listed = await command("rogue", "list", "accounts", "--json", folder=up.folder)
    [rogue] = listed.document
    assert (rogue["store"], rogue["key"], "Eve" in listed.output) == ("postgres", key, False)
    assert key in (await command("rogue", "list", "accounts", folder=up.folder)).output
    reason = ("--reason", "ticket 4711")
    assert "Eve" in (await command("rogue", "list", "accounts", "--json", *reason, folder=up.folder)).output
    compare = ("store", "compare", "accounts", key)
    differing = await command(*compare, *reason, folder=up.folder)
    assert differing.code == 1
    assert "postgres is ahead in displayName" in differing.output
    assert '"Eve"' in differing.output
    assert "Eve" not in (await command(*compare, folder=up.folder)).output
    for depth, code in (("versions", 1), ("full", 1)):
        told = await command("move", "verify", "accounts", "--depth", depth, "--json", folder=up.folder)
        assert (told.code, told.document["result"]["differences"]) == (code, 1)
    assert (await command("move", "repair", "accounts", folder=up.folder)).code == 2
    repair = ("move", "repair", "accounts", *reason)
    repaired = await command(*repair, "--json", folder=up.folder)
    assert (repaired.code, repaired.document["result"]["repeated"]) == (0, 1)
    assert "repeated" in (await command(*repair, folder=up.folder)).output
    settle = ("rogue", "settle", "accounts", key, str(rogue["version"]), "--store", "postgres")
    late = await command(*settle, "--keep", "rogue", *reason, folder=up.folder)
    assert (late.code, "has been replaced since" in late.notes) == (1, True)
    done = await command(*settle, "--keep", "truth", *reason, folder=up.folder)
    assert (done.code, "nothing had to be written" in done.output) == (0, True)
    assert (await command(*settle, "--keep", "truth", *reason, folder=up.folder)).code == 1
    for depth in ("versions", "full", "since"):
        assert (await command("move", "verify", "accounts", "--depth", depth, folder=up.folder)).code == 0


async def test_a_second_platform_in_the_same_folder_is_refused(up: Stage) -> None:
    """One sentence, exit code 2, nothing started."""
    told = await command("up", "--port", "0", folder=up.folder)
    assert told.code == 2
    assert "is in use by another platform" in told.notes


async def test_a_busy_port_is_refused(up: Stage, tmp_path: Path) -> None:
    """One sentence that names the port and what to do."""
    port = up.roster.address.rpartition(":")[2]
    told = await command("up", "--port", port, folder=tmp_path / "other")
    assert told.code == 2
    assert f":{port}" in told.notes
    assert "--port" in told.notes


async def test_an_address_where_nobody_answers_ends_with_3(tmp_path: Path) -> None:
    """By --url, no data folder is asked."""
    told = await command("status", "--url", "http://127.0.0.1:9", folder=tmp_path)
    assert told.code == 3
    assert "gave no answer" in told.notes
