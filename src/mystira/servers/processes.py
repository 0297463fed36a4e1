"""Programs that end with whoever started them, however that one ends.

Linux sends a process the signal that it asked for (`PR_SET_PDEATHSIG`) when its parent dies, also of SIGKILL.
Four things about that are easily got wrong, and are the reason for the command line that `_launcher` makes:

- The "parent" is the *thread* that forked. So processes are started from the main thread alone, which lives
  as long as the program.
- The request is forgotten when credentials change, so it is made after the change of user: by the same
  `setpriv`, which does both in the right order.
- The parent may have died before the request was made. So a shell compares the parent's number afterwards,
  and goes on to the program only if it is still ours.
- Ctrl-C goes to the whole process group of the terminal. Each program gets a session of its own, so that the
  supervisor decides who stops in which order.

PostgreSQL refuses to run as root. For root, servers run as `nobody`, but keep one capability, to reach files
whatever their permissions (CAP_DAC_OVERRIDE): thus no folder on the way to the data or to the programs has
to be opened to others. `no_setuid_fixup` is what makes it count: without it the change of user clears the
effective capabilities, and `access(2)`, which servers ask before they open, ignores them.
"""

import asyncio
import os
import shutil
import signal
import threading
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from mystira.errors import ProgramMissingError
from mystira.servers.logs import Log

NOBODY: Final = 65534
_KEEP: Final = "-all,+dac_override"
_UNPRIVILEGED: Final = (
    f"--reuid={NOBODY}",
    f"--regid={NOBODY}",
    "--clear-groups",
    "--securebits=+no_setuid_fixup",
    f"--inh-caps={_KEEP}",
    f"--ambient-caps={_KEEP}",
    f"--bounding-set={_KEEP}",
)
_IF_PARENT_LIVES: Final = 'test "$PPID" = "$0" && exec "$@"'


class Program(msgspec.Struct, frozen=True, kw_only=True):
    """What to run. `dies_by` is the signal that it gets when we die; `as_nobody` matters to root alone."""

    name: str
    command: Sequence[str]
    dies_by: signal.Signals = signal.SIGKILL
    as_nobody: bool = False
    environment: Mapping[str, str] = msgspec.field(default_factory=dict)
    descriptors: tuple[int, ...] = ()


class Process:
    """A program that was started; it is known by this object, never by its number alone."""

    def __init__(self, program: Program, process: asyncio.subprocess.Process, log: Log) -> None:
        self.program, self.log = program, log
        self._process = process

    @property
    def pid(self) -> int:
        """Its process number."""
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """None while it runs; negative: the number of the signal that ended it."""
        return self._process.returncode

    async def ended(self) -> int:
        """Wait until it ends; returns how (see `returncode`)."""
        return await self._process.wait()

    async def stop(self, *steps: tuple[signal.Signals, float]) -> int:
        """Ask it to end by each signal in turn, waiting so many seconds after it; SIGKILL comes last."""
        for number, seconds in (*steps, (signal.SIGKILL, None)):
            if self.returncode is None:
                self.send(number)
            try:
                async with asyncio.timeout(seconds):
                    await self.ended()
                    break
            except TimeoutError:
                continue
        self.log.wait_closed(1.0)
        return await self.ended()

    def send(self, number: signal.Signals) -> None:
        """Send a signal, if it still runs."""
        try:
            self._process.send_signal(number)
        except ProcessLookupError:
            # It ended between our look and the signal, which is what any signal of ours is for.
            return


async def start(program: Program, log: Log) -> Process:
    """Run a program. Raises ProgramMissingError."""
    if threading.current_thread() is not threading.main_thread():
        raise RuntimeError("Processes are started from the main thread, with which they shall end")
    command = (*_launcher(program), *program.command)
    output = log.open_pipe()
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env={**os.environ, **program.environment},
            pass_fds=program.descriptors,
            start_new_session=True,
        )
    finally:
        os.close(output)
    return Process(program, process, log)


def _launcher(program: Program) -> tuple[str, ...]:
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        raise ProgramMissingError(program="setpriv", remedy="install util-linux, which it is a part of")
    unprivileged = _UNPRIVILEGED if program.as_nobody and os.geteuid() == 0 else ()
    died = f"--pdeathsig={program.dies_by.name.removeprefix('SIG')}"
    return (setpriv, *unprivileged, died, "/bin/sh", "-c", _IF_PARENT_LIVES, str(os.getpid()))
