"""Many runs: each single fault of a base schedule, some at once by seed, and what is left of one that fails.

for found in explore(Move(), singles(Move(), seed=1)): ...
found = shrink(Move(), found)
print(tell(found))
"""

import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from manystore.testing.simulation.faults import BATCHES, FAULT_KINDS, Fault, FaultKind
from manystore.testing.simulation.simulation import Run, Scenario, run

Schedule = tuple[int, tuple[Fault, ...]]
"""A seed and the faults that are planned."""

_LAST: Final = 60
"""Lines of a trace that a story ends with."""


def singles(scenario: Scenario, seed: int, *, share: tuple[int, int] = (0, 1)) -> Iterator[Schedule]:
    """Each fault at each call of the schedule that a seed comes to without any.

    Only batches can be torn. `share` is (which, of how many), for those who divide the work.
    """
    called = run(seed, scenario).called
    which, parts = share
    for call in range(which, len(called), parts):
        for kind in FAULT_KINDS:
            if kind is not FaultKind.TORN or _is_batch(called[call]):
                yield seed, (Fault(call, kind),)


def several(
    scenario: Scenario,
    seeds: Iterable[int],
    *,
    least: int = 0,
    most: int = 4,
    each: int = 1,
    kinds: Sequence[FaultKind] = FAULT_KINDS,
) -> Iterator[Schedule]:
    """Schedules of `least` to `most` faults, `each` so many for every seed, none of them twice.

    What is called is chosen first, and then which call of it: what happens once in a run is as likely to be
    struck as what happens a hundred times. With `least` and `most` 2 all pairs are as likely as each other in
    that sense. What a seed calls without any fault has to be seen first: one run for each seed.
    """
    for seed in seeds:
        choice = random.Random(f"{seed}/faults")  # noqa: S311 - to be repeated, not to be guessed
        calls = dict[str, list[int]]()
        drawn = set[tuple[Fault, ...]]()
        for _ in range(each):
            count = choice.randint(least, most)
            if count and not calls:
                calls = _by_name(run(seed, scenario).called)
            faults = _drawn(choice, count, calls, kinds)
            if faults not in drawn:
                drawn.add(faults)
                yield seed, faults


def _by_name(called: Sequence[str]) -> dict[str, list[int]]:
    calls = dict[str, list[int]]()
    for number, name in enumerate(called):
        calls.setdefault(name, []).append(number)
    return calls


def _drawn(
    choice: random.Random, count: int, calls: Mapping[str, Sequence[int]], kinds: Sequence[FaultKind]
) -> tuple[Fault, ...]:
    names, faults = sorted(calls), dict[int, FaultKind]()
    count = min(count, sum(map(len, calls.values())))
    while len(faults) < count:
        name = choice.choice(names)
        call, kind = choice.choice(calls[name]), choice.choice(kinds)
        faults[call] = FaultKind.LOST if kind is FaultKind.TORN and not _is_batch(name) else kind
    return tuple(Fault(call, faults[call]) for call in sorted(faults))


def _is_batch(name: str) -> bool:
    return name.rpartition(".")[2] in BATCHES


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
