"""What two stores say of the same record, and in what they differ, named to the field."""

from collections.abc import Iterator
from typing import Any, Literal

import msgspec

from manystore.records import Record, canonical

DifferenceSort = Literal["missing", "extra", "stale", "ahead", "differing"]


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """One record on which truth and copy do not agree at a common position.

    missing     the truth has it, the copy never did
    extra       the copy has it, the truth never did
    stale       the copy holds an older version, though it should have the newer one
    ahead       the copy holds a newer version than the truth: written there by somebody unknown
    differing   both hold the same version with different content; `fields` says where
    """

    key: str
    sort: DifferenceSort
    truth_version: int | None
    copy_version: int | None
    fields: tuple[str, ...] = ()


def compare(truth: Record | None, copy: Record | None) -> Difference | None:
    """The difference between what both stores hold under a key, or None where they agree."""
    if truth is None and copy is None:
        return None
    if truth is None or copy is None:
        key = (truth or copy).key  # type: ignore[union-attr]  # one of them is there
        return Difference(
            key=key,
            sort="extra" if truth is None else "missing",
            truth_version=truth.version if truth else None,
            copy_version=copy.version if copy else None,
        )
    if truth.version != copy.version:
        sort: DifferenceSort = "stale" if copy.version < truth.version else "ahead"
    elif canonical(truth.content) != canonical(copy.content):
        sort = "differing"
    else:
        return None
    fields = tuple(differing_fields(truth.content, copy.content))
    return Difference(
        key=truth.key, sort=sort, truth_version=truth.version, copy_version=copy.version, fields=fields
    )


def differing_fields(one: Any, other: Any, path: str = "") -> Iterator[str]:
    """The paths at which two JSON values differ, as deep as both have the same shape."""
    if isinstance(one, dict) and isinstance(other, dict):
        for name in sorted(one.keys() | other.keys()):
            inner = f"{path}.{name}" if path else name
            if name not in one or name not in other:
                yield inner
            else:
                yield from differing_fields(one[name], other[name], inner)
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for index, (left, right) in enumerate(zip(one, other, strict=True)):
            yield from differing_fields(left, right, f"{path}[{index}]")
    elif canonical(one) != canonical(other):
        yield path or "$"
