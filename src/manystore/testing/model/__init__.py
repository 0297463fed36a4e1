"""The phase protocol as a model, every state of which is looked at.

    states.py      what a state consists of, how large a world is explored, which safeguards are in force
    writers.py     two nodes that write under leases
    followers.py   the follower and the bulk copy
    moves.py       the coordinator of cut-overs, and whoever finishes or undoes what it left
    invariants.py  what must hold in every state
    explorer.py    breadth first through all states; the shortest way to a violation
    story.py       such a way, told step by step
    worlds.py      which worlds are explored, and where each safeguard is missed

The model is small enough to be explored exhaustively and keeps what the protocol's safety rests on: who reads
which fence when, what lands late, what is lost on the way. See docs/explanation/model.md.
"""

from manystore.testing.model.explorer import Exploration, explore
from manystore.testing.model.states import SAFEGUARDS, Safeguard, World
from manystore.testing.model.story import tell
from manystore.testing.model.worlds import FENCED, FULL, MISSED_IN, RETURNING

__all__ = [
    "FENCED",
    "FULL",
    "MISSED_IN",
    "RETURNING",
    "SAFEGUARDS",
    "Exploration",
    "Safeguard",
    "World",
    "explore",
    "tell",
]
