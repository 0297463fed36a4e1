"""A story as lines of text: each scene once, below the one that first leads to it."""

from collections.abc import Iterator

from mystira.domain.scenarios.graph import Graph, targets
from mystira.domain.scenarios.model import Scenario, Scene

_DEEPEST = 40
"""How far lines are indented at most: a story of a thousand scenes in a row is not to run off the page."""


def outline(story: Scenario) -> Iterator[str]:
    """The lines, from the beginning down. What stands elsewhere is named with an arrow."""
    graph = Graph(story)
    seen: set[str] = set()
    for root in [*graph.roots, *graph.scenes]:
        # Depth first by a list of our own: scenes may follow one another by the thousand.
        todo = [] if root in seen else [(root, 0, "")]
        while todo:
            name, depth, said = todo.pop()
            margin = "  " * min(depth, _DEEPEST)
            way = f"{said} → " if said else ""
            scene = graph.scenes.get(name)
            if scene is None:
                yield f"{margin}{way}{name} (no such scene)"
            elif name in seen:
                yield f"{margin}{way}↑ {name}"
            else:
                seen.add(name)
                yield f"{margin}{way}{_told(scene)}"
                onward = _onward(scene)
                # What follows from a choice belongs below it; a chain of scenes is told apart by nothing.
                inner = depth + (len(onward) > 1 or bool(said))
                todo += [(target, inner, choice) for target, choice in onward][::-1]


def _onward(scene: Scene) -> list[tuple[str, str]]:
    onward = targets(scene)
    if not scene.branches:
        return [(target, "") for target in onward]
    return [(target, branch.choice) for target, branch in zip(onward, scene.branches, strict=False)]


def _told(scene: Scene) -> str:
    sort = f"d20 ≥ {scene.difficulty:g}" if scene.type == "roll" and scene.difficulty else scene.type
    return f"{scene.id}: {scene.title} [{sort}{', end' if scene.is_end else ''}]"
