"""What both stores would refuse of a set of records, found in one pass over them."""

from collections.abc import AsyncIterator, Sequence
from typing import Final

from msgspec import structs

from manystore.errors import NotRepresentableError
from manystore.records import Kind, Record
from manystore.stores.split.declaration import Split, pointer_of
from manystore.stores.split.refusals import in_record, too_deep
from manystore.stores.split.sheets import Part, Sheet
from manystore.stores.store import Examination, Store

_SAMPLES: Final = 100


class _Verdicts:
    """What the rest store says, batch by batch; sheets share no values, so each batch is judged by itself."""

    def __init__(self, rest: Store, kind: Kind, teller: str, split: Split) -> None:
        self._rest, self._kind, self._teller, self._split = rest, kind, teller, split
        self.count = 0
        self.unfit: list[NotRepresentableError] = []

    async def cores(self, batches: AsyncIterator[Sequence[Record]]) -> AsyncIterator[Sequence[Record]]:
        """Judge the parts of each batch, and hand its core records on."""
        async for batch in batches:
            cores, sheets = list[Record](), list[Record]()
            for record in batch:
                core, part = self._split.divide_record(record)
                cores.append(core)
                pointer = pointer_of(core.content)
                if pointer is None:
                    continue
                if error := too_deep(self._teller, self._split.kind, record.key, [part]):
                    self._note(1, [error])
                    continue
                sheet = Sheet(record.key, 0, (Part(digest=pointer, content=part),))
                sheets.append(sheet.following())
            found = await self._rest.examine(self._kind, _one(sheets))
            self._note(found.unfit_count, found.unfit)
            yield cores

    def _note(self, count: int, unfit: Sequence[NotRepresentableError]) -> None:
        self.count += count
        self.unfit += unfit[: _SAMPLES - len(self.unfit)]


async def examine(
    core: Store, rest: Store, split: Split, batches: AsyncIterator[Sequence[Record]], *, teller: str
) -> Examination:
    """See Store.examine. Values that either store would refuse are counted; memory holds one batch."""
    verdicts = _Verdicts(rest, split.rest_kind, teller, split)
    found = await core.examine(split.core_kind, verdicts.cores(batches))
    unfit = [
        NotRepresentableError(
            store=teller,
            kind=split.kind.name,
            key=each.key,
            field=in_record(each.field),
            reason=each.reason,
        )
        for each in (*found.unfit, *verdicts.unfit)
    ]
    unfit.sort(key=lambda each: each.key)
    return structs.replace(
        found, unfit_count=found.unfit_count + verdicts.count, unfit=tuple(unfit[:_SAMPLES])
    )


async def _one(batch: Sequence[Record]) -> AsyncIterator[Sequence[Record]]:
    yield batch
