"""The Admin API as its callers see it: moves and their tasks, the sync queue, rogue writes, records."""

import asyncio
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import quote

import msgspec

from manystore.followers.settling import Keep
from manystore.moves.tasks import Action, Depth, Task
from mystira.clients.errors import ProblemError, UnreachableError
from mystira.clients.service import Answer, Service

Document = dict[str, Any]

PATIENCE: Final = 15.0
"""Seconds for which a platform that gives no answer is asked again while a task is waited for."""


class AdminClient:
    """The Admin API of one platform, asked in the name of an `actor`, who is written down.

    Every call raises ProblemError and UnreachableError.
    """

    def __init__(self, service: Service, *, actor: str | None = None) -> None:
        self._service = service
        self._headers = {} if actor is None else {"X-Actor": actor}

    async def moves(self) -> list[Document]:
        """Where every kind stands (`KindStatus`)."""
        return await self._all("/admin/api/moves")

    async def move(self, kind: str) -> Document:
        """Where one kind stands."""
        return _document(await self._service.ask("GET", f"/admin/api/moves/{quote(kind, safe='')}"))

    async def request(self, kind: str, action: Action, *, override_reason: str | None = None) -> Task:
        """Ask for a step; the answer is its task, which a worker takes up.

        With an `override_reason` it is taken although conditions that a person may answer for are unmet.
        """
        path = f"/admin/api/moves/{quote(kind, safe='')}/{action.value}"
        content = {} if override_reason is None else {"overrideReason": override_reason}
        return _task(await self._service.ask("POST", path, content=content, headers=self._headers))

    async def verify(self, kind: str, depth: Depth) -> Task:
        """Ask for a comparison of that depth; the answer is its task."""
        path, content = f"/admin/api/moves/{quote(kind, safe='')}/verify", {"depth": depth}
        return _task(await self._service.ask("POST", path, content=content, headers=self._headers))

    async def repair(self, kind: str, reason: str) -> Task:
        """Ask for whatever differs to be settled, for a reason that is kept; the answer is its task."""
        path, content = f"/admin/api/moves/{quote(kind, safe='')}/repair", {"reason": reason}
        return _task(await self._service.ask("POST", path, content=content, headers=self._headers))

    async def task(self, kind: str) -> Task:
        """The present or last task of a kind."""
        return _task(await self._service.ask("GET", f"/admin/api/moves/{quote(kind, safe='')}/task"))

    async def ended(
        self,
        task: Task,
        told: Callable[[Task], None] = lambda _: None,
        *,
        every: float = 0.1,
        patience: float = PATIENCE,
    ) -> Task:
        """Wait until a task has ended; `told` hears of it as often as it is looked at.

        A platform that is away for a moment is waited for; UnreachableError or ProblemError when it has been
        away longer than `patience` seconds.
        """
        loop = asyncio.get_running_loop()
        heard = loop.time()
        while True:
            try:
                present = await self.task(task.kind)
            except (ProblemError, UnreachableError) as error:
                if isinstance(error, ProblemError) and not error.is_passing:
                    raise
                if loop.time() - heard > patience:
                    raise
            else:
                heard = loop.time()
                if present.id != task.id:
                    # Ours has ended, or nobody else could have asked for another since.
                    return msgspec.structs.replace(task, state="failed", reasons=(_REPLACED,))
                told(present)
                if not present.is_open:
                    return present
            await asyncio.sleep(every)

    async def queue(self, kind: str) -> list[Document]:
        """What waits in the sync queue of a kind."""
        return await self._all(f"/admin/api/queue/{quote(kind, safe='')}")

    async def _all(self, path: str, reason: str | None = None) -> list[Document]:
        """Every item of a list, page after page."""
        items: list[Document] = []
        query = asked = _for_reason(reason)
        while True:
            page = (await self._service.ask("GET", path, query=query, headers=self._headers)).body
            items += page["items"]
            if page["continuation"] is None:
                return items
            query = asked | {"continuation": page["continuation"]}

    async def queued(self, kind: str, key: str) -> Document:
        """One queued change, whole."""
        return _document(await self._service.ask("GET", _entry(kind, key)))

    async def replay(self, kind: str, key: str | None) -> Document:
        """Try one change again, or all."""
        path = (
            f"/admin/api/queue/{quote(kind, safe='')}/replay"
            if key is None
            else f"{_entry(kind, key)}/replay"
        )
        return _document(await self._service.ask("POST", path, headers=self._headers))

    async def drop(self, kind: str, key: str, reason: str) -> Document:
        """Give a change up, for a reason that is kept."""
        return _document(
            await self._service.ask(
                "POST", f"{_entry(kind, key)}/drop", content={"reason": reason}, headers=self._headers
            )
        )

    async def rogue_writes(self, kind: str, reason: str | None = None) -> list[Document]:
        """What was written behind the engine's back; whole for a reason, which is kept."""
        return await self._all(f"/admin/api/rogue-writes/{quote(kind, safe='')}", reason)

    async def settle(
        self, kind: str, key: str, version: int, *, store: str, keep: Keep, reason: str
    ) -> Document:
        """Decide about a rogue write, for a reason that is kept."""
        record = f"{quote(kind, safe='')}/{quote(key, safe='')}"
        path = f"/admin/api/rogue-writes/{record}/{version}/settle"
        content = {"store": store, "keep": keep, "reason": reason}
        return _document(await self._service.ask("POST", path, content=content, headers=self._headers))

    async def compare(self, kind: str, key: str, reason: str | None = None) -> Document:
        """One record as both stores hold it; whole for a reason, which is kept."""
        path, query = (
            f"/admin/api/compare/{quote(kind, safe='')}/{quote(key, safe='')}",
            _for_reason(reason),
        )
        return _document(await self._service.ask("GET", path, query=query, headers=self._headers))

    async def account_of(self, email: str) -> str | None:
        """The id of the account with an e-mail address, whatever its case."""
        page = (await self._service.ask("GET", "/api/v1/accounts", query={"email": email, "limit": "1"})).body
        return next((str(item["id"]) for item in page["items"]), None)

    async def set_role(self, account_id: str, role: str, reason: str) -> Document:
        """Give an account a role, for a reason that is kept."""
        path, content = (
            f"/admin/api/people/{quote(account_id, safe='')}/role",
            {"role": role, "reason": reason},
        )
        return _document(await self._service.ask("PUT", path, content=content, headers=self._headers))

    async def reset_second_factor(self, account_id: str, reason: str) -> None:
        """Take an account's second factor away, for a reason that is kept."""
        path = f"/admin/api/people/{quote(account_id, safe='')}/second-factor/reset"
        await self._service.ask("POST", path, content={"reason": reason}, headers=self._headers)

    async def sweep(self, kind: str, told: Callable[[Document], None] = lambda _: None) -> Document:
        """Clean up a split kind, part by part; `told` hears of what was done so far, which is the answer."""
        path = f"/admin/api/sweep/{quote(kind, safe='')}"
        content: Document = {}
        done: Document = {}
        while True:
            part = _document(await self._service.ask("POST", path, content=content, headers=self._headers))
            continuation = part.pop("continuation")
            done = {name: _together(done.get(name), value) for name, value in part.items()}
            told(done)
            if continuation is None:
                return done
            content = {"continuation": continuation}


def _together(before: Any, now: Any) -> Any:
    """Counts add up, samples follow each other up to a hundred, and a name stays."""
    if before is None or isinstance(now, str):
        return now
    return (before + now)[:100] if isinstance(now, list) else before + now


_REPLACED: Final = "Another step was asked for meanwhile, so how this one ended is no longer known."


def _entry(kind: str, key: str) -> str:
    return f"/admin/api/queue/{quote(kind, safe='')}/{quote(key, safe='')}"


def _for_reason(reason: str | None) -> dict[str, str]:
    return {} if reason is None else {"reason": reason}


def _document(answer: Answer) -> Document:
    return answer.body if isinstance(answer.body, dict) else {}


def _task(answer: Answer) -> Task:
    return msgspec.convert(answer.body, Task)
