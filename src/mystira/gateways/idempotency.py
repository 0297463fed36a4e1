"""Remembers for a day what was answered to each Idempotency-Key, so that a repeated creation creates once.

A key is *held* while its request is under way, and *answered* afterwards. With the key goes the id that the
record is to have: should a process die between writing the record and noting the answer, the next attempt
writes under the same id, finds the record there, and so creates nothing twice.
"""

import math
from typing import Any, Final, Protocol

import msgspec
from redis.asyncio import Redis

from manystore.clock import Clock
from manystore.errors import UnavailableError
from mystira.gateways.connections import redis_errors

KEPT_SECONDS: Final = 24 * 3600
HELD_SECONDS: Final = 10.0
"""As long as a request may take; a key whose holder died is free after that. One that takes longer shares the
record's id with the next attempt, so that there is still one record."""
_PREFIX: Final = "mystira:idempotency:"


class Begun(msgspec.Struct, frozen=True):
    """Go on, and give the record this id. With `again`, an earlier attempt may have written it already."""

    record_id: str
    again: bool


class Answered(msgspec.Struct, frozen=True):
    """It has been done, and this was the answer."""

    answer: bytes


class Held(msgspec.Struct, frozen=True):
    """Another attempt is under way, for at most this many seconds."""

    seconds: float


class OtherRequest(msgspec.Struct, frozen=True):
    """The key stands for another request."""


Standing = Begun | Answered | Held | OtherRequest


class IdempotencyKeys(Protocol):
    """What is known of each key. Every method raises UnavailableError where that cannot be known."""

    async def begin(self, key: str, *, fingerprint: str, record_id: str, holder: str) -> Standing:
        """Hold the key for the request with this fingerprint, unless it is taken.

        `record_id` is the id to use if the key is new; `holder` is unique to the attempt, and a holder who
        asks again is told the same again.
        """

    async def finish(self, key: str, *, answer: bytes) -> None:
        """Note the answer; the first one stands."""

    async def release(self, key: str, *, holder: str) -> None:
        """Let the next attempt begin at once, if this holder still has the key."""


# Times are those of Redis, so that processes whose clocks differ agree.
_BEGIN: Final = """
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local known = redis.call('HMGET', KEYS[1], 'fingerprint', 'id', 'answer', 'holder', 'until')
local hold = function() redis.call('HSET', KEYS[1], 'holder', ARGV[3], 'until', now + ARGV[4]) end
if not known[1] then
    redis.call('HSET', KEYS[1], 'fingerprint', ARGV[1], 'id', ARGV[2])
    redis.call('EXPIRE', KEYS[1], ARGV[5])
    hold()
    return {'begun', ARGV[2]}
end
if known[1] ~= ARGV[1] then return {'other'} end
if known[3] then return {'answered', known[3]} end
if known[4] == ARGV[3] then return {'begun', known[2]} end
local left = tonumber(known[5] or 0) - now
if left > 0 then return {'held', left} end
hold()
return {'again', known[2]}
"""

# A key that ran out meanwhile is not made anew: without its fingerprint it would stand for any request.
_FINISH: Final = """
if redis.call('EXISTS', KEYS[1]) == 1 then
    redis.call('HSETNX', KEYS[1], 'answer', ARGV[1])
    redis.call('HDEL', KEYS[1], 'holder', 'until')
end
"""

_RELEASE: Final = """
if redis.call('HGET', KEYS[1], 'holder') == ARGV[1] then redis.call('HDEL', KEYS[1], 'holder', 'until') end
"""


class RedisIdempotencyKeys:
    """Keys in Redis, seen by every process."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._begin = redis.register_script(_BEGIN)
        self._finish = redis.register_script(_FINISH)
        self._release = redis.register_script(_RELEASE)

    async def begin(self, key: str, *, fingerprint: str, record_id: str, holder: str) -> Standing:
        """See IdempotencyKeys.begin."""
        arguments: list[str | int] = [
            fingerprint,
            record_id,
            holder,
            math.ceil(HELD_SECONDS * 1000),
            KEPT_SECONDS,
        ]
        with redis_errors():
            found: list[Any] = await self._begin(keys=[_PREFIX + key], args=arguments)
        match found:
            case [b"answered", answer]:
                return Answered(answer)
            case [b"held", milliseconds]:
                return Held(int(milliseconds) / 1000)
            case [b"other"]:
                return OtherRequest()
            case [word, record]:
                return Begun(record.decode(), again=word == b"again")
            case _:
                raise UnavailableError(subject="redis", reason=f"it answered {found!r}")

    async def finish(self, key: str, *, answer: bytes) -> None:
        """See IdempotencyKeys.finish."""
        with redis_errors():
            await self._finish(keys=[_PREFIX + key], args=[answer])

    async def release(self, key: str, *, holder: str) -> None:
        """See IdempotencyKeys.release."""
        with redis_errors():
            await self._release(keys=[_PREFIX + key], args=[holder])

    async def ping(self) -> None:
        """Raise UnavailableError unless Redis answers."""
        with redis_errors():
            await self._redis.execute_command("PING")  # type: ignore[no-untyped-call]


class _Known(msgspec.Struct):
    """What the twin in memory knows of a key."""

    fingerprint: str
    record_id: str
    ends: float
    holder: str | None
    held_until: float
    answer: bytes | None = None


class MemoryIdempotencyKeys:
    """Keys in a dictionary, for tests and for trying things out."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._known: dict[str, _Known] = {}

    async def begin(self, key: str, *, fingerprint: str, record_id: str, holder: str) -> Standing:
        """See IdempotencyKeys.begin."""
        now = self._clock.monotonic()
        known = self._known.get(key)
        if known is None or known.ends <= now:
            held_until = now + HELD_SECONDS
            self._known[key] = _Known(fingerprint, record_id, now + KEPT_SECONDS, holder, held_until)
            return Begun(record_id, again=False)
        if known.fingerprint != fingerprint:
            return OtherRequest()
        if known.answer is not None:
            return Answered(known.answer)
        if known.holder == holder:
            return Begun(known.record_id, again=False)
        if known.holder is not None and known.held_until > now:
            return Held(known.held_until - now)
        known.holder, known.held_until = holder, now + HELD_SECONDS
        return Begun(known.record_id, again=True)

    async def finish(self, key: str, *, answer: bytes) -> None:
        """See IdempotencyKeys.finish."""
        known = self._known.get(key)
        if known is not None and known.answer is None:
            known.answer, known.holder = answer, None

    async def release(self, key: str, *, holder: str) -> None:
        """See IdempotencyKeys.release."""
        known = self._known.get(key)
        if known is not None and known.holder == holder:
            known.holder = None
