"""The sync queue: changes that a copy could not take, kept where people can see and mend them.

    retrying   refused for a reason that may pass; tried again at `next_at`
    parked     waits for its parent record to arrive in the copy
    dead       given up: a dead letter, kept whole, until it is replayed or dropped

Later versions of a queued record wait behind it: a retry carries the record as it is then. The queue lives
in the copy's own store, so it is as durable as what it is about.
"""

import datetime as dt
import random
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, Literal

import msgspec

from manystore.clock import Clock
from manystore.errors import ManystoreError, MissingParentError, NotRepresentableError
from manystore.records import Kind, Record, canonical, parse
from manystore.stores.store import Diverged, Note, Store

QueueState = Literal["retrying", "parked", "dead"]
Problem = ManystoreError | Diverged

MAX_ATTEMPTS: Final = 6
DIVERGED_ATTEMPTS: Final = 3
"""A copy may run ahead within one version: a foreign key lets go of a parent that was deleted before the
child's own next version arrives, which does the same. A few tries tell that from a copy that is wrong."""
FIRST_DELAY: Final = 0.1
DELAY_FACTOR: Final = 3.0
_JITTER: Final = 0.2
_FEW: Final = 8
"""Up to so many entries are read one by one; of more, the whole queue is read at once."""


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

    def is_due(self, now: dt.datetime) -> bool:
        """Whether to try again; a time further ahead than any delay was told by a clock that went wrong."""
        return not now < self.next_at <= now + _longest_delay(self.attempts)


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

    async def hold(self, record: Record, problem: Problem) -> Entry:
        """Queue a refused record, or count one more attempt of one that is queued already."""
        [entry] = await self.hold_all([(record, problem)])
        return entry

    async def hold_all(
        self, refused: Iterable[tuple[Record, Problem]], known: Mapping[str, Entry] | None = None
    ) -> list[Entry]:
        """`hold` for many at once; of a key that comes twice, the newest. `known` are entries just read."""
        todo = {each[0].key: each for each in sorted(refused, key=lambda each: each[0].version)}
        former, held = dict(known or {}), list[Entry]()
        while todo:
            entries = [self._entry(record, why, former.get(key)) for key, (record, why) in todo.items()]
            written = await self._write_all(entries)
            held += [entry for entry in entries if entry.key in written]
            todo = {key: each for key, each in todo.items() if key not in written}
            former = await self._entries_of(todo)
        return held

    async def _write_all(self, entries: Sequence[Entry]) -> set[str]:
        """The keys of those entries that were still as they were read."""
        notes = [self._note(entry) for entry in entries]
        written = await self._copy.write_notes(notes) if notes else []
        return {entry.key for entry, is_written in zip(entries, written, strict=True) if is_written}

    async def _entries_of(self, keys: Iterable[str]) -> dict[str, Entry]:
        wanted = set(keys)
        if len(wanted) > _FEW:
            return {entry.key: entry for entry in await self.entries() if entry.key in wanted}
        # In an order of their own: that of a set of texts is another one in each process.
        found = [await self.entry(key) for key in sorted(wanted)]
        return {entry.key: entry for entry in found if entry is not None}

    def _entry(self, record: Record, problem: Problem, former: Entry | None) -> Entry:
        now = self._clock.now()
        attempts = (former.attempts if former else 0) + 1
        delay = FIRST_DELAY * DELAY_FACTOR ** (attempts - 1) * self._random.uniform(1 - _JITTER, 1 + _JITTER)
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

    async def defer_all(self, versions: Mapping[str, int], known: Mapping[str, Entry]) -> set[str]:
        """Let newer versions (by key) wait behind queued ones; the keys of which nothing is queued (any more)
        are not among those returned. `known` are all entries as just read.

        The entries change by this, so that a retry which carried an older version cannot take them off. What
        a newer version waits for is not known before it was tried: it may have let go of the parent that the
        older one missed, and that parent may never come.
        """
        deferred = set[str]()
        found = {key: known[key] for key in versions if key in known}
        while found:
            written = await self._write_all([_behind(found[key], versions[key]) for key in found])
            deferred |= written
            found = await self._entries_of(found.keys() - written)
        return deferred

    async def release(self, entry: Entry) -> bool:
        """Take an entry off now that the copy holds the record; False where it changed since it was read."""
        return await self.release_all([entry]) == 1

    async def release_all(self, entries: Sequence[Entry]) -> int:
        """`release` for many; how many were taken off."""
        return sum(await self._copy.drop_notes([self._note(entry) for entry in entries])) if entries else 0

    async def replay(self, key: str | None = None) -> int:
        """Try one entry again at the next opportunity, or all of them; returns how many."""
        if key is None:
            return await self.replay_all(await self.entries())
        entry = await self.entry(key)
        return 0 if entry is None else await self.replay_all([entry])

    async def replay_all(self, entries: Iterable[Entry]) -> int:
        """Try these entries again at the next opportunity; how many, without those that are gone by now."""
        now, todo, replayed = self._clock.now(), {entry.key: entry for entry in entries}, 0
        while todo:
            fresh = [
                msgspec.structs.replace(entry, state="retrying", attempts=0, next_at=now)
                for entry in todo.values()
            ]
            written = await self._write_all(fresh)
            replayed += len(written)
            # A follower that lets a newer version wait behind an entry must not undo what a person asked for.
            todo = await self._entries_of(todo.keys() - written)
        return replayed

    async def drop(self, key: str, *, actor: str, reason: str) -> bool:
        """Give an entry up for good, audited; whether it was there.

        Nothing is hidden by this: verification still names what the copy lacks.
        """
        # An entry that changed since it was read is another matter to give up: audited anew.
        while (entry := await self.entry(key)) is not None:
            subject = f"{self._kind.name}/{key} version {entry.version}"
            await audit(
                self._copy, self._clock, actor=actor, action="queue.drop", subject=subject, reason=reason
            )
            if await self.release(entry):
                return True
        return False

    def _note(self, entry: Entry) -> Note:
        value = msgspec.json.encode(entry)
        return Note(name=self._prefix + entry.key, value=value, revision=entry.revision)

    @staticmethod
    def _read(note: Note) -> Entry:
        return msgspec.structs.replace(msgspec.json.decode(note.value, type=Entry), revision=note.revision)


def _longest_delay(attempts: int) -> dt.timedelta:
    return dt.timedelta(seconds=FIRST_DELAY * DELAY_FACTOR ** max(attempts - 1, 0) * (1 + _JITTER))


def _behind(entry: Entry, version: int) -> Entry:
    waits_for = entry.waits_for if version <= entry.version else None
    return msgspec.structs.replace(entry, version=max(version, entry.version), waits_for=waits_for)


def _state_after(problem: Problem, attempts: int) -> QueueState:
    if isinstance(problem, MissingParentError):
        return "parked"
    if isinstance(problem, NotRepresentableError):
        return "dead"
    most = DIVERGED_ATTEMPTS if isinstance(problem, Diverged) else MAX_ATTEMPTS
    return "dead" if attempts >= most else "retrying"


def _reason(problem: Problem) -> str:
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
