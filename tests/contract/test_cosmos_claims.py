"""Values that are one record's own in Cosmos DB, whoever crashes or is slow."""

import pytest
from azure.cosmos.aio import CosmosClient

from manystore.errors import (
    UniqueError,
)
from manystore.records import Record
from manystore.stores.cosmos import CosmosStore
from manystore.stores.cosmos.claims import Owner
from manystore.stores.cosmos.ids import id_of
from manystore.stores.store import KeyRange
from manystore.testing import samples
from manystore.testing.samples import PEOPLE, person
from tests.cosmos_server.fixtures import container, database, portal, server, store

__all__ = ["database", "portal", "server", "store"]

ADA, BEN = samples.key_of(1), samples.key_of(2)

pytestmark = pytest.mark.filterwarnings("ignore:Sending a large body:ResourceWarning")


class TestClaims:
    """A value is one record's own, whoever crashes or is slow."""

    async def test_claim_of_a_crashed_writer_is_taken_over(self, store: CosmosStore) -> None:
        """A claim whose owner never wrote gives way to the next claimant."""
        await _claim_and_stop(store, ADA, "one@b.org")
        await store.put(PEOPLE, BEN, person(2, email="One@b.org"), expected=None, epoch=1)
        assert await store.get(PEOPLE, ADA) is None
        assert await store.scan(PEOPLE, KeyRange(), 9) == [Record(BEN, 1, person(2, email="One@b.org"))]
        assert (await store.put(PEOPLE, ADA, person(1), expected=None, epoch=1)).version == 1

    @pytest.mark.parametrize("is_there", [False, True])
    async def test_slow_writer_cannot_write_once_it_lost_its_claim(
        self, store: CosmosStore, is_there: bool
    ) -> None:
        """A writer that was only slow fails at its write, so the value is never held twice."""
        if is_there:
            await store.put(PEOPLE, ADA, person(1), expected=None, epoch=1)
        places = store._places(PEOPLE)
        read = await places.held(ADA)
        await _claim_and_stop(store, ADA, "one@b.org")
        await store.put(PEOPLE, BEN, person(2, email="one@b.org"), expected=None, epoch=1)
        item = {"id": ADA, "email": "one@b.org"}
        if read is None:
            assert await places.container.create(item) is None
        else:
            assert await places.container.replace(item, read.etag) is None
        expected = 1 if is_there else None
        with pytest.raises(UniqueError):
            await store.put(PEOPLE, ADA, person(1, email="one@b.org"), expected=expected, epoch=1)

    async def test_giving_up_does_not_take_what_was_claimed_anew(self, store: CosmosStore) -> None:
        """A late release of a former claim leaves the present one alone."""
        places = store._places(PEOPLE)
        await store.put(PEOPLE, ADA, person(1, email="a@b.org"), expected=None, epoch=1)
        former = await places.held(ADA)
        await store.put(PEOPLE, ADA, person(1, email="c@b.org"), expected=1, epoch=1)
        await store.put(PEOPLE, ADA, person(1, email="a@b.org"), expected=2, epoch=1)
        await places.claims.give_up(former, [])
        with pytest.raises(UniqueError):
            await store.put(PEOPLE, BEN, person(2, email="a@b.org"), expected=None, epoch=1)

    async def test_old_items_hold_their_values_unclaimed(
        self, store: CosmosStore, portal: CosmosClient, database: str
    ) -> None:
        """A value of a record that was never written through the engine is not given to another."""
        items = await container(portal, database, PEOPLE)
        await items.create_item(person(1, email="Old@b.org"))
        with pytest.raises(UniqueError):
            await store.put(PEOPLE, BEN, person(2, email="oLD@b.org"), expected=None, epoch=1)
        await store.put(PEOPLE, ADA, person(1, email="new@b.org"), expected=0, epoch=1)
        await store.put(PEOPLE, BEN, person(2, email="oLD@b.org"), expected=None, epoch=1)


async def _claim_and_stop(store: CosmosStore, key: str, email: str) -> None:
    """What is left by a writer that claimed a value and then crashed, or waits."""
    places = store._places(PEOPLE)
    content = {"id": key, "email": email}
    await places.claims.reserve(await places.held(key), Owner(key, id_of(key)), content)
