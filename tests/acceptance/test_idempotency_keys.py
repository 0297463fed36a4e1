"""What is known of a key, alike in Redis and in its twin in memory."""

import uuid
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from redis.asyncio import Redis

from manystore.errors import UnavailableError
from mystira.gateways.connections import open_redis
from mystira.gateways.idempotency import (
    HELD_SECONDS,
    KEPT_SECONDS,
    Answered,
    Begun,
    Held,
    IdempotencyKeys,
    MemoryIdempotencyKeys,
    OtherRequest,
    RedisIdempotencyKeys,
    Standing,
)
from tests.unit.clocks import ManualClock


@pytest_asyncio.fixture(params=["memory", "redis"])
async def keys(request: pytest.FixtureRequest, redis: Redis) -> AsyncIterator[IdempotencyKeys]:
    """Keys in either place."""
    yield MemoryIdempotencyKeys(ManualClock()) if request.param == "memory" else RedisIdempotencyKeys(redis)


@pytest.fixture
def key() -> str:
    return uuid.uuid4().hex


async def begin(
    keys: IdempotencyKeys, key: str, holder: str, record_id: str = "id-1", fingerprint: str = "f"
) -> Standing:
    return await keys.begin(key, fingerprint=fingerprint, record_id=record_id, holder=holder)


async def test_a_new_key_is_begun_with_the_id_offered(keys: IdempotencyKeys, key: str) -> None:
    """The record gets the id of the first attempt."""
    assert await begin(keys, key, "one") == Begun("id-1", again=False)


async def test_a_key_under_way_is_held_against_others(keys: IdempotencyKeys, key: str) -> None:
    """Another attempt hears for how long; the holder itself, asking again, is told the same as before."""
    await begin(keys, key, "one")
    other = await begin(keys, key, "two", "id-2")
    assert isinstance(other, Held)
    assert 0 < other.seconds <= HELD_SECONDS
    assert await begin(keys, key, "one", "id-3") == Begun("id-1", again=False)


async def test_an_answer_is_given_again_and_the_first_one_stands(keys: IdempotencyKeys, key: str) -> None:
    """Whoever comes later gets the answer, byte for byte."""
    await begin(keys, key, "one")
    await keys.finish(key, answer=b"\x00\xff first")
    await keys.finish(key, answer=b"second")
    assert await begin(keys, key, "two", "id-2") == Answered(b"\x00\xff first")


async def test_a_key_belongs_to_one_request(keys: IdempotencyKeys, key: str) -> None:
    """Another fingerprint is refused while the first is under way, after its release and after its end."""
    await begin(keys, key, "one")
    assert await begin(keys, key, "two", fingerprint="g") == OtherRequest()
    await keys.release(key, holder="one")
    assert await begin(keys, key, "two", fingerprint="g") == OtherRequest()
    await keys.finish(key, answer=b"done")
    assert await begin(keys, key, "two", fingerprint="g") == OtherRequest()


async def test_a_released_key_goes_on_under_the_same_id(keys: IdempotencyKeys, key: str) -> None:
    """The next attempt cannot know whether the first has written, so it writes under the first one's id."""
    await begin(keys, key, "one")
    await keys.release(key, holder="somebody else")
    assert isinstance(await begin(keys, key, "two", "id-2"), Held)
    await keys.release(key, holder="one")
    assert await begin(keys, key, "two", "id-2") == Begun("id-1", again=True)


async def test_a_key_whose_holder_died_is_free_after_a_while() -> None:
    """Held for so long and no longer; forgotten after a day."""
    clock = ManualClock()
    keys = MemoryIdempotencyKeys(clock)
    await begin(keys, "k", "one")
    clock.advance(HELD_SECONDS)
    assert await begin(keys, "k", "two", "id-2") == Begun("id-1", again=True)
    clock.advance(KEPT_SECONDS)
    assert await begin(keys, "k", "three", "id-3", "g") == Begun("id-3", again=False)


async def test_redis_frees_and_forgets_by_its_own_clock(redis: Redis, key: str) -> None:
    """A holder's time that has passed counts as over, and every key has an end."""
    keys = RedisIdempotencyKeys(redis)
    await begin(keys, key, "one")
    name = f"mystira:idempotency:{key}"
    assert 0 < await redis.ttl(name) <= KEPT_SECONDS
    await redis.hset(name, "until", "1")
    assert await begin(keys, key, "two", "id-2") == Begun("id-1", again=True)
    await keys.finish(key, answer=b"done")
    assert 0 < await redis.ttl(name) <= KEPT_SECONDS


async def test_an_answer_to_a_forgotten_key_makes_no_new_one(keys: IdempotencyKeys, key: str) -> None:
    """Without its fingerprint a key would stand for any request."""
    await keys.finish(key, answer=b"late")
    assert await begin(keys, key, "one", "id-9") == Begun("id-9", again=False)


async def test_without_redis_nothing_is_known_of_a_key() -> None:
    """A Redis that is not there is told as such, by each method, and soon."""
    async with open_redis("redis://127.0.0.1:1/0") as redis:
        keys = RedisIdempotencyKeys(redis)
        for asking in (
            begin(keys, "k", "one"),
            keys.finish("k", answer=b""),
            keys.release("k", holder="one"),
            keys.ping(),
        ):
            with pytest.raises(UnavailableError):
                await asking
