"""What happened in a run, in order: who did what when. Two runs are the same if their traces are."""

import asyncio
import hashlib
from collections.abc import Iterator
from typing import Final

from manystore.testing.simulation.loop import VirtualLoop


class Trace:
    """Notes of a run, put into words only where somebody asks.

    They are kept only where the run is to be told (`is_kept`): most runs are only to hold, and one that does
    not is repeated to be told.
    """

    def __init__(self, loop: VirtualLoop, *, is_kept: bool = True) -> None:
        self.is_kept: Final = is_kept
        self._loop = loop
        self._notes: list[tuple[float, str, tuple[object, ...]]] = []

    def note(self, *what: object, who: str | None = None) -> None:
        """Something happened, done by the running task unless it says who did it."""
        if not self.is_kept:
            return
        if who is None:
            task = asyncio.current_task(self._loop)
            who = "outside" if task is None else task.get_name()
        self._notes.append((self._loop.time(), who, what))

    def __len__(self) -> int:
        return len(self._notes)

    def lines(self) -> Iterator[str]:
        """Each note in a line: seconds, task, what."""
        for at, who, what in self._notes:
            yield f"{at:11.6f}  {who:28} {' '.join(str(each) for each in what if each != '')}"

    def digest(self) -> str:
        """SHA-256 of all lines."""
        return hashlib.sha256("\n".join(self.lines()).encode()).hexdigest()
