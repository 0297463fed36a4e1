"""What a sweep of a split kind takes away, and what it leaves to writers that are held up."""

import asyncio
import random
from typing import Any, cast

import pytest

from manystore.errors import UnavailableError, VersionConflictError
from manystore.records import Record
from manystore.stores.memory import MemoryStore
from manystore.stores.split import SplitStore, SweepPlace, Swept
from manystore.stores.store import Store
from manystore.testing.contract.terms import admit
from manystore.testing.samples import PEOPLE, key_of
from tests.unit.splitting import KEY, SHEETS, SPLIT, Pair, Step, pair, stamped

__all__ = ["pair"]


class Held:
    """A writer that has put its part there, and is then held up on its way to the core."""

    def __init__(self, pair: Pair, step: Step) -> None:
        self._pair, self._step = pair, step
        self._reached, self._released = asyncio.Event(), asyncio.Event()

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._pair.core, name)

        async def call(*args: Any, **kwargs: Any) -> Any:
            if name in ("put", "apply"):
                self._reached.set()
                await self._released.wait()
            return await method(*args, **kwargs)

        return call

    async def begin(self) -> "Held":
        """Let it come as far as to the core."""
        pair, core = self._pair, cast(Store, self)
        store = SplitStore(core, pair.rest, [SPLIT], clock=pair.clock, randomness=random.Random(99))
        self._task = asyncio.ensure_future(self._step(store))
        await self._reached.wait()
        return self

    async def go_on(self) -> object:
        """Let it go on; what became of it."""
        self._released.set()
        return await self._task


@pytest.mark.parametrize(
    ("step", "version"),
    [
        (lambda store: store.put(PEOPLE, KEY, stamped(9), expected=1, epoch=1), 2),
        (lambda store: store.apply(PEOPLE, [Record(KEY, 5, stamped(9))]), 5),
    ],
    ids=["put", "apply"],
)
async def test_sweep_keeps_what_a_slow_writer_is_about_to_point_to(
    pair: Pair, step: Step, version: int
) -> None:
    """However old it is: as long as the write can succeed, its part stays."""
    await pair.store().put(PEOPLE, KEY, stamped(1), expected=None, epoch=1)
    held = await Held(pair, step).begin()
    pair.clock.seconds += 1_000_000
    await pair.store().sweep(PEOPLE)
    await held.go_on()
    assert await pair.store().get(PEOPLE, KEY) == Record(KEY, version, stamped(9))


async def test_part_of_a_write_that_can_no_longer_succeed_goes_at_once(pair: Pair) -> None:
    """As soon as the core is beyond the version that the writer expected, and whoever sweeps."""
    await pair.store().put(PEOPLE, KEY, stamped(1), expected=None, epoch=1)
    late = await Held(pair, lambda store: store.put(PEOPLE, KEY, stamped(9), expected=1, epoch=1)).begin()
    await pair.store().put(PEOPLE, KEY, stamped(2), expected=1, epoch=1)
    (part,) = await pair.parts()
    assert part["content"]["name"] == "stamp 2"
    with pytest.raises(VersionConflictError):
        await late.go_on()
    assert await pair.store().get(PEOPLE, KEY) == Record(KEY, 2, stamped(2))


async def test_part_of_a_new_record_outlives_creations_and_deletions_of_others(pair: Pair) -> None:
    """A put of a new record succeeds over any tombstone, so its part waits for it, for as long as it may."""
    late = await Held(pair, lambda store: store.put(PEOPLE, KEY, stamped(9), expected=None, epoch=1)).begin()
    other = pair.store(seed=3)
    await other.put(PEOPLE, KEY, stamped(1), expected=None, epoch=1)
    await other.delete(PEOPLE, KEY, expected=1, epoch=1)
    await other.sweep(PEOPLE)
    await late.go_on()
    assert await other.get(PEOPLE, KEY) == Record(KEY, 3, stamped(9))
    assert len(await pair.parts()) == 1


async def test_writer_of_a_new_record_gives_up_before_its_part_may_go(pair: Pair) -> None:
    """Half the time for which others wait: then it says that it is unavailable, and has written nothing."""
    core, never = pair.core, asyncio.Event()

    class Stuck(MemoryStore):
        async def put(self, *args: Any, **kwargs: Any) -> Record:
            await never.wait()
            raise AssertionError

    stuck = Stuck()
    await stuck.open()
    await admit(stuck, SPLIT.core_kind)
    store = SplitStore(stuck, cast(Store, pair.rest), [SPLIT], clock=pair.clock, grace=0.02)
    with pytest.raises(UnavailableError):
        await store.put(PEOPLE, KEY, stamped(1), expected=None, epoch=1)
    assert await core.get(SPLIT.core_kind, KEY) is None
    assert len(await pair.parts()) == 1
    await pair.store().sweep(PEOPLE)
    assert len(await pair.parts()) == 1
    pair.clock.seconds += 4_000
    await pair.store().sweep(PEOPLE)
    assert await pair.parts() == []


async def test_sweep_in_pages_is_the_same_as_at_once(pair: Pair) -> None:
    """Each page tells its own, whichever process asks for it; together they are what a whole sweep tells."""
    people = [Record(key_of(number), 1, stamped(number, number)) for number in range(1, 701)]
    await pair.store().apply(PEOPLE, people)
    pair.rest.write_behind(SHEETS, key_of(2), None)
    found: list[Swept] = []
    place: SweepPlace | None = SweepPlace()
    while place is not None:
        page, place = await pair.store().sweep_page(PEOPLE, place)
        found.append(page)
    assert max(page.sheets + page.records for page in found) < 700
    whole = await pair.store().sweep(PEOPLE)
    assert sum(found, Swept()) == whole
    assert (whole.records, whole.lost_count, whole.lost) == (700, 1, (key_of(2),))
