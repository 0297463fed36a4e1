"""How records are shown: as they are stored, with the ETag that a change has to name."""

from collections.abc import Awaitable, Callable
from typing import Any, Generic, TypeVar

import msgspec

from manystore.repository import Found, Stored
from mystira.domain.records import Entity
from mystira.http.etags import etag
from mystira.http.operations import Answer, Call, show, show_unchanged, show_version

V = TypeVar("V", bound=msgspec.Struct)
E = TypeVar("E", bound=Entity)


class Page(msgspec.Struct, Generic[V], frozen=True, kw_only=True):
    """Some of what was asked for; with a `continuation` there is more, to be had by sending it along."""

    items: list[V]
    continuation: str | None


def view(form: type[V], stored: Stored[E]) -> V:
    """The record in the form in which it is shown."""
    return form(**msgspec.structs.asdict(stored.value), etag=etag(stored.version))


def show_record(form: type[V], stored: Stored[E]) -> Answer:
    """The answer that is one record."""
    return show_version(view(form, stored), stored.version)


def show_page(form: type[V], found: Found[E]) -> Answer:
    """The answer that is one page of records."""
    items = [view(form, stored) for stored in found.items]
    return show(Page(items=items, continuation=found.continuation))


async def show_unless_known(
    form: type[V], call: Call[Any], read: Callable[[], Awaitable[Stored[E]]]
) -> Answer:
    """The answer that is one record, or that the caller has it already."""
    stored = await read()
    return show_unchanged(stored.version) if call.knows(stored.version) else show_record(form, stored)
