"""The write pause as people feel it: how long something was wanted and nothing was confirmed."""

from collections.abc import Iterable, Sequence
from typing import Final

from mystira.simulation.ledger import Entry

_WRITES: Final = ("acknowledged",)


def longest_pause(entries: Iterable[Entry], begin: float, end: float) -> float:
    """The longest time in seconds, within a window, in which a write was due and none was acknowledged.

    Where writes follow each other closely this is little more than what one takes; around a cut-over it is
    the time for which the process that kept this ledger could not get a write through. Only time counts in
    which somebody waited: an hour in which nobody wanted anything is no pause.
    """
    writes = sorted((entry.at, entry.due) for entry in entries if entry.event in _WRITES)
    due_by_then = _earliest_due(writes)
    longest, answered = 0.0, begin
    for (at, _), due in zip(writes, due_by_then, strict=True):
        if at < begin:
            continue
        longest = max(longest, min(at, end) - max(answered, due, begin))
        answered = at
        if at > end:
            break
    return longest


def _earliest_due(writes: Sequence[tuple[float, float]]) -> list[float]:
    """For each write, in order of answers, the earliest due time among those that were still unanswered."""
    earliest, result = float("inf"), []
    for _, due in reversed(writes):
        earliest = min(earliest, due)
        result.append(earliest)
    return result[::-1]
