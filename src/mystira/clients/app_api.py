"""The App API as other services of the platform see it."""

import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Final, Protocol

from mystira.clients.service import Answer, Service
from mystira.clients.service_tokens import ServiceCredentials

PUBLISH: Final = "/internal/scenarios/publish"
PATIENCE: Final = 10.0
"""Seconds for which one service waits for another."""


class Asks(Protocol):
    """Whatever answers as `Service.ask` does."""

    async def ask(
        self,
        method: str,
        path: str,
        *,
        content: object = None,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Ask once. Raises ProblemError and UnreachableError."""


Reach = Callable[[], contextlib.AbstractAsyncContextManager[Asks]]
"""A way to the App API, for as long as a block."""


class AppApiClient:
    """The App API of one platform. Every call raises ProblemError and UnreachableError."""

    def __init__(self, reach: Reach) -> None:
        self._reach = reach

    async def publish(self, scenario_id: str, version: int, *, correlation_id: str) -> None:
        """Let families play a story that was judged at a version; one that is published stays so."""
        content = {"scenarioId": scenario_id, "version": version}
        headers = {"X-Correlation-Id": correlation_id}
        async with self._reach() as service:
            await service.ask("POST", PUBLISH, content=content, headers=headers)


def at_address(url: str, *, key: str, issuer: str) -> Reach:
    """The way to an App API elsewhere, asked in the name of the service `issuer`."""
    credentials = ServiceCredentials(key, issuer=issuer)

    @contextlib.asynccontextmanager
    async def reach() -> AsyncIterator[Asks]:
        async with Service.at(url, credentials, seconds=PATIENCE) as service:
            yield service

    return reach
