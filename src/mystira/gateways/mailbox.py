"""Letters that nobody sends, for a platform that people try out: kept for a while, to be read on a page.

At most so many recipients and so many letters of each are kept, the newest, and none for long.
"""

import datetime as dt
from typing import Any, Final, Protocol

import msgspec
from redis.asyncio import Redis

from manystore.clock import Clock
from mystira.domain.letters import Letter
from mystira.gateways.connections import redis_errors
from mystira.gateways.mail import Mail

KEPT_SECONDS: Final = 3600
MOST_RECIPIENTS: Final = 1000
MOST_LETTERS: Final = 10
_PREFIX: Final = "mystira:mailbox:"


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """A letter in the mailbox, and when it came."""

    at: dt.datetime
    to: str
    subject: str
    text: str
    html: str


class Mailbox(Mail, Protocol):
    """Where letters are kept. Every method raises UnavailableError."""

    async def letters(self, to: str) -> list[Kept]:
        """What came for one recipient, whatever the case, newest first."""

    async def newest(self, count: int) -> list[Kept]:
        """The newest letter of each of the last recipients, newest first."""


_KEEP: Final = """
local letters = KEYS[1] .. 'to:' .. ARGV[1]
redis.call('LPUSH', letters, ARGV[2])
redis.call('LTRIM', letters, 0, ARGV[3] - 1)
redis.call('EXPIRE', letters, ARGV[5])
local recipients = KEYS[1] .. 'recipients'
local clock = redis.call('TIME')
redis.call('ZADD', recipients, string.format('%.0f', clock[1] * 1000000 + clock[2]), ARGV[1])
redis.call('EXPIRE', recipients, ARGV[5])
local old = redis.call('ZRANGE', recipients, 0, -1 - ARGV[4])
for _, each in ipairs(old) do
    redis.call('DEL', KEYS[1] .. 'to:' .. each)
    redis.call('ZREM', recipients, each)
end
"""


class RedisMailbox:
    """Letters in Redis, which every API process reads and writes."""

    def __init__(self, redis: Redis, clock: Clock) -> None:
        self._redis, self._clock = redis, clock
        self._keep = redis.register_script(_KEEP)

    async def send(self, letter: Letter) -> None:
        """See Mail.send; it stays here."""
        kept = msgspec.json.encode(_kept(letter, self._clock))
        arguments: list[Any] = [letter.to.lower(), kept, MOST_LETTERS, MOST_RECIPIENTS, KEPT_SECONDS]
        with redis_errors():
            await self._keep(keys=[_PREFIX], args=arguments)

    async def letters(self, to: str) -> list[Kept]:
        """See Mailbox.letters."""
        with redis_errors():
            found: Any = await self._redis.lrange(f"{_PREFIX}to:{to.lower()}", 0, -1)
        return [msgspec.json.decode(each, type=Kept) for each in found]

    async def newest(self, count: int) -> list[Kept]:
        """See Mailbox.newest."""
        with redis_errors():
            names: Any = await self._redis.zrevrange(f"{_PREFIX}recipients", 0, count - 1)
            async with self._redis.pipeline(transaction=False) as asking:
                for name in names:
                    asking.lindex(f"{_PREFIX}to:{name.decode()}", 0)
                found: list[Any] = await asking.execute()
        kept = [msgspec.json.decode(each, type=Kept) for each in found if each is not None]
        return sorted(kept, key=lambda each: each.at, reverse=True)


class MemoryMailbox:
    """Letters in a list, for tests and for trying things out."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._kept: dict[str, list[Kept]] = {}

    async def send(self, letter: Letter) -> None:
        """See Mail.send; it stays here."""
        name = letter.to.lower()
        letters = [_kept(letter, self._clock), *self._kept.pop(name, [])]
        # Taken out and put in again: the order is that of each recipient's last letter.
        self._kept[name] = letters[:MOST_LETTERS]
        for old in list(self._kept)[:-MOST_RECIPIENTS]:
            del self._kept[old]

    async def letters(self, to: str) -> list[Kept]:
        """See Mailbox.letters."""
        return self._present(self._kept.get(to.lower(), []))

    async def newest(self, count: int) -> list[Kept]:
        """See Mailbox.newest."""
        first = [each for letters in reversed(self._kept.values()) for each in letters[:1]]
        return self._present(first)[:count]

    def _present(self, letters: list[Kept]) -> list[Kept]:
        since = self._clock.now() - dt.timedelta(seconds=KEPT_SECONDS)
        return [each for each in letters if each.at > since]


def _kept(letter: Letter, clock: Clock) -> Kept:
    return Kept(at=clock.now(), to=letter.to, subject=letter.subject, text=letter.text, html=letter.html)
