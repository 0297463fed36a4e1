"""The words that are known where a story is read: axes, archetypes and echo types."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

import msgspec

from mystira.domain.definitions.model import Definition
from mystira.domain.definitions.reading import Sort
from mystira.domain.files.findings import Fault, Path, warning
from mystira.domain.files.nodes import squeezed
from mystira.domain.files.spelling import Spelling
from mystira.domain.scenarios.model import Scenario

Word = tuple[str, Path]
"""A word of a story, and where it stands."""


class Vocabulary(msgspec.Struct, frozen=True, kw_only=True):
    """What is known. None says nothing of words of that sort; a story may always bring its own.

    `media` are ids of the media at hand.
    """

    axes: frozenset[str] | None = None
    archetypes: frozenset[str] | None = None
    echo_types: frozenset[str] | None = None
    media: frozenset[str] | None = None


UNKNOWN: Final = Vocabulary()
"""Where nobody knows any definitions."""


def vocabulary_of(definitions: Mapping[Sort, Iterable[Definition]]) -> Vocabulary:
    """The words of definitions by sort, without deleted ones; None for a sort that is not given."""

    def names(sort: Sort) -> frozenset[str] | None:
        if sort not in definitions:
            return None
        return frozenset(each.name for each in definitions[sort] if not each.is_deleted)

    return Vocabulary(axes=names("axes"), archetypes=names("archetypes"), echo_types=names("echo-types"))


def own_words(story: Scenario, vocabulary: Vocabulary) -> Iterator[Fault]:
    """A warning for each word that the story brings along, where it stands first."""
    yield from _unknown("axis", vocabulary.axes, _axes(story))
    yield from _unknown("archetype", vocabulary.archetypes, _archetypes(story))
    yield from _unknown("echo type", vocabulary.echo_types, _echo_types(story))


def media_of(story: Scenario) -> Iterator[Word]:
    """The ids of media that a story names."""
    if story.image:
        yield story.image, ("image",)
    for at, character in enumerate(story.characters):
        for sort in ("image", "audio"):
            if name := getattr(character, sort):
                yield name, ("characters", at, sort)
    for at, scene in enumerate(story.scenes):
        for sort in ("image", "audio", "video") if scene.media is not None else ():
            if name := getattr(scene.media, sort):
                yield name, ("scenes", at, "media", sort)


def absent_media(story: Scenario, vocabulary: Vocabulary) -> Iterator[Fault]:
    """A warning for each piece of media that the story names and that is not at hand."""
    if vocabulary.media is None:
        return
    for name, path in _first_of_each(media_of(story)):
        if name not in vocabulary.media:
            told = f"There is no media {name!r} here: bring it in, or the scene goes without."
            yield warning("unknown_media", told, *path)


def axes_beside_the_core(story: Scenario) -> Iterator[Fault]:
    """A warning for each axis that a branch moves along and that the story does not name among its own."""
    core = set(story.core_axes)
    for axis, path in _first_of_each(_changed_axes(story)):
        if axis not in core:
            told = f"A branch moves along the axis {axis!r}, which core_axes does not name: add it there."
            yield warning("axis_not_core", told, *path)


def _unknown(sort: str, known: frozenset[str] | None, words: Iterable[Word]) -> Iterator[Fault]:
    if known is None:
        return
    spelling = Spelling(known)
    by_spelling = {squeezed(word): word for word in known}
    for word, path in _first_of_each(words):
        if word in known:
            continue
        code = f"own_{sort.replace(' ', '_')}"
        if squeezed(word) in by_spelling:
            meant = by_spelling[squeezed(word)]
            told = (
                f"The {sort} {word!r} is not {meant!r}, which is known here: spell it alike to mean the same."
            )
            yield warning(code, told, *path)
            continue
        told = f"The {sort} {word!r} is not known here: the story brings its own{spelling.perhaps(word)}."
        yield warning(code, told, *path)


def _first_of_each(words: Iterable[Word]) -> Iterator[Word]:
    seen = set()
    for word, path in words:
        if word and word not in seen:
            seen.add(word)
            yield word, path


def _axes(story: Scenario) -> Iterator[Word]:
    for index, axis in enumerate(story.core_axes):
        yield axis, ("core_axes", index)
    yield from _changed_axes(story)


def _changed_axes(story: Scenario) -> Iterator[Word]:
    for at, scene in enumerate(story.scenes):
        for index, branch in enumerate(scene.branches):
            if branch.compass_change is not None:
                yield branch.compass_change.axis, ("scenes", at, "branches", index, "compass_change", "axis")


def _archetypes(story: Scenario) -> Iterator[Word]:
    for index, archetype in enumerate(story.archetypes):
        yield archetype, ("archetypes", index)
    for at, character in enumerate(story.characters):
        for index, archetype in enumerate(character.metadata.archetype):
            yield archetype, ("characters", at, "metadata", "archetype", index)


def _echo_types(story: Scenario) -> Iterator[Word]:
    for at, scene in enumerate(story.scenes):
        for index, branch in enumerate(scene.branches):
            if branch.echo_log is not None:
                yield branch.echo_log.echo_type, ("scenes", at, "branches", index, "echo_log", "echo_type")
        for index, reveal in enumerate(scene.echo_reveals):
            yield reveal.echo_type, ("scenes", at, "echo_reveals", index, "echo_type")
