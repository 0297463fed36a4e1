"""What a supervised service is handed by its supervisor, and what it says back.

Both pass through inherited file descriptors, so that nothing has to be agreed on beforehand: no port is taken
twice, no address is polled, and a service that is run by hand simply finds neither.
"""

import os
import socket
from typing import Final

SOCKET_VARIABLE: Final = "MYSTIRA_SOCKET_FD"
READY_VARIABLE: Final = "MYSTIRA_READY_FD"
READY: Final = b"ready\n"


def inherited_socket() -> socket.socket | None:
    """The listening socket of the platform, or None for a service that was started on its own.

    All processes of the API share it, and the supervisor keeps it open: while one of them starts again,
    callers wait in its queue instead of being refused. Asked once; the answer is the caller's to close.
    """
    descriptor = os.environ.pop(SOCKET_VARIABLE, None)
    return None if descriptor is None else socket.socket(fileno=int(descriptor))


def announce_ready() -> None:
    """Tell the supervisor, if there is one, that this service takes work from now on. Idempotent."""
    descriptor = os.environ.pop(READY_VARIABLE, None)
    if descriptor is not None:
        with open(int(descriptor), "wb", buffering=0) as pipe:
            pipe.write(READY)
