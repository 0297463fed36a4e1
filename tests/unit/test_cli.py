"""What scripts and people may rely on at the command line, as far as it needs no platform."""

import json
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from manystore.errors import StepRefusedError, UnavailableError, UnknownKindError
from manystore.moves.tasks import Action, Task
from mystira.cli import exits
from mystira.cli.entry import run
from mystira.cli.move import describe, is_yes
from mystira.cli.refusals import CommandError, explain
from mystira.clients.errors import ProblemError, UnreachableError
from mystira.errors import FolderInUseError, NotRunningError, StartError

HEAVY = ("sqlalchemy", "alembic", "aiohttp", "asyncpg", "litestar", "redis", "uvicorn", "asyncio")


def test_help_imports_no_command() -> None:
    """Help lists every command without importing one of them, nor anything that they need."""
    script = (
        "import sys; from mystira.cli.entry import run; run(['--help']);"
        f"print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"
    for name in ("up", "demo", "status", "move", "queue", "schema", "simulate", "doctor", "serve"):
        assert f" {name} " in done.stdout


@pytest.mark.parametrize("command", ["up", "demo", "status", "move", "queue", "schema", "simulate", "doctor"])
def test_every_command_explains_itself(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    """`--help` of each command prints its options and ends with 0."""
    assert run([command, "--help"]) == exits.OK
    assert "Usage: mystira " + command in capsys.readouterr().out


@pytest.mark.parametrize(
    ("error", "code", "exit_code"),
    [
        (NotRunningError(folder=Path("x")), "not_running", 3),
        (FolderInUseError(folder=Path("x"), holder="another"), "folder_in_use", 2),
        (StartError(name="postgres", reason="why", log=Path("log")), "start", 1),
        (UnreachableError(url="http://x", reason="refused"), "unreachable", 3),
        (ProblemError(status=409, code="step_refused", detail="no"), "step_refused", 1),
        (ProblemError(status=503, code="unavailable", detail="no"), "unavailable", 3),
        (ProblemError(status=500, code="internal_error", detail="no"), "internal_error", 3),
        (UnavailableError(subject="PostgreSQL", reason="gone"), "unavailable", 3),
        (UnknownKindError(kind="x"), "unknown_kind", 2),
        (CommandError("no"), "refused", 1),
        (ExceptionGroup("tasks", [UnknownKindError(kind="x")]), "unknown_kind", 2),
    ],
)
def test_each_error_has_its_exit_code(error: Exception, code: str, exit_code: int) -> None:
    """What is expected to go wrong is told by a stable code and a stable number."""
    refusal = explain(error)
    assert refusal is not None
    assert (refusal.code, refusal.exit_code) == (code, exit_code)


def test_each_unmet_condition_has_a_line_of_its_own() -> None:
    """A refused step names what speaks against it, line by line, from the engine and from the API alike."""
    conditions = ["There is no certificate.", "One change is parked."]
    for error in (
        StepRefusedError(kind="accounts", step="cut-over", conditions=conditions),
        ProblemError(status=409, code="step_refused", detail="It is refused.", reasons=conditions),
    ):
        refusal = explain(error)
        assert refusal is not None
        assert refusal.lines[1:] == ("  - There is no certificate.", "  - One change is parked.")


def test_a_defect_is_not_explained_away() -> None:
    """What nobody expected stays what it is."""
    assert explain(KeyError("x")) is None


def test_without_a_platform_a_command_says_so_and_ends_with_3(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One sentence on standard error, nothing on standard output."""
    assert run(["status", "--data-folder", str(tmp_path)]) == exits.UNAVAILABLE
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith(f"No platform is up in data folder {tmp_path}")
    assert len(said.err.strip().splitlines()) == 1


def test_with_json_an_error_is_one_document_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Standard output holds exactly one JSON document, whatever happens."""
    assert run(["move", "plan", "accounts", "--json", "--data-folder", str(tmp_path)]) == exits.UNAVAILABLE
    document = json.loads(capsys.readouterr().out)
    assert document["error"]["code"] == "not_running"


def test_wrong_usage_ends_with_2(capsys: pytest.CaptureFixture[str]) -> None:
    """An option that does not exist, a value of the wrong type, a missing argument."""
    for wrong in (["status", "--nonsense"], ["up", "--port", "soon"], ["move", "plan"], ["nonsense"]):
        assert run(wrong) == exits.USAGE
        assert capsys.readouterr().out == ""


def test_a_wrong_setting_ends_with_2(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A misspelt variable is one sentence that names it."""
    monkeypatch.setenv("MYSTIRA_PROT", "1")
    assert run(["status"]) == exits.USAGE
    assert "MYSTIRA_PROT is not a setting; perhaps MYSTIRA_PORT is meant." in capsys.readouterr().err


def test_removing_data_needs_a_yes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`schema downgrade` does nothing before it is confirmed."""
    assert run(["schema", "downgrade", "base", "--data-folder", str(tmp_path)]) == exits.USAGE
    assert "--yes" in capsys.readouterr().err


def test_nobody_s_folder_is_written_over_by_a_demonstration(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A folder in which something is, is refused."""
    (tmp_path / "mine.txt").write_text("mine")
    assert run(["demo", "--data-folder", str(tmp_path)]) == exits.USAGE
    assert "is not empty" in capsys.readouterr().err
    assert (tmp_path / "mine.txt").read_text() == "mine"


def test_a_doctor_needs_no_platform(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without one it checks the machine, and says what it could not look at."""
    run(["doctor", "--json", "--data-folder", str(tmp_path)])
    checks = {check["name"]: check for check in json.loads(capsys.readouterr().out)["checks"]}
    assert checks["Python"]["state"] == "ok"
    assert checks["PostgreSQL program"]["state"] == "ok"
    assert checks["PostgreSQL"]["state"] == checks["document store"]["state"] == "skip"


def test_a_doctor_finds_a_damaged_document_store(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file that is no database fails the check, with what to do."""
    (tmp_path / "documents").mkdir()
    (tmp_path / "documents" / "documents.sqlite").write_bytes(b"no database at all, though long enough" * 100)
    assert run(["doctor", "--json", "--data-folder", str(tmp_path)]) == exits.NO
    checks = {check["name"]: check for check in json.loads(capsys.readouterr().out)["checks"]}
    assert checks["document store"]["state"] == "fail"
    assert "backup" in checks["document store"]["remedy"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_complete_every_step_of_a_move(
    shell: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The script is written below the home folder, and knows the commands' words."""
    monkeypatch.setenv("HOME", str(tmp_path))
    for variable in ("XDG_DATA_HOME", "XDG_CONFIG_HOME", "ZDOTDIR", "ZSH", "ZSH_CUSTOM"):
        monkeypatch.delenv(variable, raising=False)
    assert run(["--install-completion", shell]) == exits.OK
    path = Path(capsys.readouterr().out.removeprefix("Written to ").partition(";")[0])
    assert path.is_relative_to(tmp_path)
    assert "cut-over" in path.read_text()


def task(action: Action, state: str, **result: object) -> Task:
    """A task that has ended."""
    told = {
        "id": "1",
        "kind": "accounts",
        "action": action.value,
        "state": state,
        "actor": "me",
        "requestedAt": "2026-11-20T12:00:00Z",
        "result": result or None,
    }
    return msgspec.convert(told, Task)


def test_the_answer_is_yes_only_where_one_hopes_for_it() -> None:
    """A plan with findings and a verification without a certificate are done, and yet a no."""
    assert is_yes(task(Action.PLAN, "done", isClear=True))
    assert not is_yes(task(Action.PLAN, "done", isClear=False))
    assert is_yes(task(Action.VERIFY, "done", certificate="c.json"))
    assert not is_yes(task(Action.VERIFY, "done", certificate=None))
    assert is_yes(task(Action.VERIFY, "done", depth="versions", differences=0, certificate=None))
    assert not is_yes(task(Action.VERIFY, "done", depth="versions", differences=1, certificate=None))
    assert is_yes(task(Action.REPAIR, "done", differences=3, left=0))
    assert not is_yes(task(Action.REPAIR, "done", differences=3, left=1))
    assert is_yes(task(Action.CUT_OVER, "done", pause=0.01))
    assert not is_yes(task(Action.CUT_OVER, "refused"))
    assert not is_yes(task(Action.RECHECK, "failed", holds=False))


def test_a_plan_shows_each_finding() -> None:
    """What stands in the way is a table with samples and what to do."""
    finding = {
        "problem": "not unique",
        "field": "email",
        "count": 5,
        "samples": ["a, b", "c, d", "e, f", "g, h"],
        "remedy": "give all but one another value",
    }
    shown = describe(task(Action.PLAN, "done", isClear=False, records=10, findings=[finding]))
    assert len(shown) == 3
