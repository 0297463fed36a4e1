"""Covers for stories whose authors gave none: a landscape under a sky, in the colours of an hour.

A cover follows from its name alone: it is the same wherever and whenever it is drawn.
"""

import functools
import hashlib
import random
import re
from typing import Final

from mystira.services.play.drawing.landscape import HEIGHT, WIDTH, Palette, land, sky

_NAME: Final = re.compile("[0-9a-f]{8}")

_DUSK: Final = Palette(sky=("#2b2350", "#8a4f7d", "#f2a65e"), light="#ffe9b8", far="#6d4671", near="#33264f")
_NIGHT: Final = Palette(sky=("#101b3b", "#2a3f72", "#6f7fb4"), light="#fff3cf", far="#2b3b6b", near="#141d3d")
_DAWN: Final = Palette(sky=("#f7c59f", "#f9dcc0", "#fdf1de"), light="#fffaf0", far="#d98f76", near="#8f4f52")
_WOOD: Final = Palette(sky=("#bfe0d2", "#dcefdd", "#f7f3d9"), light="#fff7d1", far="#7fb08f", near="#2f6150")
_STORM: Final = Palette(sky=("#41566f", "#7890a5", "#c9d3d3"), light="#ffe3a1", far="#5c7484", near="#2c4153")
_DEEP: Final = Palette(sky=("#0f2f42", "#1f6273", "#7fb9ae"), light="#fff1c4", far="#1c5566", near="#0d2b3b")

_PALETTES: Final = (_DUSK, _NIGHT, _DAWN, _WOOD, _STORM, _DEEP)


def cover_name(story_id: str) -> str:
    """The name of a story's cover."""
    return hashlib.sha256(story_id.encode()).hexdigest()[:8]


@functools.lru_cache(maxsize=256)
def draw_cover(name: str) -> bytes | None:
    """The cover of a name, as SVG; None where no cover has it."""
    if not _NAME.fullmatch(name):
        return None
    # Not a secret: the same picture each time.
    dice = random.Random(name)  # noqa: S311
    palette = _PALETTES[int(name, 16) % len(_PALETTES)]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'preserveAspectRatio="xMidYMid slice">{sky(dice, palette)}{land(dice, palette)}</svg>'
    ).encode()
