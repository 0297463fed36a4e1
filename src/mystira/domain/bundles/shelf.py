"""All bundles, as access asks for them: read once and kept for a moment.

There are few, they hardly ever change, and every list of stories and every beginning of one asks for them.
"""

from typing import Final

from manystore.clock import Clock
from manystore.repository import Repository
from manystore.specifications import Specification
from mystira.domain.bundles.model import ContentBundle

FRESH_SECONDS: Final = 2.0
"""For how long access may be as it was before staff changed a bundle."""
_PAGE: Final = 200


class Shelf:
    """The bundles, at most FRESH_SECONDS behind their records."""

    def __init__(self, bundles: Repository[ContentBundle], clock: Clock) -> None:
        self._bundles, self._clock = bundles, clock
        self._kept: tuple[float, tuple[ContentBundle, ...]] | None = None

    async def bundles(self) -> tuple[ContentBundle, ...]:
        """Every bundle, active or not. Raises UnavailableError (manystore.errors)."""
        now = self._clock.monotonic()
        if self._kept is None or now - self._kept[0] >= FRESH_SECONDS:
            self._kept = now, await self._read()
        return self._kept[1]

    async def _read(self) -> tuple[ContentBundle, ...]:
        read: list[ContentBundle] = []
        continuation = None
        while True:
            found = await self._bundles.find(Specification(limit=_PAGE, continuation=continuation))
            read += [stored.value for stored in found.items]
            continuation = found.continuation
            if continuation is None:
                return tuple(read)
