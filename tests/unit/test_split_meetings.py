"""Writers, readers and sweeps of a split kind meet in any order."""

import asyncio
import contextlib
import random
from typing import Any, cast

import pytest

from manystore.errors import VersionConflictError
from manystore.records import Content, Record
from manystore.specifications import Specification, field
from manystore.stores.split import SplitStore
from manystore.stores.store import Applied, KeyRange, Store
from manystore.testing.samples import PEOPLE, key_of
from tests.unit.splitting import SPLIT, Pair, pair, stamped, stamps

__all__ = ["pair"]


class Wavering:
    """Gives way to others before and after each call, as often as chance has it."""

    def __init__(self, store: Store, chance: random.Random) -> None:
        self._store, self._chance = store, chance
        self.name, self.fencing = store.name, store.fencing

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._store, name)

        async def call(*args: Any, **kwargs: Any) -> Any:
            await self._waver()
            result = await method(*args, **kwargs)
            await self._waver()
            return result

        return call

    async def _waver(self) -> None:
        for _ in range(self._chance.choice((0, 0, 1, 1, 2, 5, 20))):
            await asyncio.sleep(0)


class Crowd:
    """Writers, readers and sweepers over one pair of stores; remembers what each version was to be."""

    def __init__(self, pair: Pair, seed: int) -> None:
        self.pair, self.seed, self.chance = pair, seed, random.Random(seed)
        self.stores: list[SplitStore] = []
        # Few records, few contents: so that writers meet, and claim the same parts at the same time.
        self.keys = [key_of(0), key_of(1)]
        self.acknowledged: dict[tuple[str, int], Content | None] = {}

    def store(self) -> SplitStore:
        """Another process's handle, which others may overtake at every call."""
        core, rest = (cast(Store, Wavering(store, self.chance)) for store in (self.pair.core, self.pair.rest))
        own = random.Random(1_000 * self.seed + len(self.stores))
        self.stores.append(SplitStore(core, rest, [SPLIT], clock=self.pair.clock, randomness=own))
        return self.stores[-1]

    async def write(self) -> None:
        """Put, delete and apply, now and then in vain."""
        store = self.store()
        for _ in range(25):
            number = self.chance.randrange(len(self.keys))
            key, content = self.keys[number], stamped(self.chance.randrange(3), number)
            with contextlib.suppress(VersionConflictError):
                written = await self._write_once(store, key, content)
                if written is not None:
                    assert (key, written.version) not in self.acknowledged
                    self.acknowledged[key, written.version] = written.content

    async def _write_once(self, store: SplitStore, key: str, content: Content) -> Record | None:
        now = await store.get(PEOPLE, key)
        dice = self.chance.random()
        if dice < 0.15:
            above = Record(key, (now.version if now else 0) + self.chance.randrange(1, 3), content)
            return above if await store.apply(PEOPLE, [above]) == [Applied()] else None
        live = None if now is None or now.is_deleted else now.version
        if live is not None and dice < 0.4:
            return await store.delete(PEOPLE, key, expected=live, epoch=1)
        return await store.put(PEOPLE, key, content, expected=live, epoch=1)

    async def read(self) -> None:
        """Look on every road whether halves belong together."""
        store, named = self.store(), Specification(where=field("name") == "stamp 1")
        for _ in range(40):
            many = (await store.get_many(PEOPLE, self.keys)).values()
            scanned = await store.scan(PEOPLE, KeyRange(), 10)
            found = (await store.find(PEOPLE, named)).records
            assert [record for record in (*many, *scanned, *found) if not _is_whole(record)] == []

    async def sweep(self) -> None:
        """Clean up in the midst of it."""
        store = self.store()
        for _ in range(30):
            swept = await store.sweep(PEOPLE)
            assert (swept.lost_count, swept.altered_count) == (0, 0)


def _is_whole(record: Record) -> bool:
    return record.is_deleted or len(set(stamps(record))) == 1


@pytest.mark.parametrize("seed", range(25))
async def test_writers_readers_and_sweeps_meet_in_any_order(pair: Pair, seed: int) -> None:
    """Each version is one writer's, whole; of losers nothing shows or stays; no part of the living goes."""
    crowd = Crowd(pair, seed)
    jobs = [crowd.write, crowd.write, crowd.write, crowd.write, crowd.read, crowd.sweep, crowd.sweep]
    await asyncio.gather(*(job() for job in jobs))
    pair.clock.seconds += 4_000
    last = pair.store(seed=5)
    await last.sweep(PEOPLE)
    for key in crowd.keys:
        record = await last.get(PEOPLE, key)
        assert record is not None
        assert record.content == crowd.acknowledged[key, record.version]
        assert len(await pair.parts(key)) == (not record.is_deleted)
    assert [store.counters.lost_parts for store in (*crowd.stores, last)] == [0] * (len(jobs) + 1)
