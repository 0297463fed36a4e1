"""How often something may be asked for, alike in Redis and in its twin in memory."""

import asyncio
import uuid

import pytest
from redis.asyncio import Redis

from manystore.clock import SystemClock
from manystore.errors import UnavailableError
from mystira.domain.errors import TooOftenError
from mystira.gateways.connections import open_redis
from mystira.gateways.limits import Limit, MemoryRateLimits, RateLimits, RedisRateLimits
from tests.unit.clocks import ManualClock

FIVE = Limit(name="five", count=5, seconds=3600.0)


@pytest.fixture(params=["memory", "redis"])
def limits(request: pytest.FixtureRequest, redis: Redis) -> RateLimits:
    """Limits in either place."""
    return MemoryRateLimits(SystemClock()) if request.param == "memory" else RedisRateLimits(redis)


@pytest.fixture
def key() -> str:
    return uuid.uuid4().hex


async def _taken(limits: RateLimits, limit: Limit, key: str, times: int) -> int:
    ended = await asyncio.gather(*(limits.take(limit, key) for _ in range(times)), return_exceptions=True)
    assert {type(each) for each in ended if each is not None} <= {TooOftenError}
    return ended.count(None)


async def test_so_many_are_let_through_and_no_more(limits: RateLimits, key: str) -> None:
    """However many ask at once; whoever is refused is told when to ask again."""
    assert await _taken(limits, FIVE, key, 50) == 5
    with pytest.raises(TooOftenError) as refused:
        await limits.take(FIVE, key)
    assert 700 < refused.value.retry_after <= 720


async def test_keys_and_limits_are_counted_apart(limits: RateLimits, key: str) -> None:
    """One person's haste is not another's, nor is one sort of question another."""
    assert await _taken(limits, FIVE, key, 6) == 5
    assert await _taken(limits, FIVE, key + "2", 6) == 5
    assert await _taken(limits, Limit(name="three", count=3), key, 6) == 3


async def test_the_next_is_let_through_when_its_share_of_the_time_has_passed(
    limits: RateLimits, key: str
) -> None:
    """Asking too often meanwhile costs nothing."""
    quick = Limit(name="quick", count=5, seconds=1.0)
    assert await _taken(limits, quick, key, 5) == 5
    with pytest.raises(TooOftenError) as refused:
        await asyncio.gather(*(limits.take(quick, key) for _ in range(20)))
    assert 0 < refused.value.retry_after <= 0.2
    await asyncio.sleep(refused.value.retry_after)
    await limits.take(quick, key)
    await asyncio.sleep(1.01)
    assert await _taken(limits, quick, key, 9) == 5


async def test_an_hour_goes_by_in_memory(key: str) -> None:
    """Exactly one more each twelve minutes."""
    clock = ManualClock()
    limits = MemoryRateLimits(clock)
    assert await _taken(limits, FIVE, key, 9) == 5
    clock.advance(719.0)
    assert await _taken(limits, FIVE, key, 9) == 0
    clock.advance(1.0)
    assert await _taken(limits, FIVE, key, 9) == 1
    clock.advance(3600.0)
    assert await _taken(limits, FIVE, key, 9) == 5


async def test_what_is_counted_is_forgotten_in_time(redis: Redis, key: str) -> None:
    """Nothing is kept longer than it counts, and the key stands there as it was given."""
    await RedisRateLimits(redis).take(FIVE, key)
    assert 700 < await redis.ttl(f"mystira:limit:five:{key}") <= 720


async def test_without_redis_nobody_is_let_through() -> None:
    """What cannot be counted could be asked for without end."""
    async with open_redis("redis://127.0.0.1:1/0") as nowhere:
        with pytest.raises(UnavailableError):
            await RedisRateLimits(nowhere).take(FIVE, "key")
