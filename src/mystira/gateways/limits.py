"""How often something may be asked for, counted where all processes see it.

A limit lets so many through at once and then one whenever its share of the time has passed: five an hour
means five now, and another every twelve minutes. One number is kept a key, the moment at which all that was
let through has been paid for (GCRA, the generic cell rate algorithm of ATM, ITU-T I.371).
"""

import math
from typing import Final, Protocol

import msgspec
from redis.asyncio import Redis

from manystore.clock import Clock
from mystira.domain.errors import TooOftenError
from mystira.gateways.connections import redis_errors

_PREFIX: Final = "mystira:limit:"


class Limit(msgspec.Struct, frozen=True, kw_only=True):
    """At most `count` in so many `seconds`, of each key under this `name`."""

    name: str
    count: int
    seconds: float = 3600.0


class RateLimits(Protocol):
    """What was asked for lately."""

    async def take(self, limit: Limit, key: str) -> None:
        """Count one more. Raises TooOftenError, counting nothing, and UnavailableError.

        The key is kept as it is for as long as the limit says, so it must be none that tells of a person.
        """


# Times are those of Redis, so that processes whose clocks differ agree.
_TAKE: Final = """
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local each, whole = tonumber(ARGV[1]), tonumber(ARGV[2])
local paid = math.max(tonumber(redis.call('GET', KEYS[1]) or 0), now) + each
if paid - now > whole then return paid - now - whole end
redis.call('SET', KEYS[1], string.format('%.0f', paid), 'PX', math.ceil((paid - now) / 1000))
return 0
"""


class RedisRateLimits:
    """Counts in Redis, seen by every process."""

    def __init__(self, redis: Redis) -> None:
        self._take = redis.register_script(_TAKE)

    async def take(self, limit: Limit, key: str) -> None:
        """See RateLimits.take."""
        each = math.ceil(limit.seconds / limit.count * 1e6)
        with redis_errors():
            left = await self._take(keys=[f"{_PREFIX}{limit.name}:{key}"], args=[each, each * limit.count])
        if left:
            raise TooOftenError(retry_after=int(left) / 1e6)


class MemoryRateLimits:
    """Counts in a dictionary, for tests and for trying things out."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._paid: dict[tuple[str, str], float] = {}

    async def take(self, limit: Limit, key: str) -> None:
        """See RateLimits.take."""
        now, each = self._clock.monotonic(), limit.seconds / limit.count
        paid = max(self._paid.get((limit.name, key), 0.0), now) + each
        # What many additions lose in the last digits must not cost anybody an attempt.
        left = paid - now - limit.seconds
        if left > 1e-6:
            raise TooOftenError(retry_after=left)
        self._paid[limit.name, key] = paid
