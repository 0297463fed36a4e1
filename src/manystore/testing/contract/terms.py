"""What a product's test module may say of its store, and the steps that most tests begin with."""

import abc
import asyncio
from collections.abc import Iterable, Sequence
from typing import ClassVar

from manystore.changes import START, Change, Position
from manystore.records import Content, Kind, Record
from manystore.stores.store import Applied, Fence, KeyRange, Store


class Terms(abc.ABC):
    """What is true of a product; a test class overrides what is not."""

    checks_parents: ClassVar[bool] = False
    """Whether a record that points to an absent parent is refused."""

    quarantines: ClassVar[frozenset[str]] = frozenset()
    """The traps of `samples.awkward_people` that are refused with NotRepresentableError, not carried."""

    cuts_logs: ClassVar[bool] = True
    """Whether the log is a list of entries, from which old ones can be removed."""

    watches: ClassVar[bool] = True
    """Whether the store notices each write of others when it is made; else it sees what lies there when it
    looks, and so neither what was removed nor what was overwritten before that."""

    @abc.abstractmethod
    async def behind(self, store: Store, kind: Kind, key: str, content: Content | None) -> None:
        """Write as somebody would who does not know the engine: insert, change, or with None delete.

        With the product's own tools, on a connection of their own. The suite asks it for `WORDS` alone.
        """


async def admit(store: Store, *kinds: Kind, epoch: int = 1) -> None:
    """Let the store take writes of the kinds, under `epoch`."""
    for kind in kinds:
        before = await store.fence(kind)
        expected = None if before is None else before.epoch
        assert await store.raise_fence(kind, Fence(epoch=epoch, admits=True), expected=expected)


async def fill(store: Store, kind: Kind, contents: Iterable[Content], version: int = 1) -> list[Record]:
    """Apply contents as records of one version, all of which must land."""
    records = [Record(str(content["id"]), version, content) for content in contents]
    outcomes = await store.apply(kind, records)
    assert outcomes == [Applied()] * len(records)
    return records


async def scan_all(
    store: Store, kind: Kind, key_range: KeyRange | None = None, page: int = 500
) -> list[Record]:
    """Every record and tombstone of a range, read page by page."""
    rest, found = key_range or KeyRange(), list[Record]()
    while records := await store.scan(kind, rest, page):
        found.extend(records)
        rest = KeyRange(records[-1].key, rest.upto)
    return found


async def read_log(
    store: Store, kind: Kind, after: Position = START, limit: int = 7
) -> tuple[list[Change], Position]:
    """Changes after a position up to the present head, and the position reached.

    A store may hold changes back while a transaction that began earlier is open anywhere, so this waits,
    for a bounded time.
    """
    head, found = await store.head(kind), list[Change]()
    for _ in range(2_000):
        batch = await store.changes(kind, after, limit)
        assert batch.position >= after, "a reader was sent back"
        found.extend(batch.changes)
        after = batch.position
        if after >= head:
            return found, after
        if not batch.changes:
            await asyncio.sleep(0.005)
    raise AssertionError(f"the log was read up to {after} and never reached its head {head}")


def newest(changes: Sequence[Change]) -> dict[str, int]:
    """The version that a reader of the changes knows of each key in the end."""
    return {change.key: change.version for change in changes}
