"""Verifications of what is sound, while it is written: whatever one names is a false alarm."""

import asyncio
import contextlib
import itertools
import random
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import Any, Final, cast

import msgspec

from manystore.errors import StaleEpochError, UniqueError, VersionConflictError
from manystore.moves.tasks import Action, Depth
from manystore.stores.memory import MemoryStore
from manystore.stores.store import Store
from tests.unit.moving import Scene, adopt, memory_scene, person

_RECORDS: Final = 100
UNTOUCHED: Final = _RECORDS
"""The number of the person whom nobody writes."""
_WRITERS: Final = 3
_DEPTHS: Final[tuple[Depth, ...]] = ("full", "versions", "since")


class Unhurried:
    """A store in memory that lets others go on before and after each call, as one over a wire does."""

    def __init__(self, store: MemoryStore, chance: random.Random) -> None:
        self.store, self._chance = store, chance
        self.name, self.fencing = store.name, store.fencing

    def __getattr__(self, name: str) -> Any:
        method = getattr(self.store, name)

        async def call(*args: Any, **named: Any) -> Any:
            await self._wait()
            answer = await method(*args, **named)
            await self._wait()
            return answer

        return call

    async def _wait(self) -> None:
        for _ in range(self._chance.randrange(4)):
            await asyncio.sleep(0)


@contextlib.asynccontextmanager
async def certified_scene(folder: Path) -> AsyncIterator[Scene]:
    """Two stores that hold the same, with a certificate, and one record more than are written."""
    async with memory_scene(folder) as quick:
        stores = (quick.source, quick.target)
        source, target = (Unhurried(cast(MemoryStore, each), random.Random(each.name)) for each in stores)
        scene = Scene(cast(Store, source), cast(Store, target), folder)
        await adopt(scene.source, _RECORDS + 1)
        await scene.do(Action.START)
        async with scene.working():
            certified = await scene.do(Action.VERIFY)
            assert certified["certificate"] is not None
            yield scene


async def alarms_in(scene: Scene, seeds: Iterable[int]) -> list[str]:
    """Verify once for each seed, by turns in each depth, while others write; the alarms, in words."""
    alarms: list[str] = []
    for seed in seeds:
        depth = _DEPTHS[seed % len(_DEPTHS)]
        async with _writing(scene, seed) as written:
            before = written.total()
            result = await scene.mover.carry_out(Action.VERIFY, "people", depth=depth)
            assert written.total() > before, "nobody wrote while this was verified"
        alarms += [f"seed {seed}, {depth}: {sample}" for sample in result["samples"]]
    return alarms


@contextlib.asynccontextmanager
async def _writing(scene: Scene, seed: int) -> AsyncIterator[Counter[int]]:
    """Writers that change, delete and create; each has written at least once when the block begins."""
    written = Counter[int]()
    begun = [asyncio.Event() for _ in range(_WRITERS)]
    writers = [
        asyncio.create_task(_write(scene, random.Random(f"{seed}/{each}"), event, written))
        for each, event in enumerate(begun)
    ]
    try:
        await asyncio.gather(*(event.wait() for event in begun))
        yield written
    finally:
        for writer in writers:
            writer.cancel()
        ended = await asyncio.gather(*writers, return_exceptions=True)
    for failure in ended:
        if not isinstance(failure, asyncio.CancelledError):
            raise AssertionError("a writer ended by itself") from failure


async def _write(scene: Scene, chance: random.Random, begun: asyncio.Event, written: Counter[int]) -> None:
    people = scene.repository()
    for count in itertools.count():
        chosen = person(chance.randrange(_RECORDS))
        # Others were quicker, which is not what is shown here.
        with contextlib.suppress(VersionConflictError, UniqueError, StaleEpochError):
            stored = await people.get(chosen.id)
            if stored is None:
                await people.create(chosen)
            elif chance.random() < 0.2:
                await people.delete(stored)
            else:
                await people.change(stored, msgspec.structs.replace(stored.value, visits=count))
            written[count] += 1
        begun.set()
        await asyncio.sleep(0)
