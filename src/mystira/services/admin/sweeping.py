"""Cleaning up a split kind, piece by piece: what writers that died left, and parts that are not sound."""

from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta, Struct

from manystore.stores.split import SplitStore, SweepPlace, Swept
from mystira.http.callers import STAFF
from mystira.http.operations import Answer, Call, Operation, show
from mystira.http.problems import ProblemError
from mystira.platform import Platform
from mystira.services.admin.continuations import continuation_after, read_continuation

_AT_MOST: Final = 1.0
"""Seconds after which a request begins no further page: who asks may be gone, and a sweep can be long."""


class Sweep(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where to go on; without a `continuation`, from the beginning."""

    continuation: Annotated[str, Meta(max_length=1024)] | None = None


class SweptPart(Struct, frozen=True, kw_only=True, rename="camel"):
    """What one part of a sweep did and saw; with a `continuation` there is more to do.

    `pruned` of the `sheets` had something on them that no record needs any more. Of the `records`, some may
    have `lost` the part that lies in documents, and of some it may have been `altered` by somebody else: the
    counts, and keys of the first hundred.
    """

    kind: str
    sheets: int
    records: int
    pruned: int
    lost_count: int
    lost: tuple[str, ...]
    altered_count: int
    altered: tuple[str, ...]
    continuation: str | None


class SweepRoutes:
    """What the operation on split kinds does."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    async def sweep(self, call: Call[Sweep]) -> Answer:
        """A part of a sweep."""
        placement, clock = self._platform.placement(call.path["kind"]), self._platform.clock
        kind, store = placement.kind, _split_of(placement.source, placement.target)
        if store is None:
            raise ProblemError("not_found", f"{kind.name} is not split here, so there is nothing to sweep.")
        swept, place = Swept(), _place(call.sent.continuation)
        deadline = clock.monotonic() + _AT_MOST
        while True:
            page, following = await store.sweep_page(kind, place)
            swept += page
            if following is None or clock.monotonic() > deadline:
                break
            place = following
        continuation = None if following is None else continuation_after(_mark(following))
        facts = msgspec.structs.asdict(swept)
        return show(SweptPart(kind=kind.name, continuation=continuation, **facts))


def _split_of(*stores: Any) -> SplitStore | None:
    return next((store for store in stores if isinstance(store, SplitStore)), None)


def _mark(place: SweepPlace) -> str:
    return msgspec.json.encode(place).decode()


def _place(continuation: str | None) -> SweepPlace:
    mark = read_continuation(continuation)
    if mark is None:
        return SweepPlace()
    try:
        return msgspec.json.decode(mark, type=SweepPlace)
    except msgspec.DecodeError as error:
        detail = "The continuation cannot be read."
        raise ProblemError("invalid_continuation", detail, path="continuation") from error


def sweep_operations(platform: Platform) -> tuple[Operation[Any], ...]:
    """What can be asked about split kinds."""
    return (
        Operation(
            method="POST",
            tag="records",
            path="/sweep/{kind}",
            allows=STAFF,
            name="sweepKind",
            summary="Clean up a split kind, and name the records whose parts are not sound",
            description=(
                "Workers do so every hour. An answer tells of what was done within about a second; with a "
                "continuation, ask again to go on. Nothing that a record needs is taken away."
            ),
            takes=Sweep,
            has_optional_body=True,
            example={},
            handle=SweepRoutes(platform).sweep,
            answers={200: SweptPart},
            refuses=("unknown_kind", "not_found", "invalid_continuation"),
        ),
    )
