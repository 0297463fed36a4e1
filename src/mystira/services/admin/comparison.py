"""One record as the truth and the copy hold it, side by side."""

from typing import Any

from msgspec import Struct

from manystore.comparison import DifferenceSort, compare
from manystore.placement import read_state
from manystore.records import Content, Kind, Record
from mystira.http.callers import STAFF
from mystira.http.operations import Answer, Call, Operation, show
from mystira.platform import Platform
from mystira.services.admin.keys import key_of, not_found
from mystira.services.admin.masking import mask
from mystira.services.admin.people import Unmasking, note_reading


class Side(Struct, frozen=True, kw_only=True, rename="camel"):
    """What one store holds; `version` null: nothing, `is_deleted`: a tombstone."""

    store: str
    version: int | None
    is_deleted: bool
    content: Content | None


class Comparison(Struct, frozen=True, kw_only=True, rename="camel"):
    """Both sides of a record. `difference` is null where they agree, and `fields` are the paths that differ.

    A copy that follows may be a moment behind: `stale` alone is no fault while changes flow.
    """

    kind: str
    key: str
    is_masked: bool
    following: bool
    difference: DifferenceSort | None
    fields: tuple[str, ...]
    truth: Side
    copy: Side


class ComparisonRoutes:
    """What the operation on pairs of records does."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    async def compare(self, call: Call[Unmasking]) -> Answer:
        """Both sides of a record."""
        placement = self._platform.placement(call.path["kind"])
        kind = placement.kind
        key, state = key_of(call, kind), await read_state(placement)
        track = await self._platform.track(kind.name, state)
        # The copy first: what it has, the truth had before, so a write in between cannot look like a fault.
        copy = await track.copy.get(kind, key)
        truth = await track.truth.get(kind, key)
        if truth is None and copy is None:
            raise not_found(kind, key)
        is_open = await note_reading(
            placement.source,
            self._platform.clock,
            call,
            action="record.compare",
            subject=f"{kind.name}/{key}",
        )
        difference = compare(truth, copy)
        comparison = Comparison(
            kind=kind.name,
            key=key,
            is_masked=not is_open,
            following=state.phase.has_copy,
            difference=None if difference is None else difference.sort,
            fields=() if difference is None else difference.fields,
            truth=_side(kind, track.truth.name, truth, is_masked=not is_open),
            copy=_side(kind, track.copy.name, copy, is_masked=not is_open),
        )
        return show(comparison)


def _side(kind: Kind, store: str, record: Record | None, *, is_masked: bool) -> Side:
    content = None if record is None else record.content
    return Side(
        store=store,
        version=None if record is None else record.version,
        is_deleted=record is not None and record.is_deleted,
        content=mask(kind, content) if is_masked else content,
    )


def comparison_operations(platform: Platform) -> tuple[Operation[Any], ...]:
    """What can be asked about pairs of records."""
    return (
        Operation(
            method="GET",
            tag="records",
            path="/compare/{kind}/{key}",
            allows=STAFF,
            name="compareRecord",
            summary="A record as both stores hold it",
            takes=Unmasking,
            handle=ComparisonRoutes(platform).compare,
            answers={200: Comparison},
            refuses=("unknown_kind", "not_found"),
            names_actor=True,
        ),
    )
