"""As many databases as a benchmark needs, made like the platform's, and accounts to fill them with."""

import contextlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from random import Random
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from mystira.schema.upgrades import upgrade
from mystira.serve import spare_the_collector
from mystira.servers import embedded_servers
from mystira.servers.logs import Log
from mystira.servers.postgres import find_binary
from mystira.servers.processes import Program, start
from mystira.settings import Settings
from mystira.simulation.people import make_former_accounts

TABLES: Final = ("accounts", "subscriptions", "completed_scenarios")
"""In which an account lies; a row of the later ones refers to one of the first."""


class Databases:
    """One server with the platform's own settings; each database is empty, with schema and triggers."""

    def __init__(self, settings: Settings, template: str) -> None:
        self.settings, self._template = settings, template

    async def make(self, name: str) -> str:
        """The URL of a new database."""
        # While a template is copied nobody may be connected to it, who makes the copy included.
        await self._administer(f"create database {name} template {urlsplit(self._template).path[1:]}")
        return self._url(name)

    async def drop(self, name: str) -> None:
        """Have one no more."""
        await self._administer(f"drop database {name} with (force)")

    async def _administer(self, statement: str) -> None:
        connection = await asyncpg.connect(self._url("postgres"))
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    def _url(self, name: str) -> str:
        return urlunsplit(urlsplit(self._template)._replace(path=f"/{name}"))


@contextlib.asynccontextmanager
async def databases(folder: Path) -> AsyncIterator[Databases]:
    """A server for the length of the block, and a process that treats its collector as a worker does."""
    spare_the_collector()
    async with embedded_servers(Settings(data_folder=folder / "servers")) as settings:
        assert settings.postgres_url is not None
        await upgrade(settings.postgres_url)
        yield Databases(settings, settings.postgres_url)


def accounts(count: int) -> Iterator[dict[str, Any]]:
    """As a document store of some years' standing has them, never versioned; always the same ones."""
    return make_former_accounts(Random(1), count)


async def psql(url: str, commands: str, folder: Path) -> None:
    """Have PostgreSQL's own client carry out commands. Raises RuntimeError where one fails."""
    script = folder / "commands.sql"
    script.write_text(commands, encoding="utf-8")
    words = (url, "--no-psqlrc", "--quiet", "-v", "ON_ERROR_STOP=1", "-f", f"{script}")
    await run("psql", find_binary("psql"), *words, log=folder / "psql.log")


async def run(name: str, *command: str, log: Path) -> None:
    """Run a program to its end, or ours. Raises RuntimeError with its last words where it fails."""
    log.parent.mkdir(parents=True, exist_ok=True)
    said = Log(log)
    process = await start(Program(name=name, command=command), said)
    try:
        code = await process.ended()
    finally:
        await process.stop()
    if code:
        raise RuntimeError(f"{name} ended with {code}: {said.last_words()}")
