"""A store between the code under test and a real one, which fails at a chosen call."""

from collections.abc import Awaitable, Callable
from typing import Any, Literal

from manystore.errors import UnavailableError
from manystore.stores.store import Store

When = Literal["before", "after"]


class Died(BaseException):
    """The process under test is gone; nothing it would have done next happens."""


class FaultyStore:
    """Counts calls of asynchronous methods over all its stores; at the chosen one, something goes wrong.

    `before`: the call has no effect. `after`: it has, and the answer is lost. With `dies`, every later
    call fails too, as for a process that was killed there.
    """

    def __init__(self, store: Store, plan: "FaultPlan") -> None:
        self._store, self._plan = store, plan
        self.name, self.fencing = store.name, store.fencing

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._store, name)

        async def call(*args: Any, **kwargs: Any) -> Any:
            return await self._plan.run(f"{self.name}.{name}", lambda: method(*args, **kwargs))

        return call


class FaultPlan:
    """At which call, how, and whether the process dies of it."""

    def __init__(self, at: int | None, when: When = "before", *, dies: bool = False) -> None:
        self.at, self.when, self.dies = at, when, dies
        self.calls: list[str] = []
        self.dead = False

    async def run(self, name: str, call: Callable[[], Awaitable[Any]]) -> Any:
        if self.dead:
            raise Died(name)
        number = len(self.calls)
        self.calls.append(name)
        if number != self.at:
            return await call()
        if self.when == "after":
            await call()
        self.dead = self.dies
        if self.dies:
            raise Died(name)
        raise UnavailableError(subject=name, reason=f"planted {self.when}")
