"""References, refusals, decisions and dependencies are documented as they are in the code."""

import ast
import functools
import re
import tomllib
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from manystore.followers import settling
from manystore.moves import actions, certificate, conditions, conduct, cut_over, repairing, tasks, verifying
from mystira.services.admin import moves as admin_moves
from tests import reference_pages
from tests.documents import ANYTHING, ROOT, headings, links, prose

# -- references ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", sorted({file for file, _ in reference_pages.PARTS.values()}))
def test_references_say_what_the_code_says(page: str) -> None:
    """If not: `make docs`."""
    path = reference_pages.REFERENCE / page
    assert reference_pages.rewritten(path) == path.read_text(encoding="utf-8")


SENTENCES_IN = (conditions, cut_over, actions, verifying, repairing, settling, tasks, conduct, admin_moves)
REASONS_IN = (certificate,)


def _texts(module: Any) -> Iterator[str]:
    """The texts of a module, with what is filled in left open; docstrings aside."""
    tree = ast.parse(Path(module.__file__).read_text(encoding="utf-8"))
    inside = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    inside |= {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            yield "".join(str(p.value) if isinstance(p, ast.Constant) else ANYTHING for p in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in inside:
            yield node.value


def _refusals() -> set[str]:
    """Every sentence with which a step is refused, as the page spells it."""
    form = re.compile(r"[A-Z…][^\n]*(: | did not | differ | leads on )[^\n]*\.")
    sentences = {text for module in SENTENCES_IN for text in _texts(module) if form.fullmatch(text)}
    counted = next(text for text in sentences if text == f"{ANYTHING} changes are {ANYTHING}: {ANYTHING}.")
    found = conditions.queue_reasons([_queued(state) for state in ("dead", "parked", "retrying")])
    return sentences - {counted} | {f"{ANYTHING}{text.removeprefix('1')}" for text in found}


def _queued(state: str) -> Any:
    return type("Queued", (), {"state": state})


def test_every_refusal_is_explained() -> None:
    """Each sentence of the code is a heading of the page, and each heading a sentence of the code."""
    page = ROOT / "docs" / "how-to" / "when-a-step-is-refused.md"
    explained = {heading for heading in headings(page) if heading.endswith(".")}
    assert explained == _refusals(), f"explain each refusal, and no other, in {page.name}"
    assert len(explained) > 15


def test_every_reason_against_a_certificate_is_explained() -> None:
    """The page names each, as it is told."""
    text = prose(ROOT / "docs" / "how-to" / "when-a-step-is-refused.md")
    reasons = {
        text for module in REASONS_IN for text in _texts(module) if re.match(r"(it|its|the file) ", text)
    }
    assert {reason for reason in reasons if reason not in " ".join(text.split())} == set()
    assert len(reasons) > 4


# -- rooms -----------------------------------------------------------------------------------------------


def test_every_room_is_described() -> None:
    """The page of architecture says of each room of either house what happens there."""
    text = prose(ROOT / "docs" / "explanation" / "architecture.md")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = project["tool"]["importlinter"]["contracts"]
    rooms = {
        f"{house}.{room}"
        for contract in contracts
        if contract["type"] == "layers" and contract["containers"][0] in ("manystore", "mystira")
        for house in contract["containers"]
        for layer in contract["layers"]
        for room in re.findall(r"\w+", layer)
        if list((ROOT / "src" / house).glob(f"{room}*")) and not room.startswith("__")
    }
    assert {room for room in rooms if f"`{room}`" not in text} == set()
    assert len(rooms) > 20


# -- decisions -----------------------------------------------------------------------------------------


def test_decisions_are_numbered_and_listed() -> None:
    """No number is missing or taken twice; the list names each; each says what a decision must."""
    folder = ROOT / "docs" / "decisions"
    records = sorted(folder.glob("[0-9]*.md"))
    assert [int(record.name[:4]) for record in records] == list(range(1, len(records) + 1))
    listed = links(folder / "README.md")
    for record in records:
        text = record.read_text(encoding="utf-8")
        assert text.startswith(f"# {record.name[:4]} · "), record
        assert record.name in listed
        for part in ("**Context.**", "**Decision.**", "**Consequences.**"):
            assert part in text, f"{record.name} lacks {part}"


def _declared() -> dict[str, set[str]]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    groups = {"run": project["project"]["dependencies"], "dev": project["dependency-groups"]["dev"]}
    return {name: {re.split(r"[\[<>=!;~ ]", line)[0] for line in lines} for name, lines in groups.items()}


def test_every_dependency_is_justified_and_used() -> None:
    """The table of dependencies is that of the project; what runs is imported or named somewhere in `src`."""
    table = prose(ROOT / "docs" / "decisions" / "0015-dependencies.md")
    justified = set(re.findall(r"^\| `([\w-]+)` \|", table, re.MULTILINE))
    declared = _declared()
    assert justified == declared["run"] | declared["dev"]
    sources = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "src").rglob("*.py"))
    unused = {
        name
        for name in declared["run"]
        if not re.search(rf"(import|from) {_imported(name)}\b|[\"']{_imported(name)}[\"']", sources)
    }
    assert unused == set()


BROUGHT_ALONG = {
    "azure-core": "azure-cosmos",
    "httpx": "litestar",
    "pydantic": "pydantic-settings",
    "uvloop": "uvicorn",
}
"""Distributions that are imported and not declared, because a declared one is made of them."""


def test_whatever_is_imported_is_declared() -> None:
    """Nothing is there by luck: each import is of a declared dependency, or of one that such a one needs."""
    declared = _declared()
    everything = declared["run"] | declared["dev"]
    for path in [*(ROOT / "src").rglob("*.py"), *(ROOT / "tests").rglob("*.py")]:
        # The contract suite is shipped, for those who test a store of their own and have pytest anyway.
        is_for_tests = {"tests", "testing"} & set(path.relative_to(ROOT).parts)
        allowed = everything if is_for_tests else declared["run"]
        for name in _imports(path) - allowed - {"mystira"}:
            bringer = BROUGHT_ALONG.get(name)
            assert bringer in allowed, f"{path} imports {name}"
            needs = metadata.requires(bringer) or []
            assert any(re.match(rf"{name}\b", need) for need in needs), f"{bringer} needs no {name} any more"


@functools.cache
def _owners() -> dict[str, list[str]]:
    """Which distributions have a package of that name."""
    found = metadata.packages_distributions()
    return {package: [name.lower().replace("_", "-") for name in names] for package, names in found.items()}


def _imports(path: Path) -> set[str]:
    """The distributions from which a module imports."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {each.name.split(".")[0] for each in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.split(".")[0])
    return {owner for name in names for owner in _owners().get(name, ())}


def _imported(name: str) -> str:
    spelled = {"azure-cosmos": "azure", "pyjwt": "jwt", "pyyaml": "yaml"}
    return spelled.get(name, name.replace("-", "_"))
