"""Keeps a platform up: servers first, then the schema, then the services; the other way round at the end.

Every process is started here, so here is where each is missed: one that ends by itself is started again,
after a pause that doubles with every failure in a row. What happens is told as events, for a person to be
shown and for `logs/platform.log`; the supervisor itself prints nothing.
"""

import asyncio
import contextlib
import datetime as dt
import os
import signal
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator, Sequence
from typing import Any, Final, Protocol

import msgspec

from mystira.errors import AddressError, StartError
from mystira.servers import DataFolder, EmbeddedServers
from mystira.servers.logs import Log
from mystira.servers.processes import Process
from mystira.settings import Settings
from mystira.supervisor import events
from mystira.supervisor.roster import FILE_NAME, Roster, RunningProcess
from mystira.supervisor.service import Service, StartedService

FIRST_PAUSE: Final = 0.1
LONGEST_PAUSE: Final = 5.0
STEADY_SECONDS: Final = 3.0
"""A process that ran so long has recovered: its next failure counts as the first."""

STOP_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

Upgrade = Callable[[Settings], Awaitable[None]]
Tell = Callable[[events.Event], None]


class Kept(Protocol):
    """A server or service that runs and can be started again."""

    @property
    def name(self) -> str:
        """How it is called."""

    @property
    def address(self) -> str | None:
        """Where it is reached, without a password."""

    @property
    def process(self) -> Process:
        """The process that runs, or ran last."""

    async def start_again(self) -> Process:
        """Start it once more."""

    async def stop(self) -> None:
        """Stop it for good."""


async def supervise(settings: Settings, *, services: Sequence[Service], upgrade: Upgrade, tell: Tell) -> None:
    """Start a platform and keep it up until SIGINT, SIGTERM or SIGHUP; then stop it and return.

    `upgrade` brings the schema up to date once the servers are there. Raises PlatformError if something does
    not start; whatever had started is stopped by then.
    """
    loop = asyncio.get_running_loop()
    async with DataFolder(settings.data_folder) as folder:
        with _listening(settings.host, settings.port) as shared, _told_to_stop() as told:
            taken = settings.model_copy(update={"port": shared.getsockname()[1]})
            platform = _Platform(taken, folder, shared, tell)
            try:
                await _unless(told, platform.start(services, upgrade))
                if not told.done():
                    await _unless(told, platform.keep())
            finally:
                began = loop.time()
                if told.done():
                    platform.tell(events.PlatformStopping(signal=told.result().name))
                await platform.stop()
            platform.tell(events.PlatformStopped(seconds=loop.time() - began))


class _Platform:
    def __init__(self, settings: Settings, folder: DataFolder, shared: socket.socket, tell: Tell) -> None:
        self._settings, self._folder, self._shared, self._tell = settings, folder, shared, tell
        self._servers = EmbeddedServers(settings, folder)
        self._services: list[StartedService] = []
        self._restarts: dict[str, int] = {}
        self._running: dict[str, RunningProcess] = {}
        self._log = Log(folder.log("platform"))
        self._since = dt.datetime.now(dt.UTC)
        self._loop = asyncio.get_running_loop()
        self._began = self._loop.time()

    @property
    def address(self) -> str:
        host, port = self._shared.getsockname()[:2]
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    def tell(self, event: events.Event) -> None:
        line = {"time": dt.datetime.now(dt.UTC), **msgspec.to_builtins(event)}
        with contextlib.suppress(OSError):  # on a full disk the event is still told to whoever watches
            self._log.write(msgspec.json.encode(line) + b"\n")
        self._tell(event)

    async def start(self, services: Sequence[Service], upgrade: Upgrade) -> None:
        at = self._loop.time()
        async for server in self._servers.start():
            self._note(server, at)
            at = self._loop.time()
        settings = self._servers.settings
        await upgrade(settings)
        self.tell(events.SchemaUpgraded(seconds=self._loop.time() - at))
        self._services = [
            StartedService(service, settings, self._folder, self._shared) for service in services
        ]
        async with _first_error(), asyncio.TaskGroup() as group:
            for started in self._services:
                group.create_task(self._start(started))
        self._write_roster()
        seconds = self._loop.time() - self._began
        folder = str(self._folder.path)
        self.tell(events.PlatformReady(address=self.address, data_folder=folder, seconds=seconds))

    async def _start(self, kept: Kept) -> None:
        at = self._loop.time()
        await kept.start_again()
        self._note(kept, at)

    async def keep(self) -> None:
        """Run until something happens that a restart cannot mend."""
        async with _first_error(), asyncio.TaskGroup() as group:
            everything: list[Kept] = [*self._servers.started, *self._services]
            for kept in everything:
                group.create_task(self._keep(kept))

    async def _keep(self, kept: Kept) -> None:
        failures = 0
        while True:
            at = self._loop.time()
            code = await kept.process.ended()
            failures = 0 if self._loop.time() - at > STEADY_SECONDS else failures
            self._restarts[kept.name] = self._restarts.get(kept.name, 0) + 1
            pause = _pause(failures)
            self.tell(
                events.ProcessEnded(
                    name=kept.name,
                    pid=kept.process.pid,
                    how=_how(code),
                    restarts=self._restarts[kept.name],
                    restart_in=pause,
                )
            )
            await self._start_until_up(kept, failures)
            failures += 1

    async def _start_until_up(self, kept: Kept, failures: int) -> None:
        while True:
            await asyncio.sleep(_pause(failures))
            failures += 1
            try:
                await self._start(kept)
            except StartError as error:
                reason, pause = error.reason, _pause(failures)
                self.tell(events.RestartFailed(name=kept.name, reason=reason, restart_in=pause))
            else:
                return self._write_roster()

    def _note(self, kept: Kept, at: float) -> None:
        restarts = self._restarts.get(kept.name, 0)
        self._running[kept.name] = RunningProcess(
            name=kept.name, pid=kept.process.pid, restarts=restarts, since=dt.datetime.now(dt.UTC)
        )
        self.tell(
            events.ProcessStarted(
                name=kept.name,
                pid=kept.process.pid,
                address=kept.address,
                seconds=self._loop.time() - at,
                restarts=restarts,
            )
        )

    def _write_roster(self) -> None:
        settings = self._servers.settings
        roster = Roster(
            pid=os.getpid(),
            since=self._since,
            address=self.address,
            postgres_url=settings.postgres_url or "",
            redis_url=settings.redis_url or "",
            processes=tuple(self._running.values()),
        )
        self._folder.write(self._folder.path / FILE_NAME, msgspec.json.encode(roster))

    async def stop(self) -> None:
        (self._folder.path / FILE_NAME).unlink(missing_ok=True)
        await asyncio.gather(*(service.stop() for service in self._services))
        await self._servers.stop()


@contextlib.contextmanager
def _listening(host: str, port: int) -> Iterator[socket.socket]:
    """The socket that all API processes take their callers from.

    It is opened before anything else is started, so a busy port costs nobody a wait; and here rather than in
    a service, so that it survives the services.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        shared = socket.socket(family, kind, protocol)
    except OSError as error:
        raise AddressError(host=host, port=port, reason=error.strerror or str(error)) from error
    with shared:
        shared.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            shared.bind(address)
            shared.listen(1024)
        except OSError as error:
            raise AddressError(host=host, port=port, reason=error.strerror or str(error)) from error
        yield shared


@contextlib.contextmanager
def _told_to_stop() -> Iterator[asyncio.Future[signal.Signals]]:
    """A future that the first stop signal fulfils. Further ones change nothing: stopping is bounded."""
    loop = asyncio.get_running_loop()
    told: asyncio.Future[signal.Signals] = loop.create_future()

    def tell(number: signal.Signals) -> None:
        if not told.done():
            told.set_result(number)

    for number in STOP_SIGNALS:
        loop.add_signal_handler(number, tell, number)
    try:
        yield told
    finally:
        for number in STOP_SIGNALS:
            loop.remove_signal_handler(number)


async def _unless(told: asyncio.Future[signal.Signals], work: Coroutine[None, None, None]) -> None:
    """Do the work until it is done or we are told to stop; either way it is over when this returns."""
    task = asyncio.create_task(work)
    either: set[asyncio.Future[Any]] = {told, task}
    try:
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
    finally:
        task.cancel()
        await asyncio.wait({task})
    if not task.cancelled():
        task.result()


@contextlib.asynccontextmanager
async def _first_error() -> AsyncIterator[None]:
    """Raise the first error of a group of tasks by itself: the others are only what its end led to."""
    try:
        yield
    except BaseExceptionGroup as group:
        raise group.exceptions[0] from None


def _pause(failures: int) -> float:
    return min(FIRST_PAUSE * 2.0 ** min(failures, 16), LONGEST_PAUSE)


def _how(code: int) -> str:
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
