"""Promises about fences: a write made under an epoch that is over is refused."""

import asyncio

import pytest

from manystore.errors import StaleEpochError
from manystore.records import Record
from manystore.stores.store import Fence, KeyRange, Store
from manystore.testing.contract.terms import Terms, admit, scan_all
from manystore.testing.samples import PEOPLE, WORDS, key_of, person, word

KEY = key_of(1)


class FenceContract(Terms):
    """The epoch is checked at each write; raising it stops every writer of a former one."""

    async def test_without_a_fence_nothing_is_written(self, store: Store) -> None:
        """A store that was never told of a kind's epoch refuses every write of it."""
        assert await store.fence(PEOPLE) is None
        with pytest.raises(StaleEpochError) as refusal:
            await store.put(PEOPLE, KEY, person(1), expected=None, epoch=1)
        assert refusal.value.actual is None
        assert refusal.value.expected == 1
        assert await store.get(PEOPLE, KEY) is None

    @pytest.mark.parametrize("epoch", [1, 2, 4])
    async def test_other_epoch_is_refused(self, store: Store, epoch: int) -> None:
        """Neither a former nor a future epoch can write or delete, and the refusal tells the present one."""
        await admit(store, PEOPLE, epoch=3)
        await store.put(PEOPLE, KEY, person(1), expected=None, epoch=3)
        with pytest.raises(StaleEpochError) as refusal:
            await store.put(PEOPLE, KEY, person(1, name="B"), expected=1, epoch=epoch)
        assert (refusal.value.store, refusal.value.kind) == (store.name, "people")
        assert (refusal.value.expected, refusal.value.actual, refusal.value.admits) == (epoch, 3, True)
        with pytest.raises(StaleEpochError):
            await store.delete(PEOPLE, KEY, expected=1, epoch=epoch)
        assert await store.get(PEOPLE, KEY) == Record(KEY, 1, person(1))

    async def test_stale_epoch_is_told_before_a_conflict(self, store: Store) -> None:
        """A stale writer learns that it is stale, not of a version that it has no business with."""
        await admit(store, PEOPLE, epoch=2)
        with pytest.raises(StaleEpochError):
            await store.put(PEOPLE, KEY, person(1), expected=7, epoch=1)

    async def test_fence_that_does_not_admit_refuses_its_own_epoch(self, store: Store) -> None:
        """While a cut-over drains, writes of the present epoch are refused too, and reads go on."""
        await admit(store, PEOPLE)
        await store.put(PEOPLE, KEY, person(1), expected=None, epoch=1)
        assert await store.raise_fence(PEOPLE, Fence(epoch=2, admits=False), expected=1)
        for epoch in (1, 2):
            with pytest.raises(StaleEpochError) as refusal:
                await store.put(PEOPLE, KEY, person(1, name="B"), expected=1, epoch=epoch)
            assert refusal.value.admits is False
        assert await store.get(PEOPLE, KEY) == Record(KEY, 1, person(1))

    async def test_fence_is_raised_by_compare_and_set(self, store: Store, second: Store) -> None:
        """A fence is replaced only by who knows its epoch; its body comes back untouched."""
        first = Fence(epoch=1, admits=True, body=b'\x00{"phase": "\xff"}')
        assert not await store.raise_fence(PEOPLE, first, expected=0)
        assert await store.raise_fence(PEOPLE, first, expected=None)
        assert await second.fence(PEOPLE) == first
        assert not await second.raise_fence(PEOPLE, Fence(epoch=9, admits=True), expected=None)
        assert not await second.raise_fence(PEOPLE, Fence(epoch=9, admits=True), expected=2)
        assert await store.fence(PEOPLE) == first
        assert await second.raise_fence(PEOPLE, Fence(epoch=2, admits=False), expected=1)
        assert await store.fence(PEOPLE) == Fence(epoch=2, admits=False)

    async def test_one_of_many_raises_the_fence(self, store: Store, second: Store) -> None:
        """Of many that raise the same fence at once, one is told that it was the one."""
        for expected in (None, 1, 2):
            fence = Fence(epoch=(expected or 0) + 1, admits=True)
            tries = (handle.raise_fence(PEOPLE, fence, expected=expected) for handle in [store, second] * 4)
            assert sorted(await asyncio.gather(*tries)) == [False] * 7 + [True]

    async def test_fences_of_kinds_are_apart(self, store: Store) -> None:
        """Raising the fence of one kind leaves writers of another alone."""
        await admit(store, PEOPLE, WORDS)
        assert await store.raise_fence(PEOPLE, Fence(epoch=2, admits=False), expected=1)
        await store.put(WORDS, "a", word("a"), expected=None, epoch=1)
        assert await store.fence(WORDS) == Fence(epoch=1, admits=True)

    async def test_fence_raised_elsewhere_stops_this_writer(self, store: Store, second: Store) -> None:
        """Once another process has raised the fence, a put here under the old epoch is refused."""
        _needs_transactions(store)
        await admit(store, PEOPLE)
        await store.put(PEOPLE, KEY, person(1), expected=None, epoch=1)
        assert await second.raise_fence(PEOPLE, Fence(epoch=2, admits=True), expected=1)
        with pytest.raises(StaleEpochError):
            await store.put(PEOPLE, KEY, person(1, name="late"), expected=1, epoch=1)
        with pytest.raises(StaleEpochError):
            await store.delete(PEOPLE, KEY, expected=1, epoch=1)
        assert (await store.put(PEOPLE, KEY, person(1), expected=1, epoch=2)).version == 2

    async def test_nothing_slips_through_a_raised_fence(self, store: Store, second: Store) -> None:
        """Of writes under way while the fence is raised, none is accepted after that has returned."""
        _needs_transactions(store)
        await admit(store, WORDS)
        accepted: set[str] = set()
        under_way = asyncio.Event()

        async def write(writer: int) -> None:
            for number in range(1_000):
                key = f"w{writer}-{number}"
                try:
                    await store.put(WORDS, key, word(key), expected=None, epoch=1)
                except StaleEpochError:
                    return
                accepted.add(key)
                if len(accepted) == 20:
                    under_way.set()
                await asyncio.sleep(0)

        writers = [asyncio.create_task(write(writer)) for writer in range(8)]
        await under_way.wait()
        assert await second.raise_fence(WORDS, Fence(epoch=2, admits=True), expected=1)
        at_the_fence = {record.key for record in await scan_all(second, WORDS)}
        await asyncio.gather(*writers)
        assert {record.key for record in await scan_all(second, WORDS)} == at_the_fence == accepted
        assert await second.scan(WORDS, KeyRange("w8"), 1) == []


def _needs_transactions(store: Store) -> None:
    if store.fencing != "transaction":
        pytest.skip("this store is fenced by leases, which placement holds")
