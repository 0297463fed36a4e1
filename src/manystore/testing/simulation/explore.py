"""Many runs: each single fault of a base schedule, some at once by seed, and what is left of one that fails.

for found in explore(Move(), singles(Move(), seed=1)): ...
found = shrink(Move(), found)
print(tell(found))
"""

import random
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from manystore.testing.simulation.faults import FAULT_KINDS, Fault, FaultKind
from manystore.testing.simulation.simulation import Run, Scenario, run

Schedule = tuple[int, tuple[Fault, ...]]
"""A seed and the faults that are planned."""

_LAST: Final = 60
"""Lines of a trace that a story ends with."""


def singles(scenario: Scenario, seed: int, *, share: tuple[int, int] = (0, 1)) -> Iterator[Schedule]:
    """Each fault at each call of the schedule that a seed comes to without any.

    `share` is (which, of how many), for those who divide the work.
    """
    calls = run(seed, scenario).calls
    which, parts = share
    yield from ((seed, (Fault(call, kind),)) for call in range(which, calls, parts) for kind in FAULT_KINDS)


def several(
    scenario: Scenario,
    seeds: Iterable[int],
    *,
    most: int = 4,
    kinds: Sequence[FaultKind] = FAULT_KINDS,
) -> Iterator[Schedule]:
    """A schedule for each seed, of none to `most` faults.

    What is called is chosen first, and then which call of it: what happens once in a run is as likely to be
    struck as what happens a hundred times. With `most` 2 all pairs are as likely as each other in that sense.
    """
    for seed in seeds:
        choice = random.Random(f"{seed}/faults")  # noqa: S311 - to be repeated, not to be guessed
        count = choice.randint(0, most)
        yield seed, _drawn(choice, count, run(seed, scenario).called if count else (), kinds)


def _drawn(
    choice: random.Random, count: int, called: Sequence[str], kinds: Sequence[FaultKind]
) -> tuple[Fault, ...]:
    numbers: dict[str, list[int]] = {}
    for number, name in enumerate(called):
        numbers.setdefault(name, []).append(number)
    names = sorted(numbers)
    faults = {choice.choice(numbers[choice.choice(names)]): choice.choice(kinds) for _ in range(count)}
    return tuple(Fault(call, faults[call]) for call in sorted(faults))


def explore(scenario: Scenario, schedules: Iterable[Schedule]) -> Iterator[Run]:
    """Run each schedule."""
    for seed, faults in schedules:
        yield run(seed, scenario, faults)


def first_broken(scenario: Scenario, schedules: Iterable[Schedule]) -> Run | None:
    """The first run in which something did not hold."""
    return next((found for found in explore(scenario, schedules) if not found.holds), None)


def shrink(scenario: Scenario, found: Run) -> Run:
    """A run of the same seed that still fails, with as few faults as can be, each as early as can be.

    What does not hold may be said in other words by then. The result has its trace.
    """
    faults = found.faults
    while (fewer := _fails(scenario, found.seed, _without_one(faults))) is not None:
        faults = fewer
    for number in range(len(faults)):
        faults = _fails(scenario, found.seed, _earlier(faults, number)) or faults
    return run(found.seed, scenario, faults, traced=True)


def _fails(
    scenario: Scenario, seed: int, candidates: Iterable[tuple[Fault, ...]]
) -> tuple[Fault, ...] | None:
    return next((each for each in candidates if not run(seed, scenario, each).holds), None)


def _without_one(faults: tuple[Fault, ...]) -> Iterator[tuple[Fault, ...]]:
    for number in range(len(faults)):
        yield faults[:number] + faults[number + 1 :]


def _earlier(faults: tuple[Fault, ...], number: int) -> Iterator[tuple[Fault, ...]]:
    """The same with one fault earlier, at first by much."""
    fault = faults[number]
    taken = {each.call for each in faults}
    for back in (64, 32, 16, 8, 4, 2, 1):
        if fault.call >= back and fault.call - back not in taken:
            moved = Fault(fault.call - back, fault.kind)
            yield (*faults[:number], moved, *faults[number + 1 :])


def tell(found: Run, *, last: int = _LAST) -> str:
    """A run as a story: how to repeat it, its last steps, and what did not hold."""
    planned = ", ".join(f"{fault} ({fault.kind.value})" for fault in found.faults) or "no fault"
    lines = [f"Seed {found.seed}, {planned}; {found.calls} calls in {found.seconds:.3f} s of virtual time."]
    if len(found.trace) > last:
        lines.append(f"… {len(found.trace) - last} steps before")
    lines += found.trace[-last:]
    lines.append(f"Broken: {found.violation}." if found.violation else "Everything held.")
    return "\n".join(lines)
