"""A follower that does something after each change: awards, publishes, projects, whatever a product needs.

    Reaction("awards", placement, handle, leases, owner=node, clock=clock, randomness=random)

`handle` is given the record as it is now, which is at least as new as the change, and must be idempotent:
it is called at least once for each accepted write, less often where a record was written several times
between two looks, and again after a crash. Of one record it never sees an older version after a newer one.

Each store has a log of its own of what it accepted while it was the truth. So the follower reads *both*
logs of a kind, each after a position kept in that same store: the truth's often, the other one's first of
all and then now and then. After a cut-over it finishes the old log, whoever did not get to its end, and
begins in the new one where it last stood there, or at its start; nothing lies between the two.

Who else wants to know how far the log is read finds the positions as the notes `followers/*/<kind>/position`.
"""

import contextlib
import random
from collections.abc import Awaitable, Callable
from typing import Final

import msgspec
import structlog

from manystore.changes import START, Position
from manystore.clock import Clock
from manystore.errors import LogCutError, ManystoreError, UnavailableError
from manystore.followers.claim import Claim, IsDead, nobody_known_dead
from manystore.followers.failures import Failure, Failures
from manystore.placement import Leases, Placement, Side
from manystore.records import Kind, Record
from manystore.specifications import Predicate, Specification, field
from manystore.stores.store import KeyRange, Note, Store

Handler = Callable[[Record], Awaitable[None]]
"""Does what follows from a change. Raises UnavailableError where nothing can be done just now."""

_BATCH: Final = 200
_STAND_BY: Final = 0.25
"""Seconds between two looks at a claim that another worker holds."""
_LOOK_BACK: Final = 1.0
"""Seconds between two looks at the log of the store that is not the truth."""
_NOTE_IDLE: Final = 5.0
"""Seconds after which the position in a log without changes is noted, so that old entries can be removed.

Not at each look: a note is a transaction, by which PostgreSQL's log moves on, and that would never end.
"""
_PATIENCE: Final = 5
"""How often in a row a change may meet with something unavailable before others go on without it."""

log = structlog.get_logger(__name__)


def position_name(follower: str, kind: str) -> str:
    """The note of a store in which a follower keeps how far it has read that store's log of the kind."""
    return f"followers/{follower}/{kind}/position"


class _LostClaimError(Exception):
    """Another worker goes on with this."""


class Reaction:
    """One follower of one kind; several workers share it by a claim.

    With `where`, the handler is given only living records of which that holds, and the others are not even
    read: for what follows from few of many changes. `every` is in seconds.
    """

    def __init__(
        self,
        name: str,
        placement: Placement,
        handle: Handler,
        leases: Leases,
        *,
        owner: str,
        clock: Clock,
        randomness: random.Random,
        where: Predicate | None = None,
        every: float = 0.25,
        is_dead: IsDead = nobody_known_dead,
    ) -> None:
        self.name: Final = name
        self.kind: Final = placement.kind
        self._placement, self._handle, self._leases = placement, handle, leases
        self._where = where
        self._owner, self._clock, self._random, self._every = owner, clock, randomness, every
        prefix = f"followers/{name}/{placement.kind.name}"
        self._logs = {side: self._log(prefix, placement.store(side)) for side in Side}
        # Kept for as long as this worker runs: that a holder is dead is seen only by who looks again.
        self._claims = {
            side: Claim(placement.store(side), f"{prefix}/claim", owner=owner, clock=clock, is_dead=is_dead)
            for side in Side
        }
        self._met: tuple[str, int] = ("", 0)

    def _log(self, prefix: str, store: Store) -> "_Log":
        failures = Failures(store, f"{prefix}/failed/", clock=self._clock, randomness=self._random)
        return _Log(self.name, self.kind, store, failures, self._clock)

    async def run(self) -> None:
        """Follow until cancelled."""
        pause, kind = _STAND_BY, self.kind.name
        while True:
            try:
                side = (await self._leases.refresh(kind)).truth
                if await self._claims[side].hold():
                    await self._follow_while(side)
                pause = _STAND_BY
            except UnavailableError as error:
                pause = min(2 * pause + error.retry_after / 10, 2.0)
                self._warn("reaction.unavailable", error)
            except ManystoreError as error:
                pause = 2.0
                self._warn("reaction.failed", error)
            await self._clock.sleep(pause)

    def _warn(self, event: str, error: ManystoreError) -> None:
        log.warning(event, follower=self.name, kind=self.kind.name, reason=str(error))

    async def failures(self) -> list[Failure]:
        """What could not be carried out so far, from either store."""
        return [each for kept in self._kept() for each in await kept.all()]

    async def replay(self, key: str | None = None) -> int:
        """Try the failed changes of one record again, or of all; returns how many."""
        return sum([await kept.replay(key) for kept in self._kept()])

    def _kept(self) -> list[Failures]:
        sides = (Side.SOURCE,) if self._placement.is_settled else tuple(Side)
        return [self._logs[side].failures for side in sides]

    async def _follow_while(self, side: Side) -> None:
        """Follow for as long as this side is the truth and this worker holds the claim."""
        looked_back, kind, claim = float("-inf"), self.kind.name, self._claims[side]
        try:
            while (await self._leases.state(kind)).truth is side and await claim.hold():
                now = self._clock.monotonic()
                if not self._placement.is_settled and now - looked_back >= _LOOK_BACK:
                    looked_back = now
                    await self._finish(side)
                if not await self._advance(self._logs[side], side):
                    await self._clock.sleep(self._every)
        except _LostClaimError:
            return
        finally:
            with contextlib.suppress(UnavailableError):
                await claim.release()

    async def _finish(self, truth: Side) -> None:
        """Read the rest of what the other store accepted when it was the truth."""
        try:
            while await self._advance(self._logs[truth.other], truth):
                continue
        except UnavailableError as error:
            # Its log waits for it. What the truth accepts need not wait as well.
            self._warn("reaction.former_truth_unavailable", error)

    async def _advance(self, source: "_Log", truth: Side) -> bool:
        """Carry out the next changes of a log, and failed ones that are due; whether there were changes."""
        note, position = await source.where()
        try:
            batch = await source.store.changes(source.kind, position, _BATCH)
        except LogCutError:
            await self._begin_anew(source, note, truth)
            return True
        # The newest of each, in the order in which the log names them first.
        keys = dict.fromkeys(change.key for change in batch.changes)
        keys |= dict.fromkeys(failure.key for failure in await source.failures.due())
        if keys:
            await self._carry_out(list(keys), source, truth)
        await source.note(note, batch.position, is_idle=not batch.changes)
        return bool(batch.changes)

    async def _begin_anew(self, source: "_Log", note: Note, truth: Side) -> None:
        """Look at every record, because the log no longer tells which have changed; then go on at its head.

        Whoever cuts logs waits for us; so this log was cut by somebody else, or is another than it was.
        """
        log.error("reaction.log_was_cut", follower=self.name, kind=source.kind.name, store=source.store.name)
        head, after = await source.store.head(source.kind), None
        while page := await self._placement.store(truth).versions(source.kind, KeyRange(after), _BATCH):
            await self._carry_out([each.key for each in page], source, truth)
            after = page[-1].key
        await source.note(note, head, is_idle=False)

    async def _carry_out(self, keys: list[str], source: "_Log", truth: Side) -> None:
        failed = await self._failed()
        found = await self._find(self._placement.store(truth), keys)
        for key in keys:
            if not await self._claims[truth].hold():
                raise _LostClaimError
            former = failed.get(key, [])
            if key in found:
                await self._try(found[key], source.failures, former)
            else:
                # Nothing is to be done about it any more: it is none of ours now, or was removed for good.
                await _release(former)

    async def _find(self, store: Store, keys: list[str]) -> dict[str, Record]:
        kind = self.kind
        if self._where is None:
            return await store.get_many(kind, keys)
        found = dict[str, Record]()
        for start in range(0, len(keys), _BATCH):
            wanted = field("id").is_in(keys[start : start + _BATCH]) & self._where
            page = await store.find(kind, Specification(where=wanted, limit=_BATCH))
            found |= {record.key: record for record in page.records}
        return found

    async def _failed(self) -> dict[str, list[tuple[Failures, Failure]]]:
        """What failed so far, by key; a record may have failed in the log of either store."""
        failed: dict[str, list[tuple[Failures, Failure]]] = {}
        for kept in self._kept():
            with contextlib.suppress(UnavailableError):
                for failure in await kept.all():
                    failed.setdefault(failure.key, []).append((kept, failure))
        return failed

    async def _try(self, record: Record, failures: Failures, former: list[tuple[Failures, Failure]]) -> None:
        try:
            await self._handle(record)
        except Exception as error:
            if isinstance(error, UnavailableError) and not former and self._is_patient_with(record.key):
                # Not this record's fault, most likely: the others would fare no better.
                raise
            known = next((failure for kept, failure in former if kept is failures), None)
            self._tell(await failures.hold(record, error, known), error)
        else:
            await _release(former)

    def _is_patient_with(self, key: str) -> bool:
        times = self._met[1] + 1 if self._met[0] == key else 1
        self._met = (key, times)
        return times < _PATIENCE

    def _tell(self, failure: Failure, error: Exception) -> None:
        # Without the text, which may quote what a record says.
        note = log.error if failure.state == "dead" else log.warning
        note(
            "reaction.not_carried_out",
            follower=self.name,
            kind=self.kind.name,
            key=failure.key,
            state=failure.state,
            attempts=failure.attempts,
            error=type(error).__name__,
        )


async def _release(failed: list[tuple[Failures, Failure]]) -> None:
    for kept, failure in failed:
        await kept.release(failure)


class _Log:
    """One store's log of the kind, and how far it was read."""

    def __init__(self, follower: str, kind: Kind, store: Store, failures: Failures, clock: Clock) -> None:
        self.kind, self.store, self.failures = kind, store, failures
        self._name, self._clock = position_name(follower, kind.name), clock
        self._noted = float("-inf")

    async def where(self) -> tuple[Note, Position]:
        """The note of the position, and what it says."""
        note = await self.store.note(self._name)
        return note, msgspec.json.decode(note.value, type=Position) if note.revision else START

    async def note(self, former: Note, position: Position, *, is_idle: bool) -> None:
        """Note how far the log was read."""
        now = self._clock.monotonic()
        if is_idle and now - self._noted < _NOTE_IDLE:
            return
        self._noted = now
        value = msgspec.json.encode(position)
        if value != former.value:
            # Losing this race means that another worker moved it; what was done here stays done.
            await self.store.write_note(self._name, value, expected=former.revision)
