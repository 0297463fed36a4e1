"""The one place where the SDK is called: its client, its errors and what it charges.

Whatever the SDK raises leaves here as one of the engine's errors; its answers to a compare-and-set (404, 409,
412) leave as None or False. Every answer's request units are counted by kind and operation.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any, Final, TypeVar

import aiohttp
import msgspec
from azure.core.exceptions import AzureError
from azure.cosmos import PartitionKey
from azure.cosmos.aio import ContainerProxy, CosmosClient, DatabaseProxy
from azure.cosmos.exceptions import CosmosHttpResponseError, CosmosResourceExistsError

from manystore.errors import DeclarationError, ThrottledError, UnavailableError

_CONDITIONS: Final = frozenset({304, 404, 409, 412, 413})
"""Answers that say something about the item, not about the service."""

T = TypeVar("T")
Hook = Callable[[Mapping[str, Any], Any], None]


class Opened(msgspec.Struct, frozen=True):
    """A container that is known to be there."""

    proxy: ContainerProxy
    rid: str


class Layout(msgspec.Struct, frozen=True):
    """How a container is to be made where it is not there yet."""

    name: str
    partition_key: str
    unindexed: tuple[str, ...] = ()
    default_ttl: int | None = None

    @property
    def indexing(self) -> dict[str, Any]:
        """Everything is indexed but long texts that no query asks for."""
        excluded = [{"path": path} for path in (*self.unindexed, '/"_etag"/?')]
        return {"indexingMode": "consistent", "includedPaths": [{"path": "/*"}], "excludedPaths": excluded}


class Description(msgspec.Struct, frozen=True, kw_only=True):
    """What an account says of itself: its default consistency level, whether every region takes writes, and
    from which regions can be read, that of the writes first.
    """

    consistency: str
    writes_anywhere: bool
    regions: tuple[str, ...]


class Account:
    """A database of a Cosmos DB account, as one handle of the store sees it."""

    def __init__(
        self, url: str, key: str, database: str, *, name: str, waits: int, longest_wait: float
    ) -> None:
        self.name = name
        self._url, self._key, self._database_name = url, key, database
        self._waits, self._longest_wait = waits, longest_wait
        self._client: CosmosClient | None = None
        self._database: DatabaseProxy | None = None
        self._opened: dict[str, Opened] = {}
        self._opening = asyncio.Lock()
        self.spent: dict[str, dict[str, float]] = {}

    async def open(self) -> None:
        """Connect and make the database where it is not there. Raises UnavailableError."""
        if self._database is not None:
            return
        async with self.asking("", "open"):
            client = self._make_client()
            try:
                await client.__aenter__()
                self._database = await self._make_database(client)
            except BaseException:
                await client.close()
                raise
            self._client = client

    def _make_client(self) -> CosmosClient:
        # A server on plain HTTP is a local one: it advertises addresses that lead nowhere.
        is_local = self._url.startswith("http://")
        return CosmosClient(
            self._url,
            self._key,
            enable_endpoint_discovery=not is_local,
            connection_verify=not is_local,
            retry_throttle_total=self._waits,
            retry_throttle_backoff_max=self._longest_wait,
        )

    async def describe(self, within: float) -> Description:
        """What the account says of itself, asked by a client for this one question; makes nothing.

        `within` is in seconds. Raises UnavailableError.
        """
        async with self.asking("", "describe"), asyncio.timeout(within):
            client = self._make_client()
            try:
                await client.__aenter__()
                # Public in the SDK's synchronous client alone.
                found = await client._get_database_account()
            finally:
                await client.close()
        policy = found.ConsistencyPolicy or {}
        return Description(
            consistency=str(policy.get("defaultConsistencyLevel", "")),
            writes_anywhere=bool(found._EnableMultipleWritableLocations),
            regions=tuple(region["name"] for region in found.ReadableLocations),
        )

    async def _make_database(self, client: CosmosClient) -> DatabaseProxy:
        return await self._once_more(lambda: client.create_database_if_not_exists(self._database_name))

    async def _once_more(self, make: Callable[[], Awaitable[T]]) -> T:
        """Another process may make the same between the SDK's look and its attempt."""
        try:
            return await make()
        except CosmosResourceExistsError:
            return await make()

    async def close(self) -> None:
        """Let go of all connections."""
        client, self._client, self._database = self._client, None, None
        self._opened.clear()
        if client is not None:
            await client.close()

    @property
    def is_open(self) -> bool:
        """Whether `open` was called, and `close` not since."""
        return self._database is not None

    async def opened(self, layout: Layout) -> Opened:
        """The container, made where it is not there yet.

        Raises DeclarationError where it is there with another partition key, which cannot be changed.
        """
        if self._database is None:
            raise UnavailableError(subject=self.name, reason="it is closed")
        async with self._opening:
            if layout.name not in self._opened:
                self._opened[layout.name] = await self._open_container(self._database, layout)
        return self._opened[layout.name]

    async def _open_container(self, database: DatabaseProxy, layout: Layout) -> Opened:
        path = f"/{layout.partition_key}"
        async with self.asking(layout.name, "open"):
            proxy, properties = await self._once_more(
                lambda: database.create_container_if_not_exists(
                    layout.name,
                    PartitionKey(path),
                    indexing_policy=layout.indexing,
                    default_ttl=layout.default_ttl,
                    return_properties=True,
                )
            )
        if properties["partitionKey"]["paths"] != [path]:
            paths = properties["partitionKey"]["paths"]
            reason = f"it is partitioned by {paths}, not by {path}"
            raise DeclarationError(subject=f"container {layout.name}", reason=reason)
        return Opened(proxy, properties["_rid"])

    def meter(self, kind: str, operation: str) -> Hook:
        """Counts what an answer was charged with."""

        def count(headers: Mapping[str, Any], _body: Any) -> None:
            self._count(kind, operation, headers)

        return count

    def _count(self, kind: str, operation: str, headers: Mapping[str, Any] | None) -> None:
        charge = float((headers or {}).get("x-ms-request-charge") or 0)
        of_kind = self.spent.setdefault(kind, {})
        of_kind[operation] = of_kind.get(operation, 0.0) + charge

    @contextlib.asynccontextmanager
    async def asking(self, kind: str, operation: str) -> AsyncIterator[None]:
        """Turn what the SDK raises into the engine's errors; answers about an item pass through."""
        try:
            yield
        except CosmosHttpResponseError as error:
            self._count(kind, operation, error.headers)
            if error.status_code in _CONDITIONS:
                raise
            raise self._unavailable(error) from error
        except (AzureError, aiohttp.ClientError, OSError, ValueError) as error:
            raise UnavailableError(subject=self.name, reason=_first_line(error)) from error

    def surprise(self, error: CosmosHttpResponseError) -> UnavailableError:
        """What an answer means that the question cannot have."""
        return self._unavailable(error)

    def _unavailable(self, error: CosmosHttpResponseError) -> UnavailableError:
        reason = f"{error.status_code}: {_first_line(error.http_error_message or error)}"
        if error.status_code == 429:
            wait = float((error.headers or {}).get("x-ms-retry-after-ms") or 1_000) / 1_000
            return ThrottledError(subject=self.name, reason=reason, retry_after=wait)
        return UnavailableError(subject=self.name, reason=reason)


def _first_line(error: object) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
