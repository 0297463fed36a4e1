"""Writing split records: the part first, then the core, then what is no longer needed is taken off.

A fault before the core's answer leaves the former version whole, and a part that nothing points to; a fault
after it leaves the new version whole, and the former part. Neither shows, and both are cleaned up: at once
where the outcome is known, by the next write of the record, or by a sweep; `sheets` says what may go when.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import Final

import msgspec
import structlog

from manystore.clock import Clock
from manystore.errors import RefusedError, StaleEpochError, UnavailableError, VersionConflictError
from manystore.instants import spell_instant
from manystore.records import Content, Record, canonical, parse
from manystore.stores.split.batch import Batch
from manystore.stores.split.declaration import Split, pointer_of
from manystore.stores.split.joining import Counters, whole
from manystore.stores.split.refusals import telling
from manystore.stores.split.sheets import Claim, Sheet
from manystore.stores.split.shelf import Shelf
from manystore.stores.store import Note, Outcome, Refused, Store

log = structlog.get_logger(__name__)

_TRIES: Final = 5


class Writing:
    """Writes the records of one split kind; `grace` in seconds is how long a new record's writer may take."""

    def __init__(
        self,
        core: Store,
        split: Split,
        shelf: Shelf,
        counters: Counters,
        *,
        name: str,
        clock: Clock,
        randomness: random.Random,
        grace: float,
    ) -> None:
        self._core, self._split, self._shelf, self._counters = core, split, shelf, counters
        self._name, self._clock, self._random, self._grace = name, clock, randomness, grace
        self._core_kind = split.core_kind

    # -- as the truth --------------------------------------------------------------------------------

    async def put(
        self, key: str, content: Content, *, expected: int | None, epoch: int, above: int
    ) -> Record:
        """See Store.put."""
        kind = self._split.kind
        kind.check(key, content)
        core, part = self._split.divide(content)
        # What others grant the writer of a new record, it must not outlive.
        limit = self._grace / 2 if expected is None else None
        try:
            with telling(store=self._name, kind=kind):
                async with asyncio.timeout(limit):
                    prepared = await self._prepare(key, core, part, expected, epoch)
                    written = await self._commit(key, core, prepared, expected, epoch, above)
        except TimeoutError as error:
            reason = "its stores took too long"
            raise UnavailableError(subject=f"{kind.name}/{key}", reason=reason) from error
        if prepared.needs_tidying:
            await self._tidy([key], prepared.sheets, [prepared.by])
        return whole(written, parse(canonical(part)))

    async def _prepare(
        self, key: str, core: Content, part: Content, expected: int | None, epoch: int
    ) -> "_Prepared":
        """Have the part on its sheet before the core points to it."""
        before = await self._core.get(self._core_kind, key)
        await self._check(key, before, expected, epoch)
        held, pointer = pointer_of(None if before is None else before.content), pointer_of(core)
        if pointer is None:
            return _Prepared(needs_tidying=held is not None)
        if pointer == held and await self._shelf.holds(key, pointer):
            # Nobody takes off what the core points to as long as it stands at the expected version; and
            # where it does not any more, the core refuses.
            return _Prepared()
        claim = self._claim(self._name_writer(), until=expected)
        sheets = await self._shelf.claim({key: [(pointer, part, claim)]}, self._name)
        if key not in sheets.claimed:
            raise sheets.refused[key]
        return _Prepared(sheets=sheets.claimed, by=claim.by, needs_tidying=True)

    async def _commit(
        self,
        key: str,
        core: Content,
        prepared: "_Prepared",
        expected: int | None,
        epoch: int,
        above: int,
    ) -> Record:
        try:
            return await self._core.put(
                self._core_kind, key, core, expected=expected, epoch=epoch, above=above
            )
        except RefusedError:
            if prepared.sheets:
                await self._tidy([key], prepared.sheets, [prepared.by])
            raise

    async def _check(self, key: str, before: Record | None, expected: int | None, epoch: int) -> None:
        """Refuse what the core would refuse, before a part is written for it."""
        actual = None if before is None or before.is_deleted else before.version
        if actual == expected:
            return
        kind, fence = self._core_kind, await self._core.fence(self._core_kind)
        admits = fence is not None and fence.admits
        if fence is None or fence.epoch != epoch or not admits:
            actual_epoch = None if fence is None else fence.epoch
            raise StaleEpochError(
                store=self._name, kind=kind.name, expected=epoch, actual=actual_epoch, admits=admits
            )
        raise VersionConflictError(kind=kind.name, key=key, expected=expected, actual=actual)

    async def delete(self, key: str, *, expected: int, epoch: int, above: int) -> Record:
        """See Store.delete. All parts go with the record."""
        with telling(store=self._name, kind=self._split.kind):
            tombstone = await self._core.delete(
                self._core_kind, key, expected=expected, epoch=epoch, above=above
            )
        await self._tidy([key])
        return tombstone

    # -- as a copy -----------------------------------------------------------------------------------

    async def apply(self, records: Sequence[Record], note: Note | None) -> list[Outcome]:
        """See Store.apply: all parts first, then the core with the note in its atomic step."""

        async def bring_in(cores: Sequence[Record], refused: Mapping[str, RefusedError]) -> list[Outcome]:
            return await self._core.apply(self._core_kind, cores, note=note)

        return await self._apply(records, bring_in)

    async def apply_together(self, records: Sequence[Record]) -> list[Outcome]:
        """See Store.apply_together: where the rest store refuses a part, the core is not asked."""

        async def bring_in(cores: Sequence[Record], refused: Mapping[str, RefusedError]) -> list[Outcome]:
            if error := next(iter(refused.values()), None):
                return [Refused(error)] * len(cores)
            return await self._core.apply_together(self._core_kind, cores)

        return await self._apply(records, bring_in)

    async def _apply(
        self,
        records: Sequence[Record],
        bring_in: Callable[[Sequence[Record], Mapping[str, RefusedError]], Awaitable[list[Outcome]]],
    ) -> list[Outcome]:
        for record in records:
            if record.content is None:
                self._split.kind.check_key(record.key)
            else:
                self._split.kind.check(record.key, record.content)
        by = self._name_writer()
        batch = Batch(self._split, records)
        present = await self._core.get_many(self._core_kind, batch.keys) if records else {}
        wanted = batch.wanted(present, lambda until: self._claim(by, until=until))
        sheets = await self._shelf.claim(wanted, self._name)
        accepted = batch.accepted(sheets.refused)
        outcomes = await bring_in(accepted, sheets.refused)
        merged = batch.merge(outcomes, sheets.refused, store=self._name)
        await self._tidy(batch.untidy(merged, present, sheets.claimed), sheets.claimed, [by])
        return merged

    # -- what both share -----------------------------------------------------------------------------

    def _name_writer(self) -> str:
        return f"{self._random.getrandbits(64):016x}"

    def _claim(self, by: str, *, until: int | None) -> Claim:
        return Claim(by=by, until=until, at=spell_instant(self._clock.now()))

    async def _tidy(
        self, keys: Sequence[str], known: Mapping[str, Sheet] | None = None, done: Collection[str] = ()
    ) -> None:
        """Take off the parts of these records that nobody needs; what cannot be done is left to a sweep.

        The write is over and its outcome certain, so a fault here must not make it look otherwise.
        """
        left = list(keys)
        try:
            for _ in range(_TRIES):
                if not left:
                    return
                # First the sheets, then the core: see `sheets`.
                sheets = await self._shelf.read(key for key in left if known is None or key not in known)
                sheets |= {key: known[key] for key in left if known is not None and key in known}
                cores = await self._core.get_many(self._core_kind, left)
                _, left = await self._shelf.prune(sheets, cores, done)
                known = None
        except UnavailableError as error:
            log.warning("split.left_to_sweep", kind=self._split.kind.name, reason=str(error))
        self._counters.left_to_sweep += len(left)


class _Prepared(msgspec.Struct, frozen=True, kw_only=True):
    """What stands ready for the core's word: the sheets as claimed, by which writer."""

    sheets: Mapping[str, Sheet] = {}
    by: str = ""
    needs_tidying: bool = False
