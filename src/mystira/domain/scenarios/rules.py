"""What makes a story sound, beyond the form of its file. Pure: a story in, faults out, each with its path.

What was left out or could not be read stands as empty text in the story given here; it has been told of
already, and no rule speaks of it again.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from mystira.domain.files.findings import Fault, error, warning
from mystira.domain.files.spelling import Spelling
from mystira.domain.scenarios.graph import Graph, ways_written
from mystira.domain.scenarios.model import Branch, Scenario, Scene
from mystira.domain.scenarios.story_form import AGE_GROUPS, MINIMUM_AGES
from mystira.domain.scenarios.vocabulary import Vocabulary, absent_media, axes_beside_the_core, own_words

_NAMED: Final = 5
"""How many scenes a sentence names before it says that there are more."""


def find_faults(story: Scenario, vocabulary: Vocabulary) -> Iterator[Fault]:
    """Everything that is broken or unusual in a story whose form was read already."""
    graph = Graph(story)
    yield from _twins("scene", [scene.id for scene in story.scenes])
    yield from _twins("character", [character.id for character in story.characters])
    yield from _ages(story)
    yield from _references(story, graph)
    for index, scene in enumerate(story.scenes):
        yield from _kind(scene, index)
    yield from _ways(story, graph)
    yield from _reveals(story)
    yield from own_words(story, vocabulary)
    yield from axes_beside_the_core(story)
    yield from absent_media(story, vocabulary)


def _twins(sort: str, ids: Sequence[str]) -> Iterator[Fault]:
    first: dict[str, int] = {}
    for index, name in enumerate(ids):
        if name and name in first:
            told = f"Two {sort}s have the id {name!r}: {sort}s[{first[name]}] and this one. Give it another."
            yield error(f"duplicate_{sort}", told, f"{sort}s", index, "id")
        first.setdefault(name, index)


# -- ages ----------------------------------------------------------------------------------------------


def _ages(story: Scenario) -> Iterator[Fault]:
    least = story.minimum_age
    if least not in MINIMUM_AGES:
        usual = ", ".join(str(age) for age in MINIMUM_AGES)
        yield warning("unusual_age", f"minimum_age is {least}, which is none of {usual}.", "minimum_age")
    if story.age_group in AGE_GROUPS:
        youngest = int(story.age_group.partition("-")[0])
        if least > youngest:
            told = (
                f"minimum_age is {least}, and the age group {story.age_group} begins with {youngest}: "
                "lower the one, or choose an older group."
            )
            yield error("ages_disagree", told, "minimum_age")


# -- what is named must be there -----------------------------------------------------------------------


def _references(story: Scenario, graph: Graph) -> Iterator[Fault]:
    spelling = Spelling(list(graph.scenes))
    people = {character.id for character in story.characters}
    for index, scene in enumerate(story.scenes):
        for way in ways_written(scene):
            if way.target and way.target not in graph.scenes:
                told = f"Scene {scene.id!r} leads to {way.target!r}, and there is no such scene"
                yield error(
                    "unknown_scene", told + spelling.perhaps(way.target) + ".", "scenes", index, *way.path
                )
        for at, reveal in enumerate(scene.echo_reveals):
            trigger = reveal.trigger_scene_id
            if trigger and trigger not in graph.scenes:
                told = f"A reveal of scene {scene.id!r} waits for {trigger!r}, and there is no such scene"
                path = ("scenes", index, "echo_reveals", at, "trigger_scene_id")
                yield error("unknown_trigger", told + spelling.perhaps(trigger) + ".", *path)
        active = scene.active_character
        if active is not None and active not in people:
            told = f"The active character {active!r} of scene {scene.id!r} is none of the story's characters"
            told += Spelling(people).perhaps(active) if len(people) < 100 else ""
            yield error("unknown_character", f"{told}.", "scenes", index, "active_character")


# -- what a scene of its type needs --------------------------------------------------------------------


def _kind(scene: Scene, index: int) -> Iterator[Fault]:
    here = ("scenes", index)
    match scene.type:
        case "choice" if not scene.branches:
            yield error("no_branches", f"Scene {scene.id!r} is a choice without branches: add some.", *here)
        case "roll":
            yield from _roll(scene, index)
        case "narrative" | "special" if scene.branches:
            told = f"Scene {scene.id!r} has branches, and its type is {scene.type}: make it a choice."
            yield warning("unexpected_branches", told, *here, "branches")
        case "special" if scene.next_scene is not None:
            told = f"Scene {scene.id!r} is special and goes on to another; special scenes end a story."
            yield warning("special_goes_on", told, *here, "next_scene")
    if scene.branches and scene.next_scene is not None:
        told = f"Scene {scene.id!r} has branches, so that its next_scene is never taken: leave it out."
        yield warning("unused_next_scene", told, *here, "next_scene")
    yield from _same_choices(scene.branches, index)


def _roll(scene: Scene, index: int) -> Iterator[Fault]:
    here, count = ("scenes", index), len(scene.branches)
    if scene.difficulty is None:
        told = (
            f"Scene {scene.id!r} is a roll without a difficulty: say what the die must reach, from 1 to 20."
        )
        yield error("no_difficulty", told, *here, "difficulty")
    if count < 2:
        told = f"Scene {scene.id!r} is a roll, and needs two branches: one if it succeeds, and one if not."
        yield error("no_branches", told, *here, "branches")
    if count > 2:
        told = f"Scene {scene.id!r} is a roll, of which only the first two branches are ever taken."
        yield warning("unused_branches", told, *here, "branches", 2)


def _same_choices(branches: Sequence[Branch], index: int) -> Iterator[Fault]:
    seen: set[str] = set()
    for at, branch in enumerate(branches):
        if branch.choice and branch.choice in seen:
            told = f"Two branches of this scene offer the same: {branch.choice[:60]!r}."
            yield warning("same_choice", told, "scenes", index, "branches", at, "choice")
        seen.add(branch.choice)


# -- where ways lead -----------------------------------------------------------------------------------


def _ways(story: Scenario, graph: Graph) -> Iterator[Fault]:
    places = {scene.id: index for index, scene in reversed(list(enumerate(story.scenes)))}
    start = graph.start
    if start is None:
        return
    if not graph.roots:
        told = f"Something leads to every scene, so that the story begins with the first, {start!r}."
        yield warning("no_root", told, "scenes", places[start])
    for name in graph.roots[1:]:
        told = (
            f"Nothing leads to scene {name!r}, and the story begins with {start!r}: lead to it, or remove it."
        )
        yield error("several_roots", told, "scenes", places[name])
    reached = graph.reached()
    for name in graph.scenes:
        if name not in reached:
            told = f"Scene {name!r} is never reached from the beginning: lead to it, or remove it."
            yield error("unreachable", told, "scenes", places[name])
    for cluster in graph.clusters(graph.stuck()):
        more = f" and {len(cluster) - _NAMED} more" if len(cluster) > _NAMED else ""
        named = ", ".join(repr(name) for name in cluster[:_NAMED]) + more
        told = f"From here no way comes to an end, round and round: {named}. Let one of them lead out."
        yield error("endless", told, "scenes", places[cluster[0]])


# -- echoes --------------------------------------------------------------------------------------------


def _reveals(story: Scenario) -> Iterator[Fault]:
    left = {
        branch.echo_log.echo_type
        for scene in story.scenes
        for branch in scene.branches
        if branch.echo_log is not None
    }
    for index, scene in enumerate(story.scenes):
        for at, reveal in enumerate(scene.echo_reveals):
            if reveal.echo_type and reveal.echo_type not in left:
                told = (
                    f"No branch leaves an echo of type {reveal.echo_type!r}, so that this is never revealed."
                )
                yield warning("idle_reveal", told, "scenes", index, "echo_reveals", at, "echo_type")
