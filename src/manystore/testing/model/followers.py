"""The sync follower and the bulk copy: both carry records as they were read, and may be late with them."""

from collections.abc import Iterator

from manystore.testing.model.states import (
    KEYS,
    History,
    Load,
    Safeguard,
    State,
    Store,
    World,
    is_deletion,
    placed,
    raised,
    truth_of,
    with_store,
)
from manystore.testing.model.writers import Move


def steps_of_followers(state: State, world: World) -> Iterator[Move]:
    """Everything that the follower and the copy can do next."""
    if state.follower is None:
        yield from _fetch(state, world)
    else:
        yield from _carry_on(state, world, state.follower)
    if state.copier is None:
        yield from _scan(state)
    else:
        for told, after in _apply(state, world, state.copier, "the copy"):
            yield told, after._replace(copier=None)


def _fetch(state: State, world: World) -> Iterator[Move]:
    source = truth_of(state)
    if source is None:
        return
    truth, position = state.stores[source], state.stores[1 - source].position
    if position < len(truth.log):
        key, _ = truth.log[position]
        load = Load(source, key, truth.records[key], position + 1)
        if not world.has(Safeguard.APPLY_THEN_ADVANCE):
            state = _moved(state, load)
        yield f"the follower reads key {key} of store {source}", state._replace(follower=load)


def _carry_on(state: State, world: World, load: Load) -> Iterator[Move]:
    if not load.is_applied:
        for told, after in _apply(state, world, load, "the follower"):
            yield told, after._replace(follower=load._replace(is_applied=True))
    else:
        moved = _moved(state, load)._replace(follower=None)
        yield f"the follower moves its position in the log of store {load.source} to {load.position}", moved
    if state.budget.crashes:
        budget = state.budget._replace(crashes=state.budget.crashes - 1)
        yield "the follower dies, and starts anew", state._replace(follower=None, budget=budget)


def _moved(state: State, load: Load) -> State:
    """The position moves from where it was read, or somebody else has moved it."""
    copy = state.stores[1 - load.source]
    if load.position is None or copy.position != load.position - 1:
        return state
    return with_store(state, 1 - load.source, copy._replace(position=load.position))


def _scan(state: State) -> Iterator[Move]:
    source = truth_of(state)
    if source is None:
        return
    for key in KEYS:
        history = state.stores[source].records[key]
        # What the other side has already would be ignored; it need not be looked at.
        if history and state.stores[1 - source].records[key] != history:
            load = Load(source, key, history, None)
            yield f"the copy reads key {key} of store {source}", state._replace(copier=load)


def _apply(state: State, world: World, load: Load, who: str) -> Iterator[Move]:
    side = 1 - load.source
    store, had = state.stores[side], state.stores[side].records[load.key]
    where = f"key {load.key} to store {side}"
    if world.has(Safeguard.VERSION_GUARD) and len(had) >= len(load.history):
        if len(had) == len(load.history) and had != load.history:
            yield f"{who} finds {where} otherwise: a dead letter", _buried(state, side, load, world)
        else:
            yield f"{who} brings {where}, which has it or newer", state
        return
    yield (
        f"{who} brings {where} at version {len(load.history)}",
        with_store(state, side, _taken(store, load.key, load.history, world)),
    )
    if state.budget.refusals and load.position is not None:
        budget = state.budget._replace(refusals=state.budget.refusals - 1)
        refused = _buried(state, side, load, world)._replace(budget=budget)
        yield f"store {side} refuses key {load.key} for a reason of its own: a dead letter", refused


def _taken(store: Store, key: int, history: History, world: World) -> Store:
    kept = history
    if is_deletion(history) and not world.has(Safeguard.TOMBSTONE):
        kept = ()
    return store._replace(
        records=placed(store.records, key, kept),
        tops=raised(store.tops, key, len(history)),
        # What was refused before is settled by something newer, and by nothing else.
        dead=frozenset(each for each in store.dead if each[0] != key or each[1] > len(history)),
    )


def _buried(state: State, side: int, load: Load, world: World) -> State:
    if not world.has(Safeguard.DEAD_LETTER):
        return state
    store = state.stores[side]
    return with_store(state, side, store._replace(dead=store.dead | {(load.key, len(load.history))}))
