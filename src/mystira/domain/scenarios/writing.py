"""From a story to a file that reads well, and that reads back to the same story."""

from typing import Any, Literal

import msgspec

from mystira.domain.files.writing import write_json, write_yaml
from mystira.domain.scenarios.model import Branch, Character, EchoReveal, Scenario, Scene

Form = Literal["yaml", "json"]
Document = dict[str, Any]


def write_story(story: Scenario, form: Form = "yaml") -> bytes:
    """The file of a story, in the order of the schema, with what is left out left out."""
    document = document_of(story)
    return write_yaml(document) if form == "yaml" else write_json(document)


def document_of(story: Scenario) -> Document:
    """The story by the names of the schema, as values of JSON; without what only the platform knows."""
    return _without_gaps(
        {
            "id": story.id,
            "title": story.title,
            "description": story.description,
            "tags": story.tags,
            "difficulty": story.difficulty,
            "session_length": story.session_length,
            "age_group": story.age_group,
            "minimum_age": story.minimum_age,
            "core_axes": story.core_axes,
            "archetypes": story.archetypes,
            "image": story.image,
            "music_palette": story.music_palette,
            "characters": [_character(each) for each in story.characters],
            "scenes": [_scene(each) for each in story.scenes],
        }
    )


def _character(character: Character) -> Document:
    return _without_gaps(
        {
            "id": character.id,
            "name": character.name,
            "image": character.image,
            "audio": character.audio,
            "metadata": msgspec.structs.asdict(character.metadata),
        }
    )


def _scene(scene: Scene) -> Document:
    document = _without_gaps(
        {
            "id": scene.id,
            "title": scene.title,
            "type": scene.type,
            "description": scene.description,
            "active_character": scene.active_character,
            "difficulty": scene.difficulty,
            "media": None if scene.media is None else _without_gaps(msgspec.structs.asdict(scene.media)),
            "music": scene.music,
            "sound_effects": scene.sound_effects or None,
        }
    )
    # An end says so: the schema asks for it.
    if scene.next_scene is not None or not scene.branches:
        document["next_scene"] = scene.next_scene
    if scene.branches:
        document["branches"] = [_branch(each) for each in scene.branches]
    if scene.echo_reveals:
        document["echo_reveals"] = [_reveal(each) for each in scene.echo_reveals]
    return document


def _branch(branch: Branch) -> Document:
    log, change = branch.echo_log, branch.compass_change
    return _without_gaps(
        {
            "choice": branch.choice,
            "next_scene": branch.next_scene,
            "echo_log": None if log is None else msgspec.structs.asdict(log),
            "compass_change": None if change is None else _without_gaps(msgspec.structs.asdict(change)),
        }
    )


def _reveal(reveal: EchoReveal) -> Document:
    return msgspec.structs.asdict(reveal)


def _without_gaps(document: Document) -> Document:
    return {key: value for key, value in document.items() if value is not None}
