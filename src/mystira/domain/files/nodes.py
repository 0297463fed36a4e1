"""What a file consists of, whatever it is written in: values that know where they stand."""

import bisect
import re
from typing import Final

import msgspec

from mystira.domain.files.findings import Finding, Path, Severity, spell

MOST_BYTES: Final = 4 * 1024 * 1024
MOST_NODES: Final = 400_000
"""Values in a file, each counted as often as it is repeated by an alias."""
MOST_DEPTH: Final = 32
"""How deeply lists and mappings may lie in one another. A story needs seven levels."""

_LINE_BREAK: Final = re.compile(r"\r\n|\r|\n")

Value = str | int | float | bool | None


class ScalarNode(msgspec.Struct, frozen=True):
    """One value: what the language takes it for, and the text that stands there."""

    at: int
    value: Value
    text: str


class Entry(msgspec.Struct, frozen=True):
    """A key and what stands under it; `at` is where the key stands."""

    at: int
    key: str
    node: "Node"


class MappingNode(msgspec.Struct, frozen=True):
    """Keys with their values, in the order of the file; no key twice."""

    at: int
    entries: list[Entry]


class SequenceNode(msgspec.Struct, frozen=True):
    """A list."""

    at: int
    nodes: list["Node"]


Node = ScalarNode | MappingNode | SequenceNode


class Source(msgspec.Struct, frozen=True):
    """The text of a file and where its lines begin. `name` is what complaints call it."""

    text: str
    name: str = ""
    starts: list[int] = []

    @classmethod
    def of(cls, text: str, name: str = "") -> "Source":
        """The source of a text."""
        return cls(text, name, [0, *(each.end() for each in _LINE_BREAK.finditer(text))])

    def place(self, at: int) -> tuple[int, int]:
        """Line and column of a place in the text, both from 1."""
        line = bisect.bisect_right(self.starts, at)
        return line, at - self.starts[line - 1] + 1

    def line(self, number: int) -> str:
        """The text of a line, counted from 1, without its end."""
        start = self.starts[number - 1]
        end = self.starts[number] if number < len(self.starts) else len(self.text)
        return self.text[start:end].rstrip("\r\n")


class UnreadableError(Exception):
    """The text cannot be read on from a place: {message}."""

    def __init__(self, code: str, message: str, at: int) -> None:
        self.code, self.message, self.at = code, message, at
        super().__init__(message)


class Complaints:
    """Collects what is found in one source."""

    def __init__(self, source: Source) -> None:
        self.source: Final = source
        self.findings: Final[list[Finding]] = []

    def error(self, code: str, message: str, path: Path = (), at: int | None = None) -> None:
        """Tell of something broken."""
        self._tell("error", code, message, path, at)

    def warning(self, code: str, message: str, path: Path = (), at: int | None = None) -> None:
        """Tell of something unusual."""
        self._tell("warning", code, message, path, at)

    def _tell(self, severity: Severity, code: str, message: str, path: Path, at: int | None) -> None:
        line, column = (None, None) if at is None else self.source.place(at)
        self.findings.append(
            Finding(severity=severity, code=code, message=message, path=spell(path), line=line, column=column)
        )


def squeezed(key: str) -> str:
    """What spellings of one name have in common: `next_scene`, `nextScene`, `Next-Scene`."""
    return re.sub(r"[\s_-]", "", key).lower()


def locate(node: Node, path: Path) -> int:
    """Where the value of a path stands, or as much of the way to it as there is."""
    at = node.at
    for part in path:
        if isinstance(node, MappingNode) and isinstance(part, str):
            entry = next((each for each in node.entries if squeezed(each.key) == squeezed(part)), None)
            if entry is None:
                return at
            at, node = entry.at, entry.node
        elif isinstance(node, SequenceNode) and isinstance(part, int) and part < len(node.nodes):
            node = node.nodes[part]
            at = node.at
        else:
            return at
    return node.at if isinstance(node, ScalarNode) else at
