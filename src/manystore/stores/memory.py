"""The store in dictionaries: what the others are compared with, and what tests and examples run on.

It is written to be read: every promise of the protocol is a line or two here. Nothing survives the process.
"""

import datetime as dt
import itertools
from collections.abc import AsyncIterator, Iterable, Sequence

import msgspec

from manystore.changes import START, Change, ChangeBatch, Position
from manystore.errors import LogCutError, StaleEpochError, UnavailableError, UniqueError, VersionConflictError
from manystore.former import as_declared
from manystore.paging import page_of
from manystore.records import Content, Kind, Record, Unique, canonical, parse
from manystore.specifications import Page, Specification
from manystore.stores.store import (
    Applied,
    Diverged,
    Examination,
    Fence,
    Fencing,
    Ignored,
    KeyRange,
    KeyVersion,
    Note,
    Outcome,
    Refused,
    RogueWrite,
    Twins,
)


class _Held(msgspec.Struct, frozen=True):
    """A record as it lies here: content as bytes, so that no caller shares a dictionary with the store."""

    version: int
    body: bytes | None

    def record(self, kind: Kind, key: str) -> Record:
        if self.body is None:
            return Record(key, self.version, None)
        return Record(key, self.version, as_declared(kind, self.version, parse(self.body)))


class _Drawer:
    """All that is kept of one kind."""

    def __init__(self) -> None:
        self.held: dict[str, _Held] = {}
        self.claims: dict[tuple[str, str], str] = {}
        self.log: list[Change] = []
        self.cut = 0
        self.fence: Fence | None = None
        self.rogues: list[RogueWrite] = []


class MemoryStore:
    """A store that lives and dies with the process; passes the same contract suite as the others.

    No method waits inside, so on one event loop each is atomic.
    """

    fencing: Fencing = "transaction"

    def __init__(self, name: str = "memory") -> None:
        self.name = name
        self._drawers: dict[str, _Drawer] = {}
        self._notes: dict[str, Note] = {}
        self._is_open = False

    async def open(self) -> None:
        """Begin to answer; what was kept before a close is still there."""
        self._is_open = True

    async def close(self) -> None:
        """Stop answering; nothing is forgotten."""
        self._is_open = False

    def _drawer(self, kind: Kind) -> _Drawer:
        self._check_open()
        drawer = self._drawers.get(kind.name)
        if drawer is None:
            drawer = self._drawers[kind.name] = _Drawer()
        return drawer

    def _check_open(self) -> None:
        if not self._is_open:
            raise UnavailableError(subject=self.name, reason="it is closed")

    # -- reading -------------------------------------------------------------------------------------

    async def get(self, kind: Kind, key: str) -> Record | None:
        """See Store.get."""
        held = self._drawer(kind).held.get(key)
        return None if held is None else held.record(kind, key)

    async def get_many(self, kind: Kind, keys: Sequence[str]) -> dict[str, Record]:
        """See Store.get_many."""
        held = self._drawer(kind).held
        return {key: held[key].record(kind, key) for key in keys if key in held}

    async def find(self, kind: Kind, specification: Specification) -> Page:
        """See Store.find."""
        held = self._drawer(kind).held
        return page_of(kind, specification, (each.record(kind, key) for key, each in held.items()))

    async def scan(self, kind: Kind, key_range: KeyRange, limit: int) -> list[Record]:
        """See Store.scan."""
        held = self._drawer(kind).held
        return [held[key].record(kind, key) for key in _keys_in(key_range, held)[:limit]]

    async def versions(self, kind: Kind, key_range: KeyRange, limit: int) -> list[KeyVersion]:
        """See Store.versions."""
        held = self._drawer(kind).held
        keys = _keys_in(key_range, held)[:limit]
        return [KeyVersion(key, held[key].version, held[key].body is None) for key in keys]

    async def ranges(self, kind: Kind, count: int) -> list[KeyRange]:
        """See Store.ranges."""
        keys = sorted(self._drawer(kind).held)
        cuts = sorted({keys[len(keys) * part // count] for part in range(1, count)} if keys else ())
        return [KeyRange(after, upto) for after, upto in itertools.pairwise([None, *cuts, None])]

    async def count(self, kind: Kind) -> int:
        """See Store.count."""
        return sum(held.body is not None for held in self._drawer(kind).held.values())

    # -- writing, as the truth -----------------------------------------------------------------------

    async def put(
        self,
        kind: Kind,
        key: str,
        content: Content,
        *,
        expected: int | None,
        epoch: int,
        above: int = 0,
    ) -> Record:
        """See Store.put."""
        kind.check(key, content)
        return self._write(kind, key, content, expected, epoch, above)

    async def delete(self, kind: Kind, key: str, *, expected: int, epoch: int, above: int = 0) -> Record:
        """See Store.delete."""
        kind.check_key(key)
        return self._write(kind, key, None, expected, epoch, above)

    def _write(
        self, kind: Kind, key: str, content: Content | None, expected: int | None, epoch: int, above: int
    ) -> Record:
        drawer = self._drawer(kind)
        self._check_epoch(kind, drawer.fence, epoch)
        before = drawer.held.get(key)
        actual = None if before is None or before.body is None else before.version
        if actual != expected or (content is None and actual is None):
            raise VersionConflictError(kind=kind.name, key=key, expected=expected, actual=actual)
        version = max(0 if before is None else before.version, above) + 1
        self._hold(kind, drawer, Record(key, version, content))
        drawer.log.append(Change(key, version))
        return drawer.held[key].record(kind, key)

    def _check_epoch(self, kind: Kind, fence: Fence | None, epoch: int) -> None:
        if fence is None or fence.epoch != epoch or not fence.admits:
            raise StaleEpochError(
                store=self.name,
                kind=kind.name,
                expected=epoch,
                actual=None if fence is None else fence.epoch,
                admits=fence is not None and fence.admits,
            )

    def _hold(self, kind: Kind, drawer: _Drawer, record: Record) -> None:
        """Put the record in its place, with the unique values that it claims; UniqueError if one is taken."""
        claims = _claims(kind, _declared(kind, record))
        for unique, claim in claims:
            if drawer.claims.get(claim, record.key) != record.key:
                raise UniqueError(kind=kind.name, key=record.key, constraint=unique.name, field=unique.field)
        if before := drawer.held.get(record.key):
            for _, claim in _claims(kind, before.record(kind, record.key).content):
                del drawer.claims[claim]
        for _, claim in claims:
            drawer.claims[claim] = record.key
        body = None if record.content is None else canonical(record.content)
        drawer.held[record.key] = _Held(record.version, body)

    # -- writing, as a copy --------------------------------------------------------------------------

    async def apply(
        self, kind: Kind, records: Sequence[Record], *, note: Note | None = None
    ) -> list[Outcome]:
        """See Store.apply."""
        drawer = self._drawer(kind)
        _check(kind, records)
        outcomes = [self._apply_one(kind, drawer, record) for record in records]
        if note is not None:
            self._replace_note(note.name, note.value)
        return outcomes

    def _apply_one(self, kind: Kind, drawer: _Drawer, record: Record) -> Outcome:
        before = drawer.held.get(record.key)
        if before is not None and before.version == record.version:
            held = before.record(kind, record.key).content
            is_same = canonical(held) == canonical(_declared(kind, record))
            return Ignored(before.version) if is_same else Diverged(record.version)
        if before is not None and before.version > record.version:
            return Ignored(before.version)
        try:
            self._hold(kind, drawer, record)
        except UniqueError as error:
            return Refused(error)
        return Applied()

    async def apply_together(self, kind: Kind, records: Sequence[Record]) -> list[Outcome]:
        """See Store.apply_together."""
        drawer = self._drawer(kind)
        _check(kind, records)
        held, claims = dict(drawer.held), dict(drawer.claims)
        for record in records:
            before = held.get(record.key)
            if before is not None and before.version < record.version:
                for _, claim in _claims(kind, before.record(kind, record.key).content):
                    del drawer.claims[claim]
                del drawer.held[record.key]
        outcomes = [self._apply_one(kind, drawer, record) for record in records]
        refusal = next((outcome for outcome in outcomes if isinstance(outcome, Refused)), None)
        if refusal is None:
            return outcomes
        drawer.held, drawer.claims = held, claims
        return [refusal if isinstance(outcome, Applied) else outcome for outcome in outcomes]

    async def examine(self, kind: Kind, batches: AsyncIterator[Sequence[Record]]) -> Examination:
        """See Store.examine. Dictionaries hold every value, so only shared ones are found."""
        self._check_open()
        holders: dict[tuple[str, str], list[str]] = {}
        examined = 0
        async for batch in batches:
            examined += sum(not record.is_deleted for record in batch)
            for record in batch:
                for _, claim in _claims(kind, _declared(kind, record)):
                    holders.setdefault(claim, []).append(record.key)
        fields = {unique.name: unique.field for unique in kind.uniques}
        twins = [
            Twins(unique=name, field=fields[name], value=value, keys=tuple(sorted(keys)))
            for (name, value), keys in holders.items()
            if len(keys) > 1
        ]
        twins.sort(key=lambda each: each.keys)
        return Examination(
            examined=examined,
            unfit_count=0,
            unfit=(),
            twins_count=len(twins),
            twins=tuple(twins[:100]),
        )

    # -- the change log ------------------------------------------------------------------------------

    async def changes(self, kind: Kind, after: Position, limit: int) -> ChangeBatch:
        """See Store.changes. A position is (number of changes read,)."""
        drawer = self._drawer(kind)
        (start,) = after if after != START else (drawer.cut,)
        if start < drawer.cut:
            raise LogCutError(store=self.name, kind=kind.name, position=after)
        found = tuple(drawer.log[start - drawer.cut :][:limit])
        return ChangeBatch(found, (start + len(found),))

    async def head(self, kind: Kind) -> Position:
        """See Store.head."""
        drawer = self._drawer(kind)
        return (drawer.cut + len(drawer.log),)

    async def cut_log(self, kind: Kind, upto: Position, limit: int) -> int:
        """See Store.cut_log."""
        drawer = self._drawer(kind)
        removed = max(0, min(upto[0] - drawer.cut, len(drawer.log) - 1, limit)) if upto != START else 0
        drawer.cut += removed
        del drawer.log[:removed]
        return removed

    # -- behind the engine's back ----------------------------------------------------------------------

    def write_behind(self, kind: Kind, key: str, content: Content | None) -> None:
        """Write, or with None delete, as somebody would who does not know the engine; for tests.

        Asks neither for a version nor for an epoch. Raises UniqueError, as a database would.
        """
        drawer = self._drawer(kind)
        before = drawer.held.get(key)
        if content is None and (before is None or before.body is None):
            return
        version = 1 if before is None else before.version + 1
        self._hold(kind, drawer, Record(key, version, content))
        if drawer.fence is None or drawer.fence.admits:
            drawer.log.append(Change(key, version))
            return
        self.keep_rogue(kind, Record(key, version, content))

    def keep_rogue(self, kind: Kind, record: Record) -> None:
        """Keep what was written where no writes are admitted."""
        rogue = RogueWrite(
            key=record.key,
            version=record.version,
            found_at=dt.datetime.now(dt.UTC),
            evidence=canonical(record.content).decode(),
        )
        self._drawer(kind).rogues.append(rogue)

    async def rogue_writes(self, kind: Kind) -> list[RogueWrite]:
        """See Store.rogue_writes."""
        return sorted(self._drawer(kind).rogues, key=lambda rogue: (rogue.key, rogue.version))

    async def forget_rogue_write(self, kind: Kind, rogue: RogueWrite) -> bool:
        """See Store.forget_rogue_write."""
        rogues = self._drawer(kind).rogues
        if rogue not in rogues:
            return False
        rogues.remove(rogue)
        return True

    # -- fences and notes ----------------------------------------------------------------------------

    async def fence(self, kind: Kind) -> Fence | None:
        """See Store.fence."""
        return self._drawer(kind).fence

    async def raise_fence(self, kind: Kind, fence: Fence, *, expected: int | None) -> bool:
        """See Store.raise_fence."""
        drawer = self._drawer(kind)
        if (None if drawer.fence is None else drawer.fence.epoch) != expected:
            return False
        drawer.fence = fence
        return True

    async def note(self, name: str) -> Note:
        """See Store.note."""
        self._check_open()
        return self._notes.get(name, Note(name=name, value=b"", revision=0))

    async def notes(self, prefix: str) -> list[Note]:
        """See Store.notes."""
        self._check_open()
        return [self._notes[name] for name in sorted(self._notes) if name.startswith(prefix)]

    async def write_note(self, name: str, value: bytes, *, expected: int) -> bool:
        """See Store.write_note."""
        if (await self.note(name)).revision != expected:
            return False
        self._replace_note(name, value)
        return True

    async def drop_note(self, name: str, *, expected: int) -> bool:
        """See Store.drop_note."""
        if (await self.note(name)).revision != expected:
            return False
        self._notes.pop(name, None)
        return True

    async def write_notes(self, notes: Sequence[Note]) -> list[bool]:
        """See Store.write_notes."""
        return [await self.write_note(note.name, note.value, expected=note.revision) for note in notes]

    async def drop_notes(self, notes: Sequence[Note]) -> list[bool]:
        """See Store.drop_notes."""
        return [await self.drop_note(note.name, expected=note.revision) for note in notes]

    def _replace_note(self, name: str, value: bytes) -> None:
        before = self._notes.get(name)
        self._notes[name] = Note(name=name, value=value, revision=before.revision + 1 if before else 1)


def _declared(kind: Kind, record: Record) -> Content | None:
    return None if record.content is None else as_declared(kind, record.version, record.content)


def _check(kind: Kind, records: Iterable[Record]) -> None:
    for record in records:
        if record.content is None:
            kind.check_key(record.key)
        else:
            kind.check(record.key, record.content)


def _claims(kind: Kind, content: Content | None) -> list[tuple[Unique, tuple[str, str]]]:
    values = [(unique, unique.value_of(content or {})) for unique in kind.uniques]
    return [(unique, (unique.name, value)) for unique, value in values if value is not None]


def _keys_in(key_range: KeyRange, keys: Iterable[str]) -> list[str]:
    after, upto = key_range.after, key_range.upto
    return sorted(key for key in keys if (after is None or key > after) and (upto is None or key <= upto))
