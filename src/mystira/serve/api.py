"""The App API and the Admin API as one process behind one port."""

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from typing import Final

import uvicorn

from manystore.errors import DrainingError
from mystira.clients.app_api import AppApiClient, at_address
from mystira.clients.service_key import keep_service_key
from mystira.clients.service_tokens import ServiceCredentials
from mystira.errors import AddressError
from mystira.gateways.outside import OpenedOutside, Outside, open_outside
from mystira.http.application import make_application
from mystira.http.authentication import Authenticator
from mystira.http.entrance import Application
from mystira.http.in_process import Neighbour
from mystira.platform import Platform, open_platform
from mystira.serve.protocol import ProblemProtocol
from mystira.serve.signals import told_to_stop
from mystira.services.admin import admin_api
from mystira.services.app_api import app_api, reception_of
from mystira.services.app_api.internal import app_internal
from mystira.services.health import Probe, health
from mystira.services.mailbox import mailbox_service
from mystira.services.play import play_pages
from mystira.settings import Settings
from mystira.supervisor import announce_ready, inherited_socket

GRACE_SECONDS: Final = 2
"""How long requests under way may take once the process was told to stop."""
_BACKLOG: Final = 2048
ADMIN: Final = "adminApi"
"""The name by which the Admin API asks other services."""


def compose(platform: Platform, outside: Outside, probes: dict[str, Probe]) -> Application:
    """The application: both services, the page to play, the health of this process, and the mailbox if any.

    Raises FolderError and SettingError where the service key can be neither read nor made.
    """
    key = keep_service_key(platform.settings)
    reception = reception_of(platform, service_key=key)
    authenticate = Authenticator(
        reception.sign_ins, reception.accounts, key=key, clock=platform.clock, terms=reception.terms
    )
    neighbour = Neighbour(ServiceCredentials(key, issuer=ADMIN, clock=platform.clock))
    url = platform.settings.app_api_url
    app = AppApiClient(neighbour.reach if url is None else at_address(url, key=key, issuer=ADMIN))
    services = [
        app_api(platform, outside, service_key=key),
        app_internal(platform),
        admin_api(platform, outside.keys, app),
    ]
    others = [health(probes)]
    if outside.mailbox is not None:
        others.append(mailbox_service(outside.mailbox))
    pages = [play_pages(platform, outside, reception)]
    application = make_application(services, others, authenticate=authenticate, pages=pages)
    neighbour.move_in(application)
    return application


def probes_of(platform: Platform, outside: OpenedOutside) -> dict[str, Probe]:
    """What an API process depends on. Without Redis nobody new is let in, and creations with an
    Idempotency-Key are refused; all else goes on.
    """

    async def leases() -> None:
        for kind in platform.family:
            with contextlib.suppress(DrainingError):
                async with platform.leases.writing(kind):
                    continue

    return {
        "documents": Probe(ask=lambda: platform.documents.note("health")),
        "postgres": Probe(ask=lambda: platform.tables.note("health")),
        "redis": Probe(ask=outside.keys.ping, needed=False),
        "leases": Probe(ask=leases),
    }


async def serve_api(settings: Settings) -> None:
    """Serve until told to stop. Raises SettingError, AddressError, UnavailableError."""
    with told_to_stop() as told, listening(settings) as listener:
        async with (
            open_platform(settings, role="api") as platform,
            open_outside(settings, platform.clock) as outside,
        ):
            application = compose(platform, outside, probes_of(platform, outside))
            readying = asyncio.create_task(platform.keep_ready(), name="ready")
            try:
                await ApiServer(application, trusted_proxies=settings.trusted_proxies).serve_until(
                    told, listener
                )
            finally:
                readying.cancel()
                await asyncio.gather(readying, return_exceptions=True)


@contextlib.contextmanager
def listening(settings: Settings) -> Iterator[socket.socket]:
    """The supervisor's socket, or one of our own. Raises AddressError."""
    listener = inherited_socket()
    if listener is None:
        listener = _bind(settings.host, settings.port)
    with listener:
        yield listener


def _bind(host: str, port: int) -> socket.socket:
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        return socket.create_server(address, family=family, backlog=_BACKLOG)
    except OSError as error:
        raise AddressError(host=host, port=port, reason=error.strerror or str(error)) from error


class ApiServer(uvicorn.Server):
    """uvicorn, told from outside when to stop, and telling when it takes work."""

    def __init__(self, application: Application, *, trusted_proxies: str = "") -> None:
        super().__init__(
            uvicorn.Config(
                application,
                http=ProblemProtocol,
                ws="none",
                lifespan="off",
                access_log=False,
                # By default uvicorn would ask the environment.
                forwarded_allow_ips=[each.strip() for each in trusted_proxies.split(",") if each.strip()],
                log_config=None,
                server_header=False,
                timeout_graceful_shutdown=GRACE_SECONDS,
            )
        )

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals alone: uvicorn would raise them anew before the stores are closed."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to accept, then say so."""
        await super().startup(sockets)
        announce_ready()

    async def serve_until(self, told: asyncio.Event, listener: socket.socket) -> None:
        """Serve until told to stop, then let requests under way end."""
        # Handed on to every connection. An answer is written in two pieces, and without this the second one
        # waits 40 ms for the first to be acknowledged, wherever the loop does not think of it by itself.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        serving = asyncio.create_task(self.serve([listener]), name="server")
        stopping = asyncio.create_task(told.wait(), name="stop")
        await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        self.should_exit = True
        await serving
