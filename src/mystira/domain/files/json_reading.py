"""Reads JSON (RFC 8259) to nodes that know where they stand, which no JSON library here tells."""

import json
import re
from typing import Final

from mystira.domain.files.nodes import (
    Complaints,
    MappingNode,
    ScalarNode,
    SequenceNode,
    Source,
    UnreadableError,
    Value,
)
from mystira.domain.files.tree import Tree

# Possessive, so that neither a long text nor a malformed one is ever gone through twice.
_SPACE: Final = re.compile(r"[ \t\r\n]*+")
_STRING: Final = re.compile(r'"[^"\\\x00-\x1f]*+(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[^"\\\x00-\x1f]*+)*+"')
_NUMBER: Final = re.compile(
    r"-?(?:0|[1-9][0-9]{0,39}+)(?:\.[0-9]{1,40}+)?(?:[eE][-+]?[0-9]{1,3}+)?(?![0-9.eE])"
)
_WORD: Final = re.compile(r"[A-Za-z]{1,20}+")
_WORDS: Final[dict[str, Value]] = {"true": True, "false": False, "null": None}


def read_json(source: Source, complaints: Complaints) -> Tree:
    """The nodes of the text. Raises UnreadableError."""
    return _Reader(source, complaints).read()


class _Reader:
    """Goes through the text once, and never calls itself; `_closers` end the open lists and mappings."""

    def __init__(self, source: Source, complaints: Complaints) -> None:
        self._text = source.text
        self._tree = Tree(source, complaints)
        self._at = 0
        self._closers: list[str] = []

    def read(self) -> Tree:
        """The nodes. Raises UnreadableError."""
        begins = self._value()
        while self._closers:
            begins = self._next(is_first=begins)
        if self._mark():
            raise self._refused("something stands behind the end of the value")
        return self._tree

    def _mark(self) -> str:
        """The next character that is no space; nothing at the end."""
        found = _SPACE.match(self._text, self._at)
        self._at = self._at if found is None else found.end()
        return self._text[self._at : self._at + 1]

    def _next(self, *, is_first: bool) -> bool:
        """What follows in the innermost list or mapping: its end, or a value. Whether that is open now."""
        closer, mark = self._closers[-1], self._mark()
        if mark == closer:
            self._at += 1
            self._closers.pop()
            self._tree.end()
            return False
        if not is_first:
            if mark != ",":
                raise self._refused(
                    f"a comma or {closer} is missing" if mark else f"{closer} is missing at the end"
                )
            self._at += 1
            if self._mark() == closer:
                raise self._refused("there is a comma too much before this")
        if closer == "}":
            self._key()
        return self._value()

    def _key(self) -> None:
        self._mark()
        begin = self._at
        found = _STRING.match(self._text, begin)
        if found is None:
            raise self._refused("a key in double quotes is missing")
        self._at = found.end()
        self._tree.scalar(_text_node(begin, found.group()))
        if self._mark() != ":":
            raise self._refused("a colon is missing behind the key")
        self._at += 1

    def _value(self) -> bool:
        """Read one value; whether it is a list or a mapping, which now is open."""
        mark, begin = self._mark(), self._at
        if mark in ("[", "{"):
            self._tree.begin(SequenceNode(begin, []) if mark == "[" else MappingNode(begin, []))
            self._closers.append("]" if mark == "[" else "}")
            self._at += 1
            return True
        self._tree.scalar(self._scalar(mark))
        return False

    def _scalar(self, mark: str) -> ScalarNode:
        begin = self._at
        if mark == '"':
            found = _STRING.match(self._text, begin)
            if found is None:
                raise self._refused(
                    "text in quotes does not end, or has a character that must be written with \\"
                )
            self._at = found.end()
            return _text_node(begin, found.group())
        if number := _NUMBER.match(self._text, begin):
            self._at, text = number.end(), number.group()
            return ScalarNode(begin, json.loads(text), text)
        if (word := _WORD.match(self._text, begin)) and word.group() in _WORDS:
            self._at = word.end()
            return ScalarNode(begin, _WORDS[word.group()], word.group())
        if mark in ("/", "#"):
            raise self._refused("JSON has no comments")
        raise self._refused(
            "a value is missing" if mark in ("", ",", "]", "}") else "text stands in double quotes"
        )

    def _refused(self, problem: str) -> UnreadableError:
        return UnreadableError("not_json", f"This is not JSON: {problem}.", self._at)


def _text_node(at: int, quoted: str) -> ScalarNode:
    text = json.loads(quoted)
    return ScalarNode(at, text, text)
