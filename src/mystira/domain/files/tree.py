"""Puts nodes together as a reader comes upon them, whatever the language, and keeps them within bounds."""

from typing import Final

import msgspec

from mystira.domain.files.nodes import (
    MOST_DEPTH,
    MOST_NODES,
    Complaints,
    Entry,
    MappingNode,
    Node,
    ScalarNode,
    SequenceNode,
    Source,
    UnreadableError,
)


class _Open(msgspec.Struct):
    """A list or a mapping that has not ended yet; `key` is the one whose value comes next."""

    node: MappingNode | SequenceNode
    anchor: str | None
    known: dict[str, int]
    size: int = 1
    height: int = 1
    key: str | None = None
    key_at: int = 0
    is_repeated: bool = False

    @property
    def awaits_key(self) -> bool:
        """Whether what comes next is a key."""
        return isinstance(self.node, MappingNode) and self.key is None


class _Anchored(msgspec.Struct):
    """A node that was given a name, how many values it holds, in how many levels; None while open."""

    node: Node | None
    size: int = 1
    height: int = 0


class Tree:
    """The nodes of one text. Nothing here calls itself, so that no nesting can exhaust the stack."""

    def __init__(self, source: Source, complaints: Complaints) -> None:
        self.root: Node | None = None
        self._source: Final = source
        self._complaints: Final = complaints
        self._open: list[_Open] = []
        self._anchors: dict[str, _Anchored] = {}
        self._count = 0

    @property
    def awaits_key(self) -> bool:
        """Whether what comes next is the key of a mapping."""
        return bool(self._open) and self._open[-1].awaits_key

    def begin(self, node: MappingNode | SequenceNode, anchor: str | None = None) -> None:
        """A list or a mapping begins. Raises UnreadableError."""
        if self.awaits_key:
            raise UnreadableError("key_not_text", "A list or a mapping cannot be a key: write text.", node.at)
        if len(self._open) >= MOST_DEPTH:
            raise _too_deep(node.at)
        if anchor is not None:
            self._anchors[anchor] = _Anchored(None)
        self._open.append(_Open(node, anchor, {}))

    def end(self) -> None:
        """The innermost list or mapping ends."""
        ended = self._open.pop()
        if ended.anchor is not None:
            self._anchors[ended.anchor] = _Anchored(ended.node, ended.size, ended.height)
        self._place(ended.node, ended.size, ended.height)

    def scalar(self, node: ScalarNode, anchor: str | None = None) -> None:
        """A value, or a key where one is awaited. Raises UnreadableError."""
        if anchor is not None:
            self._anchors[anchor] = _Anchored(node)
        if self.awaits_key:
            self._key(node)
        else:
            self._place(node)

    def alias(self, name: str, at: int) -> None:
        """What was given a name stands here again. Raises UnreadableError."""
        anchored = self._anchors.get(name)
        if anchored is None:
            raise UnreadableError(
                "unknown_alias", f"*{name} stands for nothing: there is no &{name} above.", at
            )
        if anchored.node is None:
            raise UnreadableError("alias_loop", f"*{name} lies within what it stands for.", at)
        if not self.awaits_key:
            self._place(anchored.node, anchored.size, anchored.height, at)
        elif isinstance(anchored.node, ScalarNode):
            self._key(anchored.node)
        else:
            raise UnreadableError("key_not_text", f"*{name} is no text, and cannot be a key.", at)

    def _key(self, node: ScalarNode) -> None:
        inner = self._open[-1]
        first = inner.known.get(node.text)
        if first is not None:
            line, _ = self._source.place(first)
            told = (
                f"Key {node.text[:100]!r} stands twice in one place, first on line {line}: keep one of them."
            )
            self._complaints.error("duplicate_key", told, at=node.at)
        else:
            inner.known[node.text] = node.at
        inner.key, inner.key_at, inner.is_repeated = node.text, node.at, first is not None

    def _place(self, node: Node, size: int = 1, height: int = 0, at: int | None = None) -> None:
        if not self._open:
            self.root = node
            return
        inner, here = self._open[-1], node.at if at is None else at
        # An alias counts with all that it stands for: that is what makes a small file a large one.
        self._count += 1
        inner.size += size
        inner.height = max(inner.height, height + 1)
        if inner.size > MOST_NODES or self._count > MOST_NODES:
            raise UnreadableError("too_large", f"The file holds more than {MOST_NODES:,} values.", here)
        if len(self._open) + height > MOST_DEPTH:
            raise _too_deep(here)
        if isinstance(inner.node, SequenceNode):
            inner.node.nodes.append(node)
            return
        assert inner.key is not None, "a value in a mapping follows its key"
        if not inner.is_repeated:
            inner.node.entries.append(Entry(inner.key_at, inner.key, node))
        inner.key = None


def _too_deep(at: int) -> UnreadableError:
    told = f"Values lie deeper in one another than {MOST_DEPTH} levels, which no file needs."
    return UnreadableError("too_deep", told, at)
