"""What waits in a kind's sync queue, and what a person can do about it."""

import datetime as dt
import functools
from typing import Annotated, Any

from msgspec import Meta, Struct

from manystore.followers.queue import Entry, QueueState, SyncQueue
from manystore.records import Content, Kind, parse
from mystira.http.callers import STAFF
from mystira.http.operations import Answer, Call, Operation, show
from mystira.http.queries import Nothing
from mystira.platform import Platform
from mystira.services.admin.continuations import continuation_after, read_continuation
from mystira.services.admin.keys import key_of, not_found
from mystira.services.admin.masking import mask
from mystira.services.admin.people import Reason, Unmasking, actor_of, note_reading


class Parent(Struct, frozen=True, kw_only=True):
    """The record that a parked change waits for."""

    kind: str
    key: str


class Queued(Struct, frozen=True, kw_only=True, rename="camel"):
    """One queued change. `change` is the record as it was when it was refused (null: a deletion); with
    `is_masked`, personal values in it are replaced by their labels.
    """

    kind: str
    key: str
    version: int
    state: QueueState
    error: str
    reason: str
    attempts: int
    queued_at: dt.datetime
    next_at: dt.datetime
    waits_for: Parent | None
    is_masked: bool
    change: Content | None


class Queue(Struct, frozen=True, kw_only=True):
    """Queued changes by key; with a `continuation` there are more."""

    items: list[Queued]
    continuation: str | None


class QueueSearch(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which changes to list: those in a `state`, or all."""

    state: QueueState | None = None
    limit: Annotated[int, Meta(ge=1, le=1000)] = 200
    continuation: Annotated[str, Meta(max_length=1024)] | None = None


class Replayed(Struct, frozen=True, kw_only=True):
    """How many changes are tried again."""

    replayed: int


class Dropped(Struct, frozen=True, kw_only=True):
    """How many changes were given up."""

    dropped: int


class Drop(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Why a change is given up."""

    reason: Reason


class QueueRoutes:
    """What each operation on the sync queue does."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    async def _queue(self, call: Call[Any]) -> tuple[Kind, SyncQueue]:
        track = await self._platform.track(call.path["kind"])
        return track.kind, track.queue

    async def search(self, call: Call[QueueSearch]) -> Answer:
        """Queued changes, masked."""
        kind, queue = await self._queue(call)
        after = read_continuation(call.sent.continuation)
        wanted = [
            entry
            for entry in await queue.entries()
            if call.sent.state in (None, entry.state) and (after is None or entry.key > after)
        ]
        here = wanted[: call.sent.limit]
        items = [_queued(kind, entry, is_masked=True) for entry in here]
        continuation = continuation_after(here[-1].key) if len(wanted) > len(here) else None
        return show(Queue(items=items, continuation=continuation))

    async def read(self, call: Call[Unmasking]) -> Answer:
        """One queued change."""
        kind, queue = await self._queue(call)
        key = key_of(call, kind)
        entry = await queue.entry(key)
        if entry is None:
            raise not_found(kind, key)
        store = self._platform.placement(kind.name).source
        is_open = await note_reading(
            store, self._platform.clock, call, action="queue.read", subject=f"{kind.name}/{key}"
        )
        return show(_queued(kind, entry, is_masked=not is_open))

    async def replay(self, call: Call[Nothing]) -> Answer:
        """Try one change again."""
        kind, queue = await self._queue(call)
        key = key_of(call, kind)
        replayed = await queue.replay(key)
        if not replayed:
            raise not_found(kind, key)
        return show(Replayed(replayed=replayed))

    async def replay_all(self, call: Call[Nothing]) -> Answer:
        """Try all changes again."""
        _, queue = await self._queue(call)
        return show(Replayed(replayed=await queue.replay()))

    async def drop(self, call: Call[Drop]) -> Answer:
        """Give one change up."""
        kind, queue = await self._queue(call)
        key = key_of(call, kind)
        if not await queue.drop(key, actor=actor_of(call), reason=call.sent.reason):
            raise not_found(kind, key)
        return show(Dropped(dropped=1))


def _queued(kind: Kind, entry: Entry, *, is_masked: bool) -> Queued:
    change: Content | None = parse(entry.change)
    return Queued(
        kind=entry.kind,
        key=entry.key,
        version=entry.version,
        state=entry.state,
        error=entry.error,
        reason=entry.reason,
        attempts=entry.attempts,
        queued_at=entry.queued_at,
        next_at=entry.next_at,
        waits_for=None
        if entry.waits_for is None
        else Parent(kind=entry.waits_for[0], key=entry.waits_for[1]),
        is_masked=is_masked,
        change=mask(kind, change) if is_masked else change,
    )


def queue_operations(platform: Platform) -> tuple[Operation[Any], ...]:
    """What can be asked about the sync queue."""
    routes = QueueRoutes(platform)
    return (*_reading(routes), *_settling(routes))


def _reading(routes: QueueRoutes) -> tuple[Operation[Any], ...]:
    operation = functools.partial(Operation, tag="queue", method="GET", allows=STAFF)
    return (
        operation(
            path="/queue/{kind}",
            name="listQueue",
            summary="What waits in the sync queue",
            takes=QueueSearch,
            handle=routes.search,
            answers={200: Queue},
            refuses=("unknown_kind", "invalid_continuation"),
        ),
        operation(
            path="/queue/{kind}/{key}",
            name="getQueued",
            summary="One queued change",
            takes=Unmasking,
            handle=routes.read,
            answers={200: Queued},
            refuses=("unknown_kind", "not_found"),
            names_actor=True,
        ),
    )


def _settling(routes: QueueRoutes) -> tuple[Operation[Any], ...]:
    operation = functools.partial(Operation, tag="queue", method="POST", allows=STAFF, names_actor=True)
    return (
        operation(
            path="/queue/{kind}/{key}/replay",
            name="replayQueued",
            summary="Try a change again",
            takes=Nothing,
            handle=routes.replay,
            answers={200: Replayed},
            refuses=("unknown_kind", "not_found"),
        ),
        operation(
            path="/queue/{kind}/replay",
            name="replayQueue",
            summary="Try all changes again",
            takes=Nothing,
            handle=routes.replay_all,
            answers={200: Replayed},
            refuses=("unknown_kind",),
        ),
        operation(
            path="/queue/{kind}/{key}/drop",
            name="dropQueued",
            summary="Give a change up",
            description="Nothing is hidden by this: verification still names what the copy lacks.",
            takes=Drop,
            handle=routes.drop,
            answers={200: Dropped},
            refuses=("unknown_kind", "not_found"),
            example={"reason": "The record was made by a test."},
        ),
    )
