"""What a use case holds: typed values of one kind, wherever its truth lives just now.

    accounts = Repository(Account, placement, leases, clock)
    stored = await accounts.create(account)
    stored = await accounts.change(stored, renamed(stored.value))

A write goes to the truth under the epoch that this node holds a lease for. If the phase changes meanwhile
the write is refused by the store, and is made again under the new epoch; while a cut-over drains, writes
wait for it (`patience`), reads go on. Sync, invalidation and publication follow the change log by
themselves; `copying` may bring a write to the copy earlier than sync would, and `shadow` compares a share
of the reads with the copy.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final, Generic, Protocol, TypeVar, cast

import msgspec

from manystore.clock import Clock
from manystore.dual_write import CopyFailedError, CopyWriter
from manystore.errors import DrainingError, InvalidRecordError, StaleEpochError, VersionConflictError
from manystore.instants import cut_text
from manystore.placement import Leases, Phase, Side, State
from manystore.records import Content, Field, FieldType, Kind, Record
from manystore.shadow import ShadowReader
from manystore.specifications import Specification
from manystore.stores.store import Store

Attempt = Callable[[Store, int], Awaitable[Record]]
"""Writes to the store given, under the epoch given."""


class Identified(Protocol):
    """A value with an id, which is the record's key as text."""

    @property
    def id(self) -> object:
        """The record's key, or something whose text is the key (a UUID)."""


T = TypeVar("T", bound=Identified)


class Stored(msgspec.Struct, Generic[T], frozen=True):
    """A value as it stands in the truth, with the version to say when changing it.

    `truth_since` is the epoch since which the store that it was read from is the truth; 0 where that is not
    known.
    """

    key: str
    version: int
    value: T
    record: Record
    truth_since: int = 0


class Found(msgspec.Struct, Generic[T], frozen=True):
    """One page of values, and the continuation with which to ask for more."""

    items: tuple[Stored[T], ...]
    continuation: str | None


class Counters(msgspec.Struct):
    """What a repository has noticed. `fallback_reads` should stay zero: each was a record that the new
    truth did not have and the old one did.
    """

    fallback_reads: int = 0
    stale_epochs: int = 0
    waits_for_cut_over: int = 0


class Repository(Generic[T]):
    """The records of one kind as values of type `T` (a msgspec Struct with an `id`)."""

    def __init__(
        self,
        model: type[T],
        kind: Kind,
        leases: Leases,
        clock: Clock,
        *,
        patience: float = 5.0,
        copying: CopyWriter | None = None,
        shadow: ShadowReader | None = None,
    ) -> None:
        self.kind: Final = kind
        self.counters: Final = Counters()
        self._cutter = _Cutter(kind.fields)
        self._model, self._leases, self._clock, self._patience = model, leases, clock, patience
        self._placement = leases.placement(kind.name)
        self._copying, self._shadow = copying, shadow

    async def get(self, key: str) -> Stored[T] | None:
        """The value, or None where it is absent or deleted. Raises InvalidRecordError for a malformed key."""
        self.kind.check_key(key)
        state = await self._leases.state(self.kind.name)
        record = await self._placement.truth(state).get(self.kind, key)
        if record is None and state.phase is Phase.DUAL_WRITE_TARGET_READ:
            record = await self._fall_back(key)
        if self._shadow is not None:
            self._shadow.look(key, record, state)
        return None if record is None or record.content is None else self._stored(record, state)

    async def _fall_back(self, key: str) -> Record | None:
        """A record that the new truth never saw, from the old one; repairs the new truth and is counted."""
        record = await self._placement.source.get(self.kind, key)
        if record is None or record.content is None:
            return None
        self.counters.fallback_reads += 1
        await self._placement.store(Side.TARGET).apply(self.kind, [record])
        return record

    async def find(self, specification: Specification) -> Found[T]:
        """The values that satisfy a specification. Raises InvalidSpecificationError."""
        state = await self._leases.state(self.kind.name)
        page = await self._placement.truth(state).find(self.kind, specification)
        return Found(tuple(self._stored(record, state) for record in page.records), page.continuation)

    async def create(self, value: T) -> Stored[T]:
        """Write a new record.

        Raises VersionConflictError where one is there already, UniqueError, MissingParentError,
        NotRepresentableError, and UnavailableError where no truth can be written in time (or, with
        compensation, no copy: CopyFailedError).
        """
        content = cast(Content, msgspec.to_builtins(value))
        return await self._put(str(value.id), content, former=None)

    async def change(self, stored: Stored[T], value: T) -> Stored[T]:
        """Replace the value as it was read by another, keeping what the model does not know.

        Raises VersionConflictError where somebody else changed the record since; otherwise as `create`.
        """
        before, after = msgspec.to_builtins(stored.value), msgspec.to_builtins(value)
        content = cast(Content, overlay(stored.record.content, before, after))
        return await self._put(stored.key, content, former=stored)

    async def delete(self, stored: Stored[T]) -> None:
        """Delete the record as it was read. Raises VersionConflictError where it was changed since."""

        async def attempt(truth: Store, epoch: int) -> Record:
            return await truth.delete(self.kind, stored.key, expected=stored.version, epoch=epoch)

        await self._write(attempt, former=stored)

    async def _put(self, key: str, content: Content, *, former: Stored[T] | None) -> Stored[T]:
        self.kind.check(key, content)
        expected = None if former is None else former.version

        async def attempt(truth: Store, epoch: int) -> Record:
            return await truth.put(self.kind, key, content, expected=expected, epoch=epoch)

        record, state = await self._write(attempt, former=former)
        return self._stored(record, state)

    async def _look_again(self, stored: Stored[T], truth: Store) -> None:
        """See that what was read from a former truth, or from one that was none any more, is in this one too.

        A version says which write a record is of as long as one store counts them. A node that has not heard
        of a cut-over may read what was written into the former truth after it, by a stranger or by a write
        that came late: by then the new truth has another write of the same version, which must not be lost.
        """
        now = await truth.get(self.kind, stored.key)
        if now is not None and now.version == stored.version and now.digest != stored.record.digest:
            raise VersionConflictError(
                kind=self.kind.name, key=stored.key, expected=stored.version, actual=now.version
            )

    async def _write(self, attempt: Attempt, *, former: Stored[T] | None) -> tuple[Record, State]:
        record, state = await self._write_truth(attempt, former)
        copying = self._copying
        if copying is None or copying.config.secondary == "deferred" or not state.phase.has_copy:
            return record, state
        reason = await copying.bring(record, state)
        if (
            reason is not None
            and copying.config.compensation
            and await self._take_back(None if former is None else former.record, record)
        ):
            copying.counters.compensated += 1
            raise CopyFailedError(subject=f"{self.kind.name}/{record.key}", reason=reason)
        return record, state

    async def _write_truth(self, attempt: Attempt, former: Stored[T] | None) -> tuple[Record, State]:
        name = self.kind.name
        deadline = self._clock.monotonic() + self._patience
        vouched = None if former is None else former.truth_since
        while True:
            try:
                async with self._leases.writing(name) as state:
                    if vouched is None or vouched == state.truth_since:
                        return await attempt(self._placement.truth(state), state.epoch), state
                if former is not None:
                    # Not under the lease: between it and the write nothing may be waited for.
                    await self._look_again(former, self._placement.truth(state))
                    vouched = state.truth_since
                continue
            except DrainingError:
                self.counters.waits_for_cut_over += 1
            except StaleEpochError:
                # The phase moved between our reading it and the store's checking it. Nothing was written.
                self.counters.stale_epochs += 1
            left = deadline - self._clock.monotonic()
            if left <= 0:
                raise DrainingError(subject=name, reason="its truth is moving", retry_after=1.0)
            await self._leases.await_steady(name, left)

    async def _take_back(self, former: Record | None, written: Record) -> bool:
        """Undo a write at the truth, as a version of its own with the former content; whether it was undone.

        Where somebody has built on the write already it stands, and the copy will get it by the log.
        """

        async def undo(truth: Store, epoch: int) -> Record:
            key = written.key
            if former is None or former.content is None:
                return await truth.delete(self.kind, key, expected=written.version, epoch=epoch)
            expected = None if written.is_deleted else written.version
            return await truth.put(self.kind, key, former.content, expected=expected, epoch=epoch)

        try:
            await self._write_truth(undo, None)
        except VersionConflictError:
            return False
        return True

    def _stored(self, record: Record, state: State) -> Stored[T]:
        try:
            value = msgspec.convert(self._cutter.cut(record.content), self._model)
        except msgspec.ValidationError as error:
            reason = f"the stored record does not fit the model: {error}"
            raise InvalidRecordError(kind=self.kind.name, key=record.key, path="$", reason=reason) from error
        return Stored(record.key, record.version, value, record, state.truth_since)


_FINEST: Final = len("2026-01-31T12:00:00.123456Z")


class _Cutter:
    """Cuts a kind's instants to the microsecond, as everywhere here: msgspec would round them.

    Almost all records need none of that, and every read comes by here: so they are handed back as they are.
    """

    def __init__(self, fields: Sequence[Field]) -> None:
        self._instants = [field.name for field in fields if field.type is FieldType.TIMESTAMP]
        self._parts = [
            (field.name, _Cutter(field.fields))
            for field in fields
            if field.type in (FieldType.OBJECT, FieldType.OBJECTS) and _has_instants(field.fields)
        ]

    def cut(self, content: Any) -> Any:
        """The content, or a copy of it with every instant cut that is finer."""
        if type(content) is not dict:
            return content
        found = None
        for name in self._instants:
            value = content.get(name)
            if type(value) is str and len(value) > _FINEST:
                found = {**(found or content), name: cut_text(value)}
        for name, cutter in self._parts:
            value = content.get(name)
            cut = [cutter.cut(each) for each in value] if type(value) is list else cutter.cut(value)
            if cut is not value:
                found = {**(found or content), name: cut}
        return found or content


def _has_instants(fields: Sequence[Field]) -> bool:
    return any(field.type is FieldType.TIMESTAMP or _has_instants(field.fields) for field in fields)


def overlay(original: Any, before: Any, after: Any) -> Any:
    """Carry the difference between two forms of a value over to the original that the first was read from.

    What did not change keeps the original's own spelling, nulls and gaps; names that the model does not
    know stay. Elements of a list are matched by their `id`, where they have one.
    """
    if before == after and type(before) is type(after):
        return original
    if isinstance(after, Mapping) and isinstance(original, Mapping):
        was = before if isinstance(before, Mapping) else {}
        kept = {name: value for name, value in original.items() if name in after or name not in was}
        return kept | {
            name: overlay(original[name], was.get(name), value) if name in original else value
            for name, value in after.items()
            if name in original or name not in was or was[name] != value
        }
    if isinstance(after, list) and isinstance(original, list) and isinstance(before, list):
        originals = {_id_of(element): element for element in original}
        befores = {_id_of(element): element for element in before}
        return [_overlay_element(originals, befores, element) for element in after]
    return after


def _overlay_element(originals: Mapping[Any, Any], befores: Mapping[Any, Any], element: Any) -> Any:
    name = _id_of(element)
    if name is None or name not in originals:
        return element
    return overlay(originals[name], befores.get(name), element)


def _id_of(element: Any) -> Any:
    identity = element.get("id") if isinstance(element, Mapping) else None
    return identity if isinstance(identity, (str, int)) else None
