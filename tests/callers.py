"""Who asks in tests: whoever runs the platform, unless a test says otherwise."""

from collections.abc import Generator

import httpx

from mystira.clients.service_key import find_service_key
from mystira.clients.service_tokens import Credentials, ServiceCredentials
from mystira.settings import Settings


class Showing(httpx.Auth):
    """Shows credentials with each request that shows none by itself."""

    def __init__(self, credentials: Credentials) -> None:
        self._credentials = credentials

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        shown = self._credentials.header(request.url.path)
        if shown is not None:
            request.headers.setdefault("Authorization", shown)
        yield request


def operator(settings: Settings) -> Showing:
    """Whoever runs the platform of these settings, which has its key already."""
    return Showing(ServiceCredentials(find_service_key(settings)))
