"""Looking after the sheets: taking off what a dead writer left, and naming what is not as it should be.

Each write cleans up behind itself; a sweep is for what died or was cut off in between. It may run at any
time, beside any writers, and from several places at once.
"""

from collections.abc import Mapping
from typing import Final

import msgspec
from msgspec import structs

from manystore.records import Record
from manystore.stores.split.declaration import Split, pointer_of
from manystore.stores.split.sheets import Sheet
from manystore.stores.split.shelf import Shelf
from manystore.stores.store import KeyRange, Store

_PAGE: Final = 500
_SAMPLES: Final = 100


class Swept(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What a sweep did and saw. `lost` and `altered` are the first hundred keys each; the counts are of all.

    lost      the core points to a part that is not there: write the record again, or repair it by a move
    altered   somebody else changed the part: the rest store's rogue writes say to what
    """

    sheets: int = 0
    pruned: int = 0
    lost_count: int = 0
    lost: tuple[str, ...] = ()
    altered_count: int = 0
    altered: tuple[str, ...] = ()


async def sweep(core: Store, split: Split, rest: Store, shelf: Shelf) -> Swept:
    """Go through all sheets and all records once, a page at a time. Raises UnavailableError."""
    core_kind, swept = split.core_kind, Swept()
    after: str | None = None
    while page := await rest.scan(shelf.kind, KeyRange(after), _PAGE):
        # First the sheets, then the core: see `sheets`.
        sheets = {record.key: Sheet.of(record.key, record) for record in page}
        cores = await core.get_many(core_kind, list(sheets))
        pruned, _ = await shelf.prune(sheets, cores)
        swept = structs.replace(swept, sheets=swept.sheets + len(page), pruned=swept.pruned + pruned)
        after = page[-1].key
    return await _inspect(core, split, shelf, swept)


async def _inspect(core: Store, split: Split, shelf: Shelf, swept: Swept) -> Swept:
    """Name the records whose parts are not there, or not what they should be."""
    core_kind = split.core_kind
    after: str | None = None
    while page := await core.scan(core_kind, KeyRange(after), _PAGE):
        sheets = await shelf.read(record.key for record in page)
        suspects = {record.key: record for record in page if not _is_sound(record, sheets)}
        again = await core.get_many(core_kind, list(suspects)) if suspects else {}
        # Of a record that moved on between the two readings of the core, the sheet in between says nothing.
        for record in (record for key, record in suspects.items() if again.get(key) == record):
            swept = _noted(swept, record, sheets[record.key])
        after = page[-1].key
    return swept


def _is_sound(core: Record, sheets: Mapping[str, Sheet]) -> bool:
    pointer = pointer_of(core.content)
    if pointer is None:
        return True
    part = sheets[core.key].part(pointer)
    return part is not None and part.is_intact


def _noted(swept: Swept, core: Record, sheet: Sheet) -> Swept:
    if sheet.part(pointer_of(core.content) or "") is None:
        lost = (*swept.lost, core.key)[:_SAMPLES]
        return structs.replace(swept, lost_count=swept.lost_count + 1, lost=lost)
    altered = (*swept.altered, core.key)[:_SAMPLES]
    return structs.replace(swept, altered_count=swept.altered_count + 1, altered=altered)
