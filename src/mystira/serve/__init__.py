"""Puts the services together as processes: which application, which stores, which signals, which logs.

`mystira serve NAME` comes here. A process takes its callers from the supervisor's socket where there is one,
says that it is ready when it takes work, and ends within about three seconds when it is told to.
"""

import gc
from collections.abc import Awaitable, Callable
from importlib import import_module
from typing import Final

import uvloop

from mystira.serve.logs import configure_logs
from mystira.settings import Settings

SERVICES: Final = {"api": "mystira.serve.api:serve_api", "worker": "mystira.serve.worker:serve_worker"}
"""Each process's name, and where it begins; imported only when it is asked for, since that takes time."""


def serve(name: str, settings: Settings) -> None:
    """Run one of SERVICES until SIGTERM or SIGINT.

    The settings must name the servers. Raises SettingError, AddressError and UnavailableError.
    """
    configure_logs(name)
    module, _, function = SERVICES[name].partition(":")
    run: Callable[[Settings], Awaitable[None]] = getattr(import_module(module), function)

    async def main() -> None:
        await run(settings)

    spare_the_collector()
    uvloop.run(main())


def spare_the_collector() -> None:
    """Have the cycle collector look seldom, and never again at what was imported.

    A batch of records is some hundred thousand young objects that reference counting frees by itself; looking
    for cycles among them took a third of the processor time of a copy (77 against 49 µs a record, measured on
    20 000 accounts). Memory is hardly touched: 165 MB either way.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 20, 100)
