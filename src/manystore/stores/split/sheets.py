"""The rest store's side of a record: a *sheet* with its parts, and who still needs which.

A sheet is a document of its own under the record's key. Each part on it is known by the digest of its
content, and never changes. A writer puts its part there with a *claim* before it writes the core record; the
core's compare-and-set then decides whether the part counts. Usually a sheet holds one part, without claims.

When may a part be taken off? Never while the core record points to it, nor while a claim to it is open:

    put over version v       can only succeed while the core stands at v; open until the core is beyond it
    apply of version n       can only succeed while the core stands below n; open until it does not
    put of a new record      succeeds whatever tombstones came and went meanwhile; open until its writer
                             says that it is done, or for `grace`, which no writer outlives

So almost no decision rests on time. Two rules of order make it exact. Whoever takes parts off reads the sheet
*first* and the core record *then*: a part that became the record's own, and lost its claim, before the sheet
was read is what the core record points to by then. And a sheet is only replaced by its next version, whole:
a claim that came meanwhile is not overwritten.
"""

import datetime as dt
from collections.abc import Collection
from typing import Any, Final

import msgspec
from msgspec import structs

from manystore.instants import parse_instant
from manystore.records import Content, Record, digest
from manystore.stores.split.declaration import SHEET_PARTS, pointer_of

ABSENT: Final = -1
"""Stands for the version of a record that the core store never saw: below version 0, which is old data."""


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """A write on its way: by whom, and up to which version of the core it can succeed (None: any)."""

    by: str
    until: int | None
    at: str

    def is_open(self, standing: int, oldest: dt.datetime) -> bool:
        """Whether the write may yet succeed, with the core at `standing`; `oldest` bounds those of None."""
        if self.until is not None:
            return standing <= self.until
        made = parse_instant(self.at)
        return made is None or made >= oldest


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """The properties of one version (or several) of a record that lie in the rest store."""

    digest: str
    content: Content
    claims: tuple[Claim, ...] = ()

    @property
    def is_intact(self) -> bool:
        """Whether the content is what the digest stands for; somebody else changed it where it is not."""
        return digest(self.content).hex() == self.digest


class Sheet(msgspec.Struct, frozen=True):
    """All parts of one record, as the rest store holds them at `version` (0: not there)."""

    key: str
    version: int
    parts: tuple[Part, ...]

    @classmethod
    def of(cls, key: str, record: Record | None) -> "Sheet":
        """The sheet that a record of the rest store holds. What is no sheet any more has no parts."""
        if record is None or record.content is None:
            return cls(key, 0 if record is None else record.version, ())
        return cls(key, record.version, _read_parts(record.content.get(SHEET_PARTS)))

    def part(self, digest: str) -> Part | None:
        """The part of that digest."""
        return next((part for part in self.parts if part.digest == digest), None)

    def claimed(self, digest: str, content: Content, claim: Claim) -> "Sheet":
        """With the part on it, and a claim to it; nothing is taken off."""
        held = self.part(digest)
        # The content is written anew in any case, so that one that somebody else changed is mended.
        part = Part(digest=digest, content=content, claims=(*(held.claims if held else ()), claim))
        others = tuple(each for each in self.parts if each.digest != digest)
        return structs.replace(self, parts=(*others, part))

    def pruned(self, core: Record | None, done: Collection[str], oldest: dt.datetime) -> "Sheet":
        """Without the parts that nobody needs, `core` having been read after this sheet.

        `done` are the writers whose writes are known to be over.
        """
        standing = ABSENT if core is None else core.version
        pointer = pointer_of(None if core is None else core.content)
        kept = []
        for part in self.parts:
            claims = tuple(
                claim for claim in part.claims if claim.by not in done and claim.is_open(standing, oldest)
            )
            if claims or part.digest == pointer:
                kept.append(structs.replace(part, claims=claims))
        return structs.replace(self, parts=tuple(kept))

    def is_lighter_than(self, other: "Sheet") -> bool:
        """Whether it is worth writing in place of `other`, of which it is what is left.

        A claim over a version, on the one part that the core points to, does no harm by staying.
        """
        mine, theirs = _lasting_claims(self), _lasting_claims(other)
        is_crowded = any(len(part.claims) > 1 for part in other.parts)
        return len(self.parts) < len(other.parts) or mine < theirs or (is_crowded and self != other)

    def following(self) -> Record:
        """The record by which this replaces the sheet that was read; a tombstone where no part is left."""
        parts = msgspec.to_builtins(self.parts)
        content = {"id": self.key, SHEET_PARTS: list(parts)} if parts else None
        return Record(self.key, self.version + 1, content)


def _lasting_claims(sheet: Sheet) -> int:
    return sum(claim.until is None for part in sheet.parts for claim in part.claims)


def _read_parts(value: Any) -> tuple[Part, ...]:
    try:
        return msgspec.convert(value, tuple[Part, ...])
    except msgspec.ValidationError:
        # Somebody else has written here. The rest store keeps that as a rogue write; of parts there are none.
        return ()
