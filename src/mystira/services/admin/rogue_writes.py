"""Writes that were made behind the engine's back, and what a person decides about each."""

import datetime as dt
import functools
from typing import Annotated, Any

from msgspec import Meta, Struct

from manystore.followers.settling import Decision, Keep, settle_rogue_write
from manystore.placement import Placement
from manystore.records import Kind
from manystore.stores.store import RogueWrite, Store
from mystira.http.callers import STAFF
from mystira.http.operations import Answer, Call, Operation, show
from mystira.http.problems import ProblemError
from mystira.platform import Platform
from mystira.services.admin.continuations import continuation_after, read_continuation
from mystira.services.admin.keys import key_of, not_found
from mystira.services.admin.masking import mask_evidence
from mystira.services.admin.people import Reason, Unmasking, actor_of, note_reading


class Rogue(Struct, frozen=True, kw_only=True, rename="camel"):
    """One rogue write. `version` is the one that it left, `by` who made it, as far as the `store` knows.

    `evidence` is what was written, as the store kept it: a document, null for a removal, or rows of tables;
    with `is_masked`, personal values in it are replaced by their labels.
    """

    kind: str
    store: str
    key: str
    version: int
    found_at: dt.datetime
    by: str
    is_masked: bool
    evidence: Any


class Rogues(Struct, frozen=True, kw_only=True):
    """Rogue writes of both stores by key; with a `continuation` there are more."""

    items: list[Rogue]
    continuation: str | None


class RogueSearch(Unmasking, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which rogue writes to list; with a `reason`, personal values are shown, and it is written down."""

    limit: Annotated[int, Meta(ge=1, le=1000)] = 200
    continuation: Annotated[str, Meta(max_length=1024)] | None = None


class Settlement(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What shall stand, and why: the word of the `truth`, or what the `rogue` write left in that `store`."""

    store: Annotated[str, Meta(min_length=1, max_length=100)]
    keep: Keep
    reason: Reason


class Settled(Struct, frozen=True, kw_only=True):
    """What became of a rogue write. `written` is the version by which the decision stands at the truth; null
    where nothing had to be written.
    """

    kept: Keep
    written: int | None


class RogueRoutes:
    """What each operation on rogue writes does."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    async def search(self, call: Call[RogueSearch]) -> Answer:
        """Rogue writes of both stores."""
        placement = self._platform.placement(call.path["kind"])
        after = read_continuation(call.sent.continuation)
        found = sorted(
            [(each.key, each.version, store.name, each) for store, each in await _all(placement)],
            key=lambda row: row[:3],
        )
        wanted = [row for row in found if after is None or _mark(*row[:3]) > after]
        here = wanted[: call.sent.limit]
        is_open = await note_reading(
            placement.source,
            self._platform.clock,
            call,
            action="rogue.list",
            subject=placement.kind.name,
        )
        items = [_shown(placement.kind, store, rogue, is_masked=not is_open) for _, _, store, rogue in here]
        continuation = continuation_after(_mark(*here[-1][:3])) if len(wanted) > len(here) else None
        return show(Rogues(items=items, continuation=continuation))

    async def settle(self, call: Call[Settlement]) -> Answer:
        """Decide about one."""
        kind, sent, actor = call.path["kind"], call.sent, actor_of(call)
        placement = self._platform.placement(kind)
        key, version = key_of(call, placement.kind), _version(call)
        found = [
            (store, each)
            for store, each in await _all(placement)
            if (store.name, each.key, each.version) == (sent.store, key, version)
        ]
        if not found:
            raise not_found(placement.kind, key)
        decision = Decision(keep=sent.keep, actor=actor, reason=sent.reason)
        record = None
        # What a lease knows may be some moments old, and which store is the copy decides what is to be done.
        await self._platform.leases.refresh(kind)
        async with self._platform.leases.writing(kind) as state:
            track = await self._platform.track(kind, state)
            for store, rogue in found:
                record = await settle_rogue_write(
                    track, state, store, rogue, decision, clock=self._platform.clock
                )
        return show(Settled(kept=sent.keep, written=None if record is None else record.version))


async def _all(placement: Placement) -> list[tuple[Store, RogueWrite]]:
    stores = (placement.source, placement.target)
    return [(store, rogue) for store in stores for rogue in await store.rogue_writes(placement.kind)]


def _mark(key: str, version: int, store: str) -> str:
    """Where a rogue write stands in the list, such that marks are ordered as the list is."""
    return f"{key}\0{version:020}\0{store}"


def _shown(kind: Kind, store: str, rogue: RogueWrite, *, is_masked: bool) -> Rogue:
    return Rogue(
        kind=kind.name,
        store=store,
        key=rogue.key,
        version=rogue.version,
        found_at=rogue.found_at,
        by=rogue.by,
        is_masked=is_masked,
        evidence=mask_evidence(kind, rogue.evidence, is_masked=is_masked),
    )


def _version(call: Call[Any]) -> int:
    text = call.path["version"]
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise ProblemError("not_found", f"No record has a version {text!r}.")
    return int(text)


def rogue_operations(platform: Platform) -> tuple[Operation[Any], ...]:
    """What can be asked about rogue writes."""
    routes = RogueRoutes(platform)
    operation = functools.partial(Operation, tag="rogue writes", allows=STAFF, names_actor=True)
    return (
        operation(
            method="GET",
            path="/rogue-writes/{kind}",
            name="listRogueWrites",
            summary="Writes that were made behind the engine's back",
            takes=RogueSearch,
            handle=routes.search,
            answers={200: Rogues},
            refuses=("unknown_kind", "invalid_continuation"),
        ),
        operation(
            method="POST",
            path="/rogue-writes/{kind}/{key}/{version}/settle",
            name="settleRogueWrite",
            summary="Decide what stands: the truth's word, or what was written",
            description="What is given up stays in the audit.",
            takes=Settlement,
            handle=routes.settle,
            answers={200: Settled},
            refuses=("unknown_kind", "not_found", "step_refused", "refused", "draining"),
            example={"store": "postgres", "keep": "truth", "reason": "Ticket 4711: written by mistake."},
        ),
    )
