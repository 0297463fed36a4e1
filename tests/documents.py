"""The documentation as tests see it: its pages, their blocks, links and words; and how blocks are run.

What the fences of blocks may say is told in CONTRIBUTING.md.
"""

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

ROOT = Path(__file__).parent.parent
FOLDERS = ("docs", "tests", "benchmarks")
ANYTHING = "…"
"""Stands in shown output for whatever is different each time; alone on a line, for any number of lines."""

DOCUMENTED_ADDRESS = "127.0.0.1:8080"

_FENCE = re.compile(r"^(```+)(.*?)\n(.*?)^\1$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_SOURCE = re.compile(r'(?:src|srcset|href)="([^"]+)"')
_HEADING = re.compile(r"^(#+) (.*)$", re.MULTILINE)
_INLINE = re.compile(r"`([^`\n]+)`")


class Fence(msgspec.Struct, frozen=True):
    """A block of code: its language, the other words of its fence, its text, and where it stands."""

    page: Path
    line: int
    language: str
    words: tuple[str, ...]
    text: str

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


class Step(msgspec.Struct, frozen=True):
    """A command of a block, and the output that the page shows for it."""

    fence: Fence
    command: str
    shown: tuple[str, ...]


def pages() -> list[Path]:
    """Every page that people read, in a fixed order."""
    found = sorted(ROOT.glob("*.md"))
    for folder in FOLDERS:
        inside = (ROOT / folder).rglob("*.md")
        found += sorted(page for page in inside if "node_modules" not in page.parts)
    return found


def fences(page: Path) -> list[Fence]:
    """The blocks of a page, from top to bottom."""
    text = page.read_text(encoding="utf-8")
    found = []
    for match in _FENCE.finditer(text):
        language, *words = match.group(2).split() or [""]
        line = text.count("\n", 0, match.start()) + 1
        found.append(Fence(page, line, language, tuple(words), match.group(3)))
    return found


def all_fences(language: str, word: str | None = None) -> list[Fence]:
    """The blocks of all pages in a language; with `word`, those whose fence says so."""
    return [
        fence
        for page in pages()
        for fence in fences(page)
        if fence.language == language and (word is None or word in fence.words)
    ]


def prose(page: Path) -> str:
    """A page without its blocks."""
    return _FENCE.sub("", page.read_text(encoding="utf-8"))


def inline_code(page: Path) -> list[str]:
    """What stands between backticks in the text of a page."""
    return _INLINE.findall(prose(page))


def links(page: Path) -> list[str]:
    """Where a page leads to, pictures included."""
    text = prose(page)
    return [*_LINK.findall(text), *_SOURCE.findall(text)]


def anchors(page: Path) -> set[str]:
    """The names by which the headings of a page are reached, as common hosts make them."""
    found: set[str] = set()
    for _, heading in _HEADING.findall(prose(page)):
        plain = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        found.add(plain if plain not in found else f"{plain}-1")
    return found


def headings(page: Path) -> list[str]:
    """The headings of a page, without their marks."""
    return [heading for _, heading in _HEADING.findall(prose(page))]


def steps(fence: Fence) -> list[Step]:
    """The commands of a console block, each with the lines that follow it up to the next.

    A command begins with `$ `, and goes on over lines that end in a backslash or begin with `> `.
    """
    found: list[Step] = []
    command: list[str] = []
    shown: list[str] = []
    for line in fence.text.splitlines():
        if line.startswith("$ "):
            if command:
                found.append(Step(fence, "\n".join(command), tuple(shown)))
            command, shown = [line[2:]], []
        elif command and not shown and (command[-1].endswith("\\") or line.startswith("> ")):
            command.append(line.removeprefix("> "))
        else:
            shown.append(line)
    if command:
        found.append(Step(fence, "\n".join(command), tuple(shown)))
    return found


def commands() -> Iterator[str]:
    """Every line that a page tells people to type, whether tests run it or not."""
    for page in pages():
        for fence in fences(page):
            if fence.language == "console":
                yield from (step.command for step in steps(fence))


def run_steps(
    todo: Sequence[Step], *, folder: Path, environment: dict[str, str], address: str = DOCUMENTED_ADDRESS
) -> None:
    """Type the commands into one shell, in the project's folder, and compare what each prints.

    Every one must end with 0. `address` stands for the one that pages show. `HOME` and `TMPDIR` are in
    `folder`, so that nothing of the user's is read and nothing is left behind.
    """
    bin_folder = Path(sys.executable).parent
    script = ["set -u"]
    for number, step in enumerate(todo):
        command = step.command.replace(".venv/bin/", f"{bin_folder}/").replace(DOCUMENTED_ADDRESS, address)
        script.append(f"printf '\\001%s\\n' {number}\n{command}\nprintf '\\002%s\\n' $?")
    done = subprocess.run(
        ["/bin/bash", "-c", "\n".join(script)],
        cwd=ROOT,
        env={**os.environ, "HOME": str(folder), "TMPDIR": str(folder), "COLUMNS": "160", **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=600,
        check=False,
    )
    outputs = re.findall(r"\x01(\d+)\n(.*?)\x02(\d+)\n", done.stdout, re.DOTALL)
    assert len(outputs) == len(todo), done.stdout
    for step, (_, output, code) in zip(todo, outputs, strict=True):
        said = f"{step.fence}: {step.command}\n{output}"
        assert code == "0", f"ended with {code}\n{said}"
        assert matches(step.shown, output.replace(address, DOCUMENTED_ADDRESS)), said


def matches(shown: Sequence[str], output: str) -> bool:
    """Whether the output is what a page shows, spaces and the lengths of drawn lines aside."""
    expected = [_squeezed(line) for line in shown if line.strip()]
    if not expected:
        return True
    parts = []
    for line in expected:
        if line == ANYTHING:
            parts.append(r"(?:.*\n)*?")
        else:
            parts.append(".*?".join(re.escape(part) for part in line.split(ANYTHING)) + r"\n")
    actual = "".join(_squeezed(line) + "\n" for line in output.splitlines() if line.strip())
    return re.fullmatch("".join(parts), actual) is not None


def _squeezed(line: str) -> str:
    return re.sub(r"([─━┅╌])\1+", r"\1", " ".join(line.split()))
