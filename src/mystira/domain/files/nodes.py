"""What a file consists of, whatever it is written in: values that know where they stand."""

import bisect
import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from mystira.domain.files.findings import MOST, Finding, Path, Severity, spell
from mystira.domain.files.spelling import Spelling

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
    """Collects what is found in one source, or in values that stand in no text."""

    def __init__(self, source: Source | None = None) -> None:
        self.source: Final = source
        self.findings: Final[list[Finding]] = []
        self._spellings: dict[frozenset[str], Spelling] = {}
        self._room = {"error": MOST + 1, "warning": MOST + 1}

    def spelling(self, known: frozenset[str]) -> Spelling:
        """What finds the word that was meant among those that are known."""
        return self._spellings.setdefault(known, Spelling(known))

    def error(self, code: str, message: str, path: Path = (), at: int | None = None) -> None:
        """Tell of something broken."""
        self._tell("error", code, message, path, at)

    def warning(self, code: str, message: str, path: Path = (), at: int | None = None) -> None:
        """Tell of something unusual."""
        self._tell("warning", code, message, path, at)

    def _tell(self, severity: Severity, code: str, message: str, path: Path, at: int | None) -> None:
        # Of either sort one more is kept than is ever shown, so that it can be told that there are more.
        if self._room[severity] <= 0:
            return
        self._room[severity] -= 1
        line, column = (None, None) if at is None or self.source is None else self.source.place(at)
        self.findings.append(
            Finding(severity=severity, code=code, message=message, path=spell(path), line=line, column=column)
        )


def squeezed(key: str) -> str:
    """What spellings of one name have in common: `next_scene`, `nextScene`, `Next-Scene`."""
    return re.sub(r"[\s_\-–—]", "", key).lower()


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


def nodes_of(value: Any) -> Node:
    """Nodes that say the same as values of JSON, which stand in no text. Raises UnreadableError."""
    return _node_of(value, 0)


def _node_of(value: Any, depth: int) -> Node:
    if depth > MOST_DEPTH:
        raise UnreadableError("too_deep", "Values lie too deep in one another.", 0)
    if isinstance(value, Mapping):
        return MappingNode(0, [Entry(0, str(key), _node_of(each, depth + 1)) for key, each in value.items()])
    if isinstance(value, (list, tuple)):
        return SequenceNode(0, [_node_of(each, depth + 1) for each in value])
    if value is None or isinstance(value, bool):
        return ScalarNode(0, value, {None: "", True: "true", False: "false"}[value])
    return ScalarNode(0, value, value if isinstance(value, str) else repr(value))
