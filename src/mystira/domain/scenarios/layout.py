"""Where each scene stands in a picture of a story: in layers from the beginning down to the ends.

Layers follow Sugiyama's method in its simplest form: ways that lead back are set aside; a scene stands below
all that lead to it; a way that passes by a layer has a knot there, so that no box covers it; and within a
layer each stands near what it hangs together with. Nothing here calls itself.
"""

import itertools
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from mystira.domain.scenarios.graph import Graph, targets
from mystira.domain.scenarios.model import Scenario

Link = tuple[str, str]

_SWEEPS: Final = 6
_MOST_KNOTS: Final = 5000
"""Beyond that ways pass behind boxes: a picture of thousands of scenes is looked at from afar."""

KNOT: Final = "\0"
"""What the name of a knot begins with, and no scene's id does."""


class Layout(msgspec.Struct, frozen=True, kw_only=True):
    """`layers` are ids of scenes and names of knots, from top to bottom and from left to right.

    `back` are the ways that lead up, `knots` those that a way downwards passes.
    """

    layers: list[list[str]]
    back: frozenset[Link]
    knots: dict[Link, list[str]]


def lay_out(story: Scenario) -> Layout:
    """The layers of a story, sound or not; ways to scenes that are not there are left out."""
    graph = Graph(story)
    onward = {
        name: list(dict.fromkeys(each for each in targets(scene) if each in graph.scenes))
        for name, scene in graph.scenes.items()
    }
    order, back = _unfold([] if graph.start is None else [graph.start], onward)
    depth = dict.fromkeys(order, 0)
    # Each scene comes after all that lead down to it, so that one pass is enough.
    for name in order:
        for target in onward[name]:
            if (name, target) not in back:
                depth[target] = max(depth[target], depth[name] + 1)
    layers: list[list[str]] = [[] for _ in range(max(depth.values(), default=-1) + 1)]
    for name in order:
        layers[depth[name]].append(name)
    links = [(name, each) for name in order for each in onward[name] if (name, each) not in back]
    knots = _tie(links, depth, layers)
    _untangle(layers, links, knots)
    return Layout(layers=layers, back=frozenset(back), knots=knots)


def _unfold(begin: Sequence[str], onward: Mapping[str, list[str]]) -> tuple[list[str], set[Link]]:
    """All scenes, each before those that it leads down to, and the ways that lead back (depth first)."""
    finished: list[str] = []
    back: set[Link] = set()
    state: dict[str, str] = {}
    for root in [*begin, *onward]:
        if root in state:
            continue
        state[root] = "open"
        # Last branches first: turned around at the end, first ones come to stand on the left.
        path = [(root, iter(onward[root][::-1]))]
        while path:
            name, left = path[-1]
            target = next(left, None)
            if target is None:
                state[name] = "done"
                finished.append(name)
                path.pop()
            elif target not in state:
                state[target] = "open"
                path.append((target, iter(onward[target][::-1])))
            elif state[target] == "open":
                back.add((name, target))
    return finished[::-1], back


def _tie(links: Sequence[Link], depth: Mapping[str, int], layers: list[list[str]]) -> dict[Link, list[str]]:
    """Put a knot into each layer that a way passes, as long as there are not too many."""
    knots: dict[Link, list[str]] = {}
    left = _MOST_KNOTS
    for above, below in links:
        passed = range(depth[above] + 1, depth[below])
        if 0 < len(passed) <= left:
            left -= len(passed)
            knots[above, below] = [f"{KNOT}{above}{KNOT}{below}{KNOT}{at}" for at in passed]
            for at, knot in zip(passed, knots[above, below], strict=True):
                layers[at].append(knot)
    return knots


def _untangle(layers: list[list[str]], links: Sequence[Link], knots: Mapping[Link, list[str]]) -> None:
    """Sort each layer by the middle of the neighbours above, then below, a few times over."""
    up: dict[str, list[str]] = {name: [] for layer in layers for name in layer}
    down: dict[str, list[str]] = {name: [] for name in up}
    for above, below in links:
        for upper, lower in itertools.pairwise([above, *knots.get((above, below), ()), below]):
            down[upper].append(lower)
            up[lower].append(upper)
    place = {name: _share(at, layer) for layer in layers for at, name in enumerate(layer)}
    for sweep in range(_SWEEPS):
        near, ordered = (up, layers) if sweep % 2 == 0 else (down, layers[::-1])
        for layer in ordered:
            middles = {name: _middle(name, near, place) for name in layer}
            layer.sort(key=middles.__getitem__)
            place.update((name, _share(at, layer)) for at, name in enumerate(layer))


def _share(at: int, layer: Sequence[str]) -> float:
    return (at + 0.5) / len(layer)


def _middle(name: str, near: Mapping[str, list[str]], place: Mapping[str, float]) -> float:
    neighbours = near[name]
    return sum(place[each] for each in neighbours) / len(neighbours) if neighbours else place[name]
