"""Being told to stop."""

import asyncio
import contextlib
import signal
from collections.abc import Iterator
from typing import Final

_STOPPING: Final = (signal.SIGTERM, signal.SIGINT)


@contextlib.contextmanager
def told_to_stop() -> Iterator[asyncio.Event]:
    """An event that is set by SIGTERM or SIGINT for the length of the block."""
    loop, told = asyncio.get_running_loop(), asyncio.Event()
    for number in _STOPPING:
        loop.add_signal_handler(number, told.set)
    try:
        yield told
    finally:
        for number in _STOPPING:
            loop.remove_signal_handler(number)
