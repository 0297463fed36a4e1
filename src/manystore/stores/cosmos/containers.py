"""One container of the account, asked in the engine's words: items, queries, ranges of the feed."""

import base64
import contextlib
import json
from collections.abc import AsyncIterator, Mapping
from typing import Any, Literal

import msgspec
from azure.core import MatchConditions
from azure.cosmos.exceptions import CosmosHttpResponseError

from manystore.errors import NotRepresentableError
from manystore.stores.cosmos.account import Account, Layout, Opened
from manystore.stores.cosmos.items import MISSING, SYSTEM, Home, Item, nonce_in

Bounds = tuple[str, str]
"""A range of the feed: hashes of partition keys from the first (inclusive) to the second, in hexadecimal."""


class Query(msgspec.Struct, frozen=True):
    """A query in the service's language, with its parameters."""

    text: str
    parameters: dict[str, Any]

    @property
    def named(self) -> list[dict[str, object]]:
        """The parameters as the service wants them."""
        return [{"name": name, "value": value} for name, value in self.parameters.items()]


class FeedPage(msgspec.Struct, frozen=True):
    """What one range of the feed had after a number; `reached` is the number to go on from."""

    items: list[Item]
    reached: int


class RangeSplitError(Exception):
    """The range of the feed was divided meanwhile: ask for the ranges again."""


class _NotSoError(Exception):
    """The condition of the request does not hold: the item is absent, there already, or another by now."""


class Container:
    """A container and the kind by whose name its request units are counted."""

    def __init__(self, account: Account, layout: Layout, kind: str) -> None:
        self._account, self._layout, self.kind = account, layout, kind

    async def _opened(self) -> Opened:
        return await self._account.opened(self._layout)

    @contextlib.asynccontextmanager
    async def _asking(self, operation: str, item_id: str, *misses: int) -> AsyncIterator[None]:
        """`misses` are the statuses that the caller reads as "not so"; every other is an error."""
        try:
            async with self._account.asking(self.kind, operation):
                yield
        except CosmosHttpResponseError as error:
            # A 404 with a sub-status does not say that the item is absent: a replica may be behind the
            # session (1002), or the container be gone (1003).
            is_about_item = error.status_code != 404 or not error.sub_status
            if error.status_code in misses and is_about_item:
                raise _NotSoError from error
            if error.status_code == 413:
                raise NotRepresentableError(
                    store=self._account.name,
                    kind=self.kind,
                    key=item_id,
                    field="$",
                    reason="an item has at most 2 MB",
                ) from error
            raise self._account.surprise(error) from error

    # -- single items --------------------------------------------------------------------------------

    async def read(self, item_id: str, home: Home) -> Item | None:
        """The item, or None."""
        proxy = (await self._opened()).proxy
        hook = self._account.meter(self.kind, "read")
        try:
            async with self._asking("read", item_id, 404):
                return dict(await proxy.read_item(item_id, home, response_hook=hook))
        except _NotSoError:
            return None

    async def create(self, item: Item) -> str | None:
        """Make the item; its ETag, or None where another of its id is there."""
        proxy = (await self._opened()).proxy
        hook = self._account.meter(self.kind, "create")
        try:
            async with self._asking("create", item["id"], 409):
                return str((await proxy.create_item(item, response_hook=hook))["_etag"])
        except _NotSoError:
            return await self._etag_of_own(item)

    async def replace(self, item: Item, etag: str) -> str | None:
        """Replace the item if it still has this ETag; the new one, or None where it has not."""
        proxy = (await self._opened()).proxy
        body = {name: value for name, value in item.items() if name not in SYSTEM}
        try:
            async with self._asking("replace", item["id"], 404, 412):
                written = await proxy.replace_item(
                    item["id"],
                    body,
                    etag=etag,
                    match_condition=MatchConditions.IfNotModified,
                    response_hook=self._account.meter(self.kind, "replace"),
                )
                return str(written["_etag"])
        except _NotSoError:
            return await self._etag_of_own(item)

    async def _etag_of_own(self, item: Item) -> str | None:
        """The ETag of this very write, where it was done after all.

        When an answer is lost, the layers below repeat a request by themselves, and the repetition meets what
        the first attempt wrote. That is no lost race: the nonce tells.
        """
        if nonce_in(item) is None:
            return None
        found = await self.read(item["id"], item.get(self._layout.partition_key, MISSING))
        return str(found["_etag"]) if found is not None and nonce_in(found) == nonce_in(item) else None

    async def remove(self, item_id: str, home: Home, etag: str) -> bool:
        """Remove the item for good if it still has this ETag; whether it had."""
        proxy = (await self._opened()).proxy
        try:
            async with self._asking("remove", item_id, 404, 412):
                await proxy.delete_item(
                    item_id,
                    home,
                    etag=etag,
                    match_condition=MatchConditions.IfNotModified,
                    response_hook=self._account.meter(self.kind, "remove"),
                )
        except _NotSoError:
            return False
        return True

    # -- queries -------------------------------------------------------------------------------------

    async def ranges(self) -> list[Bounds]:
        """The physical partitions as they are known just now, in order."""
        proxy = (await self._opened()).proxy
        async with self._asking("ranges", ""):
            found = [feed_range["Range"] async for feed_range in proxy.read_feed_ranges()]
        return sorted((each["min"], each["max"]) for each in found)

    async def query(self, query: Query, bounds: Bounds, page: int) -> AsyncIterator[list[Any]]:
        """What the query finds in one range, page by page.

        Queries are asked range by range, so that none needs the service to plan a merge.
        """
        proxy = (await self._opened()).proxy
        pages = proxy.query_items(
            query.text,
            parameters=query.named,
            feed_range=_feed_range(bounds),
            max_item_count=page,
            response_hook=self._account.meter(self.kind, "query"),
        ).by_page()
        while True:
            async with self._asking("query", ""):
                found = await anext(pages, None)
                items = None if found is None else [item async for item in found]
            if items is None:
                return
            yield items

    # -- the feed ------------------------------------------------------------------------------------

    async def feed(self, bounds: Bounds, after: int | Literal["Now"], limit: int) -> FeedPage:
        """Items of the range last written after a number, oldest first; "Now" only tells the number.

        Raises RangeSplitError.
        """
        opened = await self._opened()
        seen: list[tuple[str, Mapping[str, Any]]] = []
        meter = self._account.meter(self.kind, "feed")

        def note(headers: Mapping[str, Any], body: Any) -> None:
            meter(headers, body)
            # The SDK replaces this header by a continuation of its own once the hook is done.
            seen.append((str(headers.get("etag", "")), headers))

        start: dict[str, Any] = {"feed_range": _feed_range(bounds)}
        if after == "Now" or after == 0:
            start["start_time"] = "Now" if after == "Now" else "Beginning"
        else:
            start = {"continuation": _continuation(opened.rid, bounds, after)}
        pages = opened.proxy.query_items_change_feed(
            max_item_count=limit, response_hook=note, **start
        ).by_page()
        async with self._asking("feed", ""):
            found = await anext(pages, None)
            items = [] if found is None else [item async for item in found]
        etag, headers = seen[-1]
        if _ranges_in(str(headers["etag"])) != [bounds]:
            raise RangeSplitError
        return FeedPage(items, _reached(items, etag, headers, 0 if after == "Now" else after))


def _reached(items: list[Item], etag: str, headers: Mapping[str, Any], after: int) -> int:
    reached = _number_in(etag)
    if items:
        return reached
    # Nothing came, so nothing lies up to the last number that the answering replica knew, which its session
    # token tells: deletes raise it without appearing in the feed, and a reader must not stay behind them.
    token = str(headers.get("x-ms-session-token", ""))
    known = token.partition(":")[2].split("#")
    return max(after, reached, int(known[1]) if len(known) > 1 and known[1].isdigit() else 0)


def _number_in(etag: str) -> int:
    digits = etag.strip('"')
    return int(digits) if digits.isdigit() else 0


def _feed_range(bounds: Bounds) -> dict[str, Any]:
    return {"Range": _range(bounds)}


def _range(bounds: Bounds) -> dict[str, Any]:
    return {"min": bounds[0], "max": bounds[1], "isMinInclusive": True, "isMaxInclusive": False}


def _continuation(rid: str, bounds: Bounds, after: int) -> str:
    """The SDK's own spelling of "this range, after this number" (its version 2)."""
    inner = {
        "v": "v2",
        "rid": rid,
        "continuation": [{"token": f'"{after}"', "range": _range(bounds)}],
        "Range": _range(bounds),
    }
    whole = {
        "v": "v2",
        "containerRid": rid,
        "mode": "LatestVersion",
        "startFrom": {"Type": "Beginning"},
        "continuation": inner,
    }
    return base64.b64encode(json.dumps(whole).encode()).decode()


def _ranges_in(continuation: str) -> list[Bounds]:
    tokens = json.loads(base64.b64decode(continuation))["continuation"]["continuation"]
    return [(each["range"]["min"], each["range"]["max"]) for each in tokens]
