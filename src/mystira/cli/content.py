"""`mystira content`: stories and what belongs to them, as files."""

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Final

import msgspec
from cyclopts import App, Parameter

from mystira.cli import exits
from mystira.cli.findings import headline, show_findings
from mystira.cli.options import AsJson
from mystira.cli.output import bar, out, print_json
from mystira.cli.refusals import CommandError
from mystira.domain.definitions.model import Definition
from mystira.domain.definitions.reading import Sort, read_definitions, sort_named
from mystira.domain.files.findings import Finding
from mystira.domain.files.reading import LANGUAGES
from mystira.domain.scenarios.reading import Review, review_file
from mystira.domain.scenarios.vocabulary import UNKNOWN, Vocabulary, vocabulary_of

app: Final = App(name="content", help_format="plaintext")

Paths = Annotated[
    tuple[Path, ...], Parameter(help="Files, or folders with files that end in .yaml, .yml or .json.")
]
DefinitionsFolder = Annotated[
    Path | None,
    Parameter(
        name="--definitions",
        help="A folder with lists of axes, archetypes and echo types (CoreAxes.json …) that stories may use.",
    ),
]
Strict = Annotated[
    bool, Parameter(name="--strict", negative=(), help="Count what is unusual as broken: end with 1.")
]


class Judged(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """How one file fares."""

    file: str
    is_sound: bool
    title: str | None
    scenes: int
    findings: tuple[Finding, ...]


@app.command
def validate(
    files: Paths, /, *, definitions: DefinitionsFolder = None, strict: Strict = False, json: AsJson = False
) -> int:
    """Check stories, with no platform: what is broken or unusual, and where. Ends with 1 if one is broken."""
    vocabulary = UNKNOWN if definitions is None else read_vocabulary(definitions)
    console, judged, found = out(), [], 0
    paths = list(story_files(files))
    with bar("checking", quiet=json or len(paths) < 10) as show:
        for done, path in enumerate(paths):
            review = review_file(read_bytes(path), name=path.name, vocabulary=vocabulary)
            judged.append(_judge(path, review))
            found += len(review.errors) + (len(review.warnings) if strict else 0)
            show(done + 1, len(paths))
            if not json:
                show_findings(console, str(path), review.findings, review.lines)
                console.print(headline(str(path), review.findings, _said(review)), soft_wrap=True)
    if json:
        print_json({"files": judged})
    return exits.NO if found else exits.OK


def _judge(path: Path, review: Review) -> Judged:
    return Judged(
        file=str(path),
        is_sound=review.is_sound,
        title=None if review.draft is None else review.draft.title,
        scenes=0 if review.draft is None else len(review.draft.scenes),
        findings=review.findings,
    )


def _said(review: Review) -> str:
    return "" if review.story is None else f"{review.story.title!r}, {len(review.story.scenes)} scenes"


def story_files(paths: Iterable[Path]) -> Iterator[Path]:
    """The files that are named, and those of folders that are, in order. Raises CommandError."""
    for path in paths:
        if not path.is_dir():
            yield path
            continue
        inside = sorted(
            each for each in path.rglob("*") if each.suffix.lower() in LANGUAGES and each.is_file()
        )
        if not inside:
            raise CommandError(f"Folder {path} holds no file that ends in .yaml, .yml or .json.", exit_code=2)
        yield from inside


def read_bytes(path: Path) -> bytes:
    """The file, or standard input for `-`. Raises CommandError."""
    try:
        return sys.stdin.buffer.read() if str(path) == "-" else path.read_bytes()
    except OSError as error:
        message = f"{path} cannot be read ({error.strerror})."
        raise CommandError(message, exit_code=exits.USAGE, code="file") from error


def read_vocabulary(folder: Path) -> Vocabulary:
    """The words of the lists in a folder; files that are no lists are passed over. Raises CommandError."""
    found: dict[Sort, list[Definition]] = {}
    for path in sorted(folder.iterdir()) if folder.is_dir() else []:
        if path.suffix.lower() not in LANGUAGES or sort_named(path.name) is None:
            continue
        definitions = read_definitions(read_bytes(path), name=path.name)
        if not definitions.is_sound:
            told = [f"{each.line}: {each.message}" for each in definitions.findings if each.is_error]
            raise CommandError(f"{path} is no list of definitions.", told, exit_code=exits.USAGE, code="file")
        for sort, each in definitions.read.items():
            found.setdefault(sort, []).extend(each)
    if not found:
        message = f"Folder {folder} holds no lists of definitions, such as CoreAxes.json."
        raise CommandError(message, exit_code=exits.USAGE, code="file")
    return vocabulary_of(found)
