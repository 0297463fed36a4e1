"""Where a kind lives: its truth, its copy, its phase, and who may write under which epoch."""

from manystore.placement.leases import Leases, await_acknowledgements
from manystore.placement.phases import Phase, Placement, Side, State
from manystore.placement.transitions import announce, commit, read_state, shut_copy, step, undo

__all__ = [
    "Leases",
    "Phase",
    "Placement",
    "Side",
    "State",
    "announce",
    "await_acknowledgements",
    "commit",
    "read_state",
    "shut_copy",
    "step",
    "undo",
]
