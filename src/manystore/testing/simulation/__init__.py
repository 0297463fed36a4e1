"""Deterministic simulation of the engine: whole moves in milliseconds, with faults at every call of a store.

loop.py        an event loop in virtual time, in which the same steps come in the same order every time
fence.py       whoever reaches for the world outside gets an error
streams.py     randomness by purpose, from one seed
faults.py      what can go wrong at a call, and a plan of it
processes.py   processes that die and freeze
simulation.py  one run
stores.py      stores behind a network that fails as planned
witness.py, invariants.py, scenarios.py   a move while users write, and what must hold in it
explore.py     many runs: each single fault, pairs, many at random; shrinking what fails
"""

from manystore.testing.simulation.explore import (
    Schedule,
    explore,
    first_broken,
    several,
    shrink,
    singles,
    tell,
)
from manystore.testing.simulation.faults import FAULT_KINDS, Fault, FaultKind, Plan
from manystore.testing.simulation.loop import DeadlockError, FenceError, StalledError, VirtualLoop
from manystore.testing.simulation.processes import Process, ProcessClock
from manystore.testing.simulation.scenarios import Move
from manystore.testing.simulation.simulation import Run, Scenario, Simulation, Violation, run
from manystore.testing.simulation.stores import LeaseFencedMemory, PickyMemory, SimulatedStore
from manystore.testing.simulation.streams import Streams

__all__ = [
    "FAULT_KINDS",
    "DeadlockError",
    "Fault",
    "FaultKind",
    "FenceError",
    "LeaseFencedMemory",
    "Move",
    "PickyMemory",
    "Plan",
    "Process",
    "ProcessClock",
    "Run",
    "Scenario",
    "Schedule",
    "SimulatedStore",
    "Simulation",
    "StalledError",
    "Streams",
    "Violation",
    "VirtualLoop",
    "explore",
    "first_broken",
    "run",
    "several",
    "shrink",
    "singles",
    "tell",
]
