"""What somebody who looks after Redis wants to know of it."""

import contextlib
from typing import Any

import msgspec
from redis.asyncio import Redis
from redis.exceptions import RedisError

from manystore.errors import UnavailableError


class RedisState(msgspec.Struct, frozen=True, kw_only=True):
    """A server as it is just now; `now` is its clock in seconds since 1970."""

    version: str
    now: float
    appends: bool
    """Whether writes go to an append-only file."""


async def inspect_redis(url: str) -> RedisState:
    """Ask the server. Raises UnavailableError."""
    client = Redis.from_url(url, socket_timeout=5.0, socket_connect_timeout=5.0)
    try:
        about: dict[str, Any] = await client.info()
        seconds, micros = await client.time()
    except (RedisError, OSError, TimeoutError) as error:
        reason = f"{type(error).__name__}: {error}".rstrip(": ")
        raise UnavailableError(subject="Redis", reason=reason) from error
    finally:
        with contextlib.suppress(RedisError, OSError):
            await client.aclose()
    return RedisState(
        version=str(about["redis_version"]),
        now=float(seconds) + float(micros) / 1e6,
        appends=bool(about.get("aof_enabled")),
    )
