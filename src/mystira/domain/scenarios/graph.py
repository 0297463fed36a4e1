"""How scenes lead to one another: from where, to where, and whether every way comes to an end.

Everything here takes time in proportion to scenes and branches, and nothing calls itself: a story may have
thousands of scenes in a row.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping

import msgspec

from mystira.domain.files.findings import Path
from mystira.domain.scenarios.model import Scenario, Scene


class Way(msgspec.Struct, frozen=True):
    """From a scene to another: which, and where in the scene it is written."""

    target: str
    path: Path


def ways_written(scene: Scene) -> Iterator[Way]:
    """Every way that is written in a scene, taken or not."""
    if scene.next_scene is not None:
        yield Way(scene.next_scene, ("next_scene",))
    for index, branch in enumerate(scene.branches):
        yield Way(branch.next_scene, ("branches", index, "next_scene"))


def targets(scene: Scene) -> list[str]:
    """Where a play can go from a scene: by its branches, of a roll the first two, else to the next scene."""
    if scene.branches:
        taken = scene.branches[:2] if scene.type == "roll" else scene.branches
        return [branch.next_scene for branch in taken]
    return [] if scene.next_scene is None else [scene.next_scene]


class Graph:
    """The scenes of a story by their ids (of two with one id the first), and what follows from their ways."""

    def __init__(self, story: Scenario) -> None:
        self.scenes: dict[str, Scene] = {}
        for scene in story.scenes:
            if scene.id:
                self.scenes.setdefault(scene.id, scene)
        self._onward = {name: targets(scene) for name, scene in self.scenes.items()}
        pointed = {way.target for scene in story.scenes for way in ways_written(scene)}
        self.roots = [name for name in self.scenes if name not in pointed]

    @property
    def start(self) -> str | None:
        """Where the story begins: with the scene that nothing points to, else with the first."""
        return next(iter(self.roots or self.scenes), None)

    def reached(self) -> set[str]:
        """The scenes that can be reached from a root, be it the start or one too many."""
        begin = self.roots or ([] if self.start is None else [self.start])
        return _spread(begin, self._known_onward())

    def stuck(self) -> set[str]:
        """The scenes from which no way leads to an end. A way to a scene that is not there may be one."""
        ends = [
            name
            for name, onward in self._onward.items()
            if not onward or any(target not in self.scenes for target in onward)
        ]
        backward: dict[str, list[str]] = {name: [] for name in self.scenes}
        for name, onward in self._known_onward().items():
            for target in onward:
                backward[target].append(name)
        return self.scenes.keys() - _spread(ends, backward)

    def clusters(self, names: Iterable[str]) -> Iterator[list[str]]:
        """The scenes in groups that hang together, each in the order of the story."""
        members = set(names)
        around: dict[str, list[str]] = {name: [] for name in self.scenes if name in members}
        for name, neighbours in around.items():
            for target in self._onward[name]:
                if target in members:
                    neighbours.append(target)
                    around[target].append(name)
        order = {name: place for place, name in enumerate(around)}
        left = dict.fromkeys(around)
        while left:
            cluster = sorted(_spread([next(iter(left))], around), key=order.__getitem__)
            yield cluster
            for name in cluster:
                del left[name]

    def _known_onward(self) -> dict[str, list[str]]:
        return {
            name: [each for each in onward if each in self.scenes] for name, onward in self._onward.items()
        }


def _spread(begin: Iterable[str], links: Mapping[str, list[str]]) -> set[str]:
    """What can be reached by links from where one begins, and that itself."""
    seen = set(begin)
    todo = deque(seen)
    while todo:
        for name in links[todo.popleft()]:
            if name not in seen:
                seen.add(name)
                todo.append(name)
    return seen
