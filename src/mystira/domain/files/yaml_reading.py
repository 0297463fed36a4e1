"""Reads YAML to nodes, event by event, and decides by itself what a plain word is.

The library's parser is used and not its constructors: no tag can make anything but text, numbers, true, false
and null, and words are taken as YAML 1.2's core schema takes them. So `no`, `on` and `2024-05-01` are text.
"""

import re
from typing import Final

import yaml

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

# libyaml is ten times as fast; where the package was built without it, its own parser gives the same events.
_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_NULLS: Final = frozenset({"", "~", "null", "Null", "NULL"})
_TRUTHS: Final = {
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_WHOLE: Final = re.compile(r"[-+]?[0-9]{1,40}")
_NUMBER: Final = re.compile(r"[-+]?(\.[0-9]{1,40}|[0-9]{1,40}(\.[0-9]{0,40})?)([eE][-+]?[0-9]{1,3})?")

_TAG: Final = "tag:yaml.org,2002:"
_PLAIN_TAGS: Final = frozenset({_TAG + name for name in ("int", "float", "bool", "null")})
_TEXT_TAGS: Final = frozenset({"!", _TAG + "str"})
_MAPPING_TAGS: Final = frozenset({"!", _TAG + "map"})
_SEQUENCE_TAGS: Final = frozenset({"!", _TAG + "seq"})

_HINTS: Final = (
    ("mapping values are not allowed", "text that holds a colon and a space must stand in quotes"),
    ("while scanning a quoted scalar", "a quotation mark is opened and not closed"),
    ("expected <block end>", "look at the indentation of this line and of the one above"),
    ("did not find expected key", "look at the indentation of this line, and at quotation marks inside text"),
    ("did not find expected '-'", "look at the indentation of this line and of the one above"),
    (
        "could not find expected ':'",
        "a key needs a colon behind it, and text of several lines must be indented",
    ),
    ("cannot start any token", "text that begins with this character must stand in quotes"),
    ("unknown escape", "in double quotes a backslash is written twice"),
)


def read_yaml(source: Source, complaints: Complaints) -> Tree:
    """The nodes of the text. Raises UnreadableError."""
    tree = Tree(source, complaints)
    text = source.text
    documents = 0
    try:
        for event in yaml.parse(text, Loader=_LOADER):
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    told = "A second document begins here (---): a file holds one."
                    raise UnreadableError("several_documents", told, event.start_mark.index)
            _add(tree, event)
    except yaml.YAMLError as refused:
        raise _unreadable(refused, text) from None
    return tree


def _add(tree: Tree, event: yaml.Event) -> None:
    at = event.start_mark.index
    match event:
        case yaml.ScalarEvent():
            tree.scalar(ScalarNode(at, _value(event), event.value), event.anchor)
        case yaml.MappingStartEvent():
            _check_tag(event, _MAPPING_TAGS)
            tree.begin(MappingNode(at, []), event.anchor)
        case yaml.SequenceStartEvent():
            _check_tag(event, _SEQUENCE_TAGS)
            tree.begin(SequenceNode(at, []), event.anchor)
        case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
            tree.end()
        case yaml.AliasEvent():
            tree.alias(event.anchor, at)


def _value(event: yaml.ScalarEvent) -> Value:
    text: str = event.value
    if event.tag is None:
        is_plain = event.implicit[0]
    else:
        _check_tag(event, _TEXT_TAGS | _PLAIN_TAGS)
        is_plain = event.tag in _PLAIN_TAGS
    return resolve(text) if is_plain else text


def resolve(text: str) -> Value:
    """What a word without quotes is taken for."""
    if text in _NULLS:
        return None
    if text in _TRUTHS:
        return _TRUTHS[text]
    if _WHOLE.fullmatch(text):
        return int(text)
    return float(text) if _NUMBER.fullmatch(text) else text


def _check_tag(event: yaml.NodeEvent, allowed: frozenset[str]) -> None:
    tag = event.tag
    if tag is not None and tag not in allowed:
        told = f"The tag {tag[:100]} is not taken here: leave it out."
        raise UnreadableError("tag", told, event.start_mark.index)


def _unreadable(refused: yaml.YAMLError, text: str) -> UnreadableError:
    mark = getattr(refused, "problem_mark", None) or getattr(refused, "context_mark", None)
    problem = str(getattr(refused, "problem", None) or refused)
    context = str(getattr(refused, "context", None) or "")
    whole = f"{context} {problem}"
    at = len(text) if mark is None else min(mark.index, len(text))
    if text[at : at + 1] == "\t":
        return UnreadableError("not_yaml", "This is not YAML: a tab stands here. Indent by spaces.", at)
    hint = next((remedy for sign, remedy in _HINTS if sign in whole), "")
    told = f"This is not YAML: {problem[:200]}" + (f" ({context[:200]})" if context else "")
    return UnreadableError("not_yaml", told + (f": {hint}." if hint else "."), at)
