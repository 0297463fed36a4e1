"""Breadth first through every state that can be reached, so that the first violation is a nearest one."""

from collections import deque
from collections.abc import Callable, Iterator

import msgspec

from manystore.testing.model.followers import steps_of_followers
from manystore.testing.model.invariants import violations
from manystore.testing.model.moves import steps_of_moves
from manystore.testing.model.states import State, World, initial
from manystore.testing.model.writers import Move, steps_of_writers

Progress = Callable[[int, int], None]
"""Told of states seen and states that wait to be looked at."""

_TELL_EVERY = 20_000


class Exploration(msgspec.Struct, frozen=True):
    """What an exploration came to. `trace` leads to the `violation`, each step in words; both are empty where
    every invariant held in every one of the `states`; `is_whole` tells whether these were all there are.
    """

    world: World
    states: int
    steps: int
    depth: int
    is_whole: bool
    violation: str = ""
    trace: tuple[Move, ...] = ()


def steps(state: State, world: World) -> Iterator[Move]:
    """Everything that can happen next."""
    yield from steps_of_writers(state, world)
    yield from steps_of_followers(state, world)
    yield from steps_of_moves(state, world)


def explore(world: World, *, progress: Progress | None = None, most: int | None = None) -> Exploration:
    """Look at every state until one breaks an invariant, or `most` were seen. Each takes about 2 KB."""
    first = initial(world)
    came_from: dict[State, tuple[State, str] | None] = {first: None}
    waiting = deque([(first, 0)])
    taken = deepest = 0
    while waiting:
        state, depth = waiting.popleft()
        deepest = max(deepest, depth)
        for told, after in steps(state, world):
            taken += 1
            if after in came_from:
                continue
            came_from[after] = (state, told)
            if broken := violations(after, world):
                return Exploration(
                    world, len(came_from), taken, depth + 1, False, broken[0], _trace(came_from, after)
                )
            waiting.append((after, depth + 1))
            if progress is not None and len(came_from) % _TELL_EVERY == 0:
                progress(len(came_from), len(waiting))
        if most is not None and len(came_from) >= most:
            break
    return Exploration(world, len(came_from), taken, deepest, not waiting)


def _trace(came_from: dict[State, tuple[State, str] | None], state: State) -> tuple[Move, ...]:
    moves: list[Move] = []
    while (step := came_from[state]) is not None:
        before, told = step
        moves.append((told, state))
        state = before
    return tuple(reversed(moves))
