"""Charts as SVG that everybody can see: by day and by night, read aloud, and without a script."""

import math
from collections.abc import Callable, Iterable, Sequence
from html import escape
from typing import Final

from benchmarks.measuring import Chart

_WIDTH, _HEIGHT = 720, 380
_LEFT, _RIGHT, _TOP, _BOTTOM = 70, 50, 50, 90
_ROW: Final = 26
_NAMES: Final = 400
_STYLE: Final = """<style>
    text { font: 13px system-ui, "Segoe UI", "DejaVu Sans", sans-serif; fill: #22303c }
    .t { font-size: 15px; font-weight: 600 } .e { text-anchor: end } .m { text-anchor: middle }
    .g { stroke: #d5dbe3 } .x { stroke: #b3261e; stroke-dasharray: 5 4; fill: none }
    .l { fill: none; stroke-width: 2 }
    .c0 { stroke: #1f6feb } .c1 { stroke: #b35900 } .c2 { stroke: #1a7f4b } .c3 { stroke: #8250a8 }
    .k0 { fill: #1f6feb } .k1 { fill: #b35900 } .k2 { fill: #1a7f4b } .k3 { fill: #8250a8 }
    .over { fill: #b3261e }
    @media (prefers-color-scheme: dark) {
      text { fill: #dde3ea } .g { stroke: #3a4552 } .x { stroke: #ff8a80 } .over { fill: #ff8a80 }
      .c0 { stroke: #79b8ff } .c1 { stroke: #ffb870 } .c2 { stroke: #6fcf97 } .c3 { stroke: #cda4ea }
      .k0 { fill: #79b8ff } .k1 { fill: #ffb870 } .k2 { fill: #6fcf97 } .k3 { fill: #cda4ea } }
  </style>"""


def draw(chart: Chart) -> str:
    """The lines of a chart, with their axes and names, and the limit where there is one."""
    points = [point for line in chart.lines.values() for point in line]
    x = _axis([x for x, _ in points], _LEFT, _WIDTH - _RIGHT, is_logarithmic=chart.is_logarithmic)
    heights = [y for _, y in points] + ([chart.limit] if chart.limit is not None else [])
    y = _axis(heights, _HEIGHT - _BOTTOM, _TOP, is_logarithmic=chart.is_logarithmic)
    drawn = [f'<text class="t" x="16" y="26">{escape(chart.title)}</text>']
    drawn += _grid(x, y)
    drawn.append(
        f'<text class="m" x="{_WIDTH / 2:.0f}" y="{_HEIGHT - _BOTTOM + 40}">{escape(chart.x)}</text>'
    )
    drawn.append(f'<text x="16" y="{_TOP - 8}">{escape(chart.y)}</text>')
    if chart.limit is not None:
        drawn.append(f'<path class="x" d="M{_LEFT} {y[0](chart.limit):.1f}H{_WIDTH - _RIGHT}"/>')
    for number, (name, line) in enumerate(chart.lines.items()):
        path = "L".join(f"{x[0](at):.1f} {y[0](value):.1f}" for at, value in line)
        at = _LEFT + number % 2 * (_WIDTH - _LEFT) // 2
        below = _HEIGHT - 30 + number // 2 * 18
        drawn.append(f'<path class="l c{number % 4}" d="M{path}"/>')
        drawn += [
            f'<circle class="k{number % 4}" cx="{x[0](px):.1f}" cy="{y[0](py):.1f}" r="3"/>'
            for px, py in line
        ]
        drawn.append(f'<rect class="k{number % 4}" x="{at}" y="{below - 9}" width="10" height="10"/>')
        drawn.append(f'<text x="{at + 16}" y="{below}">{escape(name)}</text>')
    told = "; ".join(f"{name}: {_told(line)}" for name, line in chart.lines.items())
    return _picture(_HEIGHT, chart.title, f"{chart.y}, over {chart.x}. {told}.", drawn)


def draw_bars(title: str, shares: Sequence[tuple[str, float]]) -> str:
    """How much of its bar each claim uses: 1 is the bar itself, and whatever goes beyond it is missed."""
    height = _TOP + _ROW * len(shares) + 40
    most = max([1.2, *(share for _, share in shares)])
    scale = min(most, 3.0)

    def at(share: float) -> float:
        return _NAMES + min(share, scale) / scale * (_WIDTH - _NAMES - 60)

    drawn = [f'<text class="t" x="16" y="26">{escape(title)}</text>']
    for number, (name, share) in enumerate(shares):
        y = _TOP + number * _ROW
        kind = "over" if share > 1 else "k0"
        drawn.append(f'<text class="e" x="{_NAMES - 8}" y="{y + 14}">{escape(_cut(name))}</text>')
        drawn.append(
            f'<rect class="{kind}" x="{_NAMES}" y="{y}" width="{at(share) - _NAMES:.1f}" height="18"/>'
        )
        drawn.append(f'<text x="{at(share) + 6:.1f}" y="{y + 14}">{share:.2f}</text>')
    drawn.append(f'<path class="x" d="M{at(1):.1f} {_TOP - 6}V{height - 30}"/>')
    drawn.append(f'<text class="m" x="{at(1):.1f}" y="{height - 12}">the bar</text>')
    told = "; ".join(f"{name}: {share:.2f}" for name, share in shares)
    return _picture(height, title, f"Share of its bar that each claim uses. {told}.", drawn)


Axis = tuple[Callable[[float], float], list[float]]
"""Where a value lies, and the values to be written beside the axis."""


def _axis(values: Iterable[float], begin: float, end: float, *, is_logarithmic: bool) -> Axis:
    values = list(values)
    if is_logarithmic:
        low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
        span = max(high - low, 1)
        ticks = [10.0**power for power in range(low, low + span + 1)]
        return lambda value: begin + (math.log10(value) - low) / span * (end - begin), ticks
    step = 10 ** math.floor(math.log10(max(*values, 1e-9)))
    step = next(step * each for each in (0.2, 0.5, 1, 2) if max(values) / (step * each) <= 6)
    count = math.ceil(max(values) / step)
    return lambda value: begin + value / (count * step) * (end - begin), [step * n for n in range(count + 1)]


def _grid(x: Axis, y: Axis) -> list[str]:
    drawn = []
    for tick in x[1]:
        drawn.append(f'<path class="g" d="M{x[0](tick):.1f} {_TOP}V{_HEIGHT - _BOTTOM}"/>')
        drawn.append(
            f'<text class="m" x="{x[0](tick):.1f}" y="{_HEIGHT - _BOTTOM + 18}">{_number(tick)}</text>'
        )
    for tick in y[1]:
        drawn.append(f'<path class="g" d="M{_LEFT} {y[0](tick):.1f}H{_WIDTH - _RIGHT}"/>')
        drawn.append(f'<text class="e" x="{_LEFT - 8}" y="{y[0](tick) + 4:.1f}">{_number(tick)}</text>')
    return drawn


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 or value == int(value) else f"{value:.3g}"


def _told(line: Sequence[tuple[float, float]]) -> str:
    return ", ".join(f"{_number(y)} at {_number(x)}" for x, y in (line[0], line[-1]))


def _cut(name: str, most: int = 58) -> str:
    return name if len(name) <= most else f"{name[: most - 1]}…"


def _picture(height: int, title: str, told: str, drawn: Iterable[str]) -> str:
    space = f'xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}"'
    head = f'<svg {space} role="img" aria-labelledby="t d">'
    named = [f'<title id="t">{escape(title)}</title>', f'<desc id="d">{escape(told)}</desc>', _STYLE]
    return "\n  ".join([head, *named, *drawn]) + "\n</svg>\n"
