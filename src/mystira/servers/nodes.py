"""The names of processes, by which those of one machine can see of each other that they are gone.

Whether a process is alive is otherwise told by its silence, which takes seconds: over a network nothing else
says so. Where the kernel that both run on knows better, nobody has to wait. Two processes are on one machine
when the kernel was started once for both and they count processes alike: neither a host's name nor a process
number says that alone, as containers show.
"""

import functools
import hashlib
import os
import secrets
import socket
from pathlib import Path
from typing import Final

from mystira.servers.folder import is_alive

_BOOT: Final = Path("/proc/sys/kernel/random/boot_id")
_PROCESSES: Final = Path("/proc/self/ns/pid")


def name_node(role: str) -> str:
    """A name for this process, unlike that of any process before it: role, machine, number, chance."""
    return f"{role}-{_machine()}-{os.getpid()}-{secrets.token_hex(4)}"


def is_gone(node: str) -> bool:
    """Whether a process that called itself so is known to be gone; False where that cannot be told from here.

    A number that another process has by now hides a death, and so leaves it to silence.
    """
    named, _, rest = node.partition("-")
    machine, _, numbers = rest.rpartition("-")
    machine, _, number = machine.rpartition("-")
    if not (named and numbers and number.isdigit()) or machine != _machine():
        return False
    return not is_alive(int(number))


@functools.cache
def _machine() -> str:
    try:
        seen = f"{_BOOT.read_text(encoding='ascii').strip()} {_PROCESSES.stat().st_ino}"
    except OSError:
        # No kernel that says so: a machine that nobody else is on, and thus no conclusions.
        seen = secrets.token_hex(16)
    return f"{socket.gethostname()}.{hashlib.blake2b(seen.encode(), digest_size=4).hexdigest()}"
