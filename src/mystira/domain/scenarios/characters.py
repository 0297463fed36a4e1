"""Characters of stories as files have them: with keys in other places than the schema's, and without ids."""

from typing import Any, Final

from mystira.domain.files.findings import Path, spell
from mystira.domain.files.groups import Group
from mystira.domain.files.nodes import Complaints, Entry, MappingNode, Node, SequenceNode, squeezed
from mystira.domain.ids import free_slug, slug_of
from mystira.domain.scenarios.story_form import CHARACTER, METADATA


def _names(group: Group) -> dict[str, str]:
    return {squeezed(field.key): field.key for field in group.fields}


_OWN: Final = _names(CHARACTER)
_INNER: Final = _names(METADATA)


def put_in_place(story: Node, told: Complaints) -> Node:
    """The story with every key of a character where it belongs: moved there with a warning."""
    if not isinstance(story, MappingNode):
        return story
    entries = [
        Entry(entry.at, entry.key, _all_in_place(entry.node, told))
        if squeezed(entry.key) == "characters"
        else entry
        for entry in story.entries
    ]
    return MappingNode(story.at, entries)


def _all_in_place(characters: Node, told: Complaints) -> Node:
    if not isinstance(characters, SequenceNode):
        return characters
    nodes = [_in_place(each, ("characters", at), told) for at, each in enumerate(characters.nodes)]
    return SequenceNode(characters.at, nodes)


def _in_place(character: Node, path: Path, told: Complaints) -> Node:
    if not isinstance(character, MappingNode):
        return character
    metadata = next((each for each in character.entries if squeezed(each.key) == "metadata"), None)
    inside = metadata.node.entries if metadata and isinstance(metadata.node, MappingNode) else []
    kept, to_metadata = _parted(character.entries, _INNER, _OWN)
    inner, to_top = _parted(inside, _OWN, _INNER)
    if not to_metadata and not to_top:
        return character
    inner += _moved(to_metadata, inner, path, "metadata", told)
    kept = [entry for entry in kept if entry is not metadata]
    kept += _moved(to_top, kept, (*path, "metadata"), "the character itself", told)
    at = character.at if metadata is None else metadata.at
    begin = at if metadata is None else metadata.node.at
    return MappingNode(character.at, [*kept, Entry(at, "metadata", MappingNode(begin, inner))])


def _parted(
    entries: list[Entry], foreign: dict[str, str], own: dict[str, str]
) -> tuple[list[Entry], list[Entry]]:
    """What may stay, and what belongs elsewhere."""
    parts: tuple[list[Entry], list[Entry]] = ([], [])
    for entry in entries:
        name = squeezed(entry.key)
        parts[name in foreign and name not in own].append(entry)
    return parts


def _moved(
    entries: list[Entry], present: list[Entry], path: Path, home: str, told: Complaints
) -> list[Entry]:
    moved = []
    taken = {squeezed(entry.key) for entry in present}
    for entry in entries:
        here = (*path, entry.key)
        if squeezed(entry.key) in taken:
            message = f"{spell(here)} is passed over, because {home} has one too."
            told.warning("misplaced_key", message, here, entry.at)
            continue
        told.warning("misplaced_key", f"{spell(here)} belongs to {home}, and is taken there.", here, entry.at)
        taken.add(squeezed(entry.key))
        moved.append(entry)
    return moved


def with_ids(read: list[dict[str, Any]], at: int, told: Complaints) -> list[dict[str, Any]]:
    """The characters, each with an id: one that has none gets one made from its name, with a warning."""
    taken = {character["id"] for character in read if "id" in character}
    named = []
    for index, character in enumerate(read):
        if "id" not in character and "name" in character:
            made = free_slug(slug_of(character["name"], between="_") or "character", taken, between="_")
            taken.add(made)
            path = ("characters", index, "id")
            message = f"{spell(path)} is missing, and made from the name: {made}. Write it, so that it stays."
            told.warning("made_id", message, path, at)
            character = {**character, "id": made}
        named.append(character)
    return named
