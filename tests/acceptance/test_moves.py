"""The same move, on real stores: there, back and there again under writes, with nothing lost."""

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
import pytest_asyncio

from manystore.moves.tasks import Action
from manystore.placement import Phase, read_state
from manystore.stores.cosmos import CosmosStore
from manystore.stores.postgres import PostgresStore
from manystore.stores.sqlite import SqliteStore
from manystore.stores.store import Store
from tests.contract.postgres_tables import MAPPINGS, clear, prepare
from tests.cosmos_server.fixtures import server
from tests.cosmos_server.process import KEY, CosmosServer
from tests.unit.moving import Scene, adopt, person
from tests.unit.witness import Witness, stop

__all__ = ["server"]

# Of a large batch the SDK hands text to the HTTP client, which would rather be handed a stream.
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:Sending a large body:ResourceWarning"),
]


@pytest_asyncio.fixture(scope="module")
async def database(postgres_database: str) -> str:
    """A database with the tables of the sample kinds."""
    await prepare(postgres_database)
    return postgres_database


@pytest.fixture(params=["sqlite", "cosmos"])
async def scene(request: pytest.FixtureRequest, tmp_path: Path, database: str) -> AsyncIterator[Scene]:
    """A document store and PostgreSQL, with a kind in the former."""
    await clear(database)
    source: Store = SqliteStore(tmp_path / "documents.sqlite")
    if request.param == "cosmos":
        server: CosmosServer = request.getfixturevalue("server")
        source = CosmosStore(server.url, KEY, f"test-{uuid.uuid4().hex}")
    target = PostgresStore(database, MAPPINGS)
    async with contextlib.AsyncExitStack() as stack:
        for store in (source, target):
            stack.push_async_callback(store.close)
            await store.open()
        yield Scene(source, target, tmp_path / "certificates")


async def test_a_move_there_and_back_and_there_again_loses_nothing(scene: Scene) -> None:
    """Two nodes write through every step; each acknowledged write is in the truth at the end."""
    await adopt(scene.source, 2000)
    witnesses = [Witness(scene, f"node-{number}", number) for number in (2, 3)]
    async with scene.working():
        writing = [asyncio.create_task(each.write_on(pause=0.02)) for each in witnesses]
        started = await scene.do(Action.START)
        assert (started["records"] >= 2000, started["queued"]) == (True, 0)
        for there in (True, False, True):
            verified = await scene.do(Action.VERIFY)
            assert (verified["differences"], verified["samples"]) == (0, [])
            await scene.do(Action.CUT_OVER if there else Action.CUT_BACK)
            await asyncio.sleep(0.3)
        await stop(writing)
        assert (await read_state(scene.people)).phase is Phase.DUAL_WRITE_TARGET_READ
        assert (await scene.do(Action.VERIFY))["differences"] == 0
    assert sum(len(witness.seen) for witness in witnesses) > 20
    for witness in witnesses:
        assert await witness.compare() == []
        assert witness.people.counters.fallback_reads == 0


async def test_values_that_change_hands_do_so_at_the_copy_in_either_direction(scene: Scene) -> None:
    """Addresses go round among three and come to a fourth whose owner is deleted, unseen by the follower
    until all is done: nothing is left in the queue, and the truth moves there and back.
    """
    await adopt(scene.source, 6)
    await scene.do(Action.START)
    for action in (Action.CUT_OVER, Action.CUT_BACK):
        await hand_on(scene, action is Action.CUT_OVER)
        track = await scene.track()
        await track.reach(await track.truth.head(track.kind))
        assert await track.queue.entries() == []
        verified = await scene.do(Action.VERIFY)
        assert (verified["differences"], verified["samples"]) == (0, [])
        await scene.do(action)


async def hand_on(scene: Scene, is_first: bool) -> None:
    """Three people hand their addresses on in a circle; one is deleted, and another takes that address."""
    people = scene.repository()
    stored = [await people.get(person(number).id) for number in (0, 1, 2, 3 if is_first else 4, 5)]
    first, second, third, gone, heir = (each for each in stored if each is not None)
    free = msgspec.structs.replace(first.value, email="nobody@example.org")
    freed = await people.change(first, free)
    await people.delete(gone)
    for taker, giver in ((second, first), (third, second), (freed, third), (heir, gone)):
        await people.change(taker, msgspec.structs.replace(taker.value, email=giver.value.email))
