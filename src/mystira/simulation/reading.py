"""Reads back through the App API every record that the witness knows of."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

from mystira.clients.errors import ProblemError, UnreachableError
from mystira.simulation.families import ROUTES
from mystira.simulation.requests import Asks
from mystira.simulation.views import shown
from mystira.simulation.witness import Evidence, Finding, Place, Seen

AT_ONCE: Final = 16
PATIENCE: Final = 15.0
_PAUSE: Final = 0.2


async def read_back(
    service: Asks,
    evidence: Evidence,
    places: Sequence[Place],
    tell: Callable[[int], None] = lambda _: None,
) -> list[Finding]:
    """What is wrong with these records as the App API shows them. Raises UnreachableError, ProblemError."""
    found: dict[Place, Seen | None] = {}
    todo = iter(places)

    async def work() -> None:
        for place in todo:
            found[place] = await _read(service, place)
            tell(len(found))

    async with asyncio.TaskGroup() as group:
        for _ in range(AT_ONCE):
            group.create_task(work())
    return evidence.compare(found, "App API", places)


async def _read(service: Asks, place: Place) -> Seen | None:
    kind, key = place
    loop = asyncio.get_running_loop()
    deadline = loop.time() + PATIENCE
    while True:
        try:
            answer = await service.ask("GET", f"{ROUTES[kind]}/{key}")
            return Seen(int((answer.etag or '"-1"').strip('W/"')), shown(kind, answer.body))
        except ProblemError as error:
            if error.status == 404:
                return None
            if not error.is_passing or loop.time() > deadline:
                raise
        except UnreachableError:
            if loop.time() > deadline:
                raise
        await asyncio.sleep(_PAUSE)
