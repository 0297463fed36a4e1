"""Order, pages and continuations of what a specification finds, the same in every store.

Results follow the order asked for, then the key; missing values come first (last where descending). So the
order is total, and a continuation, which remembers the sort values and the key of a page's last record,
means the same in every store, also when the truth moves between two pages.
"""

import base64
import binascii
from collections.abc import Iterable
from typing import Any, Final

import msgspec

from manystore.errors import InvalidRecordError, InvalidSpecificationError
from manystore.records import FieldType, Kind, Record, canonical, find_unspeakable, parse
from manystore.specifications import (
    MAX_LIMIT,
    MAX_ORDER,
    ORDERED,
    TEXTS,
    Descending,
    Page,
    Scalar,
    Specification,
    check_predicate,
    comparable,
    field_at,
    holds,
    value_at,
)

# The first and last microsecond that an instant can name: a continuation beyond them is hand-made, and no
# store could turn it into a timestamp.
_FIRST_INSTANT: Final = -62_135_596_800_000_000
_LAST_INSTANT: Final = 253_402_300_799_999_999


class Start(msgspec.Struct, frozen=True):
    """Where a page begins: after the record with these sort values and this key."""

    values: tuple[Scalar | None, ...]
    key: str


def check(kind: Kind, specification: Specification) -> None:
    """Raise InvalidSpecificationError unless every store could evaluate the specification for this kind."""
    limit = specification.limit
    if isinstance(limit, bool) or not isinstance(limit, int) or not 1 <= limit <= MAX_LIMIT:
        reason = f"limit {limit!r} is not a whole number between 1 and {MAX_LIMIT}"
        raise InvalidSpecificationError(kind=kind.name, reason=reason)
    if len(specification.order) > MAX_ORDER:
        reason = f"it is ordered by more than {MAX_ORDER} fields"
        raise InvalidSpecificationError(kind=kind.name, reason=reason)
    for order in specification.order:
        if field_at(kind, order.field).type not in ORDERED:
            raise InvalidSpecificationError(kind=kind.name, reason=f"{order.field} has no order")
    check_predicate(kind, specification.where)
    start_of(kind, specification)


def start_of(kind: Kind, specification: Specification) -> Start | None:
    """What the continuation says, or None on the first page.

    Continuations pass through callers' hands, so nothing in one is believed: raises
    InvalidSpecificationError for one that cannot be read, belongs to another order, or holds what the
    fields of the order cannot.
    """
    if specification.continuation is None:
        return None
    fields, values, key = _read_continuation(kind, specification.continuation)
    if fields != _order_names(specification):
        raise InvalidSpecificationError(kind=kind.name, reason="the continuation belongs to another order")
    types = [field_at(kind, order.field).type for order in specification.order]
    if len(values) != len(types) or not all(map(_fits, types, values)):
        raise InvalidSpecificationError(kind=kind.name, reason="the continuation does not fit its order")
    try:
        kind.check_key(key)
    except InvalidRecordError as error:
        raise InvalidSpecificationError(kind=kind.name, reason="the continuation has no key") from error
    return Start(tuple(values), key)


def _read_continuation(kind: Kind, continuation: object) -> tuple[list[Any], list[Any], str]:
    try:
        if not isinstance(continuation, str):
            raise TypeError("a continuation is text")
        fields, values, key = parse(base64.b64decode(continuation.encode("ascii"), b"-_", validate=True))
        if not (isinstance(fields, list) and isinstance(values, list) and isinstance(key, str)):
            raise TypeError("a continuation is two lists and a key")
    except (ValueError, TypeError, RecursionError, binascii.Error) as error:
        raise InvalidSpecificationError(kind=kind.name, reason="the continuation cannot be read") from error
    return fields, values, key


def _fits(field_type: FieldType, value: object) -> bool:
    """Whether `value` can be the comparable value of a field of that type."""
    if value is None:
        return True
    if field_type is FieldType.TIMESTAMP:
        is_whole = isinstance(value, int) and not isinstance(value, bool)
        return is_whole and _FIRST_INSTANT <= value <= _LAST_INSTANT  # type: ignore[operator]
    if field_type in TEXTS:
        return isinstance(value, str)
    return comparable(field_type, value) is not None and find_unspeakable(value) is None


def continuation_after(kind: Kind, specification: Specification, last: Record) -> str:
    """The continuation of a page that ended with `last`."""
    parts = [_order_names(specification), sort_values(kind, specification, last), last.key]
    return base64.urlsafe_b64encode(canonical(parts)).decode("ascii")


def _order_names(specification: Specification) -> list[str]:
    return [("-" if isinstance(o, Descending) else "+") + o.field for o in specification.order]


def sort_values(kind: Kind, specification: Specification, record: Record) -> list[Scalar | None]:
    """The record's comparable values in the fields of the order: what a continuation remembers."""
    content = record.content or {}
    return [
        comparable(field_at(kind, order.field).type, value_at(content, order.field))
        for order in specification.order
    ]


class _Reversed:
    """Wraps a comparable value so that larger ones sort first."""

    __slots__ = ("value",)
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, value: Any) -> None:
        self.value = value

    def __lt__(self, other: "_Reversed") -> bool:
        return bool(other.value < self.value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Reversed) and bool(self.value == other.value)


def _sort_key(specification: Specification, values: Iterable[Scalar | None], key: str) -> tuple[Any, ...]:
    parts: list[Any] = []
    for order, value in zip(specification.order, values, strict=True):
        part = (0, 0) if value is None else (1, value)
        parts.append(_Reversed(part) if isinstance(order, Descending) else part)
    return (*parts, key)


def page_of(kind: Kind, specification: Specification, records: Iterable[Record]) -> Page:
    """Evaluate a specification in memory over records in any order; tombstones are passed over.

    Raises InvalidSpecificationError.
    """
    check(kind, specification)
    start = start_of(kind, specification)
    after = None if start is None else _sort_key(specification, start.values, start.key)
    found = []
    for record in records:
        if record.content is None or not holds(kind, specification.where, record.content):
            continue
        sort_key = _sort_key(specification, sort_values(kind, specification, record), record.key)
        if after is None or after < sort_key:
            found.append((sort_key, record))
    found.sort(key=lambda pair: pair[0])
    return cut_page(kind, specification, [record for _, record in found[: specification.limit + 1]])


def cut_page(kind: Kind, specification: Specification, records: list[Record]) -> Page:
    """A page from up to `limit` + 1 records in order: the one too many only tells that there are more."""
    page = records[: specification.limit]
    more = len(records) > specification.limit
    return Page(tuple(page), continuation_after(kind, specification, page[-1]) if more else None)
