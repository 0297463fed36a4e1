"""The demonstration itself, small: it succeeds with figures that add up, and leaves nothing behind."""

import asyncio
import contextlib
import json
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from mystira.cli.demo import demo
from mystira.servers.logs import Log
from mystira.servers.processes import Process, Program, start
from tests.acceptance.planting import Saboteur
from tests.commands import command
from tests.platform_process import gone, processes_of

SMALL = ("--accounts", "600", "--rate", "30", "--processes", "2", "--breath", "0.3")

pytestmark = pytest.mark.slow


STEPS = {"plan", "copy", "verify", "cut over", "cut back", "verify again", "cut over again"}


async def test_a_demonstration_moves_both_kinds_there_and_back_and_there_again_and_loses_nothing(
    tmp_path: Path,
) -> None:
    """One JSON document: nothing lost or divergent, though a worker died at every step.

    It ends with 0 unless the machine was too busy for the limits that people's waiting has; a busy machine
    is no wrong answer, so those findings alone are passed over here. The demonstration itself is strict.
    """
    folder = tmp_path / "demo"
    told = await command("demo", "--json", "--seed", "7", *SMALL, folder=folder, seconds=600.0)
    report = told.document
    waited = [failure for failure in report["failures"] if "stood still" in failure or "ended in" in failure]
    assert report["failures"] == waited, told.output
    assert told.code == (1 if waited else 0)
    assert (report["witness"]["lost"], report["witness"]["divergent"]) == (0, 0)
    assert report["witness"]["acknowledged"] > 100
    accounts, profiles = report["kinds"]
    assert (accounts["kind"], profiles["kind"]) == ("accounts", "user_profiles")
    # Two kinds that are copied at once may lose one worker both.
    assert {*accounts["killedAt"], *profiles["killedAt"]} == STEPS
    assert report["kills"] == report["restarts"] == len(accounts["killedAt"]) + len(profiles["killedAt"])
    assert report["kills"] >= 2 * len(STEPS) - 1
    _assert_recovered(report)
    # A child is never further on than its parent.
    assert [(pause["step"], pause["kind"]) for pause in report["pauses"]] == [
        ("cut over", "accounts"),
        ("cut over", "user_profiles"),
        ("cut back", "user_profiles"),
        ("cut back", "accounts"),
        ("cut over again", "accounts"),
        ("cut over again", "user_profiles"),
    ]
    assert len(report["refused"]) == 4
    assert all(refused["reasons"] for refused in report["refused"])
    assert accounts["copy"]["records"] >= 600
    for moved in report["kinds"]:
        certificate = json.loads(Path(moved["certificate"]).read_text())
        assert certificate["kind"] == moved["kind"]
        assert certificate["records"] >= moved["copy"]["records"] * 0.9
    # What proves something stays; data and logs of a success do not.
    assert waited or {path.name for path in folder.iterdir()} == {"objects"}
    await gone(folder)


def _assert_recovered(report: dict[str, Any]) -> None:
    """All three clocks of each death have stopped, and both kinds came to rest where they were moved to."""
    recoveries = report["recoveries"]
    assert len(recoveries) == report["recovered"]["deaths"] == report["kills"]
    assert all(min(each["served"], each["wentOn"], each["written"]) > 0.0 for each in recoveries)
    longest = max(max(each["served"], each["wentOn"], each["written"]) for each in recoveries)
    assert report["recovered"]["max"] == longest
    assert [(each["phase"], each["underWay"]) for each in report["phases"]] == [
        ("DualWritePostgresRead", []),
        ("DualWritePostgresRead", []),
    ]


async def test_a_loss_that_was_planted_ends_with_1(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One acknowledged record removed and one altered behind everybody's back are named, and no others."""
    folder = tmp_path / "demo"
    saboteur = Saboteur(folder)
    monkeypatch.setattr("mystira.cli.demo.watcher", lambda _: contextlib.nullcontext(saboteur))
    small: dict[str, Any] = {"accounts": 60, "rate": 30.0, "processes": 1, "breath": 0.1}
    code = await demo(victims="nobody", data_folder=folder, json=True, **small)
    witness = json.loads(capsys.readouterr().out)["witness"]
    assert code == 1
    assert (witness["lost"], witness["divergent"]) == (1, 1)
    named = {(found["sort"], found["key"]) for found in witness["findings"] if found["where"] == "truth"}
    assert named == {("lost", saboteur.removed), ("differing", saboteur.altered)}
    await gone(folder)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
async def test_a_stopped_demonstration_leaves_no_process(tmp_path: Path, number: signal.Signals) -> None:
    """Asked to stop it ends with 130 in order; killed, all that it started ends with it."""
    folder = tmp_path / "demo"
    process = await _begun(folder, tmp_path / "demo.log")
    assert processes_of(folder)
    process.send(number)
    async with asyncio.timeout(120.0):
        code = await process.ended()
    assert code == (-signal.SIGKILL if number is signal.SIGKILL else 130)
    await gone(folder, seconds=60.0)
    if number is not signal.SIGKILL:
        process.log.wait_closed(60.0)
        assert f"Everything is kept in {folder}" in process.log.path.read_text()


async def _begun(folder: Path, log: Path) -> Process:
    """A demonstration in the midst of its traffic."""
    words = ("-m", "mystira", "demo", "--data-folder", str(folder), *SMALL)
    process = await start(Program(name="demo", command=(sys.executable, *words)), Log(log))
    async with asyncio.timeout(180.0):
        while not log.exists() or "let families in" not in log.read_text():
            assert process.returncode is None, log.read_text()
            await asyncio.sleep(0.1)
    return process
