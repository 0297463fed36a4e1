"""The worker: follows every kind's changes and carries out the steps of moves, in the background.

Any number of them may run, on any machine: they share the followers by claims and the ranges of each move by
durable workflows, and whatever one leaves when it dies the next one takes up.
"""

import asyncio
import datetime as dt
from typing import Any, Final

import structlog

from manystore.errors import ManystoreError
from manystore.moves.durable import DurableWorkflows
from manystore.moves.workflows import Workflows
from manystore.repository import Repository
from mystira.domain.purchases.checkout import Checkout, checkout_of
from mystira.domain.purchases.payments import Payments
from mystira.domain.purchases.sweeping import sweep_purchases
from mystira.domain.signing_in.expiry import remove_expired
from mystira.domain.signing_in.kind import PENDING_SIGNUPS, SIGN_INS
from mystira.domain.signing_in.model import PendingSignup, SignIn
from mystira.platform import Platform
from mystira.servers.nodes import is_gone

TIDIED_EVERY: Final = 3600.0
SWEPT_EVERY: Final = 2.0

log = structlog.get_logger(__name__)


async def work_until(stop: asyncio.Event, platform: Platform, payments: Payments) -> None:
    """Work until told to stop. Raises what ended the work if that comes first."""
    async with asyncio.TaskGroup() as group:
        working = group.create_task(platform.work(_workflows(platform)), name="worker")
        tidying = group.create_task(keep_tidy(platform), name="tidying")
        selling = group.create_task(keep_selling(checkout_of(platform, payments)), name="purchases")
        stopping = group.create_task(stop.wait(), name="stop")
        await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
        working.cancel()
        tidying.cancel()
        selling.cancel()
        stopping.cancel()


async def keep_tidy(platform: Platform) -> None:
    """Remove codes and sign-ins that ran out, now and then, until cancelled. Any number may do so at once."""
    tidied: list[Repository[Any]] = [
        platform.repository(PendingSignup, PENDING_SIGNUPS),
        platform.repository(SignIn, SIGN_INS),
    ]
    while True:
        for repository in tidied:
            try:
                removed = await remove_expired(repository, platform.clock.now())
            except ManystoreError as error:
                # A store that is away, a truth that moves, one record that cannot be read: none of it is
                # worth the worker's life. What has run out opens nothing any more, so it can wait.
                log.warning("tidying.put_off", kind=repository.kind.name, error=type(error).__name__)
                continue
            if removed:
                log.info("tidying.done", kind=repository.kind.name, removed=removed)
        await platform.clock.sleep(TIDIED_EVERY)


async def keep_selling(checkout: Checkout) -> None:
    """Bring purchases to their end that were left on the way, until cancelled. Any number may do so."""
    while True:
        try:
            swept = await sweep_purchases(checkout)
        except ManystoreError as error:
            log.warning("purchases.not_swept", error=type(error).__name__)
        else:
            if swept.ended or swept.put_off:
                log.info("purchases.swept", ended=swept.ended, put_off=list(swept.put_off))
        await checkout.clock.sleep(SWEPT_EVERY)


def _workflows(platform: Platform) -> Workflows | None:
    """Kept in PostgreSQL; without it, each worker carries out whole tasks."""
    url = platform.settings.postgres_session_url
    if url is None:
        return None
    keep = dt.timedelta(days=platform.settings.log_days)
    return DurableWorkflows(
        url, platform.tables, worker=platform.node, clock=platform.clock, keep=keep, is_dead=is_gone
    )
