"""Changes whose handler failed, kept where people can see them until it succeeds.

    retrying   tried again at `next_at`
    dead       given up after MAX_ATTEMPTS: tried again when it is replayed, or when the record next changes

They are notes of the store whose log the change came from. A handler is given the record as it is when it is
tried, so a change that waits needs no content of its own.
"""

import datetime as dt
import random
from typing import Final, Literal

import msgspec

from manystore.clock import Clock
from manystore.errors import UnavailableError
from manystore.records import Record
from manystore.stores.store import Note, Store

MAX_ATTEMPTS: Final = 8
_FIRST_DELAY: Final = 0.2
_DELAY_FACTOR: Final = 3.0
_LONGEST_DELAY: Final = 60.0


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """A change that was not carried out: of which record and version, how often it was tried, and why not.

    `error` is the class of what the handler last raised, `reason` its text.
    """

    key: str
    version: int
    state: Literal["retrying", "dead"]
    error: str
    reason: str
    attempts: int
    since: dt.datetime
    next_at: dt.datetime
    revision: int = 0


class Failures:
    """The failed changes of one follower in one store, under a prefix of names."""

    def __init__(self, store: Store, prefix: str, *, clock: Clock, randomness: random.Random) -> None:
        self._store, self._prefix, self._clock, self._random = store, prefix, clock, randomness

    async def all(self) -> list[Failure]:
        """Every one, by key."""
        return [_read(note) for note in await self._store.notes(self._prefix)]

    async def due(self) -> list[Failure]:
        """Those to be tried again by now; a time further ahead than any delay was told by a wrong clock."""
        now, longest = self._clock.now(), dt.timedelta(seconds=2 * _LONGEST_DELAY)
        waiting = [each for each in await self.all() if each.state == "retrying"]
        return [each for each in waiting if not now < each.next_at <= now + longest]

    async def hold(self, record: Record, error: Exception, former: Failure | None) -> Failure:
        """Keep a failed change, or count one more attempt of one that is kept already."""
        while True:
            failure = self._failure(record, error, former)
            if await self._write(failure):
                return failure
            note = await self._store.note(self._prefix + record.key)
            former = _read(note) if note.revision else None

    def _failure(self, record: Record, error: Exception, former: Failure | None) -> Failure:
        now = self._clock.now()
        attempts = (former.attempts if former else 0) + 1
        delay = min(_FIRST_DELAY * _DELAY_FACTOR ** min(attempts - 1, 20), _LONGEST_DELAY)
        # What is not available comes back one day, and then no person should have to replay anything.
        is_dead = attempts >= MAX_ATTEMPTS and not isinstance(error, UnavailableError)
        return Failure(
            key=record.key,
            version=record.version,
            state="dead" if is_dead else "retrying",
            error=type(error).__name__,
            reason=str(error),
            attempts=attempts,
            since=former.since if former else now,
            next_at=now + dt.timedelta(seconds=delay * self._random.uniform(0.8, 1.2)),
            revision=former.revision if former else 0,
        )

    async def release(self, failure: Failure) -> bool:
        """Forget one that was carried out; False where somebody else changed it meanwhile."""
        return await self._store.drop_note(self._prefix + failure.key, expected=failure.revision)

    async def replay(self, key: str | None = None) -> int:
        """Try one again at the next opportunity, or all of them; returns how many."""
        chosen = [each for each in await self.all() if key in (None, each.key)]
        now = self._clock.now()
        fresh = [msgspec.structs.replace(each, state="retrying", attempts=0, next_at=now) for each in chosen]
        return sum([await self._write(each) for each in fresh])

    async def _write(self, failure: Failure) -> bool:
        name, value = self._prefix + failure.key, msgspec.json.encode(failure)
        return await self._store.write_note(name, value, expected=failure.revision)


def _read(note: Note) -> Failure:
    return msgspec.structs.replace(msgspec.json.decode(note.value, type=Failure), revision=note.revision)
