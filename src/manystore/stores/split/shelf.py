"""All sheets of one kind in the rest store: reading parts, claiming them, and taking off what is not needed.

Sheets are written by `apply`, which asks for no epoch: it is the core's compare-and-set that decides about a
write, under the kind's epoch. Since a sheet is always replaced by its next version, of several writers who
read the same one `apply` lets exactly one through, and tells the others.
"""

import datetime as dt
import random
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final

import msgspec

from manystore.clock import Clock
from manystore.errors import RefusedError, UnavailableError
from manystore.records import Content, Record
from manystore.stores.split.declaration import Split
from manystore.stores.split.refusals import too_deep
from manystore.stores.split.sheets import Claim, Sheet
from manystore.stores.store import Applied, Fence, Ignored, Outcome, Refused, Store

_ATTEMPTS: Final = 100
_PAUSE: Final = 0.01
"""Seconds of the longest pause after one lost race; it grows by this with each, up to tenfold."""

Wanted = Mapping[str, Sequence[tuple[str, Content, Claim]]]
"""By record's key: digests, parts, and the claims with which they are to be on its sheet."""


class Claimed(msgspec.Struct, frozen=True):
    """What became of claims: the sheets as they are now, and which records' parts were refused, and why."""

    claimed: Mapping[str, Sheet] = {}
    refused: Mapping[str, RefusedError] = {}


class Shelf:
    """The sheets of one split kind. `grace` is how long the claim of a new record's writer is respected."""

    def __init__(
        self, store: Store, split: Split, clock: Clock, grace: float, randomness: random.Random
    ) -> None:
        self.kind = split.rest_kind
        self._store, self._clock, self._grace, self._random = store, clock, grace, randomness
        self._is_fenced = False

    async def read(self, keys: Iterable[str]) -> dict[str, Sheet]:
        """The sheets under `keys`, those that are not there included."""
        wanted = list(dict.fromkeys(keys))
        held = await self._store.get_many(self.kind, wanted) if wanted else {}
        return {key: Sheet.of(key, held.get(key)) for key in wanted}

    async def guard(self) -> None:
        """Have the rest store keep what others write to sheets as rogue writes: its fence never admits."""
        if self._is_fenced:
            return
        if await self._store.fence(self.kind) is None:
            # Where another was first, the fence is the same.
            await self._store.raise_fence(self.kind, Fence(epoch=1, admits=False), expected=None)
        self._is_fenced = True

    async def holds(self, key: str, digest: str) -> bool:
        """Whether a record's sheet has the part of that digest, and nobody has changed it."""
        part = (await self.read([key]))[key].part(digest)
        return part is not None and part.is_intact

    async def claim(self, wanted: Wanted, teller: str) -> "Claimed":
        """Put parts on their sheets, durably. `teller` is the store in whose name a part is refused.

        Raises UnavailableError, after which some claims may be there all the same.
        """
        if not wanted:
            return Claimed()
        await self.guard()
        claimed, left = dict[str, Sheet](), list(wanted)
        refused = dict[str, RefusedError]()
        for key, parts in wanted.items():
            if error := too_deep(teller, self.kind, key, [content for _, content, _ in parts]):
                refused[key] = error
        for lost in range(_ATTEMPTS):
            left = [key for key in left if key not in claimed and key not in refused]
            if not left:
                return Claimed(claimed, refused)
            if lost:
                # Different waits keep losers from meeting again: eight writers of one record, with Cosmos DB
                # as the rest store, took 18 s for forty versions without, and 7 with it.
                await self._clock.sleep(self._random.uniform(0, _PAUSE * min(lost, 10)))
            sheets = await self.read(left)
            for key in left:
                for digest, content, claim in wanted[key]:
                    sheets[key] = sheets[key].claimed(digest, content, claim)
            won, errors = await self._replace(sheets)
            claimed |= won
            refused |= errors
        reason = "it is written faster than it can be read"
        raise UnavailableError(subject=f"{self.kind.name}/{left[0]}", reason=reason)

    async def prune(
        self, sheets: Mapping[str, Sheet], cores: Mapping[str, Record], done: Collection[str] = ()
    ) -> tuple[int, list[str]]:
        """Take off what nobody needs, `cores` having been read after `sheets`.

        Returns from how many sheets, and the keys of those that have changed since they were read.
        """
        oldest = self._clock.now() - dt.timedelta(seconds=self._grace)
        pruned = {key: sheet.pruned(cores.get(key), done, oldest) for key, sheet in sheets.items()}
        lighter = {key: sheet for key, sheet in pruned.items() if sheet.is_lighter_than(sheets[key])}
        won, _ = await self._replace(lighter)
        return len(won), [key for key in lighter if key not in won]

    async def _replace(self, sheets: Mapping[str, Sheet]) -> tuple[dict[str, Sheet], dict[str, RefusedError]]:
        """Write each sheet as the next version of the one read: those that are so now, and those refused."""
        if not sheets:
            return {}, {}
        records = [sheet.following() for sheet in sheets.values()]
        outcomes = await self._store.apply(self.kind, records)
        won = {
            record.key: Sheet.of(record.key, record)
            for record, outcome in zip(records, outcomes, strict=True)
            if _stands(record, outcome)
        }
        refused = {
            record.key: outcome.error
            for record, outcome in zip(records, outcomes, strict=True)
            if isinstance(outcome, Refused)
        }
        return won, refused


def _stands(record: Record, outcome: Outcome) -> bool:
    # Ignored at the very version means that the same content is there already: a claim has a name that
    # nobody else uses, so it is our own; and what two take off alike is off.
    return isinstance(outcome, Applied) or (isinstance(outcome, Ignored) and outcome.held == record.version)
