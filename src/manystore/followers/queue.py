"""The sync queue: changes that a copy could not take, kept where people can see and mend them.

    retrying   refused for a reason that may pass; tried again at `next_at`
    parked     waits for its parent record to arrive in the copy
    dead       given up: a dead letter, kept whole, until it is replayed or dropped

Later versions of a queued record wait behind it: a retry carries the record as it is then. The queue lives
in the copy's own store, so it is as durable as what it is about.
"""

import datetime as dt
import random
from typing import Final, Literal

import msgspec

from manystore.clock import Clock
from manystore.errors import ManystoreError, MissingParentError, NotRepresentableError
from manystore.records import Kind, Record, canonical, parse
from manystore.stores.store import Diverged, Note, Store

QueueState = Literal["retrying", "parked", "dead"]

MAX_ATTEMPTS: Final = 6
FIRST_DELAY: Final = 0.1
DELAY_FACTOR: Final = 3.0


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One queued change.

    `error` is the class of the refusal, `reason` its text, `change` the whole record in canonical form.
    `version` is the newest that is known to wait. `revision` is that of the note the entry was read from.
    """

    kind: str
    key: str
    version: int
    state: QueueState
    error: str
    reason: str
    attempts: int
    queued_at: dt.datetime
    next_at: dt.datetime
    waits_for: tuple[str, str] | None = None
    change: str = "null"
    revision: int = 0

    @property
    def record(self) -> Record:
        """The change as it was when it was refused."""
        return Record(self.key, self.version, parse(self.change))


class Audited(msgspec.Struct, frozen=True, kw_only=True):
    """Something that a person did to the data's way, with the reason given."""

    at: dt.datetime
    actor: str
    action: str
    subject: str
    reason: str


class SyncQueue:
    """The queue of one kind in one copy."""

    def __init__(self, copy: Store, kind: Kind, *, clock: Clock, randomness: random.Random) -> None:
        self._copy, self._kind, self._clock, self._random = copy, kind, clock, randomness
        self._prefix = f"sync/{kind.name}/queue/"

    async def entries(self) -> list[Entry]:
        """Everything in the queue, by key."""
        return [self._read(note) for note in await self._copy.notes(self._prefix)]

    async def entry(self, key: str) -> Entry | None:
        """The entry of one record, if it is queued."""
        note = await self._copy.note(self._prefix + key)
        return self._read(note) if note.revision else None

    async def hold(self, record: Record, problem: ManystoreError | Diverged) -> Entry:
        """Queue a refused record, or count one more attempt of one that is queued already."""
        while True:
            entry = self._entry(record, problem, await self.entry(record.key))
            if await self._write(entry):
                return entry

    def _entry(self, record: Record, problem: ManystoreError | Diverged, former: Entry | None) -> Entry:
        now = self._clock.now()
        attempts = (former.attempts if former else 0) + 1
        delay = FIRST_DELAY * DELAY_FACTOR ** (attempts - 1) * self._random.uniform(0.8, 1.2)
        waits_for = None
        if isinstance(problem, MissingParentError):
            waits_for = (problem.parent_kind, problem.parent_key)
        return Entry(
            kind=self._kind.name,
            key=record.key,
            version=max(record.version, former.version if former else 0),
            state=_state_after(problem, attempts),
            error=type(problem).__name__,
            reason=_reason(problem),
            attempts=attempts,
            queued_at=former.queued_at if former else now,
            next_at=now + dt.timedelta(seconds=delay),
            waits_for=waits_for,
            change=canonical(record.content).decode(),
            revision=former.revision if former else 0,
        )

    async def defer(self, key: str, version: int) -> bool:
        """Let a newer version wait behind the queued one; False where nothing is queued (any more).

        The entry changes by this, so that a retry which carried an older version cannot take it off. What a
        newer version waits for is not known before it was tried: it may have let go of the parent that the
        older one missed, and that parent may never come.
        """
        while (entry := await self.entry(key)) is not None:
            waits_for = entry.waits_for if version <= entry.version else None
            newer = msgspec.structs.replace(entry, version=max(version, entry.version), waits_for=waits_for)
            if await self._write(newer):
                return True
        return False

    async def release(self, entry: Entry) -> bool:
        """Take an entry off now that the copy holds the record; False where it changed since it was read."""
        return await self._copy.drop_note(self._prefix + entry.key, expected=entry.revision)

    async def _write(self, entry: Entry) -> bool:
        value = msgspec.json.encode(entry)
        return await self._copy.write_note(self._prefix + entry.key, value, expected=entry.revision)

    async def replay(self, key: str | None = None) -> int:
        """Try one entry again at the next opportunity, or all of them; returns how many."""
        replayed = 0
        for entry in await self._waiting(key):
            fresh = msgspec.structs.replace(entry, state="retrying", attempts=0, next_at=self._clock.now())
            replayed += await self._write(fresh)
        return replayed

    async def _waiting(self, key: str | None) -> list[Entry]:
        if key is None:
            return await self.entries()
        entry = await self.entry(key)
        return [] if entry is None else [entry]

    async def drop(self, key: str, *, actor: str, reason: str) -> bool:
        """Give an entry up for good, audited; whether it was there.

        Nothing is hidden by this: verification still names what the copy lacks.
        """
        entry = await self.entry(key)
        if entry is None:
            return False
        subject = f"{self._kind.name}/{key} version {entry.version}"
        await audit(self._copy, self._clock, actor=actor, action="queue.drop", subject=subject, reason=reason)
        return await self.release(entry)

    @staticmethod
    def _read(note: Note) -> Entry:
        return msgspec.structs.replace(msgspec.json.decode(note.value, type=Entry), revision=note.revision)


def _state_after(problem: ManystoreError | Diverged, attempts: int) -> QueueState:
    if isinstance(problem, MissingParentError):
        return "parked"
    if isinstance(problem, (NotRepresentableError, Diverged)) or attempts >= MAX_ATTEMPTS:
        return "dead"
    return "retrying"


def _reason(problem: ManystoreError | Diverged) -> str:
    if isinstance(problem, Diverged):
        return f"The copy holds version {problem.version} with other content; compare both and settle it."
    return str(problem)


async def audit(store: Store, clock: Clock, *, actor: str, action: str, subject: str, reason: str) -> None:
    """Write down what a person did, before it is done."""
    at = clock.now()
    audited = Audited(at=at, actor=actor, action=action, subject=subject, reason=reason)
    name = f"audit/{at.isoformat()}/{action}"
    while not await store.write_note(name, msgspec.json.encode(audited), expected=0):
        name += "+"
