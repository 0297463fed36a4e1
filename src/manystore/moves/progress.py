"""How far a long step has come, told as it goes."""

from collections.abc import Awaitable, Callable

import msgspec


class Progress(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """`done` of about `total` records, at `rate` a second since the step began; `stage` says doing what."""

    stage: str
    done: int = 0
    total: int = 0
    rate: float = 0.0
    seconds_left: float | None = None


Report = Callable[[Progress], Awaitable[None]]
"""Takes each piece of progress; must be quick, or drop some."""


async def unreported(progress: Progress) -> None:
    """Tell nobody."""


def progress_at(stage: str, done: int, total: int, seconds: float) -> Progress:
    """Progress with its rate and the time left at that rate."""
    rate = done / seconds if seconds > 0 else 0.0
    left = (total - done) / rate if rate > 0 and total >= done else None
    return Progress(stage=stage, done=done, total=total, rate=rate, seconds_left=left)
