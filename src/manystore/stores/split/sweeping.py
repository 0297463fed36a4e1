"""Looking after the sheets: taking off what a dead writer left, and naming what is not as it should be.

Each write cleans up behind itself; a sweep is for what died or was cut off in between. It may run at any
time, beside any writers, and from several places at once.
"""

from collections.abc import Mapping
from typing import Final, Literal

import msgspec

from manystore.records import Record
from manystore.stores.split.declaration import Split, pointer_of
from manystore.stores.split.sheets import Sheet
from manystore.stores.split.shelf import Shelf
from manystore.stores.store import KeyRange, Store

_PAGE: Final = 500
_SAMPLES: Final = 100


class Swept(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What a sweep did and saw. `lost` and `altered` are the first hundred keys each; the counts are of all.

    pruned    sheets from which something was taken off
    lost      the core points to a part that is not there: write the record again, or repair it by a move
    altered   somebody else changed the part: the rest store's rogue writes say to what
    """

    sheets: int = 0
    records: int = 0
    pruned: int = 0
    lost_count: int = 0
    lost: tuple[str, ...] = ()
    altered_count: int = 0
    altered: tuple[str, ...] = ()

    def __add__(self, other: "Swept") -> "Swept":
        """Both together, `other` being of later pages."""
        return Swept(
            sheets=self.sheets + other.sheets,
            records=self.records + other.records,
            pruned=self.pruned + other.pruned,
            lost_count=self.lost_count + other.lost_count,
            lost=(*self.lost, *other.lost)[:_SAMPLES],
            altered_count=self.altered_count + other.altered_count,
            altered=(*self.altered, *other.altered)[:_SAMPLES],
        )


class SweepPlace(msgspec.Struct, frozen=True, kw_only=True):
    """How far a sweep has come: after which key, among the sheets first and then among the records."""

    stage: Literal["sheets", "records"] = "sheets"
    after: str | None = None


async def sweep_page(
    core: Store, split: Split, rest: Store, shelf: Shelf, place: SweepPlace
) -> tuple[Swept, SweepPlace | None]:
    """Sweep the page at that place; returns the next one, None at the end. Raises UnavailableError."""
    if place.stage == "records":
        return await _inspect(core, split, shelf, place)
    page = await rest.scan(shelf.kind, KeyRange(place.after), _PAGE)
    if not page:
        return Swept(), SweepPlace(stage="records")
    # First the sheets, then the core: see `sheets`.
    sheets = {record.key: Sheet.of(record.key, record) for record in page}
    cores = await core.get_many(split.core_kind, list(sheets))
    pruned, _ = await shelf.prune(sheets, cores)
    return Swept(sheets=len(page), pruned=pruned), SweepPlace(after=page[-1].key)


async def _inspect(
    core: Store, split: Split, shelf: Shelf, place: SweepPlace
) -> tuple[Swept, SweepPlace | None]:
    """Name the records of a page whose parts are not there, or not what they should be."""
    core_kind = split.core_kind
    page = await core.scan(core_kind, KeyRange(place.after), _PAGE)
    if not page:
        return Swept(), None
    sheets = await shelf.read(record.key for record in page)
    suspects = {record.key: record for record in page if not _is_sound(record, sheets)}
    again = await core.get_many(core_kind, list(suspects)) if suspects else {}
    swept = Swept(records=len(page))
    # Of a record that moved on between the two readings of the core, the sheet in between says nothing.
    for record in (record for key, record in suspects.items() if again.get(key) == record):
        swept += _noted(record, sheets[record.key])
    return swept, SweepPlace(stage="records", after=page[-1].key)


def _is_sound(core: Record, sheets: Mapping[str, Sheet]) -> bool:
    pointer = pointer_of(core.content)
    if pointer is None:
        return True
    part = sheets[core.key].part(pointer)
    return part is not None and part.is_intact


def _noted(core: Record, sheet: Sheet) -> Swept:
    if sheet.part(pointer_of(core.content) or "") is None:
        return Swept(lost_count=1, lost=(core.key,))
    return Swept(altered_count=1, altered=(core.key,))
