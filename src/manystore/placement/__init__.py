"""Where a kind lives: its truth, its copy, its phase, and who may write under which epoch."""

from manystore.placement.drains import beating
from manystore.placement.leases import Leases
from manystore.placement.phases import Phase, Placement, Side, State
from manystore.placement.registers import Roll, await_acknowledgements
from manystore.placement.transitions import announce, commit, read_state, shut_copy, step, undo

__all__ = [
    "Leases",
    "Phase",
    "Placement",
    "Roll",
    "Side",
    "State",
    "announce",
    "await_acknowledgements",
    "beating",
    "commit",
    "read_state",
    "shut_copy",
    "step",
    "undo",
]
