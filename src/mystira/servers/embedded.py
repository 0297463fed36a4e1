"""The servers that no URL was given for, started together in one data folder."""

import contextlib
from collections.abc import AsyncIterator

from mystira.servers.folder import DataFolder
from mystira.servers.postgres import Postgres
from mystira.servers.redis import Redis
from mystira.servers.server import Server, StartedServer, start_server
from mystira.settings import Settings


class EmbeddedServers:
    """Those that a platform needs and was not given.

    `postgres_options` are server settings that differ from the usual ones.
    """

    def __init__(
        self, settings: Settings, folder: DataFolder, *, postgres_options: dict[str, str] | None = None
    ) -> None:
        self._settings, self._folder = settings, folder
        self._wanted: list[Server] = []
        if settings.postgres_url is None:
            self._wanted.append(Postgres(postgres_options))
        if settings.redis_url is None:
            self._wanted.append(Redis())
        self.started: list[StartedServer] = []

    async def start(self) -> AsyncIterator[StartedServer]:
        """Start one after the other, each yielded when it answers.

        Raises StartError, ProgramMissingError, FolderError. What has started by then runs on until `stop`.
        """
        for server in self._wanted:
            started = await start_server(server, self._folder)
            self.started.append(started)
            yield started

    @property
    def settings(self) -> Settings:
        """The platform's settings, with the addresses of what has started here."""
        urls = {server.name: server.url for server in self.started}
        return self._settings.with_servers(
            postgres_url=urls.get("postgres", self._settings.postgres_url),
            redis_url=urls.get("redis", self._settings.redis_url),
        )

    async def stop(self) -> None:
        """Stop them in the opposite order. Idempotent."""
        while self.started:
            await self.started[-1].stop()
            self.started.pop()


@contextlib.asynccontextmanager
async def embedded_servers(
    settings: Settings, *, postgres_options: dict[str, str] | None = None
) -> AsyncIterator[Settings]:
    """The settings with the addresses of servers that run as long as the context is open."""
    async with DataFolder(settings.data_folder) as folder:
        servers = EmbeddedServers(settings, folder, postgres_options=postgres_options)
        try:
            async for _ in servers.start():
                pass
            yield servers.settings
        finally:
            await servers.stop()
