"""Who among the workers is alive, by what each was seen to do: no clock is compared with another process's.

A worker raises a counter of its own every now and then (a *beat*). Another one counts as gone when its
counter was not seen to move for a while by somebody who looked all that time, or when it has no counter:
workers begin by writing one before they take any work, and leave by removing it after they let go of all.
"""

from typing import Final

import msgspec

from manystore.clock import Clock
from manystore.followers.claim import IsDead, nobody_known_dead
from manystore.stores.store import Store

BEAT_EVERY: Final = 0.4
"""Seconds between two beats, and between two looks."""
GONE_AFTER: Final = 1.8
"""Seconds without a beat after which a worker counts as gone. A busy one may miss three."""

_PREFIX: Final = "workers/"


class _Seen(msgspec.Struct, frozen=True):
    beat: int
    since: float


class Attendance:
    """One worker's beats, and what it saw of those of others. Of whom `is_dead` knows better is gone at once.

    Taking a live worker for gone is a waste, not a danger: what it does is then done twice, and each step of
    a move may be done twice.
    """

    def __init__(self, store: Store, worker: str, clock: Clock, is_dead: IsDead = nobody_known_dead) -> None:
        self._is_dead = is_dead
        self._store, self._worker, self._clock = store, worker, clock
        self._seen: dict[str, _Seen] = {}
        self._looked = float("-inf")

    async def beat(self) -> None:
        """Show that this worker is alive. Raises UnavailableError."""
        while True:
            note = await self._store.note(_PREFIX + self._worker)
            beat = str(int(note.value or b"0") + 1).encode()
            if await self._store.write_note(note.name, beat, expected=note.revision):
                return

    async def leave(self) -> None:
        """Say that this worker has let go of all its work. Raises UnavailableError."""
        await self._strike(self._worker)

    async def look(self) -> None:
        """See who beats. Raises UnavailableError."""
        notes = await self._store.notes(_PREFIX)
        now = self._clock.monotonic()
        if now - self._looked > GONE_AFTER / 2:
            # Whoever could not look has not seen that nobody moved.
            self._seen = {}
        self._looked = now
        seen = {}
        for note in notes:
            worker, beat = note.name.removeprefix(_PREFIX), int(note.value)
            before = self._seen.get(worker)
            seen[worker] = before if before is not None and before.beat == beat else _Seen(beat, now)
        self._seen = seen

    def living(self) -> set[str]:
        """The workers that were not seen to be gone, this one among them."""
        gone_since = self._looked - GONE_AFTER
        silent = {worker for worker, seen in self._seen.items() if seen.since <= gone_since}
        dead = {worker for worker in self._seen if self._is_dead(worker)}
        return self._seen.keys() - silent - dead | {self._worker}

    async def bury(self) -> None:
        """Remove what the gone left behind, once their work is taken over. Raises UnavailableError."""
        for worker in self._seen.keys() - self.living():
            await self._strike(worker)

    async def _strike(self, worker: str) -> None:
        note = await self._store.note(_PREFIX + worker)
        if note.revision:
            await self._store.drop_note(note.name, expected=note.revision)
