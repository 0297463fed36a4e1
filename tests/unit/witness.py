"""Somebody who writes as several users would, and remembers what was acknowledged."""

import asyncio
import contextlib
import random

import msgspec

from manystore.errors import UnavailableError, VersionConflictError
from tests.unit.moving import Person, Scene, person


class Witness:
    """Creates, changes and deletes people through a node of its own.

    What a write would make of a record is noted before it is asked for, so that a write whose answer never
    came (cut off, timed out) counts as neither done nor lost: both outcomes are right.
    """

    def __init__(self, scene: Scene, name: str, seed: int) -> None:
        self.leases, self.random = scene.node(name), random.Random(seed)
        self.people = scene.repository(self.leases)
        self.seen: dict[str, Person | None] = {}
        self.open: dict[str, Person | None] = {}
        self.name, self.made, self.writes, self.seed = name, 0, 0, seed

    async def write_on(self, *, pause: float = 0.001) -> None:
        """Write until cancelled, with a pause of so many seconds after each write.

        In memory the shortest will do. On real stores somebody who never pauses is no user but a load test,
        which in the loop of the worker outruns the copy, and makes each step wait for it.
        """
        keeping = asyncio.create_task(self.leases.keep())
        try:
            while True:
                with contextlib.suppress(VersionConflictError, UnavailableError):
                    await self.write_once()
                    self.writes += 1
                await asyncio.sleep(pause)
        finally:
            keeping.cancel()

    async def write_once(self) -> None:
        """One write, remembered when it is acknowledged."""
        mine = [key for key, value in self.seen.items() if value is not None and key not in self.open]
        dice = self.random.random()
        if dice < 0.4 or not mine:
            self.made += 1
            fresh = person(100_000 * self.seed + self.made)
            fresh.email = f"{self.name}-{self.made}@example.org"
            self.open[fresh.id] = fresh
            await self.people.create(fresh)
            self._acknowledged(fresh.id)
            return
        key = self.random.choice(mine)
        found = await self.people.get(key)
        assert found is not None, f"{key} was acknowledged and is gone"
        assert found.value == self.seen[key], f"{key} is not what was acknowledged"
        if dice < 0.9:
            changed = msgspec.structs.replace(found.value, visits=found.value.visits + 1)
            self.open[key] = changed
            await self.people.change(found, changed)
        else:
            self.open[key] = None
            await self.people.delete(found)
        self._acknowledged(key)

    def _acknowledged(self, key: str) -> None:
        self.seen[key] = self.open.pop(key)

    async def compare(self) -> list[str]:
        """The keys under which the truth holds neither what was acknowledged nor what is open."""
        lost = []
        for key in self.seen.keys() | self.open.keys():
            stored = await self.people.get(key)
            allowed = [values[key] for values in (self.seen, self.open) if key in values]
            if key not in self.seen:
                allowed.append(None)
            if (stored.value if stored else None) not in allowed:
                lost.append(key)
        return lost


async def stop(writing: list[asyncio.Task[None]]) -> None:
    """End the witnesses' writing; raises what any of them ended by itself with."""
    for task in writing:
        task.cancel()
    for result in await asyncio.gather(*writing, return_exceptions=True):
        if isinstance(result, BaseException) and not isinstance(result, asyncio.CancelledError):
            raise result
