"""What all covers begin with: a sky with its light, and hills one behind the other."""

import random
from typing import Final

from msgspec import Struct

WIDTH: Final = 480
HEIGHT: Final = 320
HORIZON: Final = 215


class Palette(Struct, frozen=True, kw_only=True):
    """The colours of a cover: the sky from above to below, what shines, and the land, far and near."""

    sky: tuple[str, str, str]
    light: str
    far: str
    near: str

    @property
    def is_dark(self) -> bool:
        """Whether there are stars."""
        return int(self.sky[0][1:3], 16) < 0x38


def sky(dice: random.Random, palette: Palette) -> str:
    """The sky, its stars where it is dark, and a sun or a moon with a glow."""
    top, middle, below = palette.sky
    stops = "".join(
        f'<stop offset="{offset}" stop-color="{colour}"/>'
        for offset, colour in ((0, top), (0.55, middle), (1, below))
    )
    x, y = dice.randint(90, 390), dice.randint(62, 100)
    glow = "".join(
        f'<circle cx="{x}" cy="{y}" r="{radius}" fill="{palette.light}" opacity="{opacity}"/>'
        for radius, opacity in ((92, 0.08), (64, 0.12), (42, 0.2), (27, 1))
    )
    return (
        f'<defs><linearGradient id="sky" x1="0" y1="0" x2="0" y2="1">{stops}</linearGradient></defs>'
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="url(#sky)"/>'
        f"{_stars(dice, 46) if palette.is_dark else ''}{glow}"
    )


def _stars(dice: random.Random, count: int) -> str:
    """Stars all over the upper half."""
    return "".join(
        f'<circle cx="{dice.randint(4, WIDTH - 4)}" cy="{dice.randint(4, 190)}" '
        f'r="{dice.choice((0.8, 1.1, 1.1, 1.6, 2.1))}" fill="#fff" opacity="{dice.choice((0.4, 0.6, 0.9))}"/>'
        for _ in range(count)
    )


def land(dice: random.Random, palette: Palette) -> str:
    """Three ridges, each nearer and darker, firs on them, and a way that winds towards the light."""
    bend = dice.randint(-70, 70)
    way = (
        f'<path d="M186 {HEIGHT}Q{220 + bend} 290 {246 + bend // 2} {HORIZON + 58}'
        f"T{240 + bend} {HORIZON + 26}"
        f'Q{286 + bend // 2} {HORIZON + 56} {300 + bend} 288T344 {HEIGHT}Z" '
        f'fill="{palette.light}" opacity="0.75"/>'
    )
    sides = [dice.choice((dice.randint(-10, 160), dice.randint(330, WIDTH + 10))) for _ in range(11)]
    firs = "".join(_fir(x, 300 - abs(x - 240) // 16, dice.uniform(0.4, 0.95), palette.near) for x in sides)
    return (
        _ridge(dice, HORIZON - 10, 26, palette.far, 0.55)
        + _ridge(dice, HORIZON + 22, 18, palette.far, 1)
        + _ridge(dice, HORIZON + 52, 10, palette.near, 0.85)
        + way
        + firs
    )


def _fir(x: int, y: int, size: float, colour: str) -> str:
    return (
        f'<path transform="translate({x} {y}) scale({size:.2f})" fill="{colour}" '
        f'd="M0 -104L22 -66H12L30 -36H17L38 0H5V12H-5V0H-38L-17 -36H-30L-12 -66H-22Z"/>'
    )


def _ridge(dice: random.Random, level: float, swing: float, colour: str, opacity: float) -> str:
    """A line of hills about so high, filled down to the bottom."""
    step = 80
    heights = [level + dice.uniform(-swing, swing) for _ in range(WIDTH // step + 2)]
    line = f"M-{step} {HEIGHT}L-{step} {heights[0]:.0f}"
    for index, height in enumerate(heights[1:]):
        x = index * step
        line += f"C{x - step / 2:.0f} {heights[index]:.0f} {x - step / 2:.0f} {height:.0f} {x} {height:.0f}"
    return f'<path d="{line}L{WIDTH + step} {HEIGHT}Z" fill="{colour}" opacity="{opacity}"/>'
