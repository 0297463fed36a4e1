"""Redis as the gateways use it: asked at most twice and given up soon, since whoever waits is a request."""

import contextlib
from collections.abc import AsyncIterator, Iterator
from typing import Final

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from manystore.errors import UnavailableError

_PATIENCE: Final = 1.0


@contextlib.asynccontextmanager
async def open_redis(url: str) -> AsyncIterator[Redis]:
    """The Redis of that URL, whether it answers yet or not."""
    redis = Redis.from_url(
        url, socket_timeout=_PATIENCE, socket_connect_timeout=_PATIENCE, retry=Retry(NoBackoff(), 1)
    )
    async with redis:
        yield redis


@contextlib.contextmanager
def redis_errors() -> Iterator[None]:
    """Turn what Redis and its connection may raise into UnavailableError."""
    try:
        yield
    except (RedisError, OSError, TimeoutError) as error:
        raise UnavailableError(subject="redis", reason=type(error).__name__) from error
