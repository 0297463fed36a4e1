"""Into which ranges a step is cut, and where those who work on them write down how far they are.

    moves/<kind>/<step>/<run>/outline         the ranges, cut once, by whoever was first
    moves/<kind>/<step>/<run>/range/<number>  how far a range has come: its checkpoint

All of it are notes of the copy, so that a checkpoint can be stored in one step with the rows it speaks of.
"""

from collections.abc import Awaitable, Callable
from typing import Final

import msgspec

from manystore.errors import MoveError
from manystore.moves.verify import Basis
from manystore.records import Kind
from manystore.stores.store import KeyRange, Store

SIZE: Final = 25_000
"""Records a range: some seconds of work, so that handing it out costs nothing and losing it little."""
MOST_RANGES: Final = 256
FEWEST_OF_MANY: Final = 4
"""Ranges of a kind that is small: all that one process takes at a time, or for two to share."""
BATCH: Final = 1000
"""Records a batch. Memory holds a few batches of each range at work, whatever the size of the whole."""


class RunOverError(MoveError):
    """The notes of {run} are gone: somebody else has begun this step anew. See what became of that one."""

    def __init__(self, *, run: str) -> None:
        self.run = run
        super().__init__(run=run)


class Outline(msgspec.Struct, frozen=True, kw_only=True):
    """What all who work on a step go by: its ranges, and how many records there were.

    A comparison has a basis besides, and one that checks a certificate again the certificate's name, and in
    which form it has the digest of each range.
    """

    ranges: tuple[KeyRange, ...]
    total: int
    basis: Basis = Basis()
    certificate: str = ""
    forms: tuple[str, ...] = ()


class Checkpoint(msgspec.Struct, kw_only=True):
    """What the checkpoints of all steps have in common: records done, and why it goes slowly, if it does."""

    done: int = 0
    finished: bool = False
    slowed: str = ""


def range_count(records: int) -> int:
    """Into how many ranges so many records are cut."""
    few = min(FEWEST_OF_MANY, records // BATCH)
    return max(1, few, min(MOST_RANGES, -(-records // SIZE)))


Cut = tuple[tuple[KeyRange, ...], int]
"""Ranges, and about how many records there are in all of them."""


async def cut(store: Store, kind: Kind) -> Cut:
    """Ranges of like size that cover every key there is or will be, and how many records live now."""
    total = await store.count(kind)
    return tuple(await store.ranges(kind, range_count(total))), total


async def outlined(store: Store, run: str, make: Callable[[], Awaitable[Outline]]) -> Outline:
    """The outline of a run, made and written down by whoever is first."""
    name = f"{run}outline"
    while not (note := await store.note(name)).revision:
        await store.write_note(name, msgspec.json.encode(await make()), expected=0)
    return msgspec.json.decode(note.value, type=Outline)


async def read_outline(store: Store, run: str) -> Outline:
    """The outline that a run was begun with. Raises RunOverError."""
    note = await store.note(f"{run}outline")
    if not note.revision:
        raise RunOverError(run=run)
    return msgspec.json.decode(note.value, type=Outline)


def checkpoint_prefix(run: str) -> str:
    """Under which notes the ranges of a run have their checkpoints."""
    return f"{run}range/"


def checkpoint_name(run: str, number: int) -> str:
    """The note of one range's checkpoint."""
    return f"{checkpoint_prefix(run)}{number:05}"


async def checkpoints(store: Store, run: str) -> list[Checkpoint]:
    """How far the ranges of a run are, as far as they have been begun, in the order of their numbers."""
    notes = await store.notes(checkpoint_prefix(run))
    return [msgspec.json.decode(note.value, type=Checkpoint) for note in notes]


async def keep_checkpoint(store: Store, name: str, value: bytes) -> None:
    """Store a checkpoint whatever was there.

    Two workers may be at one range for a while, where one of them was only frozen. Each checkpoint is
    true by itself, so it does not matter whose stands.
    """
    while not await store.write_note(name, value, expected=(await store.note(name)).revision):
        pass


async def forget_runs(store: Store, step: str, *, but: str) -> None:
    """Drop the notes of all runs of a step but one."""
    for note in await store.notes(step):
        if not note.name.startswith(but):
            await store.drop_note(note.name, expected=note.revision)
