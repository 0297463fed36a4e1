"""Simulated stores keep every promise of a store, however slow the way to them is."""

import asyncio
from collections.abc import AsyncIterator
from typing import cast

import pytest

from manystore.records import Content, Kind
from manystore.stores.memory import MemoryStore
from manystore.stores.store import Store
from manystore.testing.contract import FormerContract, StoreContract
from manystore.testing.simulation import LeaseFencedMemory, Plan, SimulatedStore, Simulation, VirtualLoop


class Simulated(StoreContract, FormerContract):
    """Two processes, each with a handle of its own on one store outside of both."""

    made: type[MemoryStore]

    @pytest.fixture
    async def simulation(self) -> Simulation:
        # Tests run in the loop of the real world, so the calls here take no time.
        loop = cast(VirtualLoop, asyncio.get_running_loop())
        return Simulation(1, Plan(), latency=0.0, loop=loop)

    @pytest.fixture
    async def inner(self) -> AsyncIterator[MemoryStore]:
        inner = self.made()
        await inner.open()
        yield inner
        await inner.close()

    @pytest.fixture
    async def store(self, inner: MemoryStore, simulation: Simulation) -> Store:
        return cast(Store, SimulatedStore(inner, simulation.process("one"), simulation))

    @pytest.fixture
    async def second(self, inner: MemoryStore, simulation: Simulation) -> Store:
        return cast(Store, SimulatedStore(inner, simulation.process("two"), simulation))

    async def behind(self, store: Store, kind: Kind, key: str, content: Content | None) -> None:
        assert isinstance(store, SimulatedStore)
        store.inner.write_behind(kind, key, content)


class TestSimulated(Simulated):
    made = MemoryStore


class TestSimulatedBehindLeases(Simulated):
    made = LeaseFencedMemory
