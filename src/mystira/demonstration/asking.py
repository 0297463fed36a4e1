"""Asking the Admin API as somebody does who knows that processes die: again, until there is an answer."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar

from manystore.moves.tasks import Action, Task
from mystira.clients.admin import AdminClient
from mystira.clients.errors import ClientError, ProblemError, UnreachableError
from mystira.clients.service import Service

T = TypeVar("T")

PATIENCE: Final = 30.0
"""Seconds for which a platform that is away is asked again."""
_AGAIN_AFTER: Final = 0.05


class PatientAdmin:
    """The Admin API, asked again where no answer came, or a passing refusal.

    Every call raises ProblemError for a refusal that will not pass by itself, and ClientError when patience
    ends.
    """

    def __init__(self, service: Service, *, patience: float = PATIENCE) -> None:
        self._admin, self._patience = AdminClient(service), patience

    async def move(self, kind: str) -> dict[str, Any]:
        """See AdminClient.move."""
        return await self._patiently(lambda: self._admin.move(kind))

    async def request(self, kind: str, action: Action) -> Task:
        """See AdminClient.request. A request whose answer was lost is looked for before it is made again."""
        former = await self._patiently(lambda: self._present(kind))

        async def request() -> Task:
            try:
                return await self._admin.request(kind, action)
            except ClientError:
                # Whoever died may have written it down before: then it is ours, and a second one would be
                # refused because of the first.
                present = await self._present(kind)
                if present is None or present.action is not action:
                    raise
                if former is not None and present.id == former.id:
                    raise
                return present

        return await self._patiently(request)

    async def ended(
        self, task: Task, told: Callable[[Task], None] = lambda _: None, *, every: float = 0.1
    ) -> Task:
        """See AdminClient.ended."""
        return await self._admin.ended(task, told, every=every, patience=self._patience)

    async def _present(self, kind: str) -> Task | None:
        try:
            return await self._admin.task(kind)
        except ProblemError as problem:
            if problem.status == 404:
                return None
            raise

    async def _patiently(self, ask: Callable[[], Awaitable[T]]) -> T:
        loop = asyncio.get_running_loop()
        until = loop.time() + self._patience
        while True:
            try:
                return await ask()
            except (ProblemError, UnreachableError) as error:
                if isinstance(error, ProblemError) and not error.is_passing:
                    raise
                if loop.time() > until:
                    raise
            await asyncio.sleep(_AGAIN_AFTER)
