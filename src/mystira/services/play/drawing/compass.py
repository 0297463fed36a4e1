"""The compass as a flower: one petal for each axis, longer the further its value is, from -2 to 2."""

import math
from collections.abc import Sequence
from typing import Final

from msgspec import Struct

SIZE: Final = 320
CENTRE: Final = SIZE / 2
NEUTRAL: Final = 66.0
"""The radius at which a petal of value 0 ends."""
_PER_UNIT: Final = 29.0
_FURTHEST: Final = 2.0
_NUMBERS_AT: Final = 142.0
_WIDEST: Final = 0.7
_BULGE: Final = 0.7


class Petal(Struct, frozen=True, kw_only=True):
    """A petal: its outline, and where its number stands."""

    outline: str
    x: float
    y: float


def petals(values: Sequence[float]) -> list[Petal]:
    """The petals of these values, the first one upwards, the others clockwise."""
    return [_petal(index, len(values), value) for index, value in enumerate(values)]


def _petal(index: int, count: int, value: float) -> Petal:
    angle = 2 * math.pi * index / count - math.pi / 2
    spread = min(_WIDEST, 1.15 * math.pi / count)
    radius = NEUTRAL + _PER_UNIT * max(-_FURTHEST, min(_FURTHEST, value))
    left, right = _at(angle - spread, radius * _BULGE), _at(angle + spread, radius * _BULGE)
    tip, middle = _at(angle, radius), (CENTRE, CENTRE)
    outline = (
        f"M{_spell(middle)}C{_spell(left)} {_spell(_at(angle - spread / 2, radius))} {_spell(tip)}"
        f"C{_spell(_at(angle + spread / 2, radius))} {_spell(right)} {_spell(middle)}Z"
    )
    x, y = _at(angle, _NUMBERS_AT)
    return Petal(outline=outline, x=round(x, 1), y=round(y, 1))


def _at(angle: float, radius: float) -> tuple[float, float]:
    return CENTRE + radius * math.cos(angle), CENTRE + radius * math.sin(angle)


def _spell(point: tuple[float, float]) -> str:
    return f"{point[0]:.1f} {point[1]:.1f}"
