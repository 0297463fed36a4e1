"""Lists of definitions as authors and the former system have them.

Three forms are taken: plain words, mappings with `value` (or `Value`), and mappings with all that a
definition has. A file is one list, whose sort follows from its name or is told; or a mapping of lists, one
under the name of each sort.
"""

import re
from pathlib import PurePosixPath
from typing import Any, Final, Literal, get_args

import msgspec
from msgspec import UNSET

from mystira.domain.definitions.model import AgeGroup, Definition
from mystira.domain.files.findings import Finding, Path, in_order, is_sound, spell
from mystira.domain.files.forms import Many, Number, Text
from mystira.domain.files.groups import Field, Group
from mystira.domain.files.nodes import Complaints, MappingNode, Node, ScalarNode, SequenceNode, squeezed
from mystira.domain.files.reading import Language, read_manuscript
from mystira.domain.ids import slug_of
from mystira.domain.records import UNDATED

Sort = Literal["axes", "archetypes", "echo-types", "themes", "age-groups"]
"""What people call the five sorts of definitions."""

SORTS: Final[tuple[Sort, ...]] = get_args(Sort)

_SPELLINGS: Final[dict[str, Sort]] = {
    "axes": "axes",
    "coreaxes": "axes",
    "compassaxes": "axes",
    "archetypes": "archetypes",
    "echotypes": "echo-types",
    "themes": "themes",
    "fantasythemes": "themes",
    "agegroups": "age-groups",
}

_ENTRY: Final = Group(
    what="a word, or a mapping with value",
    any_spelling=True,
    fields=(
        Field("value", Text(least=1, most=200)),
        Field("name", Text(least=1, most=200)),
        Field("description", Text(most=4000)),
        Field("media_ids", Many(form=Text(least=1, most=255), most=100)),
        Field("minimum_age", Number(whole=True, least=0, most=150)),
        Field("maximum_age", Number(whole=True, least=0, most=150)),
    ),
)
_SPAN: Final = re.compile(r"([0-9]{1,3})-([0-9]{1,3})")


class Definitions(msgspec.Struct, frozen=True, kw_only=True):
    """What came of reading: the definitions by sort, or none where something is broken."""

    findings: tuple[Finding, ...]
    read: dict[Sort, tuple[Definition, ...]] = {}

    @property
    def is_sound(self) -> bool:
        """Whether all of them can be taken."""
        return is_sound(self.findings)


def sort_named(name: str) -> Sort | None:
    """The sort that a file's name or a key means, such as `CoreAxes.json`; None if none."""
    return _SPELLINGS.get(squeezed(PurePosixPath(name).stem))


def read_definitions(
    data: bytes, *, name: str = "", sort: Sort | None = None, language: Language | None = None
) -> Definitions:
    """The definitions of a file. Raises nothing, whatever the bytes are."""
    manuscript = read_manuscript(data, name=name, language=language)
    told, root = manuscript.complaints, manuscript.root
    read: dict[Sort, tuple[Definition, ...]] = {}
    if isinstance(root, SequenceNode):
        known = sort or sort_named(name)
        if known is None:
            told.error("unknown_sort", f"Say which sort of definitions these are: {', '.join(SORTS)}.", (), 0)
        else:
            read[known] = _read_list(root, known, (), told)
    elif isinstance(root, MappingNode):
        for entry in root.entries:
            known = sort_named(entry.key)
            if known is None or not isinstance(entry.node, SequenceNode):
                message = f"{entry.key[:60]!r} is no list of definitions; there are {', '.join(SORTS)}."
                told.error("unknown_sort", message, (entry.key,), entry.at)
                continue
            read[known] = (*read.get(known, ()), *_read_list(entry.node, known, (entry.key,), told))
    elif root is not None:
        told.error("wrong_type", "A file of definitions is a list, or lists under their names.", (), root.at)
    findings = in_order(told.findings)
    return Definitions(findings=findings, read=read if is_sound(findings) else {})


def _read_list(nodes: SequenceNode, sort: Sort, path: Path, told: Complaints) -> tuple[Definition, ...]:
    found: dict[str, Definition] = {}
    for index, node in enumerate(nodes.nodes):
        here = (*path, index)
        definition = _definition(node, sort, here, told)
        if definition is None:
            continue
        if definition.id in found:
            told.warning("duplicate", f"{definition.name!r} is in the list twice.", here, node.at)
            continue
        found[definition.id] = definition
    return tuple(found.values())


def _definition(node: Node, sort: Sort, path: Path, told: Complaints) -> Definition | None:
    if isinstance(node, ScalarNode):
        text = Text(least=1, most=200).read(node, path, told)
        read: Any = UNSET if text is UNSET else {"value": text}
    else:
        read = _ENTRY.read(node, path, told)
    if read is UNSET:
        return None
    value = read.get("value") or read.get("name")
    if value is None:
        told.error("missing", f"{spell(path)} has neither value nor name: write one.", path, node.at)
        return None
    more = {key: read[key] for key in ("description", "media_ids") if key in read}
    if sort == "age-groups":
        return _age_group(value, read, more, node, path, told)
    name = read.get("name") or value
    # Others name a definition by its value, so that this is what the id follows from.
    key = slug_of(value)
    if not key:
        told.error("no_id", f"{value!r} has no letter from which an id could be made.", path, node.at)
        return None
    return Definition(id=key, created_at=UNDATED, name=name, **more)


def _age_group(
    value: str, read: dict[str, Any], more: dict[str, Any], node: Node, path: Path, told: Complaints
) -> AgeGroup | None:
    span = _SPAN.fullmatch(value)
    youngest = read.get("minimum_age", int(span[1]) if span else None)
    oldest = read.get("maximum_age", int(span[2]) if span else None)
    if youngest is None or oldest is None or youngest > oldest or oldest > 150:
        message = (
            f"{spell(path)} is an age group, and needs minimum_age and maximum_age, or a value such as 6-9."
        )
        told.error("wrong_form", message, path, node.at)
        return None
    key = f"{youngest}-{oldest}"
    if span is not None and value != key:
        message = f"{value!r} does not say the same as its ages, {key}."
        told.error("ages_disagree", message, path, node.at)
        return None
    name = read.get("name", value)
    return AgeGroup(id=key, created_at=UNDATED, name=name, minimum_age=youngest, maximum_age=oldest, **more)
