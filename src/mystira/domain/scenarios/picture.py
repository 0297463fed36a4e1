"""A story as a picture: scenes in boxes, choices as lines between them. It asks nobody for anything.

Point at a line to read the choice, at a box to read the scene. Colours follow the reader's light or dark.
"""

from collections.abc import Collection, Iterator, Sequence
from html import escape
from typing import Final

import msgspec

from mystira.domain.scenarios.graph import Graph
from mystira.domain.scenarios.layout import KNOT, Layout, lay_out
from mystira.domain.scenarios.model import Branch, Scenario, Scene

_WIDTH: Final = 168
_HEIGHT: Final = 46
_ACROSS: Final = 200
_KNOT_ACROSS: Final = 36
_DOWN: Final = 104
_MARGIN: Final = 32
_HEAD: Final = 84
_LETTERS: Final = 24
"""How many letters of a title fit into a box."""

_STYLE: Final = """
svg { --ink: #1d2433; --soft: #5d6880; --paper: #fbfaf7; --card: #ffffff; --line: #9aa5ba;
  --choice: #2f6fd0; --roll: #b3641a; --special: #2c8a57; --narrative: #7b879c; --fault: #c62f3b; }
@media (prefers-color-scheme: dark) { svg { --ink: #e9edf5; --soft: #a3aec4; --paper: #161a22;
  --card: #20262f; --line: #56617a; --choice: #7aa9f0; --roll: #e6a25f; --special: #6fcb98;
  --narrative: #8c98ae; --fault: #ff7a83; } }
.paper { fill: var(--paper); } text { fill: var(--ink); font: 13px system-ui, sans-serif; }
.head { font-size: 20px; font-weight: 600; } .soft { fill: var(--soft); font-size: 11px; }
.box { fill: var(--card); stroke-width: 1.5; } .way { fill: none; stroke: var(--line); stroke-width: 1.5; }
.way:hover { stroke: var(--ink); stroke-width: 3; } .back { stroke-dasharray: 5 4; }
.narrative { stroke: var(--narrative); } .choice { stroke: var(--choice); stroke-width: 2; }
.roll { stroke: var(--roll); stroke-width: 2; } .special { stroke: var(--special); stroke-width: 2; }
.end { stroke-width: 4; } .fault { stroke: var(--fault); stroke-width: 3; }
.gain { fill: var(--special); } .loss { fill: var(--fault); }
"""


class Spot(msgspec.Struct, frozen=True):
    """The middle of a box."""

    x: float
    y: float


def draw_story(story: Scenario, faulty: Collection[str] = ()) -> str:
    """The picture as SVG; the scenes that are `faulty` stand out."""
    layout, scenes = lay_out(story), Graph(story).scenes
    width = max([540, *(sum(map(_room, layer)) for layer in layout.layers)]) + 2 * _MARGIN
    height = _HEAD + len(layout.layers) * _DOWN + _MARGIN
    spots = _spots(layout, width)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" width="{width:g}" '
        f'role="img" aria-labelledby="map-title map-text">',
        f'<title id="map-title">{_plain(story.title)}</title>',
        f'<desc id="map-text">{_plain(_described(story))}</desc>',
        f"<style>{_STYLE}</style>",
        f'<rect class="paper" width="{width:g}" height="{height:g}"/>',
        f'<text class="head" x="{_MARGIN}" y="38">{_plain(_short(story.title, 60))}</text>',
        f'<text class="soft" x="{_MARGIN}" y="58">{_plain(_described(story))}</text>',
        *(line for scene in scenes.values() for line in _ways(scene, spots, layout)),
        *(_box(scene, spots[name], name in faulty) for name, scene in scenes.items()),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _described(story: Scenario) -> str:
    ends = sum(scene.is_end for scene in story.scenes)
    branches = sum(len(scene.branches) for scene in story.scenes)
    return (
        f"{len(story.scenes)} scenes, {branches} branches, {ends} ends; ages {story.age_group}. "
        "Dashed lines lead back; thick boxes are ends."
    )


def _room(name: str) -> int:
    """How wide a place in a layer is."""
    return _KNOT_ACROSS if name.startswith(KNOT) else _ACROSS


def _spots(layout: Layout, width: float) -> dict[str, Spot]:
    spots = {}
    for depth, layer in enumerate(layout.layers):
        left = (width - sum(map(_room, layer))) / 2
        for name in layer:
            spots[name] = Spot(left + _room(name) / 2, _HEAD + depth * _DOWN + _HEIGHT / 2)
            left += _room(name)
    return spots


def _ways(scene: Scene, spots: dict[str, Spot], layout: Layout) -> Iterator[str]:
    if not scene.branches:
        if scene.next_scene in spots:
            yield _way(scene.id, scene.next_scene, 0.0, "goes on", spots, layout)
        return
    count = len(scene.branches)
    for index, branch in enumerate(scene.branches):
        if branch.next_scene in spots:
            shift = (index - (count - 1) / 2) * min(26.0, _WIDTH / count)
            yield _way(scene.id, branch.next_scene, shift, _said(scene, index, branch), spots, layout)
            yield from _mark(spots[scene.id], shift, branch)


def _said(scene: Scene, index: int, branch: Branch) -> str:
    told = [f"{scene.title}: {branch.choice}"]
    if scene.type == "roll" and scene.difficulty is not None:
        told.append(f"{'at least' if index == 0 else 'below'} {scene.difficulty:g}")
    if branch.compass_change is not None:
        told.append(f"{branch.compass_change.axis} {branch.compass_change.delta:+g}")
    if branch.echo_log is not None:
        told.append(f"echo: {branch.echo_log.echo_type} {branch.echo_log.strength:+g}")
    return " · ".join(told)


def _way(name: str, target: str, shift: float, said: str, spots: dict[str, Spot], layout: Layout) -> str:
    begin, end = spots[name], spots[target]
    is_back = end.y <= begin.y
    between = [spots[knot] for knot in layout.knots.get((name, target), ())]
    path = _upwards(begin, end, shift) if is_back else _downwards(begin, between, end, shift)
    sort = "way back" if is_back else "way"
    return f'<path class="{sort}" d="{path}"><title>{_plain(said)}</title></path>'


def _downwards(begin: Spot, between: Sequence[Spot], end: Spot, shift: float) -> str:
    """Leaves and reaches each layer upright, so that lines bend only between layers."""
    x, y = begin.x + shift, begin.y + _HEIGHT / 2
    path = f"M{x:.1f} {y:.1f}"
    for spot in [*between, end]:
        above, below = spot.y - _HEIGHT / 2, spot.y + _HEIGHT / 2
        bend = (above - y) * 0.55
        path += f" C{x:.1f} {y + bend:.1f} {spot.x:.1f} {above - bend:.1f} {spot.x:.1f} {above:.1f}"
        if spot is not end:
            path += f" V{below:.1f}"
        x, y = spot.x, below
    return path


def _upwards(begin: Spot, end: Spot, shift: float) -> str:
    """Around the right side of both boxes."""
    x, y = begin.x + shift, begin.y + _HEIGHT / 2
    side = max(begin.x, end.x) + _WIDTH / 2 + 28
    low, middle = y + 40, (y + end.y) / 2
    return (
        f"M{x:.1f} {y:.1f} C{x:.1f} {low:.1f} {side:.1f} {low:.1f} {side:.1f} {middle:.1f} "
        f"S{side:.1f} {end.y:.1f} {end.x + _WIDTH / 2:.1f} {end.y:.1f}"
    )


def _mark(begin: Spot, shift: float, branch: Branch) -> Iterator[str]:
    """A dot where a choice leaves its box, coloured by which way the compass moves."""
    if branch.compass_change is not None and branch.compass_change.delta:
        sort = "gain" if branch.compass_change.delta > 0 else "loss"
        x, y = begin.x + shift, begin.y + _HEIGHT / 2 + 6
        yield f'<circle class="{sort}" cx="{x:.1f}" cy="{y:.1f}" r="3.5"/>'


def _box(scene: Scene, spot: Spot, is_faulty: bool) -> str:
    sorts = ["box", scene.type, *(["end"] if scene.is_end else []), *(["fault"] if is_faulty else [])]
    left, top = spot.x - _WIDTH / 2, spot.y - _HEIGHT / 2
    rounding = 4 if scene.type == "roll" else 22 if scene.is_end else 12
    below = f"{scene.type} · {scene.id}"
    if scene.type == "roll" and scene.difficulty is not None:
        below = f"d20 ≥ {scene.difficulty:g} · {scene.id}"
    return (
        f'<g><rect class="{" ".join(sorts)}" x="{left:.1f}" y="{top:.1f}" width="{_WIDTH}" '
        f'height="{_HEIGHT}" rx="{rounding}"/>'
        f'<text x="{spot.x:.1f}" y="{spot.y - 2:.1f}" text-anchor="middle">'
        f"{_plain(_short(scene.title or scene.id, _LETTERS))}</text>"
        f'<text class="soft" x="{spot.x:.1f}" y="{spot.y + 14:.1f}" text-anchor="middle">'
        f"{_plain(_short(below, _LETTERS + 4))}</text>"
        f"<title>{_plain(f'{scene.title}: {_short(scene.description, 300)}')}</title></g>"
    )


def _short(text: str, most: int) -> str:
    line = " ".join(text.split())
    return line if len(line) <= most else line[: most - 1].rstrip() + "…"


def _plain(text: str) -> str:
    # What XML cannot hold at all is left out; the reader of files refuses it anyway.
    return escape("".join(each for each in text if each >= " " and not "\ud800" <= each <= "\udfff"))
