"""Who does a piece of background work, so that two workers do not do it twice.

A claim only saves work: everything done under one is idempotent, because a worker that was frozen may wake
and go on after its claim was taken over. Nothing that must be exclusive may rest on it (that is what
fences are for).
"""

import contextlib
from collections.abc import Callable

import msgspec

from manystore.clock import Clock
from manystore.errors import UnavailableError
from manystore.stores.store import Store

IsDead = Callable[[str], bool]
"""Whether an owner is known to be gone, sooner than its silence tells; False wherever that is not known."""


def nobody_known_dead(_: str) -> bool:
    """Silence alone tells."""
    return False


class _Holder(msgspec.Struct, frozen=True):
    owner: str
    beat: int


class Claim:
    """A named piece of work in a store. A holder that has not renewed for `ttl` seconds loses it.

    So does one at once of which `is_dead` knows that it is gone.
    """

    def __init__(
        self,
        store: Store,
        name: str,
        *,
        owner: str,
        clock: Clock,
        ttl: float = 2.0,
        is_dead: IsDead = nobody_known_dead,
    ) -> None:
        self._is_dead = is_dead
        self._store, self._name, self._owner, self._clock, self._ttl = store, name, owner, clock, ttl
        self._seen: tuple[_Holder, float] | None = None
        self._renewed = float("-inf")

    async def hold(self) -> bool:
        """Take or renew the claim; whether this owner has it. Cheap when renewed a moment ago."""
        now = self._clock.monotonic()
        if now - self._renewed < self._ttl / 4:
            return True
        note = await self._store.note(self._name)
        holder = msgspec.json.decode(note.value, type=_Holder) if note.revision else None
        if holder is not None and holder.owner != self._owner and not self._is_stale(holder, now):
            return False
        mine = _Holder(self._owner, 1 if holder is None else holder.beat + 1)
        if not await self._store.write_note(self._name, msgspec.json.encode(mine), expected=note.revision):
            return False
        self._renewed = now
        return True

    def _is_stale(self, holder: _Holder, now: float) -> bool:
        if self._is_dead(holder.owner):
            return True
        if self._seen is None or self._seen[0] != holder:
            self._seen = (holder, now)
        return now - self._seen[1] > self._ttl

    async def release(self) -> None:
        """Let somebody else have it at once."""
        self._renewed = float("-inf")
        with contextlib.suppress(UnavailableError):
            note = await self._store.note(self._name)
            if note.revision and msgspec.json.decode(note.value, type=_Holder).owner == self._owner:
                await self._store.drop_note(self._name, expected=note.revision)
