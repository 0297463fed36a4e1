"""The house rules that no linter knows."""

import ast
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
LONGEST_MODULE = 400
LONGEST_FUNCTION = 50
NAMELESS = {"utils", "util", "common", "helpers", "helper", "base", "core", "shared", "manager", "misc"}

# In pieces, so that this file does not contain what it looks for.
FOREIGN = re.compile(
    "|".join(
        ("pypi" + r"\.org", "python" + "hosted", "npm" + r"js\.(org|com)", r"/wo" + "rk/", r"/ro" + "ot/")
    )
)
MADE = {"node_modules", "__pycache__", "dist", "build"}


def _written_files() -> Iterator[Path]:
    for folder, folders, files in os.walk(ROOT):
        # Of the hidden folders, tools made all but one.
        folders[:] = [name for name in folders if name == ".ci" or not (name in MADE or name.startswith("."))]
        yield from (Path(folder) / name for name in files)


MODULES = sorted(path for path in _written_files() if path.suffix == ".py")


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_modules_and_functions_stay_short(module: Path) -> None:
    """What tells calm code from the rest is the longest module and function, not the usual one."""
    text = module.read_text(encoding="utf-8")
    assert text.count("\n") <= LONGEST_MODULE
    functions = [
        node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    lengths = {node.name: (node.end_lineno or node.lineno) - node.lineno + 1 for node in functions}
    assert {name: length for name, length in lengths.items() if length > LONGEST_FUNCTION} == {}


def test_what_a_class_leaves_to_others_is_abstract() -> None:
    """A method that nobody wrote shows when the object is made, not in the night when it is first called."""
    written = ROOT / "src"
    raising = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in MODULES
        if path.is_relative_to(written)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Raise) and _raised(node) == "NotImplementedError"
    ]
    assert raising == []


def _raised(node: ast.Raise) -> str | None:
    error = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
    return error.id if isinstance(error, ast.Name) else None


def test_every_room_has_a_name_that_says_something() -> None:
    """No module or folder is called after the fact that nobody knew where its content belongs."""
    stems = {path: path.stem for path in MODULES}
    assert [path for path, stem in stems.items() if stem in NAMELESS] == []
    assert [path for path in stems if NAMELESS & set(path.relative_to(ROOT).parts)] == []


def test_nothing_names_a_registry_or_a_machine() -> None:
    """Where packages come from is a matter of the machine that installs; nor is its layout ours to know."""
    named = {}
    for path in _written_files():
        found = FOREIGN.search(path.read_text(encoding="utf-8", errors="replace"))
        if found:
            named[str(path.relative_to(ROOT))] = found.group()
    assert named == {}


PLANTED = {
    "manystore/utils.py": "import mystira.errors",
    "manystore/stores/utils.py": "",
    "manystore/instants.py": "import manystore.records",
    "manystore/clock.py": "import asyncpg",
    "manystore/moves/verify.py": "import sqlalchemy",
    "manystore/stores/memory.py": "import manystore.stores.sqlite",
    "mystira/utils.py": "",
    "mystira/services/one/__init__.py": "import mystira.services.two",
    "mystira/services/two/__init__.py": "",
    "mystira/simulation/witness.py": "import mystira.schema",
    "mystira/domain/errors.py": "import litestar",
    "mystira/domain/ids.py": "import mystira.domain.forms",
    "mystira/domain/forms.py": "import mystira.domain.ids",
}
"""Lines that each break a rule, added to the modules (which may be new) where they stand."""


def test_each_import_rule_can_fail(tmp_path: Path) -> None:
    """A line that breaks it breaks the contract: none of them is kept by accident."""
    shutil.copytree(ROOT / "src", tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for module, line in PLANTED.items():
        path = tmp_path / "src" / module
        path.parent.mkdir(exist_ok=True, parents=True)
        before = path.read_text(encoding="utf-8") if path.exists() else '"""Planted."""\n'
        path.write_text(f"{before}\n{line}\n", encoding="utf-8")
    (tmp_path / "src" / "mystira" / "services" / "__init__.py").touch()
    linted = subprocess.run(
        [
            sys.executable,
            "-c",
            "from importlinter.cli import lint_imports_command as c; c()",
            "--no-logo",
            "--no-cache",
        ],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path / "src")},
        capture_output=True,
        text=True,
        check=False,
    )
    summary = re.findall(r"^(.+) (KEPT|BROKEN)", linted.stdout, flags=re.MULTILINE)
    assert [name for name, state in summary if state == "KEPT"] == [], linted.stdout
    assert len(summary) >= 10, linted.stdout + linted.stderr
    assert linted.returncode == 1
    for room in ("manystore.utils", "manystore.stores.utils", "mystira.utils"):
        assert f"- {room}\n" in linted.stdout
