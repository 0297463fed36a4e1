"""Everything that the services call outside of the stores, opened together and handed on as one.

async with open_outside(settings, clock) as outside:
application = compose(platform, outside, probes)
"""

import contextlib
from collections.abc import AsyncIterator
from typing import Final

import msgspec
import structlog
from redis.asyncio import Redis

from manystore.clock import Clock
from mystira.domain.purchases.payments import Payments
from mystira.errors import SettingError
from mystira.gateways.connections import open_redis
from mystira.gateways.idempotency import IdempotencyKeys, MemoryIdempotencyKeys, RedisIdempotencyKeys
from mystira.gateways.limits import MemoryRateLimits, RateLimits, RedisRateLimits
from mystira.gateways.mail import Mail, SmtpMail
from mystira.gateways.mailbox import Mailbox, MemoryMailbox, RedisMailbox
from mystira.gateways.outgoing import Outgoing
from mystira.gateways.payments import MemoryBook, NoPayments, RedisBook, SandboxPayments
from mystira.settings import Settings

CLOSING_SECONDS: Final = 1.0
"""How long letters under way are waited for when a process ends."""

log = structlog.get_logger(__name__)


class Outside(msgspec.Struct, frozen=True, kw_only=True):
    """What is called outside; `mailbox` only where letters are kept instead of being sent, and `payments`
    only where anything can be bought.
    """

    keys: IdempotencyKeys
    limits: RateLimits
    outgoing: Outgoing
    mailbox: Mailbox | None = None
    payments: Payments = msgspec.field(default_factory=NoPayments)


class OpenedOutside(Outside, frozen=True, kw_only=True):
    """The same over Redis, which can be asked whether it answers."""

    keys: RedisIdempotencyKeys


@contextlib.asynccontextmanager
async def open_outside(settings: Settings, clock: Clock) -> AsyncIterator[OpenedOutside]:
    """What the settings name, whether it answers yet or not. Raises SettingError without a Redis."""
    if settings.redis_url is None:
        problem = "is missing, and no Redis is running for this data folder"
        raise SettingError(source="MYSTIRA_REDIS_URL", problem=problem)
    async with open_redis(settings.redis_url) as redis:
        mailbox = RedisMailbox(redis, clock) if settings.mailbox else None
        outgoing = Outgoing(_mail(settings, clock) or mailbox, clock)
        try:
            yield OpenedOutside(
                keys=RedisIdempotencyKeys(redis),
                limits=RedisRateLimits(redis),
                outgoing=outgoing,
                mailbox=mailbox,
                payments=redis_payments(redis, settings, clock),
            )
        finally:
            await outgoing.close(CLOSING_SECONDS)


@contextlib.asynccontextmanager
async def open_payments(settings: Settings, clock: Clock) -> AsyncIterator[Payments]:
    """The gateway that the settings name, for those who call nothing else outside."""
    if settings.redis_url is None:
        yield NoPayments()
        return
    async with open_redis(settings.redis_url) as redis:
        yield redis_payments(redis, settings, clock)


def redis_payments(redis: Redis, settings: Settings, clock: Clock) -> Payments:
    """The sandbox, whose book is in Redis; or none."""
    return SandboxPayments(RedisBook(redis), clock) if settings.payments == "sandbox" else NoPayments()


def _mail(settings: Settings, clock: Clock) -> Mail | None:
    if settings.smtp_url is not None:
        return SmtpMail(settings.smtp_url, sender=settings.mail_from, clock=clock)
    if not settings.mailbox:
        log.warning("mail.none", hint="nobody can sign in until smtp_url is set")
    return None


def memory_outside(clock: Clock, *, keys: IdempotencyKeys | None = None) -> Outside:
    """The same in memory, with a mailbox, for tests and for trying things out."""
    mailbox = MemoryMailbox(clock)
    return Outside(
        keys=keys or MemoryIdempotencyKeys(clock),
        limits=MemoryRateLimits(clock),
        outgoing=Outgoing(mailbox, clock),
        mailbox=mailbox,
        payments=SandboxPayments(MemoryBook(), clock),
    )
