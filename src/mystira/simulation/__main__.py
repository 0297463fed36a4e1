"""One process of the traffic: `python -m mystira.simulation ORDERS REPORTS`.

ORDERS is a file with what to do, and the variable MYSTIRA_SERVICE_KEY the platform's key; REPORTS the number
of an inherited file descriptor, to which a line is written now and then with how it goes. SIGTERM and SIGINT
stop the load, not the answers that are due.
"""

import asyncio
import os
import signal
import sys
from pathlib import Path

import msgspec

from mystira.clients.service_tokens import ServiceCredentials
from mystira.simulation.carrying_out import make_traffic
from mystira.simulation.processes import KEY_VARIABLE
from mystira.simulation.traffic import Orders, Tally


def _decode_path(declared: type, value: object) -> object:
    return Path(str(value)) if declared is Path else value


async def _work(orders: Orders, reports: int) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)

    def tell(tally: Tally) -> None:
        os.write(reports, msgspec.json.encode(tally) + b"\n")

    credentials = ServiceCredentials(os.environ[KEY_VARIABLE])
    tell(await make_traffic(orders, credentials, stop, tell))


if __name__ == "__main__":
    given = msgspec.json.decode(Path(sys.argv[1]).read_bytes(), type=Orders, dec_hook=_decode_path)
    asyncio.run(_work(given, int(sys.argv[2])))
