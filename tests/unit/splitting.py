"""Two stores in memory, the split stores over them, and people of whom halves of two versions can be told."""

import asyncio
import datetime as dt
import random
from collections.abc import Awaitable, Callable
from typing import Any, Final, cast

import pytest

from manystore.records import Content, Record
from manystore.stores.memory import MemoryStore
from manystore.stores.split import Split, SplitStore
from manystore.stores.store import Store
from manystore.testing.contract.terms import admit
from manystore.testing.samples import LETTERS, PEOPLE, key_of, person
from tests.unit.faults import FaultPlan, FaultyStore

SPLIT: Final = Split(kind=PEOPLE, rest=("name", "nicknames", "extra"))
SHEETS: Final = SPLIT.rest_kind
KEY: Final = key_of(1)
Step = Callable[[SplitStore], Awaitable[object]]
"""Something that somebody does with a store."""


class HandClock:
    """A clock that only its owner moves."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> dt.datetime:
        return dt.datetime(2026, 1, 1, tzinfo=dt.UTC) + dt.timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(0)


class Pair:
    """Two stores in memory, and any number of split stores over them."""

    def __init__(self) -> None:
        self.core, self.rest, self.clock = MemoryStore("core"), MemoryStore("rest"), HandClock()

    def store(self, plan: FaultPlan | None = None, seed: int = 0) -> SplitStore:
        """Another process's handle; with a plan, one in which something goes wrong."""
        core, rest = cast(Store, self.core), cast(Store, self.rest)
        if plan is not None:
            core, rest = cast(Store, FaultyStore(core, plan)), cast(Store, FaultyStore(rest, plan))
        return SplitStore(core, rest, [SPLIT], clock=self.clock, randomness=random.Random(seed))

    async def parts(self, key: str = KEY) -> list[dict[str, Any]]:
        """What lies on a record's sheet."""
        sheet = await self.rest.get(SHEETS, key)
        return [] if sheet is None or sheet.content is None else list(sheet.content["parts"])


async def opened() -> Pair:
    """Two empty stores that take writes of either kind under epoch 1."""
    pair = Pair()
    await pair.core.open()
    await pair.rest.open()
    await admit(pair.store(), PEOPLE, LETTERS)
    return pair


@pytest.fixture
async def pair() -> Pair:
    """The same, for one test."""
    return await opened()


def stamped(stamp: int, number: int = 1) -> Content:
    """A person in whom core and rest bear the same stamp, so that halves of two versions can be told."""
    return person(number, visits=stamp, name=f"stamp {stamp}")


def stamps(record: Record) -> tuple[Any, Any]:
    """The stamp of the core's half, and that of the rest's."""
    assert record.content is not None
    return f"stamp {record.content['visits']}", record.content.get("name")
