"""What must hold in every state that can be reached."""

from manystore.testing.model.states import KEYS, SIDES, State, Store, World


def violations(state: State, world: World) -> list[str]:
    """Which invariants do not hold, in words."""
    return [*_one_truth(state), *_nothing_lost(state, world), *_no_going_back(state), *_no_skipping(state)]


def _truths(state: State) -> list[int]:
    named = enumerate(state.stores)
    return [side for side, store in named if store.fence is not None and store.fence.truth == side]


def _one_truth(state: State) -> list[str]:
    return ["one truth at a time: both stores take themselves for it"] if len(_truths(state)) > 1 else []


def _decisive(state: State) -> int:
    """The side whose word counts: the truth, or the one that is to take over."""
    if truths := _truths(state):
        return truths[0]
    return max((store.fence for store in state.stores if store.fence), key=lambda fence: fence.epoch).truth


def _nothing_lost(state: State, world: World) -> list[str]:
    """An acknowledged write is in the truth's history.

    Only a node that froze with a write under way, before a store that cannot fence, may leave one that
    nobody admitted; that one is kept and reported.
    """
    truth = state.stores[_decisive(state)]
    kept: frozenset[int] = frozenset()
    if world.frozen and not world.fenced:
        kept = state.stores[0].rogues | state.stores[1].rogues
    return [
        f"no acknowledged write lost: write {number} of key {key} is nowhere"
        for key, number in state.acknowledged
        if number not in truth.records[key] and number not in kept
    ]


def _no_going_back(state: State) -> list[str]:
    """What a store holds of a key is the newest that it ever had: no former version, no deleted record."""
    return [
        f"a copy never goes back: store {side} had version {store.tops[key]} of key {key} and now has "
        f"version {len(store.records[key])}"
        for side, store in enumerate(state.stores)
        for key in KEYS
        if 0 < len(store.records[key]) < store.tops[key]
    ]


def _no_skipping(state: State) -> list[str]:
    """What lies before a position is in the copy, or waits in its queue."""
    found = []
    for source in SIDES:
        copy = state.stores[1 - source]
        for key, version in state.stores[source].log[: copy.position]:
            if copy.tops[key] < version and not _is_dead(copy, key, version):
                found.append(
                    f"a position never passes a change: store {1 - source} never had version {version} "
                    f"of key {key}"
                )
    return found


def _is_dead(copy: Store, key: int, version: int) -> bool:
    return any(each == key and refused >= version for each, refused in copy.dead)
