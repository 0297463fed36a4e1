"""What either store refuses, told as the split store's own word about the whole record."""

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Final

from manystore.errors import NotRepresentableError, RefusedError, StaleEpochError
from manystore.records import Content, Kind, find_unspeakable
from manystore.stores.split.declaration import PART, SHEET_PARTS

_SHEET_PATH: Final = re.compile(rf"^{SHEET_PARTS}(\[\d+\])?\.({PART}\.)?")


def told(error: RefusedError, *, store: str, kind: Kind) -> RefusedError:
    """The same refusal, by `store` and of `kind`, with the path that the value has in the whole record."""
    match error:
        case StaleEpochError():
            return StaleEpochError(
                store=store,
                kind=kind.name,
                expected=error.expected,
                actual=error.actual,
                admits=error.admits,
            )
        case NotRepresentableError():
            return NotRepresentableError(
                store=store,
                kind=kind.name,
                key=error.key,
                field=in_record(error.field),
                reason=error.reason,
            )
    return error


@contextmanager
def telling(*, store: str, kind: Kind) -> Iterator[None]:
    """Tell whatever is refused within the block as `told` does."""
    try:
        yield
    except (StaleEpochError, NotRepresentableError) as error:
        raise told(error, store=store, kind=kind) from error


def too_deep(store: str, kind: Kind, key: str, parts: Iterable[Content]) -> NotRepresentableError | None:
    """The refusal of a part that is too deep for a sheet, on which it lies a few levels further down."""
    for content in parts:
        if found := find_unspeakable({SHEET_PARTS: [{PART: content}]}):
            path, reason = found
            return NotRepresentableError(
                store=store, kind=kind.name, key=key, field=in_record(path), reason=reason
            )
    return None


def in_record(path: str) -> str:
    """The path in the whole record that a path in a sheet leads to."""
    return _SHEET_PATH.sub("", path)
