"""What the servers that come with the platform promise."""

from pathlib import Path

import asyncpg
import pytest
from redis.asyncio import Redis
from redis.exceptions import AuthenticationError

from mystira.servers import embedded_servers
from mystira.settings import Settings
from tests.embedded import database_url, embedded

__all__ = ["database_url", "embedded"]


async def test_text_is_ordered_by_code_point(database_url: str) -> None:
    """Whatever the machine's locale is, PostgreSQL orders text as every other store does."""
    connection = await asyncpg.connect(database_url)
    words = ["a", "B", "é", "z", "😀", "Z", "\ufffd"]
    rows = await connection.fetch("SELECT word FROM unnest($1::text[]) AS word ORDER BY word", words)
    assert [row["word"] for row in rows] == sorted(words)
    await connection.close()


async def test_nobody_enters_without_the_password(embedded: Settings) -> None:
    """Loopback is shared with every user of the machine, so both servers ask who is there."""
    assert embedded.postgres_url is not None
    assert embedded.redis_url is not None
    head, _, place = embedded.postgres_url.rpartition("@")
    user = head.split("//")[1].split(":")[0]
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(f"postgresql://{user}:guess@{place}")
    async with Redis.from_url(f"redis://{embedded.redis_url.rpartition('@')[2]}") as redis:
        with pytest.raises(AuthenticationError):
            await redis.get("anything")


async def test_nothing_acknowledged_is_lost_with_the_power(tmp_path: Path) -> None:
    """Unless told otherwise PostgreSQL syncs each commit and checks its pages; Redis appends each second."""
    async with embedded_servers(Settings(data_folder=tmp_path / "data")) as running:
        assert running.postgres_url is not None
        assert running.redis_url is not None
        connection = await asyncpg.connect(running.postgres_url)
        for name in ("fsync", "synchronous_commit", "full_page_writes", "data_checksums"):
            assert await connection.fetchval(f"SHOW {name}") == "on", name
        await connection.close()
        async with Redis.from_url(running.redis_url, decode_responses=True) as redis:
            assert await redis.config_get("appendonly") == {"appendonly": "yes"}
            assert await redis.config_get("appendfsync") == {"appendfsync": "everysec"}


async def test_servers_that_are_given_by_url_are_not_started(tmp_path: Path) -> None:
    """A URL means: somebody else runs that server."""
    given = Settings(
        data_folder=tmp_path / "data",
        postgres_url="postgresql://u:p@db.example:5432/d",
        redis_url="redis://cache.example:6379/0",
    )
    async with embedded_servers(given) as running:
        assert (running.postgres_url, running.redis_url) == (given.postgres_url, given.redis_url)
        # Nothing is embedded, so nothing is played at: no mailbox page, no sandbox for payments.
        assert (running.mailbox, running.payments) == (False, "none")
    assert not (tmp_path / "data" / "postgres").exists()
    assert not (tmp_path / "data" / "redis").exists()
