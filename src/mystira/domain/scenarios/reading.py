"""From a file to a story: whatever the bytes are, the answer is a review that names everything found."""

from typing import Any

import msgspec
from msgspec import UNSET

from mystira.domain.files.findings import Fault, Finding, Path, in_order, is_sound, spell
from mystira.domain.files.nodes import (
    Complaints,
    MappingNode,
    Node,
    SequenceNode,
    UnreadableError,
    locate,
    nodes_of,
    squeezed,
)
from mystira.domain.files.reading import Language, read_manuscript
from mystira.domain.ids import slug_of
from mystira.domain.records import UNDATED
from mystira.domain.scenarios.characters import put_in_place, with_ids
from mystira.domain.scenarios.model import (
    Branch,
    Character,
    CharacterMetadata,
    CompassChange,
    EchoLog,
    EchoReveal,
    Scenario,
    Scene,
    SceneMedia,
)
from mystira.domain.scenarios.rules import find_faults
from mystira.domain.scenarios.story_form import MINIMUM_AGES, STORY
from mystira.domain.scenarios.vocabulary import UNKNOWN, Vocabulary
from mystira.domain.scenarios.writing import document_of


class Review(msgspec.Struct, frozen=True, kw_only=True):
    """What came of reading a story.

    `story` is None where something is broken; its id is the one that the file names, else a slug of its
    title, and its times are UNDATED. `names_id` tells which. `draft` is what could be read, even of a story
    that is broken, with empty text for what could not: to be shown, never stored. `lines` is the file's text.
    """

    findings: tuple[Finding, ...]
    story: Scenario | None = None
    draft: Scenario | None = None
    names_id: bool = False
    lines: tuple[str, ...] = ()

    @property
    def is_sound(self) -> bool:
        """Whether the story can be taken as it is."""
        return self.story is not None

    @property
    def errors(self) -> tuple[Finding, ...]:
        """What is broken."""
        return tuple(each for each in self.findings if each.is_error)

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """What is unusual."""
        return tuple(each for each in self.findings if not each.is_error)


def review_file(
    data: bytes, *, name: str = "", language: Language | None = None, vocabulary: Vocabulary = UNKNOWN
) -> Review:
    """Read and judge a story's file. Raises nothing, whatever the bytes are."""
    manuscript = read_manuscript(data, name=name, language=language)
    lines = tuple(manuscript.source.line(number + 1) for number in range(len(manuscript.source.starts)))
    if manuscript.root is None:
        return Review(findings=manuscript.findings, lines=lines)
    return _review(manuscript.root, manuscript.complaints, vocabulary, lines)


def review_document(document: Any, *, vocabulary: Vocabulary = UNKNOWN) -> Review:
    """Read and judge a story that stands in no file: values as JSON has them, by the names of the schema."""
    told = Complaints()
    try:
        return _review(nodes_of(document), told, vocabulary, ())
    except UnreadableError as error:
        told.error(error.code, error.message)
        return Review(findings=in_order(told.findings))


def review_scenario(story: Scenario, *, vocabulary: Vocabulary = UNKNOWN) -> Review:
    """Judge a story as it is stored, or as somebody has made it up."""
    return review_document(document_of(story), vocabulary=vocabulary)


def _review(root: Node, told: Complaints, vocabulary: Vocabulary, lines: tuple[str, ...]) -> Review:
    root = put_in_place(root, told)
    read = STORY.read(root, (), told)
    if read is UNSET:
        return Review(findings=in_order(told.findings), lines=lines)
    read["characters"] = with_ids(read.get("characters", []), locate(root, ("characters",)), told)
    _note_quiet_ends(root, told)
    draft = _story(read)
    broken = {finding.path for finding in told.findings if finding.is_error}
    for fault in find_faults(draft, vocabulary):
        # What could not be read is not missing as well.
        if spell(fault.path) not in broken:
            _tell(fault, root, told)
    findings = in_order(told.findings)
    return Review(
        findings=findings,
        story=draft if is_sound(findings) else None,
        draft=draft,
        names_id="id" in read,
        lines=lines,
    )


def _tell(fault: Fault, root: Node, told: Complaints) -> None:
    tell = told.error if fault.severity == "error" else told.warning
    tell(fault.code, fault.message, fault.path, locate(root, fault.path))


# -- scenes that do not say that they are the end ------------------------------------------------------


def _note_quiet_ends(root: Node, told: Complaints) -> None:
    """Warn of scenes that end the story only because they say nothing of what follows."""
    scenes = _under(root, "scenes")
    for index, scene in enumerate(scenes.nodes if isinstance(scenes, SequenceNode) else []):
        kind = _under(scene, "type")
        sort = getattr(kind, "text", "").strip().lower()
        if sort not in ("narrative", "special") or any(
            _under(scene, key) is not None for key in ("next_scene", "next_scene_id", "branches")
        ):
            continue
        path: Path = ("scenes", index, "next_scene")
        message = f"The story ends with this {sort} scene, which has no next_scene: say `next_scene: null`."
        told.warning("quiet_end", message, path, scene.at)


def _under(node: Node, key: str) -> Node | None:
    if not isinstance(node, MappingNode):
        return None
    return next((each.node for each in node.entries if squeezed(each.key) == squeezed(key)), None)


# -- from what was read to the model -------------------------------------------------------------------


def _story(read: dict[str, Any]) -> Scenario:
    values = {"title": "", "minimum_age": MINIMUM_AGES[0], "age_group": "", **read}
    return Scenario(
        **{
            **values,
            "id": read.get("id") or slug_of(values["title"]) or "story",
            "created_at": UNDATED,
            "characters": [_character(each) for each in read["characters"]],
            "scenes": [_scene(each) for each in read.get("scenes", [])],
        }
    )


def _character(read: dict[str, Any]) -> Character:
    metadata = CharacterMetadata(**read.get("metadata", {}))
    return Character(**{"id": "", "name": "", **read, "metadata": metadata})


def _scene(read: dict[str, Any]) -> Scene:
    placeholders = {"id": "", "title": "", "type": "narrative", "description": ""}
    parts = {
        "media": SceneMedia(**read["media"]) if "media" in read else None,
        "branches": [_branch(each) for each in read.get("branches", [])],
        "echo_reveals": [_reveal(each) for each in read.get("echo_reveals", [])],
    }
    return Scene(**{**placeholders, **read, **parts})


def _branch(read: dict[str, Any]) -> Branch:
    log, change = read.get("echo_log"), read.get("compass_change")
    echo = {"echo_type": "", "description": "", "strength": 0.0}
    parts = {
        "echo_log": None if log is None else EchoLog(**{**echo, **log}),
        "compass_change": None if change is None else CompassChange(**{"axis": "", "delta": 0.0, **change}),
    }
    return Branch(**{"choice": "", "next_scene": "", **read, **parts})


def _reveal(read: dict[str, Any]) -> EchoReveal:
    return EchoReveal(**{"echo_type": "", "min_strength": 0.0, "trigger_scene_id": "", **read})
