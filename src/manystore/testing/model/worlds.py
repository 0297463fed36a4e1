"""Which worlds are explored, and in which of them each safeguard is missed.

Two safeguards may cover for one another, so one that is taken away is not missed everywhere: a store that
checks epochs needs no lease, and where nothing freezes nobody looks for rogue writes.
"""

from typing import Final

from manystore.testing.model.states import Safeguard, World

FENCED: Final = World(fenced=True, crashes=0, lost_acknowledgements=0, refusals=0, frozen=0)
"""Stores that check epochs, one move, an undo at any time: the smallest world in which two nodes race."""

LEASED: Final = FENCED._replace(fenced=False)
"""The same before stores that cannot check epochs."""

FREEZING: Final = LEASED._replace(undos=0, frozen=1)
"""A node may freeze with a write under way, which lands when its lease has run out."""

RETURNING: Final = FENCED._replace(writes=(1, 0), moves=2, undos=0, crashes=1)
"""There and back again, while a coordinator that froze on the way there may wake up at any time."""

REFUSING: Final = FENCED._replace(refusals=1, undos=0)
"""A copy refuses a change for a reason of its own."""

MISSED_IN: Final[dict[Safeguard, World]] = {
    Safeguard.FENCE: FENCED,
    Safeguard.LEASE: LEASED,
    Safeguard.LEASE_WAIT: LEASED,
    Safeguard.HONEST_ACKNOWLEDGEMENT: LEASED,
    Safeguard.REGISTER_FIRST: LEASED,
    Safeguard.COMPARE_AND_SET: FENCED,
    Safeguard.VERSION_GUARD: FENCED,
    Safeguard.TOMBSTONE: FENCED,
    Safeguard.CERTIFICATE: FENCED,
    Safeguard.APPLY_THEN_ADVANCE: FENCED,
    Safeguard.DEAD_LETTER: REFUSING,
    Safeguard.COMMIT_BY_COMPARE_AND_SET: FENCED,
    Safeguard.UNDO_BY_COMPARE_AND_SET: FENCED,
    Safeguard.INSTALL_GUARD: RETURNING,
    Safeguard.ROGUE_WATCH: FREEZING,
}
"""A small world for each safeguard in which taking it away breaks an invariant."""

FULL: Final[dict[str, World]] = {
    "fenced: one move, everything may go wrong": World(fenced=True, frozen=0),
    "fenced: there and back": World(
        fenced=True, moves=2, undos=0, refusals=0, lost_acknowledgements=0, frozen=0
    ),
    "fenced: three writes, one move": World(fenced=True, writes=(2, 1), crashes=0, refusals=0, frozen=0),
    "leased: one move, undone and frozen": World(
        fenced=False, crashes=0, refusals=0, lost_acknowledgements=0
    ),
    "leased: there and back": World(
        fenced=False, moves=2, undos=0, refusals=0, lost_acknowledgements=0, frozen=0
    ),
}
"""What the long run explores to the last state: half a million to some two million states each."""
