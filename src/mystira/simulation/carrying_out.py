"""Carrying out orders in this process: the load that was ordered, and often a word on how it goes."""

import asyncio
from collections.abc import Callable

from mystira.clients.service import Service
from mystira.clients.service_tokens import Credentials
from mystira.simulation.evenings import Evenings
from mystira.simulation.ledger import Ledger
from mystira.simulation.traffic import Orders, Tally, Traffic


async def make_traffic(
    orders: Orders, credentials: Credentials, stop: asyncio.Event, tell: Callable[[Tally], None]
) -> Tally:
    """Carry out orders in this process; `tell` hears four times a second how it goes."""
    with Ledger(orders.ledger) as ledger:
        async with Service.at(orders.url, credentials) as service:
            make = Evenings if orders.load == "play" else Traffic
            traffic = make(orders, service, ledger)
            telling = asyncio.create_task(_tell_often(traffic, tell))
            try:
                await traffic.run(stop)
            finally:
                telling.cancel()
                await asyncio.gather(telling, return_exceptions=True)
            return traffic.tally


async def _tell_often(traffic: Traffic | Evenings, tell: Callable[[Tally], None]) -> None:
    while True:
        await asyncio.sleep(0.25)
        tell(traffic.tally)
