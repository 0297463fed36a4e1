"""Looks for records that point to a parent which is nowhere, page by page, in the memory of one page."""

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from manystore.errors import InvalidRecordError
from manystore.placement import Placement, State, read_state
from manystore.records import FieldType, Kind, Parent, Record
from manystore.stores.store import Store

SAMPLES: Final = 20


class Orphans(msgspec.Struct):
    """Records whose `field` names no living record of `parent`: how many, and the first of them."""

    field: str
    parent: str
    count: int = 0
    samples: list[str] = msgspec.field(default_factory=list)


class ParentSearch:
    """Asks where the parents of a kind are for each key that a page of its records points to.

    That is the truth of the parent's own placement, since from there it will be in the target before its
    child; or the target itself, for a parent that has no placement.

    Writes go on meanwhile. A parent may go after its child let go of it, and the page was read before both:
    so a child whose parent is missing is read once more (from `truth`), and counts if it still points there.
    """

    def __init__(self, kind: Kind, truth: Store, bonds: Sequence[tuple[Parent, Kind, Store]]) -> None:
        self._kind, self._truth = kind, truth
        self._bonds = [(bond, kind, store, Orphans(bond.field, kind.name)) for bond, kind, store in bonds]

    @classmethod
    async def of(cls, placement: Placement, state: State, family: Mapping[str, Placement]) -> "ParentSearch":
        """The search for a kind as it stands. A parent that nobody can be asked for is left out."""
        kinds = {kind.name: kind for kind in placement.parents}
        bonds = []
        for bond in placement.kind.parents:
            if (there := family.get(bond.kind)) is not None:
                bonds.append((bond, there.kind, there.truth(await read_state(there))))
            elif bond.kind in kinds:
                bonds.append((bond, kinds[bond.kind], placement.copy(state)))
        return cls(placement.kind, placement.truth(state), bonds)

    async def look(self, page: Sequence[Record]) -> None:
        """Note whose parent is missing. Raises UnavailableError where the parents' store cannot be asked."""
        for bond, kind, store, orphans in self._bonds:
            pointing = [(record.key, _parent_key(bond, kind, record)) for record in page]
            wanted = sorted({parent for _, parent in pointing if parent is not None})
            if not wanted:
                continue
            found = await store.get_many(kind, wanted)
            gone = {key for key in wanted if key not in found or found[key].is_deleted}
            left = {key: parent for key, parent in pointing if parent in gone}
            again = await self._truth.get_many(self._kind, list(left)) if left else {}
            lost = [
                f"{key}: no {kind.name}/{parent}"
                for key, parent in left.items()
                if key in again and _parent_key(bond, kind, again[key]) == parent
            ]
            orphans.count += len(lost)
            orphans.samples += lost[: SAMPLES - len(orphans.samples)]

    @property
    def found(self) -> list[Orphans]:
        """What was found, for each field by which something is missing."""
        return [orphans for *_, orphans in self._bonds if orphans.count]


def _parent_key(bond: Parent, kind: Kind, record: Record) -> str | None:
    """The key that the record points to; None for nothing, and for what no record could be called."""
    value = None if record.content is None else record.content.get(bond.field)
    if not isinstance(value, str):
        return None
    # A UUID in capitals names the same row, whoever checks it.
    key = value.lower() if kind.field("id").type is FieldType.UUID else value
    try:
        kind.check_key(key)
    except InvalidRecordError:
        # The target's own examination says that the value does not fit.
        return None
    return key
