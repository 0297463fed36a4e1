"""A batch of records to be applied, divided between the stores and put together again."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from manystore.errors import RefusedError
from manystore.records import Content, Record
from manystore.stores.split.declaration import Split, pointer_of
from manystore.stores.split.refusals import told
from manystore.stores.split.sheets import ABSENT, Claim, Sheet
from manystore.stores.store import Applied, Outcome, Refused


class Batch:
    """Records in the order in which their outcomes are told; one key may come several times."""

    def __init__(self, split: Split, records: Sequence[Record]) -> None:
        self.keys: Final = list(dict.fromkeys(record.key for record in records))
        self._split = split
        self._cores, self._parts = list[Record](), list[Content]()
        for record in records:
            core, part = split.divide_record(record)
            self._cores.append(core)
            self._parts.append(part)

    def wanted(
        self, present: Mapping[str, Record], claim: Callable[[int], Claim]
    ) -> dict[str, list[tuple[str, Content, Claim]]]:
        """The parts of the records that may be newer than what the core holds, by key."""
        wanted: dict[str, list[tuple[str, Content, Claim]]] = {}
        for core, part in zip(self._cores, self._parts, strict=True):
            pointer, held = pointer_of(core.content), present.get(core.key)
            # The core's versions only rise: what is not newer now will be ignored, and needs no part.
            if pointer is not None and core.version > (ABSENT if held is None else held.version):
                wanted.setdefault(core.key, []).append((pointer, part, claim(core.version - 1)))
        return wanted

    def accepted(self, refused: Mapping[str, RefusedError]) -> list[Record]:
        """What goes to the core: all but the records whose parts were refused."""
        return [core for core in self._cores if not self._is_refused(core, refused)]

    @staticmethod
    def _is_refused(core: Record, refused: Mapping[str, RefusedError]) -> bool:
        return core.key in refused and pointer_of(core.content) is not None

    def merge(
        self, outcomes: Sequence[Outcome], refused: Mapping[str, RefusedError], *, store: str
    ) -> list[Outcome]:
        """One outcome for each record, in order, told by the split store."""
        rest, merged = iter(outcomes), list[Outcome]()
        for core in self._cores:
            is_refused = self._is_refused(core, refused)
            outcome = Refused(refused[core.key]) if is_refused else next(rest)
            if isinstance(outcome, Refused):
                outcome = Refused(told(outcome.error, store=store, kind=self._split.kind))
            merged.append(outcome)
        return merged

    def untidy(
        self, outcomes: Sequence[Outcome], present: Mapping[str, Record], sheets: Mapping[str, Sheet]
    ) -> list[str]:
        """The keys of records on whose sheets there may be what nobody needs."""
        plain, seen = set[str](), set[str]()
        for core, outcome in zip(self._cores, outcomes, strict=True):
            sheet = sheets.get(core.key)
            if core.key in seen:
                plain.discard(core.key)
            elif sheet is None:
                before = present.get(core.key)
                had_part = before is not None and pointer_of(before.content) is not None
                if not (had_part and isinstance(outcome, Applied)):
                    plain.add(core.key)
            elif isinstance(outcome, Applied) and len(sheet.parts) == len(sheet.parts[0].claims) == 1:
                plain.add(core.key)
            seen.add(core.key)
        return [key for key in self.keys if key not in plain]
