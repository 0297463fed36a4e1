"""A piece of work is held by one owner, and goes to another when that one is gone."""

from collections.abc import AsyncIterator

import pytest

from manystore.followers.claim import Claim
from manystore.stores.memory import MemoryStore
from tests.unit.clocks import ManualClock


@pytest.fixture
async def store() -> AsyncIterator[MemoryStore]:
    made = MemoryStore("tables")
    await made.open()
    yield made
    await made.close()


async def test_a_silent_holder_loses_its_claim_after_a_while(store: MemoryStore) -> None:
    """Not to somebody who has just come, whatever the age of the claim, and not while it is renewed."""
    clock = ManualClock()
    one, two = (Claim(store, "work", owner=owner, clock=clock) for owner in ("one", "two"))
    assert await one.hold()
    clock.advance(60.0)
    assert not await two.hold()
    assert await one.hold()
    clock.advance(1.9)
    assert not await two.hold()
    clock.advance(2.1)
    assert await two.hold()
    assert not await one.hold()


async def test_a_holder_that_is_known_to_be_dead_loses_it_at_once(store: MemoryStore) -> None:
    """Who is not known to be dead keeps it, and nobody takes a claim from himself."""
    clock, dead = ManualClock(), set[str]()
    one, two = (
        Claim(store, "work", owner=owner, clock=clock, is_dead=dead.__contains__) for owner in ("one", "two")
    )
    assert await one.hold()
    assert not await two.hold()
    dead |= {"one"}
    assert await two.hold()
    clock.advance(1.0)
    assert await two.hold()
