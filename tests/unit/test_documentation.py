"""What the documentation says is so."""

import importlib
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import msgspec
import pytest

import manystore.dual_write
import manystore.errors
import manystore.moves.archive
import manystore.testing.simulation.loop
import mystira.domain.errors
import mystira.errors
from mystira.settings import CONFIG, NOT_SETTINGS, PREFIX, Settings, load_settings
from tests import reference_pages
from tests.documents import (
    ROOT,
    Fence,
    Step,
    all_fences,
    anchors,
    commands,
    fences,
    inline_code,
    links,
    matches,
    pages,
    prose,
    run_steps,
    steps,
)

PAGES = pages()
LANGUAGES = {"console", "python", "toml", "json", "mermaid", "text", "sql", "yaml"}
HOUSES = {"manystore": ROOT / "src", "mystira": ROOT / "src"}


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))


# -- where pages lead ----------------------------------------------------------------------------------


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_every_link_leads_somewhere(page: Path) -> None:
    """Files are there, headings too; nothing leads out of the project but to well-known documents."""
    broken = []
    for link in links(page):
        if re.match(r"https?://", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        is_there = target.exists() and ROOT in (target, *target.parents)
        if not is_there or (anchor and anchor not in anchors(target)):
            broken.append(link)
    assert broken == []


def test_every_page_can_be_reached_from_the_readme() -> None:
    """A page to which no other leads is a page that nobody reads."""
    reached, todo = set[Path](), [ROOT / "README.md"]
    while todo:
        page = todo.pop()
        if page in reached:
            continue
        reached.add(page)
        targets = (
            (page.parent / link.partition("#")[0]).resolve() for link in links(page) if "://" not in link
        )
        todo += [target for target in targets if target.suffix == ".md" and target.is_file()]
    assert [_name(page) for page in PAGES if page not in reached and "docs" in page.parts] == []


# -- what pages name -----------------------------------------------------------------------------------


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_every_path_that_is_named_is_there(page: Path) -> None:
    """Files and folders between backticks exist, in the project or below `src`."""
    tops = {path.name for path in ROOT.iterdir()} - {".venv"}
    absent = []
    for code in inline_code(page):
        if not re.fullmatch(r"[\w./*<>-]+/[\w./*-]*", code) or "<" in code:
            continue
        top = code.split("/")[0]
        root = HOUSES.get(top, ROOT)
        if (top in tops or top in HOUSES) and not list(root.glob(code.rstrip("/"))):
            absent.append(code)
    assert absent == []


def test_every_setting_that_is_named_exists() -> None:
    """A variable under our prefix is a setting, or one that the settings know not to be one."""
    known = {PREFIX + name.upper() for name in Settings.model_fields} | NOT_SETTINGS | {CONFIG, PREFIX}
    named = {
        (_name(page), name)
        for page in PAGES
        for name in re.findall(r"MYSTIRA_[A-Z_]*", page.read_text(encoding="utf-8"))
    }
    assert {(page, name) for page, name in named if name not in known} == set()
    assert len(named) > 10


def test_every_error_that_is_named_exists() -> None:
    """Names that end in Error are classes of the engine, the platform or the domain."""
    modules = (
        manystore.errors,
        manystore.dual_write,
        manystore.moves.archive,
        manystore.testing.simulation.loop,
        mystira.errors,
        mystira.domain.errors,
    )
    known = {name for module in modules for name in vars(module)}
    named = {
        (_name(page), name)
        for page in PAGES
        for code in inline_code(page)
        for name in re.findall(r"\b[A-Z]\w+Error\b", code)
    }
    assert {(page, name) for page, name in named if name not in known} == set()


def test_every_module_that_is_named_exists() -> None:
    """Dotted names that begin with one of the two houses can be imported, attributes included."""
    named = {
        code
        for page in PAGES
        for code in inline_code(page)
        if re.fullmatch(r"(manystore|mystira)(\.\w+)+", code) and not code.endswith((".toml", ".json"))
    }
    # The engine's schema in PostgreSQL is called like the engine.
    tables = {"manystore.change_log", "manystore.fences", "manystore.notes", "manystore.tombstones"}
    for name in sorted(named - tables):
        assert _resolves(name), name


def _resolves(name: str) -> bool:
    parts = name.split(".")
    for cut in range(len(parts), 0, -1):
        try:
            found: Any = importlib.import_module(".".join(parts[:cut]))
        except ModuleNotFoundError:
            continue
        for attribute in parts[cut:]:
            found = getattr(found, attribute, None)
        return found is not None
    return False


def _typed() -> Iterator[tuple[str, list[str]]]:
    """Every command line that pages show, as words; and every command between backticks."""
    for line in commands():
        for part in re.split(r"\s*(?:\||&&|;|\n)\s*", line.replace("\\\n", " ")):
            try:
                yield line, shlex.split(part, comments=True)
            except ValueError:
                yield line, part.split()
    for page in PAGES:
        for code in inline_code(page):
            if re.match(r"(mystira|make) ", code):
                yield code, code.split()


def test_every_command_that_is_named_can_be_typed() -> None:
    """Words and options of `mystira` are those that the command line knows."""
    known = reference_pages.commands()
    told = 0
    for line, words in _typed():
        at = next((n for n, word in enumerate(words) if Path(word).name == "mystira"), None)
        if at is None or at + 1 == len(words) or "…" in line:
            continue
        rest = words[at + 1 :]
        names = [word for word in rest if not word.startswith("-")]
        if rest[0] in ("--help", "--version", "--install-completion"):
            continue
        found = next((each for n in (2, 1) if (each := " ".join(["mystira", *names[:n]])) in known), None)
        group = any(each.startswith(f"mystira {names[0]} ") for each in known)
        assert found or (group and len(names) == 1), line
        told += 1
        if found:
            options = {name for each in reference_pages.options(known[found]) for name in each.names}
            given = {word.split("=")[0] for word in rest if word.startswith("--")}
            assert given <= options | {"--help"}, line
    assert told > 20


def test_every_make_target_that_is_named_exists() -> None:
    """`make something` is a target of the Makefile."""
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = {
        words[1] for _, words in _typed() if len(words) > 1 and words[0] == "make" and "=" not in words[1]
    }
    assert named - targets == set()
    assert {"up", "demo", "test"} <= named


def test_the_readme_is_read_in_three_minutes() -> None:
    """At 250 words a minute; tables and pictures are looked at rather than read."""
    text = "\n".join(
        line for line in prose(ROOT / "README.md").splitlines() if not line.startswith(("|", "<"))
    )
    assert 150 < len(text.split()) < 750


# -- blocks --------------------------------------------------------------------------------------------


def test_every_block_says_what_it_is() -> None:
    """Languages and words of fences are those that CONTRIBUTING explains; no command block is empty."""
    for page in PAGES:
        for fence in fences(page):
            assert fence.language in LANGUAGES, fence
            for word in fence.words:
                assert re.fullmatch(r"run|platform|(from|part|output)=\S+", word), fence
            assert fence.language != "console" or steps(fence), fence
            assert fence.language != "python" or fence.words, f"{fence} is run by nothing"


def _cheap() -> dict[Path, list[Step]]:
    found: dict[Path, list[Step]] = {}
    for fence in all_fences("console", "run"):
        if "platform" not in fence.words:
            found.setdefault(fence.page, []).extend(steps(fence))
    return found


@pytest.mark.parametrize("page", list(_cheap()), ids=_name)
def test_commands_that_need_no_platform_do_what_the_page_shows(page: Path, tmp_path: Path) -> None:
    """Each is typed as it stands, ends with 0, and prints what stands below it."""
    environment = {"MYSTIRA_DATA_FOLDER": str(tmp_path / "data"), "MYSTIRA_CONFIG": ""}
    run_steps(_cheap()[page], folder=tmp_path, environment=environment)


def _python_pages() -> list[Path]:
    return [page for page in PAGES if any(f.language == "python" and "run" in f.words for f in fences(page))]


def _part(fence: Fence, key: str) -> str | None:
    return next((word.split("=")[1] for word in fence.words if word.startswith(f"{key}=")), None)


@pytest.mark.parametrize("page", _python_pages(), ids=_name)
def test_python_examples_run(page: Path, tmp_path: Path) -> None:
    """The parts of a page are one program; what it prints is what the page shows."""
    runnable = [each for each in fences(page) if each.language == "python" and "run" in each.words]
    shown = [each for each in fences(page) if _part(each, "output")]
    program = tmp_path / "example.py"
    program.write_text("\n".join(each.text for each in runnable), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, program], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert matches([line for each in shown for line in each.text.splitlines()], done.stdout), done.stdout


def test_quoted_code_is_the_code() -> None:
    """A block that is taken from a file is in that file, letter for letter."""
    for fence in [*all_fences("python"), *all_fences("yaml")]:
        source = _part(fence, "from")
        if source is not None:
            assert fence.text in (ROOT / source).read_text(encoding="utf-8"), fence


@pytest.mark.parametrize("example", sorted((ROOT / "examples").glob("*.py")), ids=_name)
def test_examples_run(example: Path, tmp_path: Path) -> None:
    """Each ends with 0, in a folder of its own, and some page is about it."""
    command = [sys.executable, str(example)]
    environment = {"PATH": "/usr/bin:/bin", "TMPDIR": str(tmp_path)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert list(tmp_path.iterdir()) == []
    assert any(_name(example) in page.read_text(encoding="utf-8") for page in PAGES)


def test_settings_files_that_are_shown_can_be_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each block of TOML is a whole settings file."""
    for name in (PREFIX + each.upper() for each in Settings.model_fields):
        monkeypatch.delenv(name, raising=False)
    shown = all_fences("toml")
    for fence in shown:
        tomllib.loads(fence.text)
        file = tmp_path / "mystira.toml"
        file.write_text(fence.text, encoding="utf-8")
        monkeypatch.setenv(CONFIG, str(file))
        load_settings()
    assert len(shown) >= 2


def test_json_that_is_shown_is_json() -> None:
    """So that it can be copied."""
    for fence in all_fences("json"):
        msgspec.json.decode(fence.text)


# -- pictures ------------------------------------------------------------------------------------------

PICTURES = sorted((ROOT / "docs" / "pictures").glob("*.svg"))


@pytest.mark.parametrize("picture", PICTURES, ids=_name)
def test_pictures_can_be_seen_by_everybody(picture: Path) -> None:
    """Small, readable in light and dark, described in words, asking nobody for anything; and shown."""
    text = picture.read_text(encoding="utf-8")
    root = ElementTree.fromstring(text)
    names = {child.tag.rpartition("}")[2] for child in root}
    assert {"title", "desc"} <= names
    assert "viewBox" in root.attrib
    assert "prefers-color-scheme: dark" in text
    assert re.findall(r"(?:href|src)=|url\((?!#)|<script|<image|@import", text) == []
    assert len(text) < 20_000
    assert any(picture.name in link for page in PAGES for link in links(page))


# -- the tests themselves ------------------------------------------------------------------------------


def test_what_is_shown_is_compared_with_what_is_printed() -> None:
    """Text must be alike; an ellipsis stands for anything on its line, or for any lines when alone."""
    assert matches(("a … c", "…", "end"), "a b c\none\ntwo\nend\n")
    assert matches(("a c",), "a    c\n")
    assert matches((), "whatever\n")
    assert not matches(("a … d",), "a b c\n")
    assert not matches(("a",), "a\nb\n")
    assert not matches(("a", "b"), "a\n")


def test_a_command_that_fails_is_noticed(tmp_path: Path) -> None:
    """So is one that prints something else, and one that ends the shell."""
    page = ROOT / "README.md"
    for text in ("$ false\n", "$ echo one\ntwo\n", "$ exit 0\n$ echo more\n"):
        fence = Fence(page, 1, "console", ("run",), text)
        with pytest.raises(AssertionError):
            run_steps(steps(fence), folder=tmp_path, environment={})
    good = Fence(
        page, 1, "console", ("run",), "$ A=1\n$ echo $A \\\n  more\n1 more\n$ cat <<END\n> x\n> END\nx\n"
    )
    run_steps(steps(good), folder=tmp_path, environment={})


def test_bash_is_there() -> None:
    """The commands of pages are typed into it."""
    assert shutil.which("bash")
