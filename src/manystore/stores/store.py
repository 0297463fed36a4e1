"""What every store offers; one file a product beside this one, one contract suite that all of them pass.

A store plays one of two parts for a kind. As the **truth** it decides the order of writes: `put` and
`delete` are compare-and-set, raise the version by one, are refused under a stale epoch, and enter the
change log in the same atomic step. As a **copy** it takes finished records by `apply`, where the newer
version wins whatever the order of arrival; what is applied does not enter its change log.

Beside the records a store keeps two kinds of small state, so that they live and die with the data:
a **fence** per kind (the epoch under which it takes writes, or none) and **notes** (positions, checkpoints,
the sync queue, leases), each changed by compare-and-set.
"""

import datetime as dt
from collections.abc import AsyncIterator, Sequence
from typing import Literal, Protocol, runtime_checkable

import msgspec

from manystore.changes import ChangeBatch, Position
from manystore.errors import NotRepresentableError, RefusedError
from manystore.records import Content, Kind, Record
from manystore.specifications import Page, Specification

Fencing = Literal["transaction", "lease"]
"""How a stale writer is stopped: by the write's own transaction, or only by the lease that it holds."""


class Fence(msgspec.Struct, frozen=True, kw_only=True):
    """The state that a store checks a write of a kind against.

    `admits` is whether this store takes writes of the kind under `epoch` now. `body` is the caller's own
    state (placement keeps the phase there); the store carries it untouched.
    """

    epoch: int
    admits: bool
    body: bytes = b""


class Note(msgspec.Struct, frozen=True, kw_only=True):
    """A small named value. `revision` is raised by one at every change; 0 means that it is not there yet."""

    name: str
    value: bytes
    revision: int


class KeyRange(msgspec.Struct, frozen=True):
    """Keys with `after` < key ≤ `upto` in code-point order; None is open."""

    after: str | None = None
    upto: str | None = None


class Applied(msgspec.Struct, frozen=True):
    """The record was newer than what the copy held, and now stands there."""


class Ignored(msgspec.Struct, frozen=True):
    """The copy already held this version with this content, or a newer one (`held`)."""

    held: int


class Diverged(msgspec.Struct, frozen=True):
    """The copy holds the same version with other content. Neither was touched; a person must look."""

    version: int


class Refused(msgspec.Struct, frozen=True):
    """The copy cannot take this record; the others of the batch were not held up."""

    error: RefusedError


Outcome = Applied | Ignored | Diverged | Refused


class KeyVersion(msgspec.Struct, frozen=True):
    """All of a record but its content."""

    key: str
    version: int
    is_deleted: bool


class RogueWrite(msgspec.Struct, frozen=True, kw_only=True):
    """A write made behind the engine's back in a store that took no writes of the kind just then.

    `version` is the one that the write left; `evidence` what was written, as JSON text in whatever form the
    store could keep it; `by` who did it, as far as the store knows.
    """

    key: str
    version: int
    found_at: dt.datetime
    evidence: str
    by: str = ""


class Twins(msgspec.Struct, frozen=True, kw_only=True):
    """Records that cannot both be held, because they share a value that `unique` says is one's own."""

    unique: str
    field: str
    value: str
    keys: tuple[str, ...]


class Examination(msgspec.Struct, frozen=True, kw_only=True):
    """What a store would refuse of a set of records, found without writing any.

    `unfit` and `twins` are samples (at most 100 each, in key order); the counts are of all.
    """

    examined: int
    unfit_count: int
    unfit: tuple[NotRepresentableError, ...]
    twins_count: int
    twins: tuple[Twins, ...]


Depth = Literal["full", "versions"]
"""Of what is compared: every byte, or keys and versions alone."""


class Condensed(msgspec.Struct, frozen=True):
    """What a range holds, in a few bytes.

    Where two are equal, form and all, the same records and tombstones lie in both ranges, with the same
    versions, and if that was asked for with the same content. Where they are not, nothing is known.
    """

    form: str
    count: int
    digest: bytes


@runtime_checkable
class Condensing(Protocol):
    """What some stores offer besides: to tell so briefly what they hold that comparing needs no reading."""

    async def condense(self, kind: Kind, key_range: KeyRange, depth: Depth) -> Condensed:
        """The range as it is at one moment. Raises UnavailableError."""

    async def condense_each(self, kind: Kind, key_range: KeyRange) -> dict[str, int]:
        """By its key, a number that stands for each record and tombstone, all its bytes included.

        Where it is the same in stores of the same form, so is the record. Raises UnavailableError.
        """


class Store(Protocol):
    """One database. Methods raise UnavailableError (ThrottledError) when it cannot be asked just now."""

    @property
    def name(self) -> str:
        """How logs, certificates and refusals call this store."""

    @property
    def fencing(self) -> Fencing:
        """Whether writes are fenced by their own transaction or by lease alone."""

    async def open(self) -> None:
        """Connect, and prepare what the engine itself needs in the store. Idempotent."""

    async def close(self) -> None:
        """Let go of every connection, thread and file. Idempotent."""

    # -- reading -------------------------------------------------------------------------------------

    async def get(self, kind: Kind, key: str) -> Record | None:
        """The record, its tombstone if it was deleted, or None if the store never saw it."""

    async def get_many(self, kind: Kind, keys: Sequence[str]) -> dict[str, Record]:
        """The records and tombstones that exist under `keys`, by key."""

    async def find(self, kind: Kind, specification: Specification) -> Page:
        """The live records that satisfy the specification, in its order, one page of them."""

    async def scan(self, kind: Kind, key_range: KeyRange, limit: int) -> list[Record]:
        """Up to `limit` records *and tombstones* of the range, by key in code-point order."""

    async def versions(self, kind: Kind, key_range: KeyRange, limit: int) -> list[KeyVersion]:
        """What `scan` would return, without reading any content."""

    async def ranges(self, kind: Kind, count: int) -> list[KeyRange]:
        """About `count` ranges of like size that together cover every key once; at least one."""

    async def count(self, kind: Kind) -> int:
        """How many live records there are."""

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
        """Write the record if its live version is `expected` (None: if there is none), under `epoch`.

        The new version is one above the last that the key ever had, tombstones included, and above `above`;
        1 for a new key by default.
        Raises VersionConflictError, StaleEpochError, UniqueError, MissingParentError,
        NotRepresentableError, InvalidRecordError; whatever is raised, nothing was written.
        """

    async def delete(self, kind: Kind, key: str, *, expected: int, epoch: int, above: int = 0) -> Record:
        """Leave a tombstone if the live version is `expected`, under `epoch`, above `above`; returns it.

        Raises VersionConflictError (also where there is nothing to delete) and StaleEpochError.
        """

    # -- writing, as a copy --------------------------------------------------------------------------

    async def apply(
        self, kind: Kind, records: Sequence[Record], *, note: Note | None = None
    ) -> list[Outcome]:
        """Bring the records in where they are newer; one outcome for each, in order.

        Version 0 is older than any other version and newer than nothing at all. With a `note`, its value
        is stored in the same atomic step under its name, whatever its revision was, so that a checkpoint
        is durable exactly when the rows are. A record that is refused does not stop the others.
        """

    async def apply_together(self, kind: Kind, records: Sequence[Record]) -> list[Outcome]:
        """`apply` in one step for records of different keys that exchange values which `unique` guards.

        What any of them gives up is free for each of the others, so the order does not matter. All that are
        newer come in, or none: where the copy cannot take one of them, each is Refused. A store that cannot
        write several records in one step says so, and what it does about it.
        """

    async def examine(self, kind: Kind, batches: AsyncIterator[Sequence[Record]]) -> Examination:
        """What this store would refuse of these records, were they all it held; writes nothing.

        Values are tested with the store's own codec and its own idea of equal text, in bounded memory
        however many records come. Tombstones are passed over.
        """

    # -- the change log ------------------------------------------------------------------------------

    async def changes(self, kind: Kind, after: Position, limit: int) -> ChangeBatch:
        """Up to about `limit` accepted writes after a position; none is skipped, however late it commits.

        Raises LogCutError where entries after the position are gone (see `cut_log`), unless that is START.
        """

    async def head(self, kind: Kind) -> Position:
        """A position that every write accepted before this call lies at or below."""

    async def cut_log(self, kind: Kind, upto: Position, limit: int) -> int:
        """Remove the oldest entries of the log at or below a position, at most `limit`; how many there were.

        Whoever has not read them finds out when he asks for changes. The newest entry stays, so that the head
        does not go back. Where the log is no list of entries (Cosmos DB's feed) nothing is removed.
        """

    async def rogue_writes(self, kind: Kind) -> list[RogueWrite]:
        """Writes made behind the engine's back while the kind's fence did not admit writes here, by key.

        Each is kept with what it wrote when it is made, or at the latest before anything replaces it, until
        it is forgotten. While the fence admits writes, or before there is one, whatever others write is
        captured as a change like any other.
        """

    async def forget_rogue_write(self, kind: Kind, rogue: RogueWrite) -> bool:
        """Let one go now that somebody has decided about it; whether it was still there."""

    # -- fences and notes ----------------------------------------------------------------------------

    async def fence(self, kind: Kind) -> Fence | None:
        """The kind's fence, or None if it was never raised here."""

    async def raise_fence(self, kind: Kind, fence: Fence, *, expected: int | None) -> bool:
        """Replace the fence if its epoch is `expected` (None: if there is none yet); whether it was.

        When this returns True, no write under a former epoch can be accepted any more by a store whose
        fencing is "transaction": those under way have either been accepted or will be refused.
        """

    async def note(self, name: str) -> Note:
        """The note of that name; revision 0 and empty if there is none."""

    async def notes(self, prefix: str) -> list[Note]:
        """All notes whose name begins with `prefix`, by name."""

    async def write_note(self, name: str, value: bytes, *, expected: int) -> bool:
        """Replace the note if its revision is `expected` (0: if there is none); whether it was."""

    async def drop_note(self, name: str, *, expected: int) -> bool:
        """Remove the note if its revision is `expected`; whether it was."""

    async def write_notes(self, notes: Sequence[Note]) -> list[bool]:
        """`write_note` for many of different names, each by itself, `revision` being what is expected.

        It is as quick as the store can be, and no one step: of notes that others change meanwhile, and where
        UnavailableError is raised, some are written and some are not.
        """

    async def drop_notes(self, notes: Sequence[Note]) -> list[bool]:
        """`drop_note` for many of different names, in the same way."""
