"""Files of content on this machine: which there are, what each is, and how it fares when it is checked."""

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import Final, Literal

import msgspec

import mystira
from mystira.cli import exits
from mystira.cli.refusals import CommandError
from mystira.domain.badges.reading import read_badge_set
from mystira.domain.bundles.archive import Archive, ArchiveError
from mystira.domain.bundles.manifest import read_manifest
from mystira.domain.definitions.model import Definition
from mystira.domain.definitions.reading import Sort, read_definitions, sort_named
from mystira.domain.files.findings import Finding, is_sound
from mystira.domain.files.nodes import MappingNode, SequenceNode, Source, squeezed
from mystira.domain.files.reading import LANGUAGES, read_manuscript
from mystira.domain.media.sniffing import FORMATS, HEAD, MOST_BYTES, identify
from mystira.domain.scenarios.model import Scenario
from mystira.domain.scenarios.reading import review_file
from mystira.domain.scenarios.vocabulary import UNKNOWN, Vocabulary, vocabulary_of

What = Literal["story", "definitions", "badge set", "media", "bundle", "manifest"]

ORDER: Final[tuple[What, ...]] = ("definitions", "badge set", "media", "story", "bundle", "manifest")
"""In which order files are brought in: words before the stories that use them."""

SHIPPED: Final = Path(mystira.__file__).parent / "stories" / "definitions"
"""The definitions that come with the platform."""

_MEDIA: Final = frozenset(each.ending for each in FORMATS) | {".jpeg", ".oga", ".opus", ".m4v"}
_ZIP: Final = b"PK\x03\x04"


class ContentFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file, and what it is."""

    path: Path
    what: What

    @property
    def name(self) -> str:
        """What it is called in complaints."""
        return str(self.path)


class Judged(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """How one file fares."""

    file: str
    what: What
    is_sound: bool
    title: str
    findings: tuple[Finding, ...]


def find_files(paths: Iterable[Path]) -> list[ContentFile]:
    """The files that are named and those of folders that are, in the order in which they are brought in.

    Raises CommandError for what cannot be read.
    """
    found = [file for path in paths for file in _below(path)]
    return sorted(found, key=lambda each: ORDER.index(each.what))


def _below(path: Path) -> Iterator[ContentFile]:
    if not path.is_dir():
        yield ContentFile(path=path, what=what_is(path))
        return
    inside = sorted(each for each in path.rglob("*") if each.is_file() and _belongs(each.relative_to(path)))
    if not inside:
        raise CommandError(
            f"Folder {path} holds no stories, lists, badge sets or media.", exit_code=exits.USAGE
        )
    yield from (ContentFile(path=each, what=what_is(each)) for each in inside)


def _belongs(path: Path) -> bool:
    if any(part.startswith(".") or part == "__MACOSX" for part in path.parts):
        return False
    return path.suffix.lower() in {*LANGUAGES, *_MEDIA, ".zip"}


def what_is(path: Path) -> What:
    """What a file is, by how it begins and what stands in it. Raises CommandError."""
    head = _head(path)
    if head.startswith((_ZIP, b"PK\x05\x06")):
        return "bundle"
    if path.suffix.lower() in _MEDIA or (path.suffix.lower() not in LANGUAGES and identify(head) is not None):
        return "media"
    if path.stem == "bundle" and path.suffix.lower() in LANGUAGES:
        return "manifest"
    root = read_manuscript(read_bytes(path), name=path.name).root
    if isinstance(root, SequenceNode):
        return "definitions"
    if isinstance(root, MappingNode):
        keys = {squeezed(entry.key) for entry in root.entries}
        if {"agegroupid", "badges"} & keys:
            return "badge set"
        if keys and all(sort_named(key) is not None for key in keys):
            return "definitions"
    return "story"


def judge(file: ContentFile, vocabulary: Vocabulary, sort: Sort | None = None) -> tuple[Judged, list[str]]:
    """How a file fares, and its lines, to be shown. Raises CommandError where it cannot be read."""
    if file.what == "media":
        return _judged(file, "", _judge_media(file)), []
    if file.what == "bundle":
        return _judge_bundle(file, vocabulary)
    data = read_bytes(file.path)
    name = file.path.name
    if file.what == "definitions":
        definitions = read_definitions(data, name=name, sort=sort)
        count = sum(map(len, definitions.read.values()))
        return _judged(file, f"{count} definitions", definitions.findings), _lines(data)
    if file.what == "badge set":
        badges = read_badge_set(data, name=name, axes=vocabulary.axes)
        of = badges.badge_set
        return _judged(file, "" if of is None else f"badges for {of.age_group}", badges.findings), _lines(
            data
        )
    if file.what == "manifest":
        manifest = read_manifest(data, name=name)
        return _judged(file, "manifest", manifest.findings), _lines(data)
    review = review_file(data, name=name, vocabulary=vocabulary)
    return _judged(file, _title(review.draft), review.findings), list(review.lines)


def _judged(file: ContentFile, title: str, findings: tuple[Finding, ...]) -> Judged:
    return Judged(file=file.name, what=file.what, is_sound=is_sound(findings), title=title, findings=findings)


def _title(story: Scenario | None) -> str:
    return "" if story is None else f"{story.title!r}, {len(story.scenes)} scenes"


def _judge_media(file: ContentFile) -> tuple[Finding, ...]:
    known = identify(_head(file.path))
    if known is None:
        return (_broken("unknown_media", "The bytes are no picture, sound or film that is taken."),)
    size, most = file.path.stat().st_size, MOST_BYTES[known.media_type]
    if size <= most:
        return ()
    return (_broken("media_too_large", f"It has {size:,} bytes, and at most {most:,} are taken."),)


def _judge_bundle(file: ContentFile, vocabulary: Vocabulary) -> tuple[Judged, list[str]]:
    """Of a zip its outside and each story in it; places within are told in the message."""
    findings: list[Finding] = []
    try:
        archive = Archive.open(file.path)
        for item in archive.items:
            if item.sort == "scenario":
                review = review_file(archive.read(item), name=item.name, vocabulary=vocabulary)
                findings += [_within(item.name, each) for each in review.findings]
            if item.sort == "manifest":
                manifest = read_manifest(archive.read(item), name=item.name)
                findings += [_within(item.name, each) for each in manifest.findings]
        archive.close()
    except ArchiveError as error:
        findings.append(error.finding)
        return _judged(file, "", tuple(findings)), []
    count = sum(item.sort == "scenario" for item in archive.items)
    return _judged(file, f"a bundle of {count} stories", tuple(findings)), []


def _within(item: str, finding: Finding) -> Finding:
    place = item if finding.line is None else f"{item}:{finding.line}:{finding.column}"
    return msgspec.structs.replace(finding, message=f"{place}: {finding.message}", line=None, column=None)


def _broken(code: str, message: str) -> Finding:
    return Finding(severity="error", code=code, message=message)


def _lines(data: bytes) -> list[str]:
    source = Source.of(data.decode("utf-8", "replace").replace("\ufeff", ""))
    return [source.line(number + 1) for number in range(len(source.starts))]


def lines_of(file: ContentFile) -> list[str]:
    """The lines of a file that has any. Raises CommandError."""
    return [] if file.what in ("media", "bundle") else _lines(read_bytes(file.path))


def _head(path: Path) -> bytes:
    if str(path) == "-":
        return b""
    try:
        with path.open("rb") as file:
            return file.read(HEAD)
    except OSError as error:
        raise unreadable(path, error) from error


def read_bytes(path: Path) -> bytes:
    """The file, or standard input for `-`. Raises CommandError."""
    try:
        return sys.stdin.buffer.read() if str(path) == "-" else path.read_bytes()
    except OSError as error:
        raise unreadable(path, error) from error


def unreadable(path: Path, error: OSError) -> CommandError:
    """The refusal where a file cannot be read."""
    return CommandError(f"{path} cannot be read ({error.strerror}).", exit_code=exits.USAGE, code="file")


def read_vocabulary(folder: Path | None) -> Vocabulary:
    """The words of the lists in a folder, or of those that are shipped. Raises CommandError."""
    if folder is None:
        return _vocabulary_in(SHIPPED) if SHIPPED.is_dir() else UNKNOWN
    found = _vocabulary_in(folder) if folder.is_dir() else UNKNOWN
    if found == UNKNOWN:
        message = f"Folder {folder} holds no lists of definitions, such as CoreAxes.json."
        raise CommandError(message, exit_code=exits.USAGE, code="file")
    return found


def _vocabulary_in(folder: Path) -> Vocabulary:
    found: dict[Sort, list[Definition]] = {}
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() not in LANGUAGES or not path.is_file() or what_is(path) != "definitions":
            continue
        definitions = read_definitions(read_bytes(path), name=path.name)
        if not definitions.is_sound and sort_named(path.name) is not None:
            told = [f"{each.line}: {each.message}" for each in definitions.findings if each.is_error]
            raise CommandError(f"{path} is no list of definitions.", told, exit_code=exits.USAGE, code="file")
        for sort, each in definitions.read.items():
            found.setdefault(sort, []).extend(each)
    return vocabulary_of(found)


def media_id(path: Path) -> str:
    """The id that media get by their file's name, without its ending."""
    return PurePosixPath(path.name).stem
