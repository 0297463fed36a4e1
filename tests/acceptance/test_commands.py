"""The commands against a platform that runs: what they answer, and how they end."""

import asyncio
import json
import signal
import sys
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from mystira.clients.service import Service
from mystira.clients.service_tokens import ServiceCredentials
from mystira.demonstration.stage import Stage
from mystira.placement import PLACEMENT
from mystira.servers.logs import Log
from mystira.servers.processes import Program, start
from tests.acceptance.populated import populated
from tests.commands import command

pytestmark = pytest.mark.slow


@pytest_asyncio.fixture(scope="module")
async def up(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    """A platform that nobody moves anything of."""
    async with populated(tmp_path_factory.mktemp("platform") / "data") as platform:
        yield platform


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


async def test_people_are_made_staff_by_their_address(up: Stage) -> None:
    """Whatever its case; what no account has is no, as is a role that there is not."""
    async with Service.at(up.roster.address, ServiceCredentials(up.service_key)) as service:
        email = f"{uuid.uuid4().hex}@example.org"
        await service.ask("POST", "/api/v1/accounts", content={"email": email})
    words = ("people", "role", email.upper(), "Admin", "--reason", "a test")
    given = await command(*words, "--json", folder=up.folder)
    assert (given.code, given.document["role"], given.document["former"]) == (0, "Admin", "Guest")
    assert (await command(*words, folder=up.folder)).output.endswith("is Admin now.\n")
    nobody = ("people", "role", "nobody@example.org", "Admin", "--reason", "a test")
    assert (await command(*nobody, folder=up.folder)).code == 1
    # They have not set a second factor up, so there is none to take away.
    lost = ("people", "reset-second-factor", email, "--reason", "a test")
    assert (await command(*lost, folder=up.folder)).code == 1
    assert (
        await command("people", "role", email, "Wizard", "--reason", "a test", folder=up.folder)
    ).code == 2


async def test_simulated_families_find_nothing_lost(up: Stage) -> None:
    """Traffic from two processes, read back: every acknowledged write is there, and the figures say so."""
    told = await command(
        *("simulate", "--load", "records", "--rate", "60", "--seconds", "3", "--processes", "2", "--json"),
        folder=up.folder,
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
    words = ("-m", "mystira", "simulate", "--load", "records", "--seconds", "60", "--rate", "40", "--json")
    folder = ("--data-folder", str(up.folder))
    environment = {"TMPDIR": str(tmp_path)}
    program = Program(name="simulate", command=(sys.executable, *words, *folder), environment=environment)
    process = await start(program, log)
    async with asyncio.timeout(120):
        while len(_written_by_witnesses(tmp_path)) < 40:
            assert process.returncode is None, log.path.read_text()
            await asyncio.sleep(0.1)
        process.send(signal.SIGINT)
        code = await process.ended()
    log.wait_closed(60.0)
    said = (tmp_path / "simulate.log").read_text()
    assert code == 130, said
    found = json.loads(next(line for line in said.splitlines() if line.startswith("{")))
    assert found["interrupted"] is True
    assert found["witness"]["lost"] == 0


def _written_by_witnesses(folder: Path) -> list[str]:
    ledgers = folder.glob("mystira-simulate-*/witness-*.jsonl")
    return [line for ledger in ledgers for line in ledger.read_text().splitlines()]


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
